//! What is counted over the life of the process, beside what each stream counts itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{Observer, StreamEvent};
use parking_lot::Mutex;
use tracing::info;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The ways out that the server itself serves; the names are those of the API and of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    HttpFlv,
    WsFlv,
    HttpTs,
    WsTs,
    HttpFmp4,
    WsFmp4,
    Hls,
}

impl Way {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HttpFlv => "http-flv",
            Self::WsFlv => "ws-flv",
            Self::HttpTs => "http-ts",
            Self::WsTs => "ws-ts",
            Self::HttpFmp4 => "http-fmp4",
            Self::WsFmp4 => "ws-fmp4",
            Self::Hls => "hls",
        }
    }
}

/// What HTTP itself counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: Counter,
    /// HLS playlists, segments and parts; other media is counted by its readers.
    pub(crate) hls_bytes: Counter,
}

/// What readers took who have left, by protocol: those who are still there count themselves.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    left: Mutex<BTreeMap<&'static str, Left>>,
}

/// Readers of one protocol who have left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) sessions: u64,
    pub(crate) bytes: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) fn left(&self) -> BTreeMap<&'static str, Left> {
        self.left.lock().clone()
    }
}

impl Observer for Tally {
    fn event(&self, event: &StreamEvent) {
        if let StreamEvent::ReaderLeft {
            key,
            id,
            protocol,
            bytes,
            skipped,
            ..
        } = event
        {
            info!(%key, protocol, reader = id, bytes, skipped, "reader left");
            let mut left = self.left.lock();
            let of = left.entry(protocol).or_default();
            of.sessions += 1;
            of.bytes = of.bytes.saturating_add(*bytes);
            of.skipped = of.skipped.saturating_add(*skipped);
        }
    }
}
