//! The server on tokio (listener, admission, one task per connection) and the client ([`client`]). The only place with
//! sockets, tasks and a clock.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use bus::{AppSpec, Engine};
//! use millstream_ingest_rtmp::net::{Config, FanOut, RtmpProtocol};
//! use tokio_util::sync::CancellationToken;
//!
//! let engine = Engine::builder().allow_any_app(AppSpec::new("live")).build();
//! let mut config = Config::new("127.0.0.1:0".parse()?);
//! config.fan_out = FanOut::LatencyFirst;
//! let rtmp = RtmpProtocol::bind(config)?.with_playback(engine.clone());
//! println!("publish to and play from rtmp://{}/live/cam", rtmp.local_addr());
//!
//! let shutdown = CancellationToken::new();
//! # shutdown.cancel();
//! engine.serve(Arc::new(rtmp), shutdown).await?;
//! # Ok(())
//! # }
//! ```

mod admission;
pub mod client;
mod config;
mod connection;
mod counters;
mod error;
mod listen;
mod play;
mod publish;
mod socket;
mod transport;
mod view;
mod writer;

pub use admission::{Door, Place};
pub use config::{Config, FanOut};
pub use counters::Counts;
pub use error::Error;
pub use listen::RtmpProtocol;

/// A number that differs from call to call; for spreading, not for secrets.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}
