//! Errors of streams and of the engine, grouped by who can act on them.

use crate::{KeyError, StreamKey};

/// The result of stream operations.
pub type Result<T, E = StreamError> = std::result::Result<T, E>;

/// What can go wrong with a stream, from the caller's point of view.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// No such stream, or nobody publishes it.
    #[error("stream {0} not found")]
    StreamNotFound(StreamKey),
    /// The key has a live publisher already.
    #[error("stream {0} already has a publisher")]
    StreamAlreadyPublishing(StreamKey),
    /// No such application, and the engine does not create applications on demand.
    #[error("application {0} not found")]
    AppNotFound(String),
    /// The application or the engine is at its limit of publishers.
    #[error("publisher limit of {limit} reached")]
    PublisherLimitReached {
        /// The limit.
        limit: usize,
    },
    /// The stream is at its limit of readers.
    #[error("reader limit of {limit} reached")]
    ReaderLimitReached {
        /// The limit.
        limit: usize,
    },
    /// The peer may not do this.
    #[error("not authorised: {0}")]
    Unauthorized(String),
    /// The stream or the session has ended.
    #[error("the stream has ended")]
    Ended,
    /// The engine is shutting down.
    #[error("shutting down")]
    ShuttingDown,
    /// A name that is no stream key.
    #[error(transparent)]
    BadKey(#[from] KeyError),
    /// Media that breaks its format.
    #[error("bad media: {0}")]
    BadMedia(String),
    /// No object at that storage key.
    #[error("storage has no object {0}")]
    StorageNotFound(String),
    /// A storage failure.
    #[error("storage: {0}")]
    Storage(String),
    /// A transport failure.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Anything a protocol worker cannot put into the other words.
    #[error("{0}")]
    Other(String),
}

impl StreamError {
    /// A storage failure in words.
    pub fn storage(message: impl Into<String>) -> Self {
        Self::Storage(message.into())
    }

    /// Any other failure in words.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// The stable code the API and the logs use.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StreamNotFound(_) => "stream_not_found",
            Self::StreamAlreadyPublishing(_) => "stream_already_publishing",
            Self::AppNotFound(_) => "app_not_found",
            Self::PublisherLimitReached { .. } => "publisher_limit_reached",
            Self::ReaderLimitReached { .. } => "reader_limit_reached",
            Self::Unauthorized(_) => "unauthorized",
            Self::Ended => "ended",
            Self::ShuttingDown => "shutting_down",
            Self::BadKey(_) => "bad_stream_key",
            Self::BadMedia(_) => "bad_media",
            Self::StorageNotFound(_) => "storage_not_found",
            Self::Storage(_) => "storage",
            Self::Io(_) => "io",
            Self::Other(_) => "error",
        }
    }
}
