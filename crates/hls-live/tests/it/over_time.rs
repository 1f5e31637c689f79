//! What may change from one version of a list to the next.

use proptest::prelude::*;

use m3u8::MediaPlaylist;

use super::live::{Live, Stage};

/// Rules 71, 72 and 74 between two versions.
pub(crate) fn check_edit(old: &MediaPlaylist, new: &MediaPlaylist) {
    assert!(new.media_sequence >= old.media_sequence);
    assert_eq!(new.target_duration, old.target_duration);
    assert_eq!(new.part_target, old.part_target);
    assert_eq!(new.server_control, old.server_control);
    assert!(new.end_list || !old.end_list);
    for (n, s) in old.sequenced() {
        let Some(kept) = new.segment(n) else {
            assert!(n < new.media_sequence, "only the oldest go");
            continue;
        };
        assert_eq!(
            (
                &kept.uri,
                kept.duration,
                kept.discontinuity,
                kept.program_date_time,
                &kept.map
            ),
            (
                &s.uri,
                s.duration,
                s.discontinuity,
                s.program_date_time,
                &s.map
            )
        );
        assert!(
            kept.parts.is_empty() || kept.parts == s.parts,
            "parts only go, all at once"
        );
    }
    // The open segment's parts stay, in the open segment or in the one it became.
    if let Some(open) = &old.open {
        let n = old.next_sequence();
        let now = new.segment(n).or(new.open.as_deref()).unwrap();
        assert!(now.parts.starts_with(&open.parts) || new.media_sequence > n);
    }
    // Each removed discontinuity is counted, and nothing else.
    let before: Vec<u64> = old.discontinuity_sequences().collect();
    let numbers: Vec<u64> = old.sequenced().map(|(n, _)| n).collect();
    for ((n, _), d) in new.sequenced().zip(new.discontinuity_sequences()) {
        if let Some(at) = numbers.iter().position(|m| *m == n) {
            assert_eq!(before[at], d, "segment {n}");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Part,
    Cut,
    Break(bool),
    Gap(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => Just(Step::Part),
        1 => Just(Step::Cut),
        1 => any::<bool>().prop_map(Step::Break),
        1 => any::<bool>().prop_map(Step::Gap),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn r071_r072_r074_only_allowed_edits(
        steps in proptest::collection::vec(step(), 1..250), listed in 3usize..8, end in any::<bool>(),
    ) {
        let mut live = Live::av(1);
        live.listed = listed;
        let mut stage = Stage::new(live);
        let urls = ["v1/index.m3u8", "a2/index.m3u8"];
        let mut old = urls.map(|u| stage.media(u));
        for step in steps {
            match step {
                Step::Part => stage.live.part(),
                Step::Cut if old[0].open.is_some() => stage.live.cut(),
                Step::Cut => continue,
                Step::Break(codec) => {
                    if old[0].open.is_some() {
                        stage.live.cut();
                    }
                    stage.live.discontinuity(codec);
                    stage.live.part();
                }
                Step::Gap(on) => { stage.live.gap(on); continue }
            }
            let new = urls.map(|u| stage.media(u));
            for (o, n) in old.iter().zip(&new) {
                check_edit(o, n);
            }
            // Rule 99: one content on all renditions.
            prop_assert_eq!(new[0].media_sequence, new[1].media_sequence);
            prop_assert_eq!(new[0].discontinuity_sequence, new[1].discontinuity_sequence);
            old = new;
        }
        if end {
            stage.live.end();
            check_edit(&old[0], &stage.media(urls[0]));
        }
    }
}

#[test]
fn r070_r076_what_was_listed_can_be_fetched_and_what_left_stays_a_while() {
    let mut live = Live::av(3);
    live.listed = 4;
    let mut stage = Stage::new(live);
    for _ in 0..60 {
        stage.live.part();
        let list = stage.media("v1/index.m3u8");
        for s in list.segments.iter().chain(list.open.as_deref()) {
            let all: String = s
                .parts
                .iter()
                .map(|p| stage.bytes(&format!("v1/{}", p.uri)))
                .collect();
            if !s.uri.is_empty() {
                let whole = stage.bytes(&format!("v1/{}", s.uri));
                assert!(s.parts.is_empty() || whole == all, "a segment is its parts");
            }
        }
    }
    let list = stage.media("v1/index.m3u8");
    assert_eq!(
        stage.status(&format!("v1/{}.m4s", list.media_sequence - 1)),
        200
    );
    assert_eq!(
        stage.status(&format!("v1/{}.9.m4s", list.media_sequence - 1)),
        200
    );
    stage.live.kept = 0;
    stage.live.part();
    assert_eq!(
        stage.status(&format!("v1/{}.m4s", list.media_sequence - 1)),
        410
    );
}
