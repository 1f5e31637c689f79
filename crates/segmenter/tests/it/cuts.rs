//! Where segments end: sync points, long GOPs, changes of the stream.

use core_frame::{CodecId, FrameFlags, MediaTime, TrackId};

use crate::harness::{
    Harness, Video, audio_info, audio_until, config, merge, table, total, video_info,
};

fn aac() -> core_frame::TrackInfo {
    audio_info(CodecId::Aac, 48_000, 1_024)
}

#[test]
fn a_gop_and_a_half_alternates_and_holds_the_grid() {
    let frames = Video::fps(30, 1, 45).until(MediaTime::from_secs(31));
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    h.end();
    let starts: Vec<i64> = h
        .history(TrackId::VIDEO)
        .iter()
        .map(|s| s.start.as_millis())
        .collect();
    assert_eq!(&starts[..6], [0, 3_000, 4_500, 6_000, 9_000, 10_500]);
    assert_eq!(h.window.snapshot().target_duration_s, 4);
}

#[test]
fn a_ten_second_gop_makes_ten_second_segments() {
    let frames = merge(
        Video::fps(25, 1, 250).until(MediaTime::from_secs(41)),
        audio_until(CodecId::Aac, 48_000, 1_024, MediaTime::from_secs(41)),
    );
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info(), aac()], 0, MediaTime::ZERO));
    h.feed(&frames);
    let snapshot = h.end();
    assert_eq!(snapshot.target_duration_s, 13);
    assert!(snapshot.independent_segments);
    assert_eq!(h.history(TrackId::AUDIO).len(), 5);
    assert_eq!(h.segmenter.stats().forced_cuts, 0);
}

#[test]
fn a_gop_that_gets_too_long_is_cut_rather_than_raise_the_target() {
    // Two-second GOPs for a while, then none at all.
    let mut frames = Video::fps(25, 1, 50).until(MediaTime::from_secs(30));
    for f in frames
        .iter_mut()
        .filter(|f| f.dts > MediaTime::from_secs(10))
    {
        f.flags.remove(FrameFlags::KEY);
    }
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    let snapshot = h.end();
    assert_eq!(snapshot.target_duration_s, 3);
    assert!(!snapshot.independent_segments);
    assert!(h.segmenter.stats().forced_cuts >= 5);
    let list = h.history(TrackId::VIDEO);
    assert!(list.iter().any(|s| !s.independent));
    assert_eq!(total(&list), 750);
}

#[test]
fn intra_refresh_is_cut_at_recovery_points() {
    let mut frames = Video::fps(25, 1, 10_000).until(MediaTime::from_secs(20));
    for (n, f) in frames.iter_mut().enumerate() {
        f.flags.set(FrameFlags::RECOVERY_POINT, n % 50 == 0);
    }
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    h.end();
    let list = h.history(TrackId::VIDEO);
    // The first one waits for a key frame for half the limit, after that recovery points will do.
    assert_eq!(list[0].duration, MediaTime::from_secs(8));
    assert_eq!(list[1].duration, MediaTime::from_secs(2));
}

#[test]
fn what_comes_before_the_first_sync_point_is_left_out() {
    let frames = merge(
        Video::fps(25, 1, 50)
            .until(MediaTime::from_secs(9))
            .split_off(20),
        audio_until(CodecId::Aac, 48_000, 1_024, MediaTime::from_secs(9)),
    );
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info(), aac()], 0, MediaTime::ZERO));
    h.feed(&frames);
    h.end();
    let (v, a) = (h.history(TrackId::VIDEO), h.history(TrackId::AUDIO));
    assert_eq!(v[0].start, MediaTime::from_secs(2));
    assert!((a[0].start - v[0].start).abs() <= MediaTime::from_millis(11));
    assert!(h.segmenter.stats().late >= 30 + 90);
}

#[test]
fn a_new_epoch_is_a_discontinuity_on_every_track() {
    let end = MediaTime::from_secs(7);
    let video = Video::fps(25, 1, 50);
    let first = merge(
        video.until(end),
        audio_until(CodecId::Aac, 48_000, 1_024, end),
    );
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info(), aac()], 0, MediaTime::ZERO));
    h.feed(&first);
    // The same tracks: same init segment. Then another configuration: a new one.
    for (epoch, at, change) in [(1u32, 100i64, false), (2, 200, true)] {
        let shift = MediaTime::from_secs(at);
        let mut v = video_info();
        if change {
            let mut config = v.config.to_vec();
            config[3] = 0x28;
            v.config = config.into();
        }
        h.tracks(&table(vec![v, aac()], epoch, shift));
        let mut frames = first.clone();
        for f in &mut frames {
            f.dts += shift;
            f.pts += shift;
        }
        h.feed(&frames);
    }
    let snapshot = h.end();
    for id in [TrackId::VIDEO, TrackId::AUDIO] {
        let list = h.history(id);
        assert_eq!(
            total(&list) as usize,
            3 * first.iter().filter(|f| f.track == id).count()
        );
        let marks: Vec<_> = list
            .iter()
            .filter(|s| s.discontinuity_before)
            .map(|s| s.epoch.0)
            .collect();
        assert_eq!(marks, [1, 2]);
        assert_eq!(snapshot.track(id).unwrap().discontinuity_sequence(), 0);
        let inits: Vec<u32> = list.iter().map(|s| s.init.id).collect();
        let expect = if id == TrackId::VIDEO { 1 } else { 0 };
        assert_eq!((inits[0], inits[inits.len() - 1]), (0, expect));
        let t = snapshot.track(id).unwrap();
        assert_eq!(t.init(0).unwrap().id, 0);
        // The date and time of each segment follow from its epoch alone.
        for s in &list {
            let wall = s.program_date_time.unix_nanos() - 1_795_241_524_000_000_000;
            assert!((wall - i128::from(s.start.as_nanos())).abs() < 10);
        }
    }
}

#[test]
fn a_description_that_changes_is_no_discontinuity() {
    let frames = Video::fps(25, 1, 50).until(MediaTime::from_secs(12));
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames[..200]);
    let mut told = video_info();
    told.bitrate_bps = Some(3_000_000);
    told.language = Some("fi".into());
    h.tracks(&table(vec![told], 0, MediaTime::ZERO));
    assert_eq!(
        h.window.snapshot().tracks[0].info.bitrate_bps,
        Some(3_000_000)
    );
    h.feed(&frames[200..]);
    h.end();
    let list = h.history(TrackId::VIDEO);
    assert!(
        list.iter()
            .all(|s| !s.discontinuity_before && s.init.id == 0)
    );
}

#[test]
fn a_track_that_comes_late_opens_a_discontinuity() {
    let video = Video::fps(25, 1, 50).until(MediaTime::from_secs(20));
    let audio = audio_until(CodecId::Aac, 48_000, 1_024, MediaTime::from_secs(20)).split_off(600);
    let mut h = Harness::new(config());
    // Announced from the start, or later: the same.
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    let frames = merge(video, audio);
    h.feed(&frames[..200]);
    assert_eq!(h.window.snapshot().tracks.len(), 1);
    h.tracks(&table(vec![video_info(), aac()], 0, MediaTime::ZERO));
    h.feed(&frames[200..]);
    let snapshot = h.end();
    assert_eq!(crate::harness::kinds(&snapshot).len(), 2);
    let joined = snapshot.track(TrackId::AUDIO).unwrap().closed[0].clone();
    assert!(joined.discontinuity_before);
    let other = snapshot
        .track(TrackId::VIDEO)
        .unwrap()
        .segment(joined.msn)
        .unwrap()
        .clone();
    assert!(other.discontinuity_before);
}

#[test]
fn numbers_come_from_the_wall_clock_unless_told() {
    let mut config = config();
    config.first_msn = None;
    config.first_discontinuity = None;
    let mut h = Harness::new(config);
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&Video::fps(25, 1, 50).until(MediaTime::from_secs(5)));
    let snapshot = h.end();
    assert_eq!(snapshot.tracks[0].first_msn(), 1_795_241_524 / 2);
    assert_eq!(
        snapshot.tracks[0].discontinuity_sequence(),
        (1_795_241_524 - 1_767_225_600) / 600
    );
}
