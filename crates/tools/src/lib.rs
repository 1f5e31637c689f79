//! What the other verbs of the binary stand on: the load generator and the probe.
//!
//! ```text
//!  load::play      N players  ──RTMP, HTTP-FLV, HLS──▶ start-up, gaps, delay, stalls, CPU ─▶ PlayReport
//!  load::publish   N publishers of numbered frames ──RTMP──▶ server                       ─▶ PublishReport
//!  probe::probe    file or address ─▶ tracks, codecs, times, damage                       ─▶ ProbeReport
//! ```
//!
//! ```no_run
//! use millstream_tools::load::{PlayOptions, Protocol, play};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn run() -> Result<(), millstream_tools::Error> {
//! let mut options = PlayOptions::new(Protocol::Rtmp, "rtmp://localhost/live/cam");
//! options.count = 500;
//! let report = play(options, CancellationToken::new()).await?;
//! assert!(report.is_clean(), "{}", report.table());
//! # Ok(())
//! # }
//! ```
//!
//! # Why it is shaped so
//!
//! * A load generator that costs more than the server measures itself. Most sessions only count: they read into one
//!   buffer that all share and look at chunk and tag headers. A few read every frame and its number.
//! * Frames are numbered and stamped by `load publish`, so that a lost, doubled or late frame is seen at the far end of
//!   any protocol, without a picture being decoded.
//! * Reports are values with a table for people and JSON for programs; terminals and exit codes are the binary's.

#![forbid(unsafe_code)]

mod error;
mod hls;
mod http;
pub mod load;
pub mod probe;
mod rtmp;
mod stats;

pub use error::{Error, Result};
pub use stats::{Percentiles, own_cpu_seconds};
