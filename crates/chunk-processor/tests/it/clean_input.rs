//! Clean input passes; the rounding of its wire is undone.

use std::sync::Arc;

use core_frame::{FrameFilter, MediaFrame, MediaTime, Repair, SideData, TrackId, WallTime};
use millstream_chunk_processor::{Timeline, TimelineConfig};
use proptest::prelude::*;

use crate::sim::{Sim, audio, exact, ms, rtmp, table, video};

#[test]
fn whole_milliseconds_of_44100_hz_come_out_as_sample_times() {
    let mut sim = Sim::new(&table(None, 44_100));
    for n in 0..10_000 {
        let out = sim.put(audio(rtmp(exact(n, 1_024, 44_100))));
        assert_eq!(out.dts, exact(n, 1_024, 44_100));
        assert_eq!(out.pts, out.dts);
        assert_eq!(out.duration, exact(1, 1_024, 44_100));
    }
    println!(
        "10000 access units, {} replaced by exact times",
        sim.repairs(Repair::Quantise)
    );
    assert_eq!(sim.repairs(Repair::Gap) + sim.repairs(Repair::Drift), 0);
}

#[test]
fn a_told_rate_is_exact_from_the_first_frame_and_a_learnt_one_soon() {
    for rate in [(30, 1), (30_000, 1_001), (25, 1), (24_000, 1_001), (60, 1)] {
        let mut sim = Sim::new(&table(Some(rate), 48_000));
        for n in 0..3_000 {
            let t = exact(n, rate.1, rate.0);
            assert_eq!(sim.put(video(rtmp(t), rtmp(t))).dts, t, "{rate:?} {n}");
        }
        let mut sim = Sim::new(&table(None, 48_000));
        let mut last = Vec::new();
        for n in 0..1_000 {
            let wire = rtmp(exact(n, rate.1, rate.0));
            let out = sim.put(video(wire, wire));
            assert!((out.dts - wire).abs() < ms(1));
            last.push(out.dts);
        }
        for (n, pair) in last[500..].windows(2).enumerate() {
            let step = (pair[1] - pair[0] - exact(1, rate.1, rate.0)).abs();
            assert!(step <= MediaTime::from_nanos(1), "{rate:?} {n} {step}");
        }
    }
}

#[test]
fn b_frames_keep_their_order_and_get_exact_times() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    // I2 P5 B3 B4 P8 B6 B7 ..., presentation two frames late.
    for n in 0..600_i64 {
        let shown = match n % 3 {
            0 if n == 0 => 0,
            0 => n - 1,
            1 => n + 2,
            _ => n - 1,
        };
        let (dts, pts) = (exact(n, 1, 30), exact(shown + 2, 1, 30));
        let out = sim.put(video(rtmp(dts), rtmp(pts)));
        assert_eq!(out.dts, dts);
        assert!(
            (out.pts - pts).abs() <= MediaTime::from_nanos(2),
            "{n}: {} {pts}",
            out.pts
        );
    }
    sim.assert_sound();
    assert_eq!(sim.repairs(Repair::Reorder), 0);
}

#[test]
fn variable_frame_rate_passes_as_it_is() {
    let mut sim = Sim::new(&table(None, 48_000));
    let (mut t, mut seed) = (0_i64, 7_u64);
    for _ in 0..2_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        t += 5 + (seed >> 33) as i64 % 200;
        assert_eq!(sim.put(video(ms(t), ms(t))).dts, ms(t));
    }
    assert_eq!(sim.timeline.repairs(), Default::default());
}

#[test]
fn unequal_starts_and_wide_times_are_kept() {
    for base in [0, 40_000, (1 << 32) + 5, (1 << 40) + 7] {
        let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
        let base = ms(base);
        sim.play(0, 20, |track, t| {
            let late = if track == TrackId::AUDIO {
                ms(3_210)
            } else {
                ms(0)
            };
            base + t + late
        });
        sim.assert_sound();
        assert!(sim.epochs.is_empty());
        let lead = sim.skew_ms();
        assert!((3_180..=3_240).contains(&lead), "{lead}");
        assert_eq!(sim.out[0].dts, base);
        assert_eq!(sim.repairs(Repair::Jump) + sim.repairs(Repair::Reorder), 0);
    }
}

#[test]
fn a_day_with_200_ppm_drift_stays_in_step() {
    let mut sim = Sim::new(&table(Some((30, 1)), 44_100));
    let (mut v, mut a) = (0_i64, 0_i64);
    let mut worst = 0;
    let day = MediaTime::from_secs(86_400);
    loop {
        // The sender's sound card runs 200 ppm fast against the clock it stamps with.
        let (tv, ta) = (exact(v, 1, 30), exact(a * 9_998, 1_024, 44_100 * 10_000));
        if tv.min(ta) > day {
            break;
        }
        let (wire, out) = if tv <= ta {
            v += 1;
            (tv, sim.put(video(rtmp(tv), rtmp(tv))).dts)
        } else {
            a += 1;
            (ta, sim.put(audio(rtmp(ta))).dts)
        };
        worst = worst.max((out - wire).abs().as_nanos());
        sim.out.clear();
    }
    println!(
        "24 h, {v} pictures, {a} access units: worst |out - exact| {} us, {} drift steps",
        worst / 1_000,
        sim.repairs(Repair::Drift)
    );
    assert!(worst < 3_000_000, "{worst}");
    assert_eq!(
        sim.repairs(Repair::Jump) + sim.repairs(Repair::Reorder) + sim.repairs(Repair::Gap),
        0
    );
}

/// Plays 24 h of a sender whose sound clock runs 200 ppm fast against its picture clock, arriving as it is made; the worst distance of sound
/// from picture and of the picture from its own time, in microseconds.
fn a_day_of_drift(sim: &mut Sim, wall: bool) -> (i64, i64) {
    let start = sim.now;
    let (mut v, mut a, mut sound) = (0_i64, 0_i64, ms(0));
    let (mut apart, mut late) = (0, 0);
    let told = |frame: MediaFrame, at: MediaTime| {
        let wall = WallTime::from_unix_nanos(1_790_000_000_000_000_000 + i128::from(at.as_nanos()));
        let side: Option<Arc<[SideData]>> = Some(Arc::new([SideData::WallClock(wall)]));
        MediaFrame { side, ..frame }
    };
    loop {
        let (tv, ta) = (exact(v, 1, 30), exact(a, 1_024, 48_000));
        let t = tv.min(ta);
        if t > MediaTime::from_secs(86_400) {
            return (apart, late);
        }
        sim.now = start + t.to_duration();
        if tv <= ta {
            v += 1;
            let frame = video(rtmp(tv), rtmp(tv));
            let tell = wall && v % 150 == 0;
            let out = sim.put(if tell { told(frame, tv) } else { frame });
            late = late.max((out.pts - tv).abs().as_nanos() / 1_000);
            apart = apart.max((sound - (out.pts - tv)).abs().as_nanos() / 1_000);
        } else {
            a += 1;
            let fast = ta + MediaTime::from_nanos(ta.as_nanos() / 5_000);
            let frame = audio(rtmp(fast));
            let tell = wall && a % 235 == 0;
            sound = sim.put(if tell { told(frame, ta) } else { frame }).pts - ta;
        }
        sim.out.clear();
    }
}

#[test]
fn a_day_of_a_sound_clock_200_ppm_fast_stays_within_20_ms() {
    for wall in [false, true] {
        let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
        let (apart, late) = a_day_of_drift(&mut sim, wall);
        println!(
            "24 h, 200 ppm, wall clock {wall}: sound at most {apart} us from the picture, picture at most {late} us from its time, {:?}",
            sim.timeline.repairs()
        );
        assert!(apart <= 20_000, "{apart}");
        // Flat: what is put out moves by no more than the wire's own rounding.
        assert!(late <= 1_000, "{late}");
        assert_eq!(sim.repairs(Repair::Jump) + sim.repairs(Repair::Gap), 0);
    }
}

#[test]
fn drift_is_left_alone_where_that_is_asked_for() {
    let mut config = TimelineConfig::default();
    config.follow_drift = false;
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.timeline = Timeline::new(config);
    sim.timeline.tracks(&table(Some((30, 1)), 48_000));
    sim.play(0, 60, |track, t| {
        let fast = MediaTime::from_nanos(t.as_nanos() / 20);
        if track == TrackId::AUDIO { t + fast } else { t }
    });
    assert!(sim.skew_ms() > 2_900, "{}", sim.skew_ms());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn clean_rtmp_input_moves_by_less_than_a_millisecond(
        rate in prop::sample::select(vec![(30, 1), (25, 1), (30_000, 1_001), (50, 1), (24, 1), (15, 1)]),
        told: bool,
        sample_rate in prop::sample::select(vec![44_100_u32, 48_000, 32_000, 22_050]),
        base in 0_i64..1 << 33,
        skew in 0_i64..3_000_000_000,
        nearest: bool,
    ) {
        let mut sim = Sim::new(&table(told.then_some(rate), sample_rate));
        let wire = |t: MediaTime| if nearest { ms(t.as_millis()) } else { rtmp(t) };
        let (mut v, mut a) = (0, 0);
        for _ in 0..2_000 {
            let tv = ms(base) + exact(v, rate.1, rate.0);
            let ta = ms(base) + MediaTime::from_nanos(skew) + exact(a, 1_024, sample_rate);
            let (input, out) = if tv <= ta {
                v += 1;
                (wire(tv), sim.put(video(wire(tv), wire(tv))))
            } else {
                a += 1;
                (wire(ta), sim.put(audio(wire(ta))))
            };
            prop_assert!((out.dts - input).abs() < ms(1), "{} {}", out.dts, input);
        }
        sim.assert_sound();
        for kind in [Repair::Jump, Repair::Reorder, Repair::Gap, Repair::Wrap, Repair::Drift] {
            prop_assert_eq!(sim.repairs(kind), 0, "{:?}", kind);
        }
        prop_assert!(sim.epochs.is_empty());
    }
}
