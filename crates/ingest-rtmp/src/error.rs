//! What can go wrong on an RTMP connection, grouped by who can act on it.

use crate::session::TimerReason;

/// Why a connection ends early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol: close, and be able to show where.
    #[error("peer broke RTMP at byte {offset}: {rule}")]
    Protocol {
        /// Bytes received before the offence, handshake included.
        offset: u64,
        /// The rule and its paragraph.
        rule: &'static str,
    },
    /// The peer does not speak RTMP at all (HTTP on this port, TLS, noise).
    #[error("not RTMP: first byte is {first:#04x}, must be 0x03")]
    NotRtmp {
        /// The first byte.
        first: u8,
    },
    /// A broken or hostile peer ran into a limit.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// The peer did not get on in time.
    #[error("timed out: {0}")]
    Timeout(TimerReason),
    /// The media is in no form we know; only the publisher is concerned.
    #[error("bad media: {0}")]
    Media(String),
    /// The other end refused what we asked for (client sessions): its status code. Its words came before, as a
    /// [`Status`](crate::client::Event::Status).
    #[error("refused by the server: {0}")]
    Refused(String),
    /// The other end sends us elsewhere (client sessions).
    #[error("the server sends us to {tc_url}")]
    Redirected {
        /// Where to connect instead, see [`Target::moved`](crate::client::Target::moved).
        tc_url: String,
    },
    /// The driving contract of the session was broken.
    #[error("session driven wrongly: {0}")]
    Caller(&'static str),
}

impl Error {
    pub(crate) const fn protocol(offset: u64, rule: &'static str) -> Self {
        Self::Protocol { offset, rule }
    }
}
