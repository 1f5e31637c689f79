//! Why a connection ended, as its one log line says it.

use std::io;

use core_frame::StreamError;

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The session said so: protocol, limits, time.
    #[error(transparent)]
    Session(#[from] crate::Error),
    /// The socket.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The engine refused what the peer asked for, or took it back.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// An operator, a take-over or the idle watch ended the publisher.
    #[error("the publisher was ended by the server")]
    Kicked,
    /// A player took nothing for the stall limit.
    #[error("the player read nothing for {0} ms")]
    Stalled(u64),
    /// The other end closed the connection (clients).
    #[error("the server closed the connection")]
    Closed,
    /// The stream we played has ended (clients).
    #[error("the stream has ended at the server")]
    Unpublished,
    /// The server sends us round and round, or to where we do not go (clients).
    #[error("the server sends us elsewhere, too often or to no good address")]
    Moved,
    /// The server stops.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Error {
    /// True when the peer has just gone away.
    pub(super) fn is_hang_up(&self) -> bool {
        let Self::Io(error) = self else { return false };
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        )
    }
}
