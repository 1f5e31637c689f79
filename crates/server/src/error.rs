//! Why the server does not start.

use std::path::PathBuf;

/// What can keep a server from starting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that cannot be listened on: taken, or not ours.
    #[error("{protocol} cannot listen on {address}")]
    Bind {
        /// The protocol.
        protocol: &'static str,
        /// The address as configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate or key that cannot be used.
    #[error("{path}: {reason}")]
    Tls {
        /// The PEM file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The storage of `storage.url` cannot be opened.
    #[error("storage {url}: {reason}")]
    Storage {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// The engine or one of its protocols failed.
    #[error(transparent)]
    Stream(#[from] core_frame::StreamError),
}
