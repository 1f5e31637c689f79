//! What a link has counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkCounts {
    /// Bytes that went over the connections in the direction of the media, the protocol's own included and TLS's not.
    pub bytes: u64,
    /// Frames brought in or carried out.
    pub frames: u64,
    /// Frames left out: those that a reconnect brought a second time or that came before its first key frame, and those
    /// that a slow connection shed.
    pub skipped: u64,
    /// Connections begun.
    pub attempts: u64,
    /// Connections that got as far as media.
    pub connects: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    bytes: AtomicU64,
    frames: AtomicU64,
    skipped: AtomicU64,
    attempts: AtomicU64,
    connects: AtomicU64,
}

impl Counters {
    pub(super) fn bytes(&self, n: u64) {
        self.bytes.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn frames(&self, n: u64) {
        self.frames.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn skipped(&self, n: u64) {
        self.skipped.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connect(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> LinkCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkCounts {
            bytes: load(&self.bytes),
            frames: load(&self.frames),
            skipped: load(&self.skipped),
            attempts: load(&self.attempts),
            connects: load(&self.connects),
        }
    }
}
