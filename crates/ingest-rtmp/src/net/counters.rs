//! What a listener has counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a listener since it was bound.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    closed_unheard: AtomicU64,
    out_of_files: AtomicU64,
    denied: AtomicU64,
}

/// What a listener has seen; see [`RtmpProtocol::counts`](super::RtmpProtocol::counts). All but `sessions` and `unstarted`
/// only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Sessions now.
    pub sessions: u64,
    /// Those of them that have neither published nor played yet.
    pub unstarted: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections over a limit that were told so (`NetConnection.Connect.Rejected`).
    pub refused: u64,
    /// Connections over a limit that were closed without a word, since too many were being told.
    pub closed_unheard: u64,
    /// Connections closed at once because the process had no free file descriptor.
    pub out_of_files: u64,
    /// Requests to publish or play with a bad credential.
    pub denied: u64,
}

impl Counters {
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed_unheard(&self) {
        self.closed_unheard.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn out_of_files(&self) {
        self.out_of_files.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self, (sessions, unstarted): (usize, usize)) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sessions: sessions as u64,
            unstarted: unstarted as u64,
            accepted: load(&self.accepted),
            refused: load(&self.refused),
            closed_unheard: load(&self.closed_unheard),
            out_of_files: load(&self.out_of_files),
            denied: load(&self.denied),
        }
    }
}
