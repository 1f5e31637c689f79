//! What a reader asks for when it subscribes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use core_frame::{ItemMarks, Lag, ShedDecision, ShedPolicy};

use crate::TrackMask;

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// At the newest sync point: the kept GOP is replayed, and what follows joins on without a frame lost or doubled.
    /// Without a kept GOP, at the next sync point to come.
    #[default]
    NewestSync,
    /// At the next sync point to come.
    Live,
    /// At the oldest item still in the log, whether or not it is a sync point: for consumers that want everything.
    Oldest,
}

/// How a reader that is up to date is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Pace {
    /// For each publish: least delay.
    #[default]
    EachFrame,
    /// In rounds at least this far apart; all readers with the same pace share one timer and are woken together, and each
    /// then finds several items at once. Adds at most this much delay and saves a task switch for each item but one.
    Every(Duration),
}

/// How to read a stream or a view.
#[derive(Clone, Default)]
pub struct SubscribeOptions {
    /// Where to start.
    pub start: Start,
    /// Which tracks. Default: all.
    pub tracks: TrackMask,
    /// What is given up when the reader is behind. `None`: [`core_frame::DropTail`] with the limits `lag_bytes` and
    /// `lag_ms`. See [`KeepAll`]. A reader within 100 ms and 64 KiB of the newest item is up to date, and no policy is asked.
    pub shed: Option<Arc<dyn ShedPolicy>>,
    /// Nothing is shed, and the log keeps what this reader has not read yet, up to the application's spool bound. Only
    /// beyond that it skips, to the oldest sync point that is left, and counts.
    pub lossless: bool,
    /// Registers the reader: it is listed by [`crate::StreamHandle::readers`], counts against the limit of readers, can be
    /// kicked, and is ended when it makes no progress for the stall limit.
    pub reader: Option<ReaderInfo>,
    /// How it is woken. `Every` needs a tokio runtime at the time of subscribing.
    pub pace: Pace,
}

impl SubscribeOptions {
    /// A registered reader with the defaults.
    #[must_use]
    pub fn registered(info: ReaderInfo) -> Self {
        Self {
            reader: Some(info),
            ..Self::default()
        }
    }

    /// A lossless consumer of everything in the log and everything to come.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            start: Start::Oldest,
            lossless: true,
            ..Self::default()
        }
    }
}

impl std::fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("start", &self.start)
            .field("tracks", &self.tracks)
            .field("shed", &self.shed.is_some())
            .field("lossless", &self.lossless)
            .field("reader", &self.reader)
            .field("pace", &self.pace)
            .finish()
    }
}

/// Who a registered reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderInfo {
    /// `rtmp`, `hls`, …
    pub protocol: &'static str,
    /// Its address.
    pub remote: Option<SocketAddr>,
}

impl ReaderInfo {
    /// A reader over `protocol` from `remote`.
    #[must_use]
    pub const fn new(protocol: &'static str, remote: Option<SocketAddr>) -> Self {
        Self { protocol, remote }
    }
}

/// The policy that never sheds: the reader loses something only when the log lets go of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepAll;

impl ShedPolicy for KeepAll {
    fn decide(&self, _item: &dyn ItemMarks, _lag: Lag) -> ShedDecision {
        ShedDecision::Keep
    }
}
