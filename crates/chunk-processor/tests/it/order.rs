//! Decode order that is not: times that go back, and presentation before decoding.

use std::time::Instant;

use core_frame::bytes::Bytes;
use core_frame::{
    CodecId, FilterOut, FilterStep, FrameFilter, MediaFrame, MediaTime, Repair, TrackId,
};
use millstream_chunk_processor::Timeline;

use crate::sim::{Sim, audio, exact, ms, table, video};

#[test]
fn small_steps_back_are_squeezed_in_and_caught_up() {
    let mut sim = Sim::new(&table(None, 48_000));
    for t in [0, 33, 67, 20, 53, 100, 133] {
        sim.put(video(ms(t), ms(t)));
    }
    sim.assert_sound();
    let out: Vec<_> = sim.out.iter().map(|f| f.dts.as_millis()).collect();
    assert_eq!(&out[..3], [0, 33, 67]);
    assert!(sim.repairs(Repair::Reorder) > 0);
    assert!(sim.epochs.is_empty());
    assert_eq!(sim.out[6].pts, ms(133));
}

#[test]
fn decode_times_that_only_repeat_presentation_times_are_made_to_lead() {
    let mut sim = Sim::new(&table(None, 48_000));
    // I0 P3 B1 B2 P6 B4 B5 ..., and the sender wrote DTS = PTS.
    let mut wrong = 0;
    for n in 0..300_i64 {
        let shown = match n % 3 {
            _ if n == 0 => 0,
            1 => n + 2,
            _ => n - 1,
        };
        let t = ms(shown * 40);
        let out = sim.put(video(t, t));
        wrong += u32::from(out.pts != t);
    }
    sim.assert_sound();
    println!("{wrong} of 300 presentation times moved before the depth was learnt");
    assert!(wrong <= 3, "{wrong}");
}

#[test]
fn presentation_before_decoding_is_repaired_once() {
    let mut sim = Sim::new(&table(Some((25, 1)), 48_000));
    for n in 0..500_i64 {
        let dts = exact(n, 1, 25);
        let out = sim.put(video(dts, dts - ms(80)));
        if n > 5 {
            assert_eq!(out.pts, dts - ms(80), "{n}");
        }
    }
    sim.assert_sound();
    assert!(sim.repairs(Repair::Reorder) <= 6);
}

#[test]
fn senseless_composition_is_dropped() {
    let mut sim = Sim::new(&table(None, 48_000));
    for pts in [MediaTime::MAX, MediaTime::MIN, ms(-20_000), ms(600_000)] {
        let n = sim.out.len() as i64;
        let out = sim.put(video(ms(n * 40), pts));
        assert_eq!(out.pts, out.dts);
    }
    sim.assert_sound();
}

#[test]
fn frames_under_one_time_come_out_one_after_the_other() {
    let mut sim = Sim::new(&table(Some((30, 1)), 48_000));
    for n in 0..100 {
        let t = exact(n, 1, 30);
        sim.put(video(t, t));
        sim.put(video(t, t));
        sim.put(audio(ms(n * 64 / 3)));
    }
    sim.assert_sound();
    let end = sim.of(TrackId::VIDEO).last().unwrap().dts;
    assert!((end - ms(3_300)).abs() < ms(3), "{end}");
}

#[test]
fn the_same_frame_again_is_left_out_and_counted() {
    let mut timeline = Timeline::default();
    timeline.tracks(&table(Some((30, 1)), 48_000));
    let (mut out, now) = (FilterOut::new(), Instant::now());
    let mut kept = 0;
    for n in 0..90 {
        let frame = video(exact(n, 1, 30), exact(n, 1, 30));
        for _ in 0..1 + n % 2 {
            timeline.frame(now, frame.clone(), &mut out);
            kept += out.drain().count();
        }
    }
    assert_eq!((kept, timeline.duplicates()), (90, 45));
    // A sender that stamps all its silence with one time repeats itself, and means it.
    let silence = audio(ms(0));
    for _ in 0..50 {
        timeline.frame(now, silence.clone(), &mut out);
    }
    let heard = out
        .drain()
        .filter(|s| matches!(s, FilterStep::Frame(_)))
        .count();
    assert_eq!(heard, 49);
}

#[test]
fn data_goes_beside_the_media_whatever_it_is_stamped_with() {
    let mut sim = Sim::new(&table(None, 48_000));
    let data = |time| MediaFrame::new(TrackId::DATA, CodecId::Scte35, time, Bytes::new());
    assert_eq!(sim.put(data(MediaTime::MAX)).dts, MediaTime::ZERO);
    sim.put(video(ms(50_000), ms(50_000)));
    for (stamp, want) in [
        (ms(0), 50_040),
        (ms(50_100), 50_100),
        (MediaTime::MIN, 50_100),
    ] {
        assert_eq!(sim.put(data(stamp)).dts, ms(want), "{stamp}");
    }
    assert_eq!(sim.repairs(Repair::Jump), 0);
}
