//! A stream's readers: counted, listed, ended; those of its views included.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use core_frame::{DropTail, Lag, Result, ShedPolicy, StreamError};

use super::Stream;
use crate::log::{EndReason, Hook, Item, Join, Log};
use crate::{Pace, ReaderInfo, StreamEvent, SubscribeOptions};

/// One registered reader at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderSnapshot {
    /// Its id, unique in the process.
    pub id: u64,
    /// Its protocol.
    pub protocol: &'static str,
    /// Its address.
    pub remote: Option<SocketAddr>,
    /// The view it reads; `None` for one that reads frames.
    pub view: Option<Arc<str>>,
    /// Bytes it says it delivered.
    pub bytes: u64,
    /// How far it is behind.
    pub lag: Lag,
    /// Items it skipped so far.
    pub skipped: u64,
    /// When it joined.
    pub since: Instant,
}

/// Reader ids count up over the whole process, so that an id names one session and no other.
pub(crate) fn next_reader_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The current runtime, for tasks of `what`.
pub(crate) fn runtime(what: &str) -> Result<tokio::runtime::Handle> {
    tokio::runtime::Handle::try_current()
        .map_err(|_| StreamError::other(format!("{what} needs a tokio runtime to run in")))
}

impl Stream {
    /// Counts a reader in, and makes what the log needs to know of it.
    pub(crate) fn admit(
        self: &Arc<Self>,
        id: u64,
        options: SubscribeOptions,
        hook: Arc<dyn Hook>,
    ) -> Result<Join> {
        let pace = match options.pace {
            Pace::EachFrame => None,
            Pace::Every(span) => Some((span, runtime("a pace")?)),
        };
        let info = options.reader.map(Arc::new);
        if let Some(info) = &info {
            let limit = self.app.max_readers.unwrap_or(usize::MAX);
            self.registered
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
                    (n < limit).then_some(n + 1)
                })
                .map_err(|_| StreamError::ReaderLimitReached { limit })?;
            self.hub.tell(StreamEvent::ReaderJoined {
                key: self.key.clone(),
                id,
                protocol: info.protocol,
                remote: info.remote,
            });
        }
        self.readers.fetch_add(1, Ordering::AcqRel);
        let shed = match (options.lossless, options.shed) {
            (true, _) => None,
            (false, Some(shed)) => Some(shed),
            (false, None) => Some(Arc::clone(&self.shed)),
        };
        Ok(Join {
            start: options.start,
            tracks: options.tracks,
            shed,
            lossless: options.lossless,
            info,
            hook: Some(hook),
            pace,
        })
    }

    pub(crate) fn reader_list(&self) -> Vec<ReaderSnapshot> {
        let mut list = Vec::new();
        self.log.list(None, &mut list);
        for view in self.view_list() {
            view.log.list(Some(view.key.name()), &mut list);
        }
        list.sort_by_key(|r| r.id);
        list
    }

    pub(crate) fn end_reader(&self, id: u64, reason: EndReason) -> bool {
        self.log.end_reader(id, reason)
            || self
                .view_list()
                .iter()
                .any(|v| v.log.end_reader(id, reason))
    }

    /// Ends registered readers that have had something to read for the stall limit and did not read.
    pub(crate) fn sweep(&self, now: Instant) -> usize {
        let mut stalled = self.log.stalled(now);
        for view in self.view_list() {
            stalled.extend(view.log.stalled(now));
        }
        for id in &stalled {
            tracing::info!(key = %self.key, reader = id, "reader made no progress, ending it");
            self.end_reader(*id, EndReason::Lagging);
        }
        stalled.len()
    }

    /// True when every reader has come to the end of what it reads.
    pub(crate) fn is_drained(&self) -> bool {
        self.log.is_drained() && self.view_list().iter().all(|v| v.log.is_drained())
    }
}

/// The default policy of a stream's readers.
pub(crate) fn shed_policy(limits: &core_frame::Limits) -> Arc<dyn ShedPolicy> {
    Arc::new(DropTail {
        time: std::time::Duration::from_millis(limits.lag_ms),
        bytes: limits.lag_bytes,
        inside_gop: true,
    })
}

impl Hook for Stream {
    fn lagging(&self, id: u64, info: Option<&ReaderInfo>, skipped: u64) {
        tracing::debug!(key = %self.key, reader = id, protocol = info.map(|i| i.protocol), skipped, "reader skipped");
        self.hub.tell(StreamEvent::ReaderLagging {
            key: self.key.clone(),
            id,
            skipped,
        });
    }

    fn left(&self, id: u64, info: Option<&ReaderInfo>, bytes: u64, skipped: u64) {
        self.readers.fetch_sub(1, Ordering::AcqRel);
        if let Some(info) = info {
            self.registered.fetch_sub(1, Ordering::AcqRel);
            self.hub.tell(StreamEvent::ReaderLeft {
                key: self.key.clone(),
                id,
                protocol: info.protocol,
                bytes,
                skipped,
            });
        }
        self.hub.left.notify_waiters();
    }
}

impl<T: Item, H: Send + Sync + 'static> Log<T, H> {
    fn list(&self, view: Option<&Arc<str>>, list: &mut Vec<ReaderSnapshot>) {
        let state = self.lock();
        for (slot, about) in state.readers.iter() {
            let Some(info) = &about.info else { continue };
            list.push(ReaderSnapshot {
                id: about.id,
                protocol: info.protocol,
                remote: info.remote,
                view: view.cloned(),
                bytes: about.delivered,
                lag: state.lag(slot.cum, slot.clock),
                skipped: about.skipped,
                since: about.since,
            });
        }
    }

    fn stalled(&self, now: Instant) -> Vec<u64> {
        let mut state = self.lock();
        let (next, limit) = (state.next, state.bounds.stall);
        let mut stalled = Vec::new();
        for (slot, about) in state.readers.iter_mut() {
            if about.info.is_none() || slot.pins || slot.end.is_some() {
                continue;
            }
            match about.seen {
                Some((pos, since)) if pos == slot.hot.pos && next > pos => {
                    if now.saturating_duration_since(since) >= limit {
                        stalled.push(about.id);
                    }
                }
                _ => about.seen = Some((slot.hot.pos, now)),
            }
        }
        stalled
    }

    fn is_drained(&self) -> bool {
        let state = self.lock();
        state.ended && state.readers.iter().all(|(slot, _)| slot.end.is_some())
    }
}
