//! Why a frame was not written.

/// The result of the muxer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with a frame that is to become packets. The demuxer has no errors: what is wrong there is
/// [`crate::Damage`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An access unit that breaks its format; the next may be well.
    #[error("access unit refused")]
    Frame(#[source] bitstream::Error),
    /// Larger than the format can say.
    #[error("limit reached: {0}")]
    Limit(&'static str),
}
