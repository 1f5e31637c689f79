//! Delta updates: offered for deep windows, and equal to the full list once applied.

use std::time::Duration;

use core_frame::MediaTime;
use millstream_hls_live::Config;

use super::live::{Live, Stage};

fn deep(segments: usize, listed: usize) -> Stage {
    let mut live = Live::new([super::live::video(), super::live::audio()]);
    live.listed = listed;
    live.segments(segments);
    (0..4).for_each(|_| live.part());
    Stage::with(live, Config::default().window(Duration::from_secs(600)))
}

#[test]
fn r089_a_delta_applied_is_the_full_list() {
    let mut stage = deep(20, 12);
    stage.live.discontinuity(true);
    stage.live.cut();
    let mut previous = stage.media("v1/index.m3u8");
    for n in 0..80 {
        stage.live.part();
        if n == 33 {
            stage.live.cut();
            stage.live.discontinuity(false);
        }
        let full = stage.media("v1/index.m3u8");
        let delta = stage.media("v1/index.m3u8?_HLS_skip=YES");
        assert!(delta.skip.is_some());
        assert_eq!(delta.version, Some(9));
        let mut applied = delta.apply_delta(&previous).unwrap();
        applied.version = Some(6);
        assert_eq!(applied, full);
        previous = full;
    }
}

#[test]
fn r089_only_what_lies_beyond_the_boundary_is_skipped() {
    let stage = deep(40, 100);
    let full = stage.media("v1/index.m3u8");
    let boundary = full.server_control.unwrap().can_skip_until.unwrap();
    assert_eq!(boundary, MediaTime::from_secs(12));
    let delta = stage.media("v1/index.m3u8?_HLS_skip=v2");
    let kept = delta.duration();
    assert!(
        kept >= boundary && kept <= boundary + MediaTime::from_secs(4),
        "{kept}"
    );
    let text = stage.text("v1/index.m3u8?_HLS_skip=v2");
    assert_eq!(text.matches("#EXT-X-SKIP:").count(), 1);
    for tag in [
        "TARGETDURATION",
        "MEDIA-SEQUENCE",
        "DISCONTINUITY-SEQUENCE",
        "SERVER-CONTROL",
        "PART-INF",
        "MAP",
    ] {
        assert_eq!(text.matches(&format!("#EXT-X-{tag}:")).count(), 1, "{tag}");
    }
    let at = |tag: &str| text.find(tag).unwrap();
    assert!(
        at("MEDIA-SEQUENCE") < at("SKIP:")
            && at("DISCONTINUITY-SEQUENCE") < at("SKIP:")
            && at("SKIP:") < at("#EXT-X-MAP")
    );
    assert_eq!(delta.rendition_reports, full.rendition_reports);
    assert_eq!(delta.preload_hints, full.preload_hints);
}

#[test]
fn r089_nothing_to_skip_is_a_full_list() {
    let stage = deep(6, 100);
    assert_eq!(
        stage.text("v1/index.m3u8?_HLS_skip=YES"),
        stage.text("v1/index.m3u8")
    );
    assert_eq!(stage.media("v1/index.m3u8?_HLS_skip=YES").version, Some(6));
    assert_eq!(deep(40, 100).media("v1/index.m3u8?_HLS_skip=NO").skip, None);
}

#[test]
fn r090_offered_from_two_minutes_on_and_never_changed() {
    for (window, offered) in [(60, false), (119, false), (120, true), (7_200, true)] {
        let config = Config::default().window(Duration::from_secs(window));
        let mut stage = Stage::with(Live::av(1), config);
        let first = stage.media("v1/index.m3u8").server_control.unwrap();
        assert_eq!(first.can_skip_until.is_some(), offered, "{window}");
        stage.live.segments(50);
        assert_eq!(stage.media("v1/index.m3u8").server_control.unwrap(), first);
        let delta = stage.media("v1/index.m3u8?_HLS_skip=YES");
        assert_eq!(delta.skip.is_some(), offered);
    }
}

#[test]
fn r089_works_together_with_blocking() {
    let mut stage = deep(40, 100);
    let url = "v1/index.m3u8?_HLS_msn=140&_HLS_part=4&_HLS_skip=YES";
    assert_eq!(stage.status(url), super::live::HELD);
    stage.live.part();
    let list = stage.media(url);
    assert!(list.skip.is_some());
    assert_eq!(list.edge(), Some((140, Some(4))));
}
