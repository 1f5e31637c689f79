//! What can be wrong with a wish for a source.

/// Why a source cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The picture size is not one that can be coded.
    #[error("picture of {width}x{height}: both must be multiples of 16, from 80x16 to 4096x4096")]
    Size {
        /// Asked width.
        width: u32,
        /// Asked height.
        height: u32,
    },
    /// No frames a second, or too many.
    #[error("frame rate {0}/{1}: must be above 0 and at most 240")]
    FrameRate(u32, u32),
    /// AAC has no such sample rate.
    #[error("AAC knows no sample rate of {0} Hz")]
    SampleRate(u32),
    /// Only mono and stereo are made.
    #[error("{0} audio channels: 1 and 2 can be made")]
    Channels(u16),
    /// Neither video nor audio was asked for.
    #[error("a source needs video or audio")]
    Nothing,
    /// The file holds no frame.
    #[error("the clip has no frame")]
    EmptyClip,
    /// The file is no FLV, or holds media that breaks its format.
    #[error("the clip cannot be read")]
    Clip(#[from] flv::Error),
}
