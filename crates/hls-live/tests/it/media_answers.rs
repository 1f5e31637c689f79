//! Segments, parts and init segments.

use std::time::Duration;

use millstream_hls_live::Answer;

use super::live::{HELD, Live, Stage};

fn stage() -> Stage {
    let mut live = Live::av(5);
    (0..3).for_each(|_| live.part());
    Stage::new(live)
}

#[test]
fn parts_and_segments_are_handed_out_as_they_lie() {
    let stage = stage();
    assert_eq!(stage.bytes("v1/104.2.m4s"), "1 104 2|");
    assert_eq!(stage.bytes("a2/105.0.m4s"), "2 105 0|");
    let whole: String = (0..10).map(|n| format!("1 104 {n}|")).collect();
    assert_eq!(stage.bytes("v1/104.m4s"), whole);
    match stage.get("a2/104.m4s") {
        Answer::Media {
            slices,
            content_type,
            ..
        } => {
            assert_eq!(
                (slices.len(), content_type),
                (20, "audio/mp4"),
                "slices are shared, not joined"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn r087_a_hinted_part_is_held_until_it_is_whole() {
    let mut stage = stage();
    let arrived = stage.now;
    let Answer::Wait { until, deadline } = stage.get("v1/105.3.m4s") else {
        panic!("it waits");
    };
    assert_eq!(deadline - arrived, Duration::from_secs(6));
    assert!(!until.is_met(&stage.live.snapshot()));
    stage.live.part();
    assert!(until.is_met(&stage.live.snapshot()));
    assert_eq!(stage.bytes("v1/105.3.m4s"), "1 105 3|");
    // The open segment as a whole is held as well.
    let Answer::Wait { until, .. } = stage.get("v1/105.m4s") else {
        panic!("it waits");
    };
    (0..6).for_each(|_| stage.live.part());
    assert!(until.is_met(&stage.live.snapshot()));
    assert_eq!(stage.status("v1/105.m4s"), 200);
}

#[test]
fn r088_what_was_never_hinted_or_was_given_up_is_not_there() {
    let mut stage = stage();
    for url in [
        "v1/105.4.m4s",
        "v1/106.0.m4s",
        "v1/106.m4s",
        "v1/104.10.m4s",
        "v1/999.m4s",
        "v3/index.m3u8",
    ] {
        assert_eq!(stage.status(url), 404, "{url}");
    }
    // The hinted part does not come, because the segment is cut.
    assert_eq!(stage.status("v1/105.3.m4s"), HELD);
    stage.live.cut();
    assert_eq!(stage.status("v1/105.3.m4s"), 404);
    assert_eq!(
        stage.status("v1/106.0.m4s"),
        HELD,
        "this is what is hinted now"
    );
    let arrived = stage.now;
    stage.later(Duration::from_secs(6));
    match stage.ask("v1/106.0.m4s", arrived) {
        Answer::Refused(r) => assert_eq!((r.status, r.cache_control), (404, "no-store")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_left_the_window_is_gone() {
    let mut live = Live::av(60);
    live.part();
    let stage = Stage::new(live);
    assert_eq!(stage.status("v1/100.m4s"), 410);
    assert_eq!(stage.status("v1/100.0.m4s"), 410);
}

#[test]
fn stored_segments_are_named_by_key_and_range() {
    let mut live = Live::av(3);
    live.in_memory = 2;
    live.segments(2);
    let stage = Stage::new(live);
    let len = (0..10)
        .map(|n| format!("1 100 {n}|").len() as u64)
        .sum::<u64>();
    match stage.get("v1/100.m4s") {
        Answer::Stored {
            key,
            range,
            content_type,
            ..
        } => {
            assert_eq!(
                (&*key, range, content_type),
                ("window/1/100", 0..len, "video/mp4")
            );
        }
        other => panic!("{other:?}"),
    }
    match stage.get("v1/100.3.m4s") {
        Answer::Stored { key, range, .. } => {
            assert_eq!((&*key, range), ("window/1/100", 24..32));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.status("v1/104.m4s"), 200);
}

#[test]
fn r092_only_the_one_spelling_is_served() {
    let stage = stage();
    for url in [
        "",
        "index.m3u8/",
        "/index.m3u8",
        "../index.m3u8",
        "v1",
        "v1/",
        "v1/../v1/index.m3u8",
        "a1/index.m3u8",
        "v2/index.m3u8",
        "v1/0104.m4s",
        "v1/104.m4s/",
        "v1/init.0.00000000.mp4",
        "v1/init.9.e88cbfbf.mp4",
        "v1/%31.m4s",
        "V1/104.m4s",
        "v1/104.M4S",
    ] {
        assert_eq!(stage.status(url), 404, "{url}");
    }
}
