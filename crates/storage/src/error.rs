//! What can go wrong with a store, by the question a caller asks.

use core_frame::StreamError;

/// The result of storage operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No object at this key.
    #[error("no object {key}")]
    NotFound {
        /// The key asked for.
        key: String,
    },
    /// Text that is no key. The message names the rule and never repeats the text.
    #[error("storage key {rule}")]
    InvalidKey {
        /// The rule it breaks, as the end of a sentence: "is empty".
        rule: &'static str,
    },
    /// A range that begins behind the end of the object.
    #[error("range starts behind the end of object {key}, which has {size} bytes")]
    OutOfRange {
        /// The key asked for.
        key: String,
        /// Bytes the object has.
        size: u64,
    },
    /// The store is at its bound, or the disk is full; nothing was written.
    #[error("the store is full ({limit} bytes)")]
    Full {
        /// The bound in bytes; 0 when it is the disk's own.
        limit: u64,
    },
    /// A storage URL that names no store this build knows.
    #[error("storage URL: {0}")]
    BadUrl(String),
    /// The medium failed.
    #[error("cannot {action} {what}")]
    Io {
        /// What was being done: "read", "write".
        action: &'static str,
        /// The object or folder.
        what: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// True for [`Error::NotFound`].
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    pub(crate) fn not_found(key: &str) -> Self {
        Self::NotFound {
            key: key.to_owned(),
        }
    }

    /// Puts an IO error into the words callers ask for.
    #[cfg_attr(not(feature = "fs"), allow(dead_code))]
    pub(crate) fn io(
        action: &'static str,
        what: impl std::fmt::Display,
        source: std::io::Error,
    ) -> Self {
        use std::io::ErrorKind;
        let what = what.to_string();
        match source.kind() {
            ErrorKind::NotFound if action == "read" => Self::NotFound { key: what },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { limit: 0 },
            _ => Self::Io {
                action,
                what,
                source,
            },
        }
    }
}

impl From<Error> for StreamError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { key } => Self::StorageNotFound(key),
            // `StreamError::Storage` has no source, so the cause goes into its text.
            Error::Io { ref source, .. } => Self::storage(format!("{error}: {source}")),
            other => Self::storage(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_meaning_as_a_stream_error() {
        assert!(matches!(
            StreamError::from(Error::not_found("a/b")),
            StreamError::StorageNotFound(k) if k == "a/b"
        ));
        let io = Error::io("write", "a", std::io::Error::other("disk on fire"));
        assert_eq!(
            StreamError::from(io).to_string(),
            "storage: cannot write a: disk on fire"
        );
    }
}
