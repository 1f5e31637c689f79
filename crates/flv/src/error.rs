//! Why a media message, a tag or a file was refused.

use crate::amf0;

/// The result of every parser here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with FLV and Enhanced RTMP media. All of it is the sender's doing; after an error the demuxer that
/// returned it can go on with the next message, the caller decides whether it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end inside a field.
    #[error("{what} ends too early")]
    Truncated {
        /// The structure that was being read.
        what: &'static str,
    },
    /// A field has a value its specification does not allow.
    #[error("bad {what}: {rule}")]
    Invalid {
        /// The structure that was being read.
        what: &'static str,
        /// The rule that was broken.
        rule: &'static str,
    },
    /// Legal, but not handled here.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// A bound of [`core_frame::Limits`] was passed.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// A codec configuration record that no decoder could be set up from: the publisher is to be refused.
    #[error("codec configuration refused")]
    Config(#[source] bitstream::Error),
    /// An access unit that breaks its format: this frame is lost, the next may be well.
    #[error("access unit refused")]
    Frame(#[source] bitstream::Error),
    /// A script message that is no AMF0.
    #[error(transparent)]
    Amf(#[from] amf0::Error),
    /// Neither an FLV header nor any tag where a file should begin.
    #[error("not FLV: no header and no tag in the first {scanned} bytes")]
    NotFlv {
        /// Bytes looked at.
        scanned: u64,
    },
}

impl Error {
    pub(crate) const fn invalid(what: &'static str, rule: &'static str) -> Self {
        Self::Invalid { what, rule }
    }
}
