//! The sequence-numbered unit that a [`crate::ChunkProcessor`] takes and puts in order.

mod checksum;

use std::sync::Arc;
use std::time::Duration;

use core_frame::bytes::Bytes;
use core_frame::{
    CodecId, Epoch, FrameFlags, ItemMarks, MediaFrame, MediaKind, MediaTime, TrackId,
};

pub use checksum::{Checksum, ChecksumError};

/// One numbered unit of a stream. Not a CMAF chunk (`cmaf::Chunk`).
///
/// Within a stream `sequence_number` counts up by one; any number may be the first, 0 too.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaChunk {
    /// The stream it belongs to. Shared, so that a chunk of a known stream allocates nothing.
    pub stream_id: Arc<str>,
    /// Its place in the stream.
    pub sequence_number: u64,
    /// The media; empty only on a final chunk.
    pub data: Bytes,
    /// What it carries.
    pub chunk_type: ChunkType,
    /// How badly it is needed.
    pub priority: MediaPriority,
    /// Decode time since the start of the stream.
    pub timestamp: Duration,
    /// The stream ends with this chunk.
    pub is_final: bool,
    /// Checksum of `data`, when the sender gave one.
    pub checksum: Option<Checksum>,
}

/// What a chunk carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkType {
    /// A key frame.
    VideoIFrame,
    /// A frame that others refer to.
    VideoPFrame,
    /// A frame no other refers to.
    VideoBFrame,
    /// Sound.
    Audio,
    /// Stream metadata and timed data.
    Metadata,
    /// A preview picture.
    Thumbnail,
}

/// How badly a chunk is needed: it decides what is shed under pressure, never the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaPriority {
    /// B-frames, thumbnails, previews.
    Low = 1,
    /// P-frames.
    Normal = 2,
    /// Key frames, sound, metadata.
    High = 3,
}

impl ChunkType {
    /// The priority that fits.
    #[must_use]
    pub const fn priority(self) -> MediaPriority {
        match self {
            Self::VideoIFrame | Self::Audio | Self::Metadata => MediaPriority::High,
            Self::VideoPFrame => MediaPriority::Normal,
            Self::VideoBFrame | Self::Thumbnail => MediaPriority::Low,
        }
    }

    /// What a frame's marks, which come from the bitstream, say it is.
    #[must_use]
    pub fn of(frame: &MediaFrame) -> Self {
        match frame.kind() {
            MediaKind::Video if frame.is_keyframe() => Self::VideoIFrame,
            MediaKind::Video if frame.flags.contains(FrameFlags::DISPOSABLE) => Self::VideoBFrame,
            MediaKind::Video => Self::VideoPFrame,
            MediaKind::Audio => Self::Audio,
            _ => Self::Metadata,
        }
    }
}

impl MediaChunk {
    /// A chunk of `data` with the priority that fits its type, at time 0, without a checksum.
    #[must_use]
    pub fn new(
        stream_id: impl Into<Arc<str>>,
        sequence_number: u64,
        chunk_type: ChunkType,
        data: Bytes,
    ) -> Self {
        Self {
            stream_id: stream_id.into(),
            sequence_number,
            data,
            chunk_type,
            priority: chunk_type.priority(),
            timestamp: Duration::ZERO,
            is_final: false,
            checksum: None,
        }
    }

    /// The chunk of a frame; the payload is shared.
    #[must_use]
    pub fn of_frame(stream_id: Arc<str>, sequence_number: u64, frame: &MediaFrame) -> Self {
        let chunk_type = ChunkType::of(frame);
        let mut chunk = Self::new(
            stream_id,
            sequence_number,
            chunk_type,
            frame.payload.clone(),
        );
        chunk.timestamp = frame.dts.to_duration();
        chunk
    }

    /// The same chunk at another time.
    #[must_use]
    pub fn at(mut self, timestamp: Duration) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// The same chunk with a CRC-32 of its data.
    #[must_use]
    pub fn with_crc32(mut self) -> Self {
        self.checksum = Some(Checksum::crc32(&self.data));
        self
    }
}

impl ItemMarks for MediaChunk {
    fn flags(&self) -> FrameFlags {
        match self.chunk_type {
            ChunkType::VideoBFrame | ChunkType::Thumbnail => FrameFlags::DISPOSABLE,
            ChunkType::VideoPFrame => FrameFlags::empty(),
            _ => FrameFlags::KEY,
        }
    }

    fn kind(&self) -> MediaKind {
        match self.chunk_type {
            ChunkType::Audio => MediaKind::Audio,
            ChunkType::Metadata => CodecId::Scte35.kind(),
            _ => MediaKind::Video,
        }
    }

    fn track(&self) -> TrackId {
        match self.chunk_type {
            ChunkType::Audio => TrackId::AUDIO,
            ChunkType::Metadata => TrackId::DATA,
            // Beside the pictures: a thumbnail is no part of their GOP.
            ChunkType::Thumbnail => TrackId(u16::MAX),
            _ => TrackId::VIDEO,
        }
    }

    fn epoch(&self) -> Epoch {
        Epoch(0)
    }

    fn dts(&self) -> MediaTime {
        MediaTime::from(self.timestamp)
    }

    fn bytes(&self) -> usize {
        self.data.len()
    }
}
