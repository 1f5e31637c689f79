//! What a peer may make a chunk reader hold.

use core_frame::Limits;

/// What a peer may make a [`ChunkReader`](super::ChunkReader) hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Longest message body in bytes.
    pub message_bytes: u32,
    /// Bytes of partly received messages, all chunk streams together.
    pub partial_bytes: u32,
    /// Chunk streams with state.
    pub chunk_streams: u32,
}

impl ChunkLimits {
    /// The bounds before publishing was accepted.
    #[must_use]
    pub const fn before_publish(limits: &Limits) -> Self {
        Self {
            message_bytes: limits.rtmp_message_bytes_before_publish,
            partial_bytes: limits.rtmp_partial_bytes_before_publish,
            chunk_streams: limits.rtmp_chunk_streams,
        }
    }

    /// The bounds of a publisher, and of a client towards the server it chose.
    #[must_use]
    pub const fn publishing(limits: &Limits) -> Self {
        Self {
            message_bytes: limits.rtmp_message_bytes,
            partial_bytes: limits.rtmp_partial_bytes,
            chunk_streams: limits.rtmp_chunk_streams,
        }
    }
}
