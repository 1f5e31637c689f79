//! What a media playlist says at one moment.

use core_frame::MediaTime;
use m3u8::HintKind;

use super::live::{Live, Stage};

const BOTH: [&str; 2] = ["v1/index.m3u8", "a2/index.m3u8"];

/// A long stream in mid-segment.
fn stage() -> Stage {
    let mut live = Live::av(40);
    (0..4).for_each(|_| live.part());
    Stage::new(live)
}

#[test]
fn r059_r060_r099_timing_values_are_equal_in_all_renditions() {
    let stage = stage();
    let [v, a] = BOTH.map(|u| stage.media(u));
    assert_eq!(v.target_duration, 2);
    assert_eq!(
        (
            v.target_duration,
            v.part_target,
            v.server_control,
            v.discontinuity_sequence,
            v.media_sequence
        ),
        (
            a.target_duration,
            a.part_target,
            a.server_control,
            a.discontinuity_sequence,
            a.media_sequence
        )
    );
    assert!(v.segments.iter().all(|s| s.duration.to_ticks(1) <= 2));
}

#[test]
fn r061_durations_have_five_decimals_and_keep_to_the_target() {
    let stage = stage();
    for url in BOTH {
        let text = stage.text(url);
        for line in text
            .lines()
            .filter(|l| l.contains("DURATION=") && l.starts_with("#EXT-X-PART"))
        {
            let number = line
                .split("DURATION=")
                .nth(1)
                .unwrap()
                .split(',')
                .next()
                .unwrap();
            assert!(number.split('.').nth(1).unwrap().len() >= 5, "{line}");
        }
        let list = stage.media(url);
        let parts = list
            .segments
            .iter()
            .chain(list.open.as_deref())
            .flat_map(|s| &s.parts);
        assert!(parts.clone().count() > 10);
        assert!(
            parts
                .into_iter()
                .all(|p| p.duration <= list.part_target.unwrap())
        );
    }
}

#[test]
fn r064_parts_add_up_to_their_segment() {
    let stage = stage();
    for url in BOTH {
        for s in stage
            .media(url)
            .segments
            .iter()
            .filter(|s| !s.parts.is_empty())
        {
            let sum = s.parts.iter().fold(MediaTime::ZERO, |t, p| t + p.duration);
            assert_eq!(sum, s.duration);
        }
    }
}

#[test]
fn r065_independent_parts_are_marked() {
    let stage = stage();
    let [v, a] = BOTH.map(|u| stage.media(u));
    let with_parts = |l: &m3u8::MediaPlaylist| -> Vec<_> {
        l.segments
            .iter()
            .filter(|s| !s.parts.is_empty())
            .cloned()
            .collect()
    };
    for s in with_parts(&v) {
        assert!(s.parts[0].independent && !s.parts[1].independent);
    }
    assert!(
        with_parts(&a)
            .iter()
            .flat_map(|s| &s.parts)
            .all(|p| p.independent)
    );
}

#[test]
fn r066_r067_hold_backs_and_blocking_reload() {
    let control = stage().media("v1/index.m3u8").server_control.unwrap();
    assert!(control.can_block_reload);
    assert_eq!(control.part_hold_back, Some(MediaTime::from_millis(600)));
    assert_eq!(control.hold_back, Some(MediaTime::from_secs(6)));
}

#[test]
fn r068_what_applies_to_a_segment_comes_before_its_first_part() {
    let mut live = Live::av(3);
    live.discontinuity(true);
    (0..2).for_each(|_| live.part());
    let stage = Stage::new(live);
    let text = stage.text("v1/index.m3u8");
    let tail = &text[text.find("#EXT-X-DISCONTINUITY\n").unwrap()..];
    let names: Vec<_> = tail
        .lines()
        .map(|l| l.split(':').next().unwrap())
        .take(5)
        .collect();
    assert_eq!(
        names,
        [
            "#EXT-X-DISCONTINUITY",
            "#EXT-X-MAP",
            "#EXT-X-PROGRAM-DATE-TIME",
            "#EXT-X-PART",
            "#EXT-X-PART"
        ]
    );
}

#[test]
fn r069_every_segment_has_its_date_equal_in_all_renditions() {
    let mut live = Live::av(3);
    live.discontinuity(false);
    live.segments(2);
    live.part();
    let stage = Stage::new(live);
    let [v, a] = BOTH.map(|u| stage.media(u));
    for (s, t) in v
        .segments
        .iter()
        .chain(v.open.as_deref())
        .zip(a.segments.iter().chain(a.open.as_deref()))
    {
        assert!(s.program_date_time.is_some());
        assert_eq!(s.program_date_time, t.program_date_time);
    }
    // The jump is in the dates too.
    let at: Vec<_> = v
        .segments
        .iter()
        .map(|s| s.program_date_time.unwrap().unix_millis())
        .collect();
    assert_eq!(
        at.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>(),
        [2_000, 2_000, 2_777, 2_000]
    );
}

#[test]
fn r070_parts_are_listed_for_the_last_three_target_durations() {
    let mut live = Live::av(10);
    for _ in 0..10 {
        live.part();
        let stage = Stage::new(live);
        let list = stage.media("v1/index.m3u8");
        let of = |s: &m3u8::Segment| s.parts.iter().fold(MediaTime::ZERO, |t, p| t + p.duration);
        let mut behind = list.open.as_deref().map_or(MediaTime::ZERO, of);
        for (n, s) in list.segments.iter().rev().enumerate() {
            behind += s.duration;
            let near = n < 2 && behind <= MediaTime::from_secs(6);
            assert_eq!(
                !s.parts.is_empty(),
                near,
                "{} begins {behind} before the end",
                s.uri
            );
            assert!(
                s.parts.is_empty() || of(s) == s.duration,
                "all parts or none"
            );
        }
        live = stage.live;
    }
}

#[test]
fn r073_a_codec_change_is_a_discontinuity_with_a_new_map_in_all_renditions() {
    let mut live = Live::av(3);
    live.discontinuity(true);
    live.segments(2);
    let stage = Stage::new(live);
    let [v, a] = BOTH.map(|u| stage.media(u));
    let breaks = |l: &m3u8::MediaPlaylist| -> Vec<u64> {
        l.sequenced()
            .filter(|(_, s)| s.discontinuity)
            .map(|(n, _)| n)
            .collect()
    };
    assert_eq!((breaks(&v), breaks(&a)), (vec![103], vec![103]));
    let map = |l: &m3u8::MediaPlaylist, n| l.segment(n).unwrap().map.clone().unwrap().uri.clone();
    assert_ne!(map(&v, 102), map(&v, 103));
    assert_eq!(map(&a, 102), map(&a, 103));
    // Both init segments can be fetched, and the old one is what it was.
    assert_eq!(stage.bytes(&format!("v1/{}", map(&v, 102))), "init of 1");
    assert_eq!(stage.bytes(&format!("v1/{}", map(&v, 103))), "another init");
}

#[test]
fn r063_gaps_are_told() {
    let mut live = Live::av(1);
    live.gap(true);
    live.segments(1);
    live.part();
    live.gap(false);
    live.part();
    let stage = Stage::new(live);
    let list = stage.media("v1/index.m3u8");
    assert!(!list.segments[0].gap && list.segments[1].gap);
    assert!(
        list.segments[1]
            .parts
            .iter()
            .all(|p| p.gap && !p.independent)
    );
    let open = list.open.unwrap();
    assert!(open.parts[0].gap && !open.parts[1].gap && !open.gap);
    assert_eq!(stage.status("v1/101.m4s"), 404);
    assert_eq!(stage.status("v1/101.0.m4s"), 404);
    assert_eq!(stage.status("v1/102.1.m4s"), 200);
}

#[test]
fn r075_one_complete_segment_is_enough_to_start() {
    let stage = Stage::new(Live::av(1));
    assert_eq!(stage.media("v1/index.m3u8").segments.len(), 1);
    assert_eq!(stage.multivariant("index.m3u8").variants.len(), 1);
}

#[test]
fn r077_version_is_six_for_a_full_list() {
    assert_eq!(stage().media("v1/index.m3u8").version, Some(6));
    assert_eq!(stage().media("v1/index.m3u8").required_version(), 6);
}

#[test]
fn r078_independent_segments_only_while_they_are() {
    let mut live = Live::av(2);
    assert!(
        Stage::new(Live::av(2))
            .media("v1/index.m3u8")
            .independent_segments
    );
    live.independent = false;
    let stage = Stage::new(live);
    assert!(!stage.media("v1/index.m3u8").independent_segments);
    assert!(!stage.multivariant("index.m3u8").independent_segments);
}

#[test]
fn r079_the_hint_names_the_next_part_also_over_a_segment_switch() {
    let mut live = Live::av(2);
    for n in 0..25 {
        let stage = Stage::new(live);
        let list = stage.media("v1/index.m3u8");
        assert_eq!(list.preload_hints.len(), 1);
        let hint = list.preload_hints[0].clone();
        assert_eq!(
            (hint.kind, hint.start, hint.length),
            (HintKind::Part, 0, None)
        );
        assert_eq!(hint.uri, format!("{}.{}.m4s", 102 + n / 10, n % 10));
        live = stage.live;
        live.part();
        let stage = Stage::new(live);
        assert!(
            stage
                .text("v1/index.m3u8")
                .contains(&format!("URI=\"{}\"", hint.uri)),
            "it came true"
        );
        assert_eq!(stage.status(&format!("v1/{}", hint.uri)), 200);
        live = stage.live;
    }
}

#[test]
fn r080_every_other_rendition_is_reported() {
    let mut live = Live::av(2);
    for n in 0..12_u64 {
        let stage = Stage::new(live);
        for (own, other) in [(BOTH[0], "../a2/index.m3u8"), (BOTH[1], "../v1/index.m3u8")] {
            let reports = stage.media(own).rendition_reports;
            assert_eq!(reports.len(), 1);
            assert_eq!(reports[0].uri, other);
            // After n parts: the open segment's last, or the last of the complete one.
            let (msn, part) = if n % 10 == 0 {
                (101 + n / 10, 9)
            } else {
                (102 + n / 10, n % 10 - 1)
            };
            assert_eq!(
                (reports[0].last_msn, reports[0].last_part),
                (Some(msn), Some(part))
            );
        }
        live = stage.live;
        live.part();
    }
}

#[test]
fn r081_the_end_is_final() {
    let mut live = Live::av(2);
    (0..3).for_each(|_| live.part());
    live.end();
    let stage = Stage::new(live);
    let list = stage.media("v1/index.m3u8");
    assert!(list.end_list && list.preload_hints.is_empty() && list.open.is_none());
    assert_eq!(list.segments.len(), 3);
    assert_eq!(list.segments[2].duration, MediaTime::from_millis(600));
    assert_eq!(stage.status("v1/102.2.m4s"), 200);
    assert_eq!(stage.status("v1/102.3.m4s"), 404, "the hint was given up");
}

#[test]
fn r082_a_sliding_list_has_no_type() {
    assert_eq!(stage().media("v1/index.m3u8").playlist_type, None);
}
