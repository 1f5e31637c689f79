//! What the other verbs of the binary stand on: the load generator, the relay and the probe.
//!
//! ```text
//!  load::play      N players  ──RTMP(S), HTTP(S)-FLV, HLS──▶ start-up, gaps, delay, stalls, CPU    ─▶ PlayReport
//!                  among them slow ones, and ones that stop reading ──▶ what the server does
//!  load::publish   N publishers of numbered frames ──RTMP(S)──▶ server: refusals, reconnects       ─▶ PublishReport
//!  load::churn     visitors at a rate that come, stay and leave by FIN or RST ──▶ what is left over ─▶ ChurnReport
//!  relay::relay    one stream from here to there, over losses of either side                        ─▶ RelayReport
//!  probe::probe    file or address ─▶ tracks, codecs, times, damage                                ─▶ ProbeReport
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
//! * A reader that does not read cannot see that it was closed. Where the server is on this machine its kernel is asked
//!   for the far end's state; elsewhere only RST shows at its time, and the rest when the run is over and the buffers
//!   are read to their end.
//! * Long runs take bounded memory: of long series of measurements each second, fourth, eighth one is kept.
//! * Frames are numbered and stamped by `load publish`, so that a lost, doubled or late frame is seen at the far end of
//!   any protocol, without a picture being decoded.
//! * Reports are values with a table for people and JSON for programs; terminals and exit codes are the binary's.

#![forbid(unsafe_code)]

mod error;
mod hls;
mod http;
pub mod load;
mod net;
pub mod probe;
mod process;
pub mod relay;
mod rtmp;
mod stats;

pub use error::{Error, Result};
pub use net::TlsOptions;
pub use process::{Change, Usage, Watched, own_cpu_seconds};
pub use stats::Percentiles;
