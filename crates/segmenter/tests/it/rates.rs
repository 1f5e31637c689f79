//! Every usual pair of frame rates, with and without reordering and coarse clocks.

use core_frame::{CodecId, MediaTime, TrackId};
use proptest::prelude::*;

use crate::harness::{
    Harness, Video, audio_info, audio_until, config, merge, table, total, video_info,
};

fn run(video: Option<Video>, audio: Option<(CodecId, u32, u32)>, secs: i64) -> Harness {
    let end = MediaTime::from_secs(secs);
    let mut tracks = Vec::new();
    let mut frames = Vec::new();
    if let Some(v) = video {
        tracks.push(video_info());
        frames = v.until(end);
    }
    if let Some((codec, rate, samples)) = audio {
        tracks.push(audio_info(codec, rate, samples));
        frames = merge(frames, audio_until(codec, rate, samples, end));
    }
    let mut h = Harness::new(config());
    h.tracks(&table(tracks, 0, MediaTime::ZERO));
    h.feed(&frames);
    let snapshot = h.end();
    assert_eq!(h.segmenter.stats().forced_cuts, 0);
    assert!(snapshot.independent_segments);
    // Every frame is in, exactly once.
    for (id, kind) in [(TrackId::VIDEO, true), (TrackId::AUDIO, false)] {
        // Sound before the first picture is left out.
        let first = frames
            .iter()
            .find(|f| f.track == TrackId::VIDEO)
            .map_or(MediaTime::MIN, |f| f.pts);
        let half = MediaTime::from_nanos(match audio {
            Some((_, rate, samples)) if !kind => i64::from(samples) * 500_000_000 / i64::from(rate),
            _ => i64::MAX,
        });
        let there = frames
            .iter()
            .filter(|f| f.track == id && f.dts + half >= first)
            .count();
        if there > 0 {
            let count = total(&h.history(id)) as usize;
            assert_eq!(count, there, "{id:?} {kind}");
        }
    }
    h
}

#[test]
fn all_pairs_of_rates() {
    let videos = [
        (25, 1),
        (30, 1),
        (30_000, 1_001),
        (24_000, 1_001),
        (50, 1),
        (60, 1),
        (15, 1),
    ];
    let audios = [
        Some((CodecId::Aac, 44_100, 1_024)),
        Some((CodecId::Aac, 48_000, 1_024)),
        Some((CodecId::Aac, 44_100, 2_048)),
        Some((CodecId::Opus, 48_000, 960)),
        None,
    ];
    for (num, den) in videos {
        for audio in audios {
            for b_frames in [0, 2] {
                for hz in [1_000_000_000, 1_000] {
                    let mut v = Video::fps(num, den, num / den * 2);
                    v.b_frames = b_frames;
                    v.hz = hz;
                    let h = run(Some(v), audio, 13);
                    assert_eq!(h.missed_hints, 0, "{num}/{den} {audio:?} {b_frames} {hz}");
                    assert!(h.history(TrackId::VIDEO).len() >= 6);
                }
            }
        }
    }
}

#[test]
fn audio_only_cuts_on_the_grid() {
    for (codec, rate, samples) in [
        (CodecId::Aac, 44_100, 1_024),
        (CodecId::Aac, 48_000, 1_024),
        (CodecId::Opus, 48_000, 960),
    ] {
        let h = run(None, Some((codec, rate, samples)), 61);
        let list = h.history(TrackId::AUDIO);
        for s in &list {
            // The error against the grid stays below one frame for ever.
            let grid = MediaTime::from_secs(2 * s.msn as i64);
            assert!(
                (s.start - grid).abs() <= MediaTime::from_millis(12),
                "{} {}",
                s.msn,
                s.start
            );
            assert!(s.independent && s.parts.iter().all(|p| p.independent));
        }
        assert_eq!(h.window.snapshot().target_duration_s, 2);
        assert_eq!(h.missed_hints, 0);
    }
}

#[test]
fn segments_of_a_reordered_stream_start_at_presentation_time() {
    let mut v = Video::fps(25, 1, 50);
    v.b_frames = 2;
    let h = run(Some(v), Some((CodecId::Aac, 48_000, 1_024)), 9);
    for s in h.history(TrackId::VIDEO) {
        // One frame of reorder delay: pictures are shown 40 ms after decode time 0.
        assert_eq!(s.start, MediaTime::from_millis(2_000 * s.msn as i64 + 40));
        assert_eq!(s.start_ticks, 180_000 * s.msn);
    }
}

#[test]
fn hours_pass_and_nothing_drifts() {
    let v = Video::fps(30_000, 1_001, 60);
    let h = run(Some(v), Some((CodecId::Aac, 44_100, 1_024)), 3 * 3_600);
    let (video, audio) = (h.history(TrackId::VIDEO), h.history(TrackId::AUDIO));
    assert_eq!(video.len(), audio.len());
    let (v, a) = (video.last().unwrap(), audio.last().unwrap());
    assert!((v.start - a.start).abs() < MediaTime::from_millis(24));
    // 60 frames of 1001/30000 s a segment, to the nanosecond of rounding.
    let exact = MediaTime::from_nanos(i64::try_from(v.msn).unwrap() * 60 * 1_001 * 1_000_000 / 30);
    assert!((v.start - exact).abs() <= MediaTime::from_nanos(1_000));
    // The window is bounded although the history is not.
    let listed = h.window.snapshot().tracks[0].closed.len();
    assert!((30..=32).contains(&listed), "{listed}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn odd_streams_keep_the_rules(
        num in 5i64..70, gop in 1i64..200, b in 0i64..4, hz in prop::sample::select(vec![1_000u32, 90_000, 1_000_000_000]),
        rate in prop::sample::select(vec![8_000u32, 16_000, 22_050, 44_100, 48_000, 96_000]), shift in 0i64..40,
    ) {
        let end = MediaTime::from_secs(20);
        // A GOP that gets longer than the first may force cuts; here all GOPs are alike.
        let v = Video { num, den: 1, gop, b_frames: b, hz };
        let mut audio = audio_until(CodecId::Aac, rate, 1_024, end);
        for f in &mut audio {
            f.dts += MediaTime::from_millis(shift);
            f.pts = f.dts;
        }
        let frames = merge(v.until(end), audio);
        let mut h = Harness::new(config());
        h.lenient();
        h.tracks(&table(vec![video_info(), audio_info(CodecId::Aac, rate, 1_024)], 0, MediaTime::ZERO));
        h.feed(&frames);
        h.end();
        let there = frames.iter().filter(|f| f.track == TrackId::VIDEO).count();
        prop_assert_eq!(total(&h.history(TrackId::VIDEO)) as usize, there);
    }
}
