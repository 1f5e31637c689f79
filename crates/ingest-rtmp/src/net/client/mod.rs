//! The connecting side on tokio: a connection ([`Client`]), and what keeps one up: [`Pull`] brings a remote stream in,
//! [`Push`] carries one out.
//!
//! ```text
//!  remote stream ──▶ Client ──▶ Pull ──▶ PublishSession        the stream's grace bridges a longer loss
//!  bus stream ──▶ RtmpRender view ──▶ Push ──▶ Client ──▶ remote
//! ```
//!
//! ```no_run
//! # async fn relay() -> Result<(), Box<dyn std::error::Error>> {
//! use bus::{AppSpec, Engine, IngestContext};
//! use core_frame::StreamKey;
//! use millstream_ingest_rtmp::client::Target;
//! use millstream_ingest_rtmp::net::client::{Pull, Push};
//! use tokio_util::sync::CancellationToken;
//!
//! let engine = Engine::builder().allow_any_app(AppSpec::new("live")).build();
//! let stop = CancellationToken::new();
//! let key = StreamKey::parse("live/cam")?;
//! let pull = Pull::new(Target::parse("rtmp://origin/live/cam")?, key.clone());
//! let pull = pull.spawn(IngestContext::new(engine.clone()), stop.clone());
//! let push = Push::new(key, Target::parse("rtmps://a.example/live/backup")?);
//! let mut push = push.spawn(engine, stop.clone());
//! println!("pull is {:?}", pull.state());
//! println!("push ended: {:?}", push.ended().await);
//! # Ok(())
//! # }
//! ```

mod connect;
mod connection;
mod counts;
mod link;
mod pull;
mod push;
mod resume;
mod retry;
#[cfg(feature = "tls")]
mod trust;

pub use connect::Connect;
pub use connection::Client;
pub use counts::LinkCounts;
pub use link::{Link, LinkEnd, LinkState};
pub use pull::Pull;
pub use push::Push;
pub use retry::Retry;
#[cfg(feature = "tls")]
pub use trust::{Trust, TrustError};
