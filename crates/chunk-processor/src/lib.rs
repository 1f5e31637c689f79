//! The timeline every input passes through: it accepts whatever arrives and yields monotonic, exact times, counting every repair.
//!
//! ```text
//!  publisher A ─┐   dts 0 21 43 64 (whole ms)     ┌──────────┐   0 21.33 42.67 64 (exact)
//!               ├─▶ jump, restart, wrap, gap   ─▶ │ Timeline │─▶ epoch · goes on right after what came before
//!  publisher B ─┘   stand-still, DTS > PTS        └────┬─────┘   AFTER_GAP · monotonic · audio and video in step
//!                                                     └─▶ Repairs { jump, reorder, gap, drift, quantise, wrap }
//! ```
//!
//! ```
//! use core_frame::bytes::Bytes;
//! use core_frame::{CodecId, FilterOut, FilterStep, FrameFilter, MediaFrame, Repair};
//! use millstream_chunk_processor::Timeline;
//! use std::time::Instant;
//!
//! let (mut timeline, mut out, now) = (Timeline::default(), FilterOut::new(), Instant::now());
//! for ms in [3_600_000, 3_600_033, 0, 33] {
//!     let frame = MediaFrame::new_video(ms, ms, Bytes::from_static(b"frame"), CodecId::H264, ms % 1_000 == 0);
//!     timeline.frame(now, frame, &mut out);
//! }
//! let times: Vec<_> = out.drain().filter_map(|step| match step {
//!     FilterStep::Frame(frame) => Some(frame.dts.as_millis()),
//!     _ => None,
//! }).collect();
//! assert!(times.is_sorted());
//! assert_eq!(timeline.repairs().count(Repair::Jump), 1);
//! ```
//!
//! # Why it is shaped so
//!
//! * One per *stream*, not per publisher: a take-over, a fallback source or a slate goes on on the same timeline.
//! * A bad time stamp is never an error. The most frequent reason for a dead stream in the field is one of them.
//! * All tracks share the mapping from input to output time, so what moves one moves the others, and sound stays with the picture.
//! * Nothing is held back and nothing is allocated per frame: the timeline adds no delay.

#![forbid(unsafe_code)]

mod config;
mod decode;
mod drift;
mod grid;
mod rate;
mod steps;
mod timeline;
mod track;

pub use config::TimelineConfig;
pub use timeline::Timeline;
