//! What keeps a tool from its work.

use std::path::PathBuf;
use std::time::Duration;

/// The result of the tools.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a tool, or one of its sessions, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// The address is of no form that is understood here.
    #[error("bad address {url:?}: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers there.
    #[error("cannot connect to {target}")]
    Connect {
        /// Host and port.
        target: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server did not get on in time.
    #[error("no {what} within {after:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// The server refused, or broke RTMP.
    #[error(transparent)]
    Rtmp(#[from] ingest_rtmp::Error),
    /// The server answered with another status than success.
    #[error("HTTP status {status} for {url}")]
    Status {
        /// The status code.
        status: u16,
        /// The address.
        url: String,
    },
    /// The answer is no HTTP.
    #[error("bad HTTP answer: {0}")]
    Http(String),
    /// What came is not the format that was expected.
    #[error("bad media: {0}")]
    Media(String),
    /// The connection broke.
    #[error("connection lost")]
    Io(#[from] std::io::Error),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The stream ended at once.
    #[error("the stream ended before any media came")]
    Empty,
}

/// An error with what it came from, in one line.
pub(crate) fn causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<flv::Error> for Error {
    fn from(e: flv::Error) -> Self {
        Self::Media(causes(&e))
    }
}
