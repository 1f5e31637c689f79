//! The corpus of damaged streams, and random mixtures of damage, on a virtual clock.

use core_frame::{FilterOut, FilterStep, FrameFilter};
use millstream_chunk_processor::Timeline;
use testkit::VirtualClock;
use testkit::damage::{Case, Outcome, What, cases, random};

/// Plays a case through a timeline; what does not hold.
fn play(case: &Case) -> Vec<String> {
    let (mut timeline, mut clock) = (Timeline::default(), VirtualClock::new());
    let start = clock.now();
    let (mut steps, mut outcome) = (FilterOut::new(), Outcome::default());
    for arrival in &case.arrivals {
        let now = clock.advance_to(start + arrival.at);
        match &arrival.what {
            What::Tracks(table) => timeline.tracks(table),
            What::Publisher => timeline.publisher_changed(now),
            What::Frame { frame, captured } => {
                timeline.frame(now, frame.clone(), &mut steps);
                for step in steps.drain() {
                    match step {
                        FilterStep::Epoch { .. } => outcome.epoch(),
                        FilterStep::Frame(out) => {
                            assert_eq!(out.payload, frame.payload, "one in, the same one out");
                            outcome.frame(&out, *captured);
                        }
                    }
                }
            }
        }
    }
    let faults = outcome.check(case, timeline.duplicates() as usize);
    if !faults.is_empty() {
        println!(
            "{}\n    {:?}, sound {:?} from the picture",
            case.name,
            timeline.repairs(),
            outcome.offset()
        );
        faults
            .iter()
            .take(4)
            .for_each(|fault| println!("    {fault}"));
    }
    faults
}

#[test]
fn every_damaged_stream_comes_out_whole() {
    let (mut all, mut failed) = (0, 0);
    for case in cases() {
        all += 1;
        failed += usize::from(!play(&case).is_empty());
    }
    println!("{all} damaged streams, {failed} of which do not hold");
    assert!(all >= 200);
    assert_eq!(failed, 0);
}

#[test]
fn a_thousand_mixtures_of_damage_come_out_whole() {
    let failed = (0..1_000)
        .filter(|&seed| !play(&random(seed)).is_empty())
        .count();
    println!("1000 seeds, {failed} of which do not hold");
    assert_eq!(failed, 0);
}
