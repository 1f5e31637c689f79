//! The named options of the segmenter, with their defaults.

use std::time::Duration;

/// How frames become parts, segments and a window.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Length a part should have (`hls.part_ms`, 200 ms). The real one is the nearest that suits the frame durations of
    /// all tracks; see [`crate::part_target`].
    pub part_target: Duration,
    /// Length a segment should have (`hls.segment_ms`, 2 s): a segment ends at the first sync point at or after it.
    pub segment_target: Duration,
    /// How much is listed (`dvr.window_s`, 60 s).
    pub window: Duration,
    /// Bytes that the complete segments may keep in memory (`dvr.memory_mb`, 8 MiB a stream). Above it the oldest are
    /// spilled to the storage; without a storage the window gets shorter, but not below six segments.
    pub memory_bytes: u64,
    /// Longest wait for a sync point before the first segment is cut without one (12 s). Later segments are bounded by the
    /// target duration.
    pub gop_limit: Duration,
    /// Bytes of one segment after which it is cut without a sync point (64 MiB).
    pub segment_bytes: u64,
    /// How far one track may fall behind the others before they stop waiting for it (2 s).
    pub patience: Duration,
    /// Number of the first segment. `None`: wall-clock time divided by the segment target, so that a server that starts
    /// again under the same URL never counts backwards.
    pub first_msn: Option<u64>,
    /// Number of the first stretch without a discontinuity. `None`: ten-minute steps of the wall clock since 2026
    /// began, for the same reason; a finer unit would make numbers that some players use as the length of a list.
    pub first_discontinuity: Option<u64>,
    /// How long [`crate::run`] keeps the window after the end of the stream (60 s).
    pub linger: Duration,
    /// Put a `prft` box before the first chunk of each segment (off).
    pub producer_reference: bool,
    /// Complete segments may be handed out for the storage; [`crate::run`] sets it when there is one.
    pub spill: bool,
    /// What the keys of spilled segments begin with, without a slash at the end.
    pub storage_prefix: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            part_target: Duration::from_millis(200),
            segment_target: Duration::from_secs(2),
            window: Duration::from_secs(60),
            memory_bytes: 8 << 20,
            gop_limit: Duration::from_secs(12),
            segment_bytes: 64 << 20,
            patience: Duration::from_secs(2),
            first_msn: None,
            first_discontinuity: None,
            linger: Duration::from_secs(60),
            producer_reference: false,
            spill: false,
            storage_prefix: String::from("window"),
        }
    }
}
