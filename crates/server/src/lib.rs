//! The server as a library: configuration, HTTP, the control API, metrics and pages over the floors below.
//!
//! ```text
//!            config ──▶ Server::start ──▶ Running { addresses, engine, shutdown }
//!                            │
//!   RTMP ──▶ ingest-rtmp ──▶ Engine (bus) ◀── demo        one Timeline filter a stream
//!                            │      └─▶ packager: segmenter ─▶ window ─▶ hls-live
//!                            ▼
//!   web: FLV, MPEG-TS, fragmented MP4 (HTTP, WebSocket), LL-HLS, player, console, API, metrics
//! ```
//!
//! ```no_run
//! use millstream_server::{Server, config::Config};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::default();
//! config.set("http.listen", "127.0.0.1:0")?;
//! config.set("rtmp.listen", "127.0.0.1:0")?;
//! let running = Server::start(config).await?;
//! println!("{:?}", running.addresses());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Why it is shaped so
//!
//! * This is the one floor that chooses for the user, and every choice is a key of the configuration.
//! * It parses no media: bytes come out of views and windows as slices and go to sockets as they are.
//! * Listeners are bound before anything starts, so that a taken port is an error at start and port 0 can be asked for.

#![forbid(unsafe_code)]

mod auth;
mod certificate;
pub mod config;
mod counters;
mod demo;
mod error;
mod links;
mod listen;
mod packager;
pub mod process;
mod server;
mod sessions;
mod web;

pub use error::Error;
pub use server::{Addresses, Running, Server};
