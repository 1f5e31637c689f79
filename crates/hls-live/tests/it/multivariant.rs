//! The multivariant playlist.

use core_frame::{CodecId, ColorInfo, Role, TrackId};
use m3u8::{ClosedCaptions, MediaType};

use super::live::{Live, Stage, audio, audio_track, video};

fn stage(tracks: impl IntoIterator<Item = core_frame::TrackInfo>) -> Stage {
    let mut live = Live::new(tracks);
    live.segments(2);
    Stage::new(live)
}

#[test]
fn r096_a_variant_tells_what_a_player_chooses_by() {
    let list = stage([video(), audio()]).multivariant("index.m3u8");
    assert_eq!(list.variants.len(), 1);
    let v = &list.variants[0];
    // Peak of the video and of the largest audio, as measured, in whole thousands.
    assert_eq!(v.bandwidth, 2_129_000);
    assert_eq!(v.average_bandwidth, Some(1_916_000));
    assert_eq!(v.codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
    assert_eq!(v.resolution.unwrap().to_string(), "1280x720");
    assert_eq!(v.frame_rate.unwrap().as_f64(), 30.0);
    assert_eq!(v.closed_captions, Some(ClosedCaptions::None));
    assert_eq!(v.video_range, None, "all is SDR");
}

#[test]
fn r096_pixels_are_square_and_hdr_is_named() {
    let mut track = video();
    let info = track.video.as_mut().unwrap();
    (info.width, info.height) = (1440, 1080);
    info.sample_aspect = Some((4, 3));
    info.frame_rate = Some((30_000, 1_001));
    info.color = Some(ColorInfo {
        primaries: 9,
        transfer: 16,
        matrix: 9,
        full_range: false,
    });
    let list = stage([track]).multivariant("index.m3u8");
    let v = &list.variants[0];
    assert_eq!(v.resolution.unwrap().to_string(), "1920x1080");
    assert_eq!(v.frame_rate.unwrap().to_string(), "29.97");
    assert_eq!(v.video_range.as_deref(), Some("PQ"));
    assert_eq!(
        (v.audio.as_deref(), v.codecs.as_deref()),
        (None, Some("avc1.64001f"))
    );
}

#[test]
fn r097_a_promise_of_the_sender_counts_until_more_is_measured() {
    let mut track = video();
    track.bitrate_bps = Some(6_000_000);
    let list = stage([track, audio()]).multivariant("index.m3u8");
    assert_eq!(list.variants[0].bandwidth, 6_129_000);
    assert_eq!(list.variants[0].average_bandwidth, Some(1_916_000));
}

#[test]
fn r097_an_unknown_codec_string_is_not_guessed() {
    let mut track = audio();
    track.codec_string = None;
    let list = stage([video(), track]).multivariant("index.m3u8");
    assert_eq!(list.variants[0].codecs, None);
}

#[test]
fn r097_a_codec_change_refreshes_the_list() {
    let mut stage = stage([video(), audio()]);
    stage.live.discontinuity(true);
    stage.live.segments(1);
    let list = stage.multivariant("index.m3u8");
    assert_eq!(
        list.variants[0].codecs.as_deref(),
        Some("avc1.640028,mp4a.40.2")
    );
}

#[test]
fn r098_audio_renditions_have_language_name_and_channels() {
    let mut commentary = audio_track(5, CodecId::Aac, "mp4a.40.2", Some("en"));
    commentary.role = Role::Commentary;
    let mut described = audio_track(6, CodecId::Aac, "mp4a.40.2", Some("de"));
    described.role = Role::Description;
    let list = stage([
        video(),
        audio_track(2, CodecId::Aac, "mp4a.40.2", Some("en")),
        commentary,
        described,
    ])
    .multivariant("index.m3u8");
    let group: Vec<_> = list.group(MediaType::Audio, "aac").collect();
    assert_eq!(group.len(), 3);
    assert!(
        group
            .iter()
            .all(|m| m.language.is_some() && m.channels.as_deref() == Some("2"))
    );
    let mut names: Vec<_> = group.iter().map(|m| &m.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "names tell them apart");
    assert_eq!(group.iter().filter(|m| m.default).count(), 1);
    assert!(!group[1].autoselect, "nobody gets a commentary unasked");
    assert!(
        group[2]
            .characteristics
            .as_deref()
            .unwrap()
            .contains("describes-video")
    );
}

#[test]
fn r098_audio_only_is_low_latency_too() {
    let stage = stage([audio()]);
    let list = stage.multivariant("index.m3u8");
    assert_eq!(list.variants[0].uri, "a2/index.m3u8");
    assert_eq!((list.variants[0].resolution, list.media.len()), (None, 0));
    let list = stage.media("a2/index.m3u8");
    assert!(
        list.part_target.is_some()
            && !list.segments[1].parts.is_empty()
            && !list.preload_hints.is_empty()
    );
    assert!(list.rendition_reports.is_empty());
}

#[test]
fn r098_two_languages_without_video_are_one_variant_with_a_group() {
    let tracks = [
        audio_track(2, CodecId::Opus, "opus", Some("en")),
        audio_track(3, CodecId::Opus, "opus", Some("fr")),
    ];
    let list = stage(tracks).multivariant("index.m3u8");
    assert_eq!(list.variants.len(), 1);
    assert_eq!(list.variants[0].uri, "a2/index.m3u8");
    assert_eq!(list.variants[0].audio.as_deref(), Some("opus"));
    assert_eq!(list.variants[0].bandwidth, 129_000);
    assert_eq!(list.group(MediaType::Audio, "opus").count(), 2);
}

#[test]
fn r099_all_playlists_named_can_be_fetched() {
    let mut second = video();
    second.id = TrackId(3);
    let stage = stage([video(), audio(), second]);
    let list = stage.multivariant("index.m3u8");
    assert_eq!(list.variants.len(), 2);
    let uris = list.variants.iter().map(|v| v.uri.clone());
    for uri in uris.chain(list.media.iter().filter_map(|m| m.uri.clone())) {
        let folder = uri.split('/').next().unwrap();
        let media = stage.media(&uri);
        assert_eq!(media.rendition_reports.len(), 2);
        let map = media.segments[0].map.clone().unwrap();
        assert_eq!(stage.status(&format!("{folder}/{}", map.uri)), 200);
        for report in media.rendition_reports {
            assert_eq!(stage.status(report.uri.strip_prefix("../").unwrap()), 200);
        }
    }
}
