//! What can go wrong when boxes are written or read, grouped by who can act on it.

use core_frame::{CodecId, TrackId};

/// Errors of the ISO-BMFF writer and reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller: this codec has no sample entry in ISO base media that this crate writes, or none for
    /// players of streams (see [`InitSegment::build_file`](crate::InitSegment::build_file)).
    #[error("track {track}: {codec} cannot be carried in fragmented MP4")]
    Unsupported {
        /// The track.
        track: TrackId,
        /// Its codec.
        codec: CodecId,
    },
    /// The caller: the codec configuration has not come yet, or is too short to be one.
    #[error("track {track}: the {codec} configuration record is missing or too short")]
    BadConfig {
        /// The track.
        track: TrackId,
        /// Its codec.
        codec: CodecId,
    },
    /// The caller: an init segment needs at least one track.
    #[error("an init segment needs at least one track")]
    NoTracks,
    /// The file or its sender: the bytes break the format.
    #[error("bad ISO base media at byte {offset}: {rule}")]
    Format {
        /// Where, counted from the first byte given to the reader.
        offset: u64,
        /// Which rule is broken, with its clause.
        rule: &'static str,
    },
    /// The file or its sender: a bound of this reader was hit.
    #[error("ISO base media at byte {offset} exceeds a limit: {limit}")]
    Limit {
        /// Where, counted from the first byte given to the reader.
        offset: u64,
        /// Which limit.
        limit: &'static str,
    },
}
