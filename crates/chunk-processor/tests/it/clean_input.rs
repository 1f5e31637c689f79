//! Clean input passes; the rounding of its wire is undone.

use core_frame::{FrameFilter, MediaTime, Repair, TrackId};
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
