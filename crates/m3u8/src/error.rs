//! What is wrong with a playlist: errors that end a parse, and warnings that do not.

/// The result of playlist operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a text is not taken as a playlist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no playlist at all (a web page, an empty body, media).
    #[error("not an HLS playlist: {0}")]
    NotAPlaylist(&'static str),
    /// The sender broke a rule; only in [`Mode::Strict`](crate::Mode::Strict).
    #[error("line {line}: {rule}")]
    Broken {
        /// Line number, from 1.
        line: u32,
        /// The rule, with the clause of rfc8216bis.
        rule: &'static str,
    },
    /// The playlist is larger than the [`Limits`](crate::Limits) allow.
    #[error("playlist over the limit of {max} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The other kind of playlist was asked for.
    #[error("a {found} playlist where a {wanted} playlist was expected")]
    WrongKind {
        /// The kind that was asked for.
        wanted: &'static str,
        /// The kind that came.
        found: &'static str,
    },
}

/// A rule the sender broke that did no harm: the value was repaired or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line number, from 1.
    pub line: u32,
    /// The rule, with the clause of rfc8216bis.
    pub rule: &'static str,
}

/// Why a delta update does not fit the playlist it is applied to. The remedy is always to load the full playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// The update skips segments that the earlier playlist does not have.
    #[error("the delta update skips segment {sequence}, which the earlier playlist does not have")]
    Missing {
        /// Media sequence number of the first one missing.
        sequence: u64,
    },
    /// The earlier playlist is itself an unapplied delta update.
    #[error("the earlier playlist is a delta update itself")]
    PreviousIsDelta,
}
