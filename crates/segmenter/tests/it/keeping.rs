//! What stays, what is spilled, what goes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use core_frame::{CodecId, MediaTime, TrackId};
use millstream_segmenter::Location;

use crate::harness::{Harness, Video, audio_info, audio_until, config, merge, table, video_info};

fn two_tracks() -> Arc<core_frame::TrackTable> {
    table(
        vec![video_info(), audio_info(CodecId::Aac, 48_000, 1_024)],
        0,
        MediaTime::ZERO,
    )
}

fn frames(secs: i64) -> Vec<core_frame::MediaFrame> {
    let end = MediaTime::from_secs(secs);
    merge(
        Video::fps(25, 1, 50).until(end),
        audio_until(CodecId::Aac, 48_000, 1_024, end),
    )
}

#[test]
fn the_list_is_as_deep_as_the_window_and_removed_segments_stay_a_while() {
    let mut c = config();
    c.window = Duration::from_secs(20);
    let mut h = Harness::new(c);
    h.tracks(&two_tracks());
    h.feed(&frames(100));
    let snapshot = h.window.snapshot();
    for t in &snapshot.tracks {
        assert_eq!(t.first_msn(), snapshot.tracks[0].first_msn());
        let depth = t.closed.iter().fold(MediaTime::ZERO, |s, x| s + x.duration);
        assert!(
            depth >= MediaTime::from_secs(20) && depth <= MediaTime::from_secs(24),
            "{depth}"
        );
        // Fetchable: everything listed, and what was removed during the last window and segment.
        assert!(
            (11..=16).contains(&t.retained.len()),
            "{}",
            t.retained.len()
        );
        let oldest = t.retained[0].msn;
        for msn in oldest..t.next_part().0 {
            assert_eq!(t.segment(msn).unwrap().msn, msn);
        }
        assert!(t.segment(oldest - 1).is_none());
    }
}

#[test]
fn without_a_storage_memory_shortens_the_list() {
    let mut c = config();
    c.memory_bytes = 600_000;
    let mut h = Harness::new(c);
    h.tracks(&two_tracks());
    h.feed(&frames(120));
    let snapshot = h.window.snapshot();
    // About 17 kB a second.
    assert!(h.segmenter.memory() <= 1_200_000);
    let listed = snapshot.tracks[0].closed.len();
    assert!((6..=12).contains(&listed), "{listed}");
    assert_eq!(
        snapshot.tracks[0].first_msn(),
        snapshot.tracks[1].first_msn()
    );
}

#[test]
fn with_a_storage_old_segments_are_spilled_and_deleted_in_time() {
    let mut c = config();
    c.memory_bytes = 200_000;
    c.spill = true;
    c.storage_prefix = "p".into();
    let mut h = Harness::new(c);
    h.tracks(&two_tracks());
    let mut stored = HashSet::new();
    let mut most = 0;
    for f in &frames(300) {
        h.feed([f]);
        for spill in h.segmenter.take_spills(8) {
            assert_eq!(
                spill.segment.slices().unwrap().concat().len() as u64,
                spill.segment.len
            );
            assert!(stored.insert(spill.key.clone()), "once");
            h.segmenter.spilled(&spill, true);
        }
        for key in h.segmenter.take_deletes() {
            assert!(stored.remove(&key));
        }
        most = most.max(h.segmenter.memory());
    }
    // One segment of each track may be over until the next frame.
    assert!(most <= 200_000 + 40_000, "{most}");
    let snapshot = h.window.snapshot();
    let mut keys = HashSet::new();
    for t in &snapshot.tracks {
        assert!(t.closed.len() >= 30);
        for s in t.closed.iter().chain(t.retained.iter()) {
            match &s.location {
                Location::Stored(key) => {
                    keys.insert(key.clone());
                    assert!(s.slices().is_none() && s.parts.iter().all(|p| p.slices.is_empty()));
                }
                Location::Memory => assert_eq!(s.slices().unwrap().concat().len() as u64, s.len),
            }
        }
    }
    // What the window refers to is there; at most what waits for the next snapshot is there besides.
    assert!(keys.is_subset(&stored));
    assert!(stored.len() <= keys.len() + 2);
    h.segmenter.end(h.start + Duration::from_secs(301));
    h.segmenter.clear();
    for key in h.segmenter.take_deletes() {
        stored.remove(&key);
    }
    assert!(stored.is_empty(), "{stored:?}");
}

#[test]
fn a_storage_that_fails_costs_depth_and_not_memory() {
    let mut c = config();
    c.memory_bytes = 100_000;
    c.spill = true;
    let mut h = Harness::new(c);
    h.tracks(&two_tracks());
    for f in &frames(200) {
        h.feed([f]);
        for spill in h.segmenter.take_spills(8) {
            h.segmenter.spilled(&spill, false);
        }
    }
    assert!(h.segmenter.memory() <= 500_000, "{}", h.segmenter.memory());
    assert!(h.window.snapshot().tracks[0].closed.len() >= 6);
}

#[test]
fn bandwidth_is_measured_over_whole_segments() {
    let mut h = Harness::new(config());
    h.tracks(&two_tracks());
    h.feed(&frames(30));
    let snapshot = h.end();
    let b = snapshot.track(TrackId::VIDEO).unwrap().bandwidth.unwrap();
    // 25 frames of 500 bytes a second and some 2 % for headers.
    assert!((100_000..110_000).contains(&b.average_bps), "{b:?}");
    assert!(b.peak_bps >= b.average_bps && b.peak_bps < 110_000, "{b:?}");
}
