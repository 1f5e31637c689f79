//! Millstream, the live-media toolkit, as one crate: each part under its own name, behind a feature flag.
//!
//! ```text
//!   rtmp ─▶ bus (one timeline, one log a stream) ─▶ rtmp, flv, cmaf ─▶ hls, storage
//!                └────────────── server: all of it in one process ──────────────┘
//! ```
//!
//! A server inside your own program, on ports the system picks:
//!
//! ```
//! # #[cfg(feature = "server")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use millstream::server::{Server, config::Config};
//!
//! let mut config = Config::default();
//! config.set("http.listen", "127.0.0.1:0")?;
//! config.set("rtmp.listen", "127.0.0.1:0")?;
//! config.set("storage.url", "memory:")?;
//! let running = Server::start(config).await?;
//! println!("publish to rtmp://{}/live/cam", running.addresses().rtmp.ok_or("rtmp is off")?);
//! println!("watch at http://{}/live/cam/", running.addresses().http.ok_or("http is off")?);
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | module | what it brings |
//! |---|---|---|
//! | (always) | [`core_frame`] | frames, media time, tracks, stream keys, limits, errors, the pure traits |
//! | `bitstream` | `bitstream` | codec headers and configurations |
//! | `bus` | `bus` | the engine: streams, cursors, views, publish sessions, events |
//! | `storage` | `storage` | storage backends: memory, file system |
//! | `flv` | `flv` | FLV and Enhanced RTMP media messages, AMF0 and AMF3 |
//! | `cmaf` | `cmaf` | ISO base media: init segments and chunks |
//! | `mpegts` | `mpegts` | MPEG transport streams: demuxer, muxer, view |
//! | `m3u8` | `m3u8` | HLS playlists, read and written |
//! | `chunk-processor` | `chunk_processor` | the timeline every input passes through |
//! | `chunks` | `chunk_processor` | numbered chunks and the priority queue, on tokio |
//! | `segmenter` | `segmenter` | chunks, segments and the window behind HLS |
//! | `rtmp-core` | `rtmp` | the RTMP session core, without sockets |
//! | `rtmp` (default) | `rtmp` | RTMP with sockets on tokio |
//! | `rtmps` | `rtmp` | the same over TLS |
//! | `hls` (default) | `hls` | the LL-HLS origin |
//! | `server` | `server` | the whole server as a library |
//! | `synth` | `synth` | sources of numbered frames, and the demo's clip |
//! | `tools` | `tools` | load generator, probe and relay |
//! | `full` | | everything |
//!
//! # Why it is shaped so
//!
//! The parts are crates of their own, so that a program that only writes FLV builds only that. This crate holds no
//! logic: it gives them one version and one list of features.

#![forbid(unsafe_code)]

pub use core_frame;

#[cfg(feature = "bitstream")]
pub use bitstream;
#[cfg(feature = "bus")]
pub use bus;
#[cfg(feature = "chunk-processor")]
pub use chunk_processor;
#[cfg(feature = "cmaf")]
pub use cmaf;
#[cfg(feature = "flv")]
pub use flv;
#[cfg(feature = "hls")]
pub use hls_live as hls;
#[cfg(feature = "rtmp-core")]
pub use ingest_rtmp as rtmp;
#[cfg(feature = "m3u8")]
pub use m3u8;
#[cfg(feature = "mpegts")]
pub use mpegts;
#[cfg(feature = "segmenter")]
pub use segmenter;
#[cfg(feature = "server")]
pub use server;
#[cfg(feature = "storage")]
pub use storage;
#[cfg(feature = "synth")]
pub use synth;
#[cfg(feature = "tools")]
pub use tools;
