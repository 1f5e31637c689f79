//! Why a session waits, on either side.

use std::fmt;

/// What the other side has to do before a deadline; it goes to logs and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimerReason {
    /// Complete the handshake.
    Handshake,
    /// Say `connect`.
    Connect,
    /// Say `publish` or `play`.
    Start,
    /// Answer our `connect` (client sessions, as those that follow).
    ConnectAnswer,
    /// Answer our `createStream`.
    StreamAnswer,
    /// Answer our `publish` or `play`.
    StartAnswer,
    /// Send anything at all.
    Silence,
}

impl fmt::Display for TimerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "no complete handshake",
            Self::Connect => "no connect command",
            Self::Start => "no publish or play command",
            Self::ConnectAnswer => "no answer to connect",
            Self::StreamAnswer => "no answer to createStream",
            Self::StartAnswer => "no answer to publish or play",
            Self::Silence => "nothing received while playing",
        })
    }
}
