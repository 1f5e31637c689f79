//! What an application allows and keeps.

use std::time::Duration;

use core_frame::Limits;

use crate::log::{Bounds, millis};

/// One application (`live` in `live/cam`): its limits, its GOP cache and what happens when a publisher goes.
///
/// ```
/// use millstream_bus::AppSpec;
///
/// let app = AppSpec::new("live").gop_cache(600).max_publishers(8);
/// assert_eq!(app.name(), "live");
/// ```
#[derive(Clone, Debug)]
pub struct AppSpec {
    name: String,
    gop_items: Option<u64>,
    gop_bytes: Option<u64>,
    gop_ms: Option<u64>,
    tail_ms: Option<u64>,
    spool_bytes: Option<u64>,
    pub(crate) max_publishers: Option<usize>,
    pub(crate) max_readers: Option<usize>,
    pub(crate) grace: Duration,
    pub(crate) end_on_unpublish: bool,
    pub(crate) takeover: Option<Duration>,
    pub(crate) sync: SyncPolicy,
}

impl AppSpec {
    /// An application with the defaults: the GOP is kept as far as the log's limits allow, any number of publishers and
    /// readers, no grace (a stream ends with its publisher), take-over after two silent seconds.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            gop_items: None,
            gop_bytes: None,
            gop_ms: None,
            tail_ms: None,
            spool_bytes: None,
            max_publishers: None,
            max_readers: None,
            grace: Duration::ZERO,
            end_on_unpublish: false,
            takeover: Some(Duration::from_secs(2)),
            sync: SyncPolicy::default(),
        }
    }

    /// Its name: everything of a stream key before the last `/`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A reader that joins gets the GOP from its key frame on, while it has at most this many frames; 0 means that
    /// joiners wait for the next key frame. Default: as many as the log holds.
    #[must_use]
    pub fn gop_cache(mut self, frames: usize) -> Self {
        self.gop_items = Some(frames as u64);
        self
    }

    /// The same bound in payload bytes.
    #[must_use]
    pub fn gop_cache_bytes(mut self, bytes: u64) -> Self {
        self.gop_bytes = Some(bytes);
        self
    }

    /// The same bound in milliseconds of media.
    #[must_use]
    pub fn gop_cache_ms(mut self, ms: u64) -> Self {
        self.gop_ms = Some(ms);
        self
    }

    /// What lies before the newest sync point is let go once it is this much older than the newest frame: joiners never
    /// need it, and readers only as far as they may fall behind. Default: as long as [`Limits::log_ms`], for readers whose
    /// policy lets them lag further than [`Limits::lag_ms`] or who begin at [`crate::Start::Oldest`].
    #[must_use]
    pub fn tail_ms(mut self, ms: u64) -> Self {
        self.tail_ms = Some(ms);
        self
    }

    /// Bytes up to which a lossless reader that is behind may keep the log from letting go. Default: twice
    /// [`Limits::log_bytes`].
    #[must_use]
    pub fn spool_bytes(mut self, bytes: u64) -> Self {
        self.spool_bytes = Some(bytes);
        self
    }

    /// Streams that may be published at the same time. Default: any number.
    #[must_use]
    pub fn max_publishers(mut self, n: usize) -> Self {
        self.max_publishers = Some(n);
        self
    }

    /// Registered readers (those that subscribe with a [`crate::ReaderInfo`]) of one stream. Default: any number.
    #[must_use]
    pub fn max_readers(mut self, n: usize) -> Self {
        self.max_readers = Some(n);
        self
    }

    /// A stream whose publisher goes stays for this long, with its readers, and goes on when a publisher comes back.
    /// Default: zero, the stream ends with its publisher.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// A publisher that takes its leave ([`crate::PublishSession::finish`]) ends the stream at once, whatever the grace.
    #[must_use]
    pub fn end_on_unpublish(mut self, yes: bool) -> Self {
        self.end_on_unpublish = yes;
        self
    }

    /// A second publisher takes the stream over when the first has sent nothing for this long and the newcomer has
    /// the same credential (or, where neither has one, the same address). `None`: never. Default: 2 s.
    #[must_use]
    pub fn takeover(mut self, silent: Option<Duration>) -> Self {
        self.takeover = silent;
        self
    }

    /// Where readers may start when no key frame comes.
    #[must_use]
    pub fn sync_policy(mut self, policy: SyncPolicy) -> Self {
        self.sync = policy;
        self
    }

    pub(crate) fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn bounds(&self, limits: &Limits) -> Bounds {
        let mut b = Bounds::of(limits);
        b.gop_items = self.gop_items.unwrap_or(b.gop_items);
        b.gop_bytes = self.gop_bytes.unwrap_or(b.gop_bytes);
        b.gop_time = self.gop_ms.map_or(b.gop_time, millis);
        b.tail = self.tail_ms.map_or(b.tail, millis);
        b.spool = self.spool_bytes.unwrap_or(b.spool);
        b
    }
}

/// Where readers may start when the primary video track sends no key frame. Times are media time since the last sync
/// point, or since the epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPolicy {
    /// After this long, recovery points (intra refresh) count as sync points. Default: 4 s.
    pub recovery_after: Duration,
    /// After this long in an epoch that had no key frame at all, any picture does, once per such span; each is counted in
    /// [`crate::QosSnapshot::unclean_starts`]. `None`: readers wait for as long as it takes. Default: 10 s.
    pub any_after: Option<Duration>,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            recovery_after: Duration::from_secs(4),
            any_after: Some(Duration::from_secs(10)),
        }
    }
}
