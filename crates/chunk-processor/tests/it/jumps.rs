//! Jumps, wraps, gaps and clocks that stand: output goes on, sound stays with the picture.

use core_frame::{EpochReason, FrameFlags, MediaTime, Repair, TrackId};

use crate::sim::{Sim, exact, ms, rtmp, table, video};

/// 10 s, then 10 s on another clock; returns the simulation and the longest step of each track.
fn switch(clock: impl Fn(TrackId, MediaTime) -> MediaTime) -> (Sim, MediaTime) {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.play(0, 10, |_, t| t);
    sim.play(10, 10, clock);
    sim.assert_sound();
    let longest = [TrackId::VIDEO, TrackId::AUDIO]
        .into_iter()
        .flat_map(|track| {
            let times: Vec<_> = sim.of(track).map(|f| f.dts).collect();
            times.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>()
        })
        .max()
        .unwrap();
    (sim, longest)
}

#[test]
fn the_stream_goes_on_right_after_a_jump() {
    for (name, jump) in [
        ("+1 h", ms(3_600_000)),
        ("restart at 0", ms(-10_000)),
        ("-5 s", ms(-5_000)),
        ("-600 ms", ms(-600)),
        ("+11 s", ms(11_000)),
        ("a year back", ms(-31_536_000_000)),
    ] {
        let (sim, longest) = switch(|_, t| t + jump);
        println!("{name}: longest step {longest}, skew {} ms", sim.skew_ms());
        assert_eq!(sim.epochs.len(), 1, "{name}");
        assert_eq!(sim.epochs[0].1, EpochReason::Jump);
        assert!(
            (sim.epochs[0].0 - ms(10_000)).abs() < ms(50),
            "{name}: {:?}",
            sim.epochs
        );
        assert!(longest < ms(70), "{name}: {longest}");
        assert!(sim.skew_ms().abs() <= 40, "{name}: {}", sim.skew_ms());
        assert_eq!(sim.repairs(Repair::Jump), 1, "{name}");
        assert_eq!(sim.repairs(Repair::Gap), 0, "{name}");
    }
}

#[test]
fn one_track_alone_may_jump() {
    for jumper in [TrackId::VIDEO, TrackId::AUDIO] {
        let (sim, longest) = switch(|track, t| if track == jumper { t + ms(90_000) } else { t });
        println!(
            "{jumper}: longest step {longest}, skew {} ms",
            sim.skew_ms()
        );
        assert_eq!(sim.epochs.len(), 1);
        assert!(longest < ms(70));
        assert!(sim.skew_ms().abs() <= 40, "{}", sim.skew_ms());
    }
}

#[test]
fn a_jump_there_and_back_comes_home() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.play(0, 5, |_, t| t);
    sim.play(5, 5, |_, t| t + ms(1_000_000));
    sim.play(10, 5, |_, t| t);
    sim.assert_sound();
    assert!(sim.skew_ms().abs() <= 40, "{}", sim.skew_ms());
    let end = sim.of(TrackId::VIDEO).last().unwrap().dts;
    assert!((end - ms(15_000)).abs() < ms(100), "{end}");
}

#[test]
fn one_wild_stamp_does_no_lasting_harm() {
    for wild in [ms(-3_000), ms(86_400_000), MediaTime::MAX, MediaTime::MIN] {
        let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
        sim.play(0, 5, |_, t| t);
        sim.put(video(wild, wild));
        sim.play(5, 5, |_, t| t);
        sim.assert_sound();
        let end = sim.of(TrackId::VIDEO).last().unwrap().dts;
        println!("{wild}: ends at {end}, skew {} ms", sim.skew_ms());
        assert!((end - ms(9_967)).abs() < ms(80), "{wild}: {end}");
        assert!(sim.skew_ms().abs() <= 40);
    }
}

#[test]
fn wire_clocks_that_wrap_go_on_without_an_epoch() {
    for (name, period) in [
        ("32-bit ms", (1_i64 << 32) * 1_000_000),
        ("31-bit ms", (1 << 31) * 1_000_000),
        ("24-bit ms", (1 << 24) * 1_000_000),
        ("33-bit 90 kHz", (1 << 33) * 100_000 / 9),
        ("32-bit 90 kHz", (1 << 32) * 100_000 / 9),
        ("32-bit us", (1 << 32) * 1_000),
    ] {
        let start = MediaTime::from_nanos(period) - ms(10_000);
        let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
        sim.play(0, 20, |_, t| {
            MediaTime::from_nanos((start + t).as_nanos().rem_euclid(period))
        });
        sim.assert_sound();
        assert!(sim.epochs.is_empty(), "{name}");
        assert_eq!(sim.repairs(Repair::Wrap), 1, "{name}");
        assert_eq!(
            sim.repairs(Repair::Jump) + sim.repairs(Repair::Gap),
            0,
            "{name}"
        );
        let end = sim.of(TrackId::VIDEO).last().unwrap().dts - start;
        assert!((end - ms(19_967)).abs() < ms(3), "{name}: {end}");
        assert!(sim.skew_ms().abs() <= 40);
    }
}

#[test]
fn a_standing_clock_is_replaced_by_the_rate() {
    // Both clocks stand for 10 s, then (a) go on from there, (b) come back to the true time.
    for returns in [false, true] {
        let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
        sim.play(0, 5, |_, t| t);
        sim.play(5, 10, |_, _| ms(5_000));
        sim.play(15, 10, |_, t| if returns { t } else { t - ms(10_000) });
        sim.assert_sound();
        let end = sim.of(TrackId::VIDEO).last().unwrap().dts;
        println!(
            "returns {returns}: ends at {end}, skew {} ms, {} epochs, {} jumps",
            sim.skew_ms(),
            sim.epochs.len(),
            sim.repairs(Repair::Jump)
        );
        assert!((end - ms(24_967)).abs() < ms(700), "{end}");
        assert!(sim.skew_ms().abs() <= 40, "{}", sim.skew_ms());
        assert!((1..=2).contains(&sim.epochs.len()));
    }
}

#[test]
fn a_silence_is_a_gap_when_the_arrival_bears_it_out() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.play(0, 5, |_, t| t);
    sim.wait(12_000);
    sim.play(17, 5, |_, t| t);
    sim.assert_sound();
    assert!(sim.epochs.is_empty());
    let marked: Vec<_> = sim
        .out
        .iter()
        .filter(|f| f.flags.contains(FrameFlags::AFTER_GAP))
        .collect();
    assert_eq!(marked.len(), 2);
    assert!(marked.iter().all(|f| (f.dts - ms(17_000)).abs() < ms(40)));
    assert_eq!(sim.repairs(Repair::Gap), 2);
    assert!(sim.skew_ms().abs() <= 40);
}

#[test]
fn a_slide_show_beside_sound_is_no_jump() {
    let mut sim = Sim::new(&table(None, 48_000));
    let mut a = 0;
    for slide in 0..5_i64 {
        let t = ms(slide * 15_000);
        sim.put(video(t, t));
        while exact(a, 1_024, 48_000) < t + ms(15_000) {
            sim.put(crate::sim::audio(rtmp(exact(a, 1_024, 48_000))));
            a += 1;
        }
    }
    assert!(sim.epochs.is_empty());
    assert!(
        sim.of(TrackId::VIDEO)
            .map(|f| f.dts.as_millis())
            .eq([0, 15_000, 30_000, 45_000, 60_000])
    );
}

#[test]
fn missing_audio_is_marked_and_the_phase_kept() {
    let mut sim = Sim::new(&table(None, 44_100));
    for n in (0..100).chain(103..200) {
        let out = sim.put(crate::sim::audio(rtmp(exact(n, 1_024, 44_100))));
        assert_eq!(out.dts, exact(n, 1_024, 44_100));
        assert_eq!(out.flags.contains(FrameFlags::AFTER_GAP), n == 103);
    }
    assert_eq!(sim.repairs(Repair::Gap), 1);
}
