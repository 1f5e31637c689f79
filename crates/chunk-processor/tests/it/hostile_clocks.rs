//! Whatever the clock says: nothing panics, nothing is lost, output is monotonic.

use core_frame::bytes::Bytes;
use core_frame::{CodecId, FrameFilter, MediaFrame, MediaTime, TrackId};
use proptest::prelude::*;

use crate::sim::{Sim, audio, table, video};

#[derive(Clone, Debug)]
enum Op {
    Video(i64, i64),
    Audio(i64),
    Data(i64),
    Other(u16, i64),
    Wait(u64),
    NewPublisher,
    Retable(u32),
}

/// Times of every size: wild ones, and steps of the kind that broken senders make.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (-100_i64..10_000).prop_map(|ms| ms * 1_000_000),
        2 => any::<u32>().prop_map(|ms| i64::from(ms) * 1_000_000),
        1 => any::<i64>(),
        1 => prop::sample::select(vec![0, 1, -1, i64::MAX, i64::MIN, 0xFFFF_FFFE_i64 * 1_000_000]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (time(), time()).prop_map(|(d, p)| Op::Video(d, p)),
        8 => time().prop_map(Op::Audio),
        1 => time().prop_map(Op::Data),
        1 => (any::<u16>(), time()).prop_map(|(t, d)| Op::Other(t, d)),
        1 => (0_u64..20_000).prop_map(Op::Wait),
        1 => Just(Op::NewPublisher),
        1 => prop::sample::select(vec![0_u32, 1, 8_000, 44_100, u32::MAX]).prop_map(Op::Retable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_clock_comes_out_monotonic(ops in prop::collection::vec(op(), 1..200)) {
        let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
        let t = MediaTime::from_nanos;
        for op in ops {
            match op {
                Op::Video(dts, pts) => { sim.put(video(t(dts), t(pts))); }
                Op::Audio(dts) => { sim.put(audio(t(dts))); }
                Op::Data(dts) => {
                    sim.put(MediaFrame::new(TrackId::DATA, CodecId::Scte35, t(dts), Bytes::new()));
                }
                Op::Other(track, dts) => {
                    sim.put(MediaFrame::new(TrackId(track.max(4)), CodecId::Opus, t(dts), Bytes::new()));
                }
                Op::Wait(ms) => sim.wait(ms),
                Op::NewPublisher => sim.timeline.publisher_changed(sim.now),
                Op::Retable(rate) => sim.timeline.tracks(&table(Some((rate, 1)), rate)),
            }
        }
        sim.assert_sound();
        let end = sim.out.iter().map(|f| f.dts).max();
        // Epochs are not opened for every wild frame: at most one a second of output, and one per publisher.
        prop_assert!(end.is_none_or(|end| end >= MediaTime::ZERO));
    }
}

#[test]
fn the_time_stamps_of_the_battery_are_handled() {
    let mut sim = Sim::new(&table(None, 48_000));
    for t in [0_i64, 40, 0xFFFF_FFFE, 5, 0x7FFF_FFFF, 1] {
        sim.put(video(MediaTime::from_millis(t), MediaTime::from_millis(t)));
    }
    sim.assert_sound();
    let last = sim.out.last().unwrap().dts;
    println!(
        "ends at {last} with {} epochs, {:?}",
        sim.epochs.len(),
        sim.timeline.repairs()
    );
    assert!(last < MediaTime::from_secs(2));
}
