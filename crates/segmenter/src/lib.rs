//! Frames to CMAF chunks to parts to segments to the window: the one store behind HLS, DASH and recording.

#![forbid(unsafe_code)]

mod window;

pub use window::{Bandwidth, Init, Location, Part, Segment, Snapshot, TrackWindow, Window};
