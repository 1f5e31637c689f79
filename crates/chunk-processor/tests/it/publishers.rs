//! A stream outlives its publishers.

use core_frame::{EpochReason, FrameFilter, MediaTime, Repair, TrackId};

use crate::sim::{Sim, ms, table};

#[test]
fn the_next_publisher_goes_on_where_the_last_one_stopped() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.play(0, 5, |_, t| t);
    let mut end = sim.of(TrackId::VIDEO).last().unwrap().dts;
    for (at, clock) in [(0, ms(0)), (0, ms(1_700_000_000_000)), (100, ms(77))] {
        sim.wait(2_000);
        sim.timeline.publisher_changed(sim.now);
        sim.timeline.tracks(&table(Some((30, 1)), 48_000));
        let epochs = sim.epochs.len();
        sim.play(at, 5, |_, t| t + clock);
        sim.assert_sound();
        assert_eq!(sim.epochs.len(), epochs + 1);
        let (origin, reason) = sim.epochs[epochs];
        assert_eq!(reason, EpochReason::Publisher);
        assert!(
            origin > end && origin < end + ms(70),
            "{origin} after {end}"
        );
        end = sim.of(TrackId::VIDEO).last().unwrap().dts;
        assert!((end - origin - ms(4_967)).abs() < ms(40), "{end} {origin}");
        assert!(sim.skew_ms().abs() <= 40, "{}", sim.skew_ms());
    }
    assert_eq!(sim.repairs(Repair::Jump) + sim.repairs(Repair::Gap), 0);
}

#[test]
fn a_publisher_may_come_back_with_other_tracks() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.play(0, 3, |_, t| t);
    sim.timeline.publisher_changed(sim.now);
    sim.timeline.tracks(&table(Some((25, 1)), 44_100));
    let first = sim.put(crate::sim::audio(ms(500)));
    let second = sim.put(crate::sim::video(ms(480), ms(480)));
    assert!(first.dts >= MediaTime::from_millis(2_990));
    assert!((second.dts - first.dts).abs() <= ms(40));
    sim.assert_sound();
}

#[test]
fn a_first_publisher_changes_nothing() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.timeline.publisher_changed(sim.now);
    sim.play(0, 2, |_, t| t + ms(123));
    assert!(sim.epochs.is_empty());
    assert_eq!(sim.out[0].dts, ms(123));
}

#[test]
fn times_before_zero_are_moved_together() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    sim.play(0, 5, |_, t| t - ms(2_000));
    sim.assert_sound();
    assert_eq!(sim.out[0].dts, MediaTime::ZERO);
    assert!(sim.skew_ms().abs() <= 40);
    assert!(sim.epochs.is_empty());
}
