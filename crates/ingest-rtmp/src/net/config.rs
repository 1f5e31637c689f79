//! Options of the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bus::Pace;
use core_frame::Limits;

use super::Door;

/// Options of the RTMP server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Bounds and time limits.
    pub limits: Limits,
    /// Speaks TLS (RTMPS) with this configuration, and nothing else on this port. Its certificate resolver may change
    /// certificates while the listener runs.
    #[cfg(feature = "tls")]
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Counts the sessions in place of `limits.sessions` and `limits.sessions_per_ip`, for a server whose other protocols
    /// share those limits.
    pub door: Option<Arc<dyn Door>>,
    /// How media is handed to players.
    pub fan_out: FanOut,
    /// Chunk size towards peers, in bytes.
    pub chunk_size: u32,
    /// Unsent bytes the kernel keeps for a player at most, where the system can bound them (Linux:
    /// `TCP_NOTSENT_LOWAT`); 0 leaves it to the system.
    pub unsent_bytes: u32,
    /// After how much silence of the network a connection counts as dead, both ways.
    pub dead_after: Duration,
    /// Where peers that understand it (Enhanced RTMP) are asked to connect anew when the server shuts down: a URL up to the
    /// application, or one relative to theirs. `None` asks them to come back to where they are.
    pub reconnect_to: Option<String>,
    /// How long a refused log in waits for its answer, at least and at most.
    pub denied_delay: (Duration, Duration),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 1935)),
            limits: Limits::default(),
            #[cfg(feature = "tls")]
            tls: None,
            door: None,
            fan_out: FanOut::Default,
            chunk_size: crate::CHUNK_SIZE,
            unsent_bytes: 128 * 1024,
            dead_after: Duration::from_secs(12),
            reconnect_to: None,
            denied_delay: (Duration::from_secs(2), Duration::from_secs(4)),
        }
    }
}

impl Config {
    /// The defaults at this address.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            ..Self::default()
        }
    }
}

/// How media is handed to players: the price of a byte against its delay.
///
/// A write costs about as much for 20 kB as for 2 kB, so gathering what arrives within a short time makes players
/// cheaper, and late by half of that time on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum FanOut {
    /// Each frame at once.
    LatencyFirst,
    /// What arrives within 40 ms: a picture or two and their sound.
    #[default]
    Default,
    /// What arrives within 220 ms.
    ThroughputFirst,
    /// What arrives within a time of your own.
    Every(Duration),
}

impl FanOut {
    /// The pace of the view.
    #[must_use]
    pub const fn pace(self) -> Pace {
        match self {
            Self::LatencyFirst => Pace::EachFrame,
            Self::Default => Pace::Every(Duration::from_millis(40)),
            Self::ThroughputFirst => Pace::Every(Duration::from_millis(220)),
            Self::Every(time) => Pace::Every(time),
        }
    }
}
