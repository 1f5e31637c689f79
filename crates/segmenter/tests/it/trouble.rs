//! Stalls, holes, silent tracks and irregular frames.

use core_frame::{CodecId, MediaFrame, MediaTime, TrackId};

use crate::harness::{
    Harness, Video, audio_info, audio_until, config, merge, table, total, video_info,
};

fn secs(s: i64) -> MediaTime {
    MediaTime::from_secs(s)
}

fn both() -> std::sync::Arc<core_frame::TrackTable> {
    table(
        vec![video_info(), audio_info(CodecId::Aac, 48_000, 1_024)],
        0,
        MediaTime::ZERO,
    )
}

fn stream(end: i64) -> (Vec<MediaFrame>, Vec<MediaFrame>) {
    (
        Video::fps(25, 1, 50).until(secs(end)),
        audio_until(CodecId::Aac, 48_000, 1_024, secs(end)),
    )
}

#[test]
fn a_picture_that_stands_for_a_second_is_listed_with_gap_parts() {
    let (video, _) = stream(20);
    let frames: Vec<_> = video
        .into_iter()
        .filter(|f| !(secs(5)..secs(6)).contains(&f.dts))
        .collect();
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    h.end();
    let list = h.history(TrackId::VIDEO);
    let long = &list[2];
    assert_eq!(long.duration, secs(2));
    assert!(long.parts.iter().filter(|p| p.gap).count() >= 4);
    assert!(!long.gap);
    // In the media the picture is shown on: sample durations add up to the segment.
    assert_eq!(total(&list) as usize, frames.len());
}

#[test]
fn video_that_goes_silent_does_not_stop_the_audio() {
    let (video, audio) = stream(40);
    let video = video
        .into_iter()
        .filter(|f| {
            !(MediaTime::from_millis(9_900)..MediaTime::from_millis(25_100)).contains(&f.dts)
        })
        .collect();
    let mut h = Harness::new(config());
    h.tracks(&both());
    h.feed(&merge(video, audio.clone()));
    let snapshot = h.end();
    let (v, a) = (h.history(TrackId::VIDEO), h.history(TrackId::AUDIO));
    assert_eq!(v.len(), a.len());
    assert!(v.iter().filter(|s| s.gap).count() >= 5);
    assert!(a.iter().all(|s| !s.gap));
    assert_eq!(total(&a) as usize, audio.len());
    assert_eq!(a.iter().filter(|s| s.discontinuity_before).count(), 0);
    assert!(snapshot.ready);
    // It comes back at a sync point.
    let back = v.iter().rev().find(|s| s.gap).unwrap().msn;
    let first = v.iter().find(|s| s.msn > back).unwrap();
    assert!(first.parts.iter().find(|p| !p.gap).unwrap().independent);
}

#[test]
fn audio_that_goes_silent_does_not_stop_the_video() {
    let (video, audio) = stream(40);
    let audio = audio
        .into_iter()
        .filter(|f| !(secs(9)..secs(25)).contains(&f.dts))
        .collect();
    let mut h = Harness::new(config());
    h.tracks(&both());
    let frames = merge(video, audio);
    h.feed(&frames);
    h.end();
    let (v, a) = (h.history(TrackId::VIDEO), h.history(TrackId::AUDIO));
    assert_eq!(v.len(), a.len());
    assert!(v.iter().all(|s| !s.gap && s.independent));
    assert!(a.iter().filter(|s| s.gap).count() >= 5);
    assert_eq!(
        total(&a) as usize,
        frames.iter().filter(|f| f.track == TrackId::AUDIO).count()
    );
}

#[test]
fn a_stall_of_everything_is_a_discontinuity() {
    let (video, audio) = stream(40);
    let frames: Vec<_> = merge(video, audio)
        .into_iter()
        .filter(|f| !(secs(11)..secs(26)).contains(&f.dts))
        .collect();
    let mut h = Harness::new(config());
    h.tracks(&both());
    h.feed(&frames);
    h.end();
    for id in [TrackId::VIDEO, TrackId::AUDIO] {
        let list = h.history(id);
        let marks: Vec<_> = list.iter().filter(|s| s.discontinuity_before).collect();
        assert_eq!(marks.len(), 1, "{id:?}");
        assert_eq!(marks[0].start.as_secs_f64().round() as i64, 26);
        assert!(list.iter().all(|s| !s.gap));
    }
    assert_eq!(h.segmenter.stats().stalls, 1);
}

#[test]
fn a_video_track_that_never_comes_leaves_an_audio_stream() {
    let (_, audio) = stream(20);
    let mut h = Harness::new(config());
    h.tracks(&both());
    h.feed(&audio);
    let snapshot = h.end();
    assert_eq!(snapshot.tracks.len(), 1);
    assert_eq!(total(&h.history(TrackId::AUDIO)) as usize, audio.len());
    assert_eq!(snapshot.target_duration_s, 2);
}

#[test]
fn audio_far_ahead_of_video_in_the_interleaving_still_follows_its_cuts() {
    let (video, audio) = stream(30);
    // Sorted as if audio were sent 700 ms before the video of the same time.
    let mut frames = video;
    frames.extend(audio);
    frames.sort_by_key(|f| {
        let lead = if f.track == TrackId::AUDIO { 700 } else { 0 };
        f.dts - MediaTime::from_millis(lead)
    });
    let mut h = Harness::new(config());
    h.tracks(&both());
    h.feed(&frames);
    h.end();
    let (v, a) = (h.history(TrackId::VIDEO), h.history(TrackId::AUDIO));
    assert_eq!(total(&v) + total(&a), frames.len() as u32);
    assert!(a.iter().all(|s| !s.gap));
    assert_eq!(h.missed_hints, 0);
}

#[test]
fn variable_frame_rate_keeps_parts_below_the_target() {
    // Between 8 and 60 frames a second, in runs.
    let mut frames = Vec::new();
    let mut t = 0i64;
    let mut n = 0u64;
    let mut state = 7u64;
    while t < 60_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let step = 16 + (state >> 40) as i64 % 110;
        let payload = bytes::Bytes::from(vec![0u8, 0, 0, 1, 0x65]);
        frames.push(MediaFrame::new_video(
            t,
            t,
            payload,
            CodecId::H264,
            n.is_multiple_of(30),
        ));
        t += step;
        n += 1;
    }
    let mut h = Harness::new(config());
    h.lenient();
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    h.end();
    assert_eq!(total(&h.history(TrackId::VIDEO)) as usize, frames.len());
}

#[test]
fn one_frame_every_two_seconds() {
    let frames: Vec<_> = (0..30)
        .map(|n| {
            let payload = bytes::Bytes::from(vec![0u8, 0, 0, 1, 0x65]);
            MediaFrame::new_video(n * 2_000, n * 2_000, payload, CodecId::H264, true)
        })
        .collect();
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    h.end();
    assert_eq!(total(&h.history(TrackId::VIDEO)), 30);
}

#[test]
fn a_stream_shorter_than_a_part_is_still_there() {
    let frames = Video::fps(25, 1, 50).until(MediaTime::from_millis(90));
    let mut h = Harness::new(config());
    h.tracks(&table(vec![video_info()], 0, MediaTime::ZERO));
    h.feed(&frames);
    let snapshot = h.end();
    assert!(snapshot.ready);
    assert_eq!(total(&h.history(TrackId::VIDEO)), 3);
}

#[test]
fn nothing_at_all_ends_as_nothing() {
    let mut h = Harness::new(config());
    let snapshot = h.end();
    assert!(!snapshot.ready && snapshot.tracks.is_empty());
}
