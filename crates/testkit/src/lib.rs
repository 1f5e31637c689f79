//! What tests stand on: a clock and a network of their own, numbered frames, and other people's programs as judges.
//!
//! ```text
//!  sans-IO tests:  VirtualClock  Link (delay, loss, reorder, duplicate, seed)  Random  damage (broken streams)
//!  end to end:     Server ◀── publishers: rtmp::Peer, clients::{ffmpeg, ffmpeg9, gstreamer}
//!                    │
//!                    └──────▶ players:    rtmp::Peer, clients::{ffprobe, rtmpdump, chromium} ─▶ StreamCheck, overlap
//!  around it:      Program / Running / Finished, resources::{rss_kib, open_files, cpu_seconds}
//! ```
//!
//! ```
//! use millstream_testkit::{StreamCheck, synth};
//!
//! let mut check = StreamCheck::default();
//! for frame in synth::Source::new(synth::Options::default().frames(30))? {
//!     check.frame(frame.codec, &frame.payload);
//! }
//! assert!(check.is_whole(), "{check}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * Our own two halves agreeing proves little, so the RTMP peer here shares no code with the product, and every player and publisher that
//!   can be installed takes part. One that is missing is skipped with a printed reason.
//! * Everything started is ended: a process that is dropped is killed with all its children, and each has a limit of time.

#![forbid(unsafe_code)]

pub mod clients;
mod clock;
pub mod damage;
mod hash;
mod link;
mod numbers;
mod ports;
mod process;
pub mod resources;
pub mod rtmp;
mod server;

pub use clock::VirtualClock;
pub use hash::{Overlap, overlap, payload_hash};
pub use link::{Link, LinkConfig, Random};
pub use numbers::{NumberCheck, StreamCheck};
pub use ports::{free_port, wait_for_listener};
pub use process::{Finished, Program, Running};

pub use server::{Server, binary, request};

pub use synth;
