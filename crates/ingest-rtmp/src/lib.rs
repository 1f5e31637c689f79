//! RTMP and Enhanced RTMP: a session core that does no IO, and (feature `net`) the server on tokio that drives it.
//!
//! ```text
//!            bytes, time                                     commands, frames
//!  socket ─────────────▶ Session ── handshake ▶ chunks ▶ messages ─────────▶ Event::{Publish, Play, Track, Frame, Tags, …}
//!         ◀───────────── (session/)   (wire/)                     ◀───────── accept_publish, accept_play, reject
//!            Transmit
//!
//!  remote ─────────────▶ client::Session: the other side of the same, to pull ──▶ Event::{Track, Frame, Tags, Reconnect}
//!         ◀─────────────                  and to push: the bytes of a view, or messages of one's own
//!
//!  stream ──▶ RtmpRender: frames to chunked bytes, once for all players of the stream ──▶ every player's socket
//! ```
//!
//! A session driven by hand:
//!
//! ```
//! use std::time::Instant;
//! use millstream_ingest_rtmp::client::{self, Config, Role, Target};
//! use millstream_ingest_rtmp::session::{Event, Input, Output, Session, SessionConfig};
//!
//! let target = Target::parse("rtmp://localhost/live/cam")?;
//! let mut client = client::Session::new(Config::new(target, Role::Publish), Instant::now());
//! let mut server = Session::new(SessionConfig::default(), Instant::now());
//! let mut published = None;
//! for _ in 0..8 {
//!     while let Some(output) = client.poll_output() {
//!         let client::Output::Transmit(bytes) = output else { continue };
//!         server.handle_input(Instant::now(), Input::Bytes(&bytes))?;
//!         while let Some(output) = server.poll_output() {
//!             match output {
//!                 Output::Transmit(bytes) => client.handle_input(Instant::now(), Input::Bytes(&bytes))?,
//!                 Output::Event(Event::Publish(request)) => published = Some(request.key),
//!                 Output::Event(_) => {}
//!             }
//!         }
//!     }
//! }
//! assert_eq!(published.map(|key| key.to_string()).as_deref(), Some("live/cam"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **The contract of a session: after each input take everything out by `poll_output` before the next input; after an
//! error send what is still there and close.** A session that is driven otherwise answers `Error::Caller`.
//!
//! Which tracks a player gets, and in which codec form, stands in [`enhanced`].
//!
//! # Why it is shaped so
//!
//! * `now` is an argument and bytes are a slice, so a ten-second time-out is tested in microseconds, any split of the
//!   bytes is a loop, and a fuzzer drives the whole session.
//! * Requests are values: `Event::Publish` waits for an answer, and what comes behind it is not read until then. So the
//!   caller may ask a slow authenticator, and no frame of an eager encoder is lost.
//! * Players of one stream share their bytes: media of a play session is rendered once with headers that stand alone
//!   (type 0, absolute time), so that a player may begin anywhere and no player has state of its own. The session only
//!   speaks on chunk streams that the media does not use.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod client;
pub mod enhanced;
mod error;
mod media;
#[cfg(feature = "net")]
pub mod net;
pub mod render;
pub mod session;
pub mod wire;

pub use error::Error;
pub use render::RtmpRender;

/// Size in bytes of the chunks we send: larger than nearly all frames, so that headers and work go with frames and not
/// with bytes, and small enough for every client in the field.
pub const CHUNK_SIZE: u32 = 65_536;
