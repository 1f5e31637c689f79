//! The named options of the origin.

use std::time::Duration;

/// Options of [`Origin`](crate::Origin).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Depth of the window (60 s), as the segmenter was told. Decides once whether delta updates are offered, because
    /// that may not change while the playlist lives.
    pub window: Duration,
    /// Delta updates are offered from this depth on (120 s). Below it they save less than they cost.
    pub delta_from: Duration,
    /// How long a request for a playlist may wait for the first segments of a stream that has just begun (10 s).
    pub start_wait: Duration,
    /// How long segments, parts and init segments may be cached (one hour). Their URLs are never used twice.
    pub media_max_age: Duration,
    /// Longest query that is copied onto the URIs of a playlist, in bytes (2048); a longer one is refused.
    pub query_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            delta_from: Duration::from_secs(120),
            start_wait: Duration::from_secs(10),
            media_max_age: Duration::from_secs(3_600),
            query_bytes: 2_048,
        }
    }
}

impl Config {
    /// Sets the depth of the window.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets the depth from which on delta updates are offered.
    #[must_use]
    pub const fn delta_from(mut self, depth: Duration) -> Self {
        self.delta_from = depth;
        self
    }

    /// Sets how long a request may wait for the first segments.
    #[must_use]
    pub const fn start_wait(mut self, wait: Duration) -> Self {
        self.start_wait = wait;
        self
    }

    /// CAN-SKIP-UNTIL in seconds, for this target duration in seconds: six of them (rfc8216bis §4.4.3.8).
    pub(crate) fn skip_until_s(&self, target_duration_s: u32) -> Option<u32> {
        let boundary = target_duration_s.saturating_mul(6);
        let deep = self.window >= self.delta_from && self.window.as_secs() > u64::from(boundary);
        deep.then_some(boundary)
    }
}
