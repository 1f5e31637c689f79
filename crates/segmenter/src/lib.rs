//! Frames to CMAF chunks to parts to segments to the window: the one store behind HLS, DASH and recording.

#![forbid(unsafe_code)]

mod config;
mod feed;
mod keep;
mod lane;
mod plan;
mod segmenter;
mod shell;
mod window;

pub use config::Config;
pub use keep::Spill;
pub use plan::{FrameTiming, part_target, target_duration};
pub use segmenter::{Segmenter, Stats};
pub use shell::{contiguous, run};
pub use window::{Bandwidth, Init, Location, Part, Segment, Snapshot, TrackWindow, Window};
