//! Why a session waits.

use std::fmt;

/// What the peer has to do before a deadline; it goes to logs and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimerReason {
    /// Complete the handshake.
    Handshake,
    /// Say `connect`.
    Connect,
    /// Say `publish` or `play`.
    Start,
}

impl fmt::Display for TimerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "no complete handshake",
            Self::Connect => "no connect command",
            Self::Start => "no publish or play command",
        })
    }
}
