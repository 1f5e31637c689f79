//! Damaged streams on purpose: every defect of senders and ways that a timeline must live through, the same for the same seed.
//!
//! ```text
//!  synth (numbered frames) ─▶ Recording ─▶ Fault, Fault, .. ─▶ Wire (rounds, wraps) ─▶ Case { arrivals, holds }
//!                                                                                        │
//!       any path under test ◀── What::{Tracks, Publisher, Frame}, at a time ─────────────┘
//!                │
//!                └─▶ Outcome: rising decode times, nothing shown before it is decoded, sound beside the picture
//! ```
//!
//! Each frame says when it was really captured, so that a judge need not believe any time stamp.

mod catalogue;
mod fault;
mod outcome;
mod recording;

use std::ops::RangeInclusive;
use std::time::Duration;

use core_frame::{MediaFrame, MediaTime, TrackTable};

pub use catalogue::{cases, random};
pub use fault::Fault;
pub use outcome::Outcome;
pub use recording::{Kind, Recording, Wire};

/// A damaged stream, and what is to hold for what is made of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The stream, its wire and its faults, in words.
    pub name: String,
    /// What arrives, in order.
    pub arrivals: Vec<Arrival>,
    /// What is to hold at the end.
    pub holds: Holds,
}

/// Something that arrives.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When, since the start.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What arrives.
#[derive(Clone, Debug)]
pub enum What {
    /// The tracks that the following frames belong to.
    Tracks(TrackTable),
    /// Another publisher follows.
    Publisher,
    /// A frame.
    Frame {
        /// With the times the sender gave it.
        frame: MediaFrame,
        /// When it is to be shown or heard by the clock of the world.
        captured: MediaTime,
    },
}

/// What is to hold for the output of a case, beside what holds for all: no error, decode times that rise on each track, nothing shown before it
/// is decoded, each frame put out or counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Epochs that may be opened.
    pub epochs: RangeInclusive<usize>,
    /// How far sound may be from the picture at the end; `None` where there is one track, or where nothing that arrives tells it.
    pub offset: Option<Duration>,
}

impl Case {
    /// Frames that arrive.
    #[must_use]
    pub fn frames(&self) -> usize {
        let frames = self.arrivals.iter();
        frames
            .filter(|a| matches!(a.what, What::Frame { .. }))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_corpus_is_large_and_each_case_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for case in cases() {
            assert!(case.frames() > 100, "{}", case.name);
            assert!(
                case.arrivals.is_sorted_by_key(|a| a.at),
                "{}: arrivals out of order",
                case.name
            );
            assert!(names.insert(case.name.clone()), "{} twice", case.name);
        }
        println!("{} cases", names.len());
        assert!(names.len() >= 200, "{}", names.len());
    }

    #[test]
    fn the_same_seed_gives_the_same_damage() {
        for seed in [0, 1, 77] {
            let (a, b) = (random(seed), random(seed));
            assert_eq!(a.name, b.name);
            let times = |case: &Case| -> Vec<_> {
                let frames = case.arrivals.iter();
                frames
                    .filter_map(|a| match &a.what {
                        What::Frame { frame, .. } => Some((a.at, frame.dts, frame.pts)),
                        _ => None,
                    })
                    .collect()
            };
            assert_eq!(times(&a), times(&b));
        }
        assert_ne!(random(1).name, random(2).name);
    }
}
