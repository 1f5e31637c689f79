//! Blocking reload: what is held, for how long, and what is refused at once.

use std::time::Duration;

use millstream_hls_live::{Answer, Condition};

use super::live::{HELD, Live, Stage, video};

/// Complete: 100 to 104. Open: 105 with parts 0 to 2.
fn stage() -> Stage {
    let mut live = Live::av(5);
    (0..3).for_each(|_| live.part());
    Stage::new(live)
}

fn until(answer: Answer) -> Condition {
    match answer {
        Answer::Wait { until, .. } => until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r084_a_segment_is_awaited_until_it_is_complete() {
    let mut stage = stage();
    assert_eq!(stage.status("v1/index.m3u8?_HLS_msn=104"), 200);
    let wait = until(stage.get("v1/index.m3u8?_HLS_msn=105"));
    for n in 3..10 {
        assert!(!wait.is_met(&stage.live.snapshot()), "{n} parts");
        stage.live.part();
    }
    assert!(wait.is_met(&stage.live.snapshot()));
    assert!(
        stage
            .media("v1/index.m3u8?_HLS_msn=105")
            .segment(105)
            .is_some()
    );
}

#[test]
fn r084_a_part_is_awaited() {
    let mut stage = stage();
    for part in 0..3 {
        assert_eq!(
            stage.status(&format!("v1/index.m3u8?_HLS_msn=105&_HLS_part={part}")),
            200
        );
    }
    let wait = until(stage.get("v1/index.m3u8?_HLS_msn=105&_HLS_part=3"));
    assert!(!wait.is_met(&stage.live.snapshot()));
    stage.live.part();
    assert!(wait.is_met(&stage.live.snapshot()));
    let list = stage.media("v1/index.m3u8?_HLS_msn=105&_HLS_part=3");
    assert_eq!(list.edge(), Some((105, Some(3))));
}

#[test]
fn r084_a_part_past_the_end_of_a_segment_is_the_next_ones_first() {
    let mut stage = stage();
    assert_eq!(
        stage.status("v1/index.m3u8?_HLS_msn=104&_HLS_part=10"),
        200,
        "105.0 is there"
    );
    (0..7).for_each(|_| stage.live.part());
    let wait = until(stage.get("v1/index.m3u8?_HLS_msn=105&_HLS_part=10"));
    assert!(
        !wait.is_met(&stage.live.snapshot()),
        "105 is complete, 106.0 not there"
    );
    stage.live.part();
    assert!(wait.is_met(&stage.live.snapshot()));
    assert_eq!(stage.status("v1/index.m3u8?_HLS_msn=105&_HLS_part=10"), 200);
    // A segment that ended early answers those who waited for more of it as well.
    stage.live.part();
    let wait = until(stage.get("v1/index.m3u8?_HLS_msn=106&_HLS_part=2"));
    stage.live.cut();
    assert!(!wait.is_met(&stage.live.snapshot()));
    stage.live.part();
    assert!(wait.is_met(&stage.live.snapshot()));
    assert_eq!(stage.status("v1/index.m3u8?_HLS_msn=106&_HLS_part=2"), 200);
}

#[test]
fn r085_nonsense_is_refused_at_once() {
    let stage = stage();
    for query in [
        "_HLS_part=0",
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=105&_HLS_part=-1",
        "_HLS_msn=105&_HLS_part=1.5",
        "_HLS_msn=108",
        "_HLS_msn=115&_HLS_part=0",
        "_HLS_msn=999999999",
        "_HLS_msn=99999999999999999999999999",
        // 15 parts (3 s) behind 105.2 is the Advance Part Limit.
        "_HLS_msn=105&_HLS_part=18",
        "_HLS_msn=106&_HLS_part=15",
        "_HLS_msn=104&_HLS_part=25",
        "_HLS_msn=105&_HLS_part=4294967296",
    ] {
        assert_eq!(
            stage.status(&format!("v1/index.m3u8?{query}")),
            400,
            "{query}"
        );
    }
    for query in [
        "_HLS_msn=107",
        "_HLS_msn=107&_HLS_part=0",
        "_HLS_msn=105&_HLS_part=17",
        "_HLS_msn=106&_HLS_part=14",
    ] {
        assert_eq!(
            stage.status(&format!("v1/index.m3u8?{query}")),
            HELD,
            "{query}"
        );
    }
}

#[test]
fn r086_an_old_number_gets_the_whole_list() {
    let mut live = Live::av(40);
    live.part();
    let stage = Stage::new(live);
    for query in [
        "_HLS_msn=0",
        "_HLS_msn=100",
        "_HLS_msn=50&_HLS_part=99",
        "_HLS_msn=105&_HLS_part=3",
    ] {
        let list = stage.media(&format!("v1/index.m3u8?{query}"));
        assert_eq!(list.segments.len(), 30, "{query}");
    }
}

#[test]
fn r086_nobody_waits_longer_than_three_target_durations() {
    let mut stage = stage();
    let arrived = stage.now;
    let url = "v1/index.m3u8?_HLS_msn=105&_HLS_part=3";
    let Answer::Wait { deadline, .. } = stage.get(url) else {
        panic!("it waits");
    };
    assert_eq!(deadline - arrived, Duration::from_secs(6));
    stage.later(Duration::from_millis(5_999));
    assert!(matches!(stage.ask(url, arrived), Answer::Wait { deadline: d, .. } if d == deadline));
    stage.later(Duration::from_millis(1));
    match stage.ask(url, arrived) {
        Answer::Refused(r) => assert_eq!((r.status, r.retry_after_s), (503, Some(1))),
        other => panic!("{other:?}"),
    }
    // What came in the last moment is answered.
    stage.live.part();
    assert!(matches!(stage.ask(url, arrived), Answer::Playlist { .. }));
}

#[test]
fn r081_r086_the_end_answers_everybody_and_directives_mean_nothing() {
    let mut stage = stage();
    let waits = [
        "v1/index.m3u8?_HLS_msn=107&_HLS_part=0",
        "a2/index.m3u8?_HLS_msn=105",
        "v1/105.3.m4s",
    ]
    .map(|url| until(stage.get(url)));
    stage.live.end();
    let ended = stage.live.snapshot();
    assert!(waits.iter().all(|w| w.is_met(&ended)));
    for query in [
        "_HLS_msn=107&_HLS_part=0",
        "_HLS_part=1",
        "_HLS_msn=x",
        "_HLS_msn=9999",
        "_HLS_skip=YES",
    ] {
        let list = stage.media(&format!("v1/index.m3u8?{query}"));
        assert!(list.end_list && list.skip.is_none(), "{query}");
    }
}

#[test]
fn a_stream_that_has_just_begun_gets_a_moment() {
    let mut stage = Stage::new(Live::new([video()]));
    let arrived = stage.now;
    for url in ["index.m3u8", "v1/index.m3u8"] {
        assert_eq!(until(stage.get(url)), Condition::Ready);
    }
    stage.live.part();
    assert!(!Condition::Ready.is_met(&stage.live.snapshot()));
    (0..9).for_each(|_| stage.live.part());
    assert!(Condition::Ready.is_met(&stage.live.snapshot()));
    assert_eq!(stage.status("index.m3u8"), 200);

    stage.live = Live::new([video()]);
    stage.later(Duration::from_secs(10));
    match stage.ask("index.m3u8", arrived) {
        Answer::Refused(r) => assert_eq!((r.status, r.retry_after_s), (503, Some(1))),
        other => panic!("{other:?}"),
    }
    stage.live.ended = true;
    assert_eq!(stage.status("index.m3u8"), 404);
}

#[test]
fn a_track_that_comes_late_holds_up_nobody() {
    let mut stage = stage();
    let mut snapshot = stage.live.snapshot();
    let mut late = (*snapshot.tracks[1]).clone();
    late.id = core_frame::TrackId(3);
    (late.closed, late.open) = ([].into(), None);
    snapshot.tracks.push(std::sync::Arc::new(late));
    let request = millstream_hls_live::Request::new("index.m3u8", stage.now);
    match stage.origin.respond(&snapshot, &request, stage.now) {
        Answer::Playlist { body, .. } => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains("a2/") && !text.contains("a3/"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    stage.live.part();
}
