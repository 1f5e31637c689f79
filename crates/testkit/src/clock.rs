//! A clock that a test moves by hand.

use std::time::{Duration, Instant};

/// Time for sans-IO cores: it stands until it is moved.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock {
    start: Instant,
    now: Instant,
}

impl VirtualClock {
    /// Starts at some instant; only distances mean anything.
    #[must_use]
    pub fn new() -> Self {
        let start = Instant::now();
        Self { start, now: start }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Moves on by `by`; the new now.
    pub fn advance(&mut self, by: Duration) -> Instant {
        self.now += by;
        self.now
    }

    /// Moves on to `to`, never back; the new now.
    pub fn advance_to(&mut self, to: Instant) -> Instant {
        self.now = self.now.max(to);
        self.now
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}
