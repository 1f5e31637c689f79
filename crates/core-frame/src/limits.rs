//! Default limits: most attacks end at one of these.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Every bound a peer can run into, with the default that is safe on the open internet. Each has a metric and a rate
/// limited log line where it is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// RTMP message body in bytes, once publishing was accepted.
    pub rtmp_message_bytes: u32,
    /// RTMP message body in bytes before publishing was accepted.
    pub rtmp_message_bytes_before_publish: u32,
    /// Partly received RTMP message bytes of one connection, all chunk streams together, once publishing was accepted.
    pub rtmp_partial_bytes: u32,
    /// The same before publishing was accepted.
    pub rtmp_partial_bytes_before_publish: u32,
    /// RTMP chunk streams of one connection that hold state.
    pub rtmp_chunk_streams: u32,
    /// Message streams (`createStream`) of one connection.
    pub rtmp_message_streams: u32,
    /// Chunks a second of under 64 bytes that one connection may send.
    pub rtmp_tiny_chunks_per_second: u32,
    /// Depth of nested AMF objects and arrays.
    pub amf_depth: u32,
    /// AMF values in one message.
    pub amf_nodes: u32,
    /// Bytes of one AMF string.
    pub amf_string_bytes: u32,
    /// Milliseconds from accept to a complete handshake.
    pub handshake_ms: u64,
    /// Milliseconds from accept to a `connect` that was answered.
    pub connect_ms: u64,
    /// Milliseconds from accept to publishing or playing.
    pub start_ms: u64,
    /// HTTP header block in bytes.
    pub http_header_bytes: u32,
    /// HTTP request body of an API call in bytes.
    pub http_body_bytes: u32,
    /// Milliseconds to complete an HTTP header block.
    pub http_header_ms: u64,
    /// Access unit of H.264 or H.265 in bytes.
    pub access_unit_bytes: u32,
    /// AV1 temporal unit in bytes.
    pub temporal_unit_bytes: u32,
    /// NAL units in an H.264 access unit.
    pub nal_units: u32,
    /// Metadata box of ISO base media files in bytes.
    pub box_bytes: u32,
    /// Log kept per stream, in bytes.
    pub log_bytes: u64,
    /// Log kept per stream, in frames.
    pub log_frames: u32,
    /// Log kept per stream, in milliseconds of media.
    pub log_ms: u64,
    /// How far a reader may fall behind, in bytes.
    pub lag_bytes: u64,
    /// How far a reader may fall behind, in milliseconds of media.
    pub lag_ms: u64,
    /// Milliseconds without progress after which a reader is closed.
    pub stall_ms: u64,
    /// Sessions from one address.
    pub sessions_per_ip: u32,
    /// Sessions in all; 0 derives it from the open-file limit (80 %).
    pub sessions: u32,
    /// Sessions in all that have neither published nor played yet.
    pub unauthenticated_sessions: u32,
    /// Failed authentications a minute from one address.
    pub auth_failures_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: u32 = 1024;
        const MIB: u32 = 1024 * KIB;
        Self {
            rtmp_message_bytes: 10 * MIB,
            rtmp_message_bytes_before_publish: 64 * KIB,
            rtmp_partial_bytes: 16 * MIB,
            rtmp_partial_bytes_before_publish: 128 * KIB,
            rtmp_chunk_streams: 32,
            rtmp_message_streams: 16,
            rtmp_tiny_chunks_per_second: 20_000,
            amf_depth: 16,
            amf_nodes: 4_096,
            amf_string_bytes: 64 * KIB,
            handshake_ms: 5_000,
            connect_ms: 10_000,
            start_ms: 10_000,
            http_header_bytes: 16 * KIB,
            http_body_bytes: MIB,
            http_header_ms: 5_000,
            access_unit_bytes: 8 * MIB,
            temporal_unit_bytes: 3 * MIB,
            nal_units: 50,
            box_bytes: 16 * MIB,
            log_bytes: 32 * u64::from(MIB),
            log_frames: 8_192,
            log_ms: 30_000,
            lag_bytes: 4 * u64::from(MIB),
            lag_ms: 3_000,
            stall_ms: 10_000,
            sessions_per_ip: 100,
            sessions: 0,
            unauthenticated_sessions: 1_024,
            auth_failures_per_minute: 10,
        }
    }
}

impl Limits {
    /// [`Limits::handshake_ms`] as a duration.
    #[must_use]
    pub const fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    /// [`Limits::connect_ms`] as a duration.
    #[must_use]
    pub const fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    /// [`Limits::start_ms`] as a duration.
    #[must_use]
    pub const fn start(&self) -> Duration {
        Duration::from_millis(self.start_ms)
    }

    /// [`Limits::stall_ms`] as a duration.
    #[must_use]
    pub const fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms)
    }
}
