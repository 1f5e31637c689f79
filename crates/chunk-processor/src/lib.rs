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
//!
//! # What it does to times
//!
//! | input | output |
//! |---|---|
//! | whole milliseconds of a known rate | exact times that round to those milliseconds |
//! | jump, restart, step back over 500 ms | goes on right after what came before, in a new epoch; the other tracks follow |
//! | one track alone steps 0.5 to 10 s ahead, and nothing was missing | closed without an epoch; opened again where the others step too |
//! | a clock that stands | squeezed for 500 ms, then the nominal rate, in a new epoch |
//! | a wire clock that wraps (24, 31, 32 bit ms; 32, 33 bit 90 kHz; 32 bit µs) | goes on, no epoch |
//! | decode times missing (they repeat presentation times) or in wrong order | made from presentation times and the reorder depth, told or learnt |
//! | presentation before decoding | decode times run ahead by what it takes |
//! | a track whose clock drifts against the picture's | corrected in whole ticks of its wire: 1 000 ppm at most while it is within 25 ms |
//! | the same frame again, byte for byte | left out and counted ([`Timeline::duplicates`]) |
//!
//! The stream's clock is that of its first video track. A drift that all tracks share is left alone: times of a sender whose tracks agree are
//! never changed. Exceptions to "presentation not before decoding": none.
//!
//! # Chunks
//!
//! [`MediaChunk`] is a numbered unit of any stream. [`ChunkSequencer`] validates chunks and puts them in order, [`ShedQueue`] holds media within bounds; both are
//! pure, with `now` as an argument. [`ChunkProcessor`] and [`MediaPriorityQueue`] put tasks, waiting and a clock around them, behind the feature
//! `runtime` (on by default); without it the crate has no tokio in its tree.
//!
//! A sequence that goes back by no more than the reordering window is taken for late chunks; a restart is known by three numbers in a row further
//! away, or by a final chunk before it.

#![forbid(unsafe_code)]

mod chunk;
mod config;
mod decode;
mod drift;
mod grid;
mod processor;
mod queue;
mod rate;
#[cfg(feature = "runtime")]
mod runtime;
mod sequence;
mod steps;
mod timeline;
mod track;

pub use chunk::{Checksum, ChecksumError, ChunkType, MediaChunk, MediaPriority};
pub use config::TimelineConfig;
pub use processor::{
    ChunkError, ChunkProcessorConfig, ChunkProcessorStats, ChunkSequencer, validate,
};
pub use queue::ShedQueue;
#[cfg(feature = "runtime")]
pub use runtime::{ChunkProcessor, Closed, MediaPriorityQueue};
pub use timeline::Timeline;
