//! The cursor: a reader's place in a log, its choice of tracks and what it has missed.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use core_frame::{Lag, ShedPolicy};

use super::readers::Hook;
use super::{Batch, Item, Log, TryBatch};
use crate::{ReaderInfo, TrackMask};

/// Why a cursor yields nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The stream ended, and everything before its end was delivered.
    Ended,
    /// An operator ended this reader.
    Kicked,
    /// The reader made no progress for too long.
    Lagging,
}

/// A reader's place in a stream or a view. It owns nothing of the log: while it is idle it keeps no item alive.
///
/// Dropping it leaves the stream.
#[repr(C)]
pub struct Cursor<T: Item, H: Send + Sync + 'static> {
    pub(super) log: Arc<Log<T, H>>,
    pub(super) armed: ArmedAt,
    /// Its place in the log's slab of readers.
    pub(super) at: u32,
    pub(super) end: Option<EndReason>,
    /// `current` is not empty.
    pub(super) has_current: bool,
    pub(super) current: Option<Batch<T, H>>,
    pub(super) rare: Rare<H>,
}

/// What a reader needs when it joins, falls behind or is asked something. With hundreds of readers every line of memory
/// that a read touches is a cache miss, so what each read needs is kept elsewhere: in the reader's one line of the slab
/// ([`super::readers::Hot`]).
pub(super) struct Rare<H> {
    pub(super) tracks: TrackMask,
    /// Video tracks closed by shedding (and not merely because their sync point has not come yet).
    pub(super) shed_tracks: TrackMask,
    /// Items before this one are replay: being behind there is no lag.
    pub(super) replay_until: u64,
    pub(super) shed: Option<Arc<dyn ShedPolicy>>,
    pub(super) lossless: bool,
    /// It skipped to a sync point, and the hook was not told yet.
    pub(super) tell: bool,
    /// Skipped items not yet told by a batch.
    pub(super) untold: u64,
    pub(super) skipped: u64,
    pub(super) delivered: u64,
    pub(super) id: u64,
    pub(super) header: Option<Arc<H>>,
    pub(super) progress: Option<(u64, Instant)>,
    pub(super) hook: Option<Arc<dyn Hook>>,
    pub(super) info: Option<Arc<ReaderInfo>>,
}

/// At which version of the log which waker was armed. The waker itself is held by the log, so its address is not
/// reused while the version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArmedAt {
    pub(super) version: u64,
    waker: (usize, usize),
}

impl ArmedAt {
    /// Not armed.
    pub(super) const NOT: Self = Self {
        version: u64::MAX,
        waker: (0, 0),
    };

    pub(super) fn new(version: u64, waker: &Waker) -> Self {
        Self {
            version,
            waker: (
                waker.data().addr(),
                std::ptr::from_ref(waker.vtable()).addr(),
            ),
        }
    }
}

impl<T: Item, H: Send + Sync + 'static> Cursor<T, H> {
    /// The next batch, or `None` at the end: the stream ended and everything before its end was delivered, or this
    /// reader was ended (see [`Cursor::end_reason`]). Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next_batch(&mut self) -> Option<Batch<T, H>> {
        std::future::poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// What is there now, without waiting.
    pub fn try_batch(&mut self) -> TryBatch<T, H> {
        match self.take_current() {
            Some(batch) => TryBatch::Batch(batch),
            None => self.read(None),
        }
    }

    /// [`Cursor::next_batch`] for hand-written futures.
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch<T, H>>> {
        if let Some(batch) = self.take_current() {
            return Poll::Ready(Some(batch));
        }
        #[cfg(not(loom))]
        let budget = std::task::ready!(tokio::task::coop::poll_proceed(cx));
        let result = match self.read(Some(cx.waker())) {
            TryBatch::Batch(batch) => Poll::Ready(Some(batch)),
            TryBatch::Empty => Poll::Pending,
            TryBatch::Ended => Poll::Ready(None),
        };
        #[cfg(not(loom))]
        if result.is_ready() {
            budget.made_progress();
        }
        result
    }

    /// The next item, cloned (its payload is shared), or `None` at the end. What was skipped is counted in
    /// [`Cursor::skipped`], a new header is at [`Cursor::header`]. Cancel-safe. Between two calls the rest of one
    /// block may be kept alive; use [`Cursor::next_batch`] where that matters.
    pub async fn recv(&mut self) -> Option<T> {
        self.recv_with_seq().await.map(|(_, item)| item)
    }

    /// [`Cursor::recv`] with the item's sequence number.
    pub async fn recv_with_seq(&mut self) -> Option<(u64, T)> {
        if let Some(batch) = &mut self.current {
            let popped = batch.pop().map(|(seq, item)| (seq, item.clone()));
            if batch.is_empty() {
                self.take_current();
            }
            if popped.is_some() {
                return popped;
            }
        }
        loop {
            let mut batch = self.next_batch().await?;
            let popped = batch.pop().map(|(seq, item)| (seq, item.clone()));
            if !batch.is_empty() {
                self.current = Some(batch);
                self.has_current = true;
            }
            if popped.is_some() {
                return popped;
            }
        }
    }

    /// The header of the items delivered last: the track table of a stream, the preamble of a view.
    #[must_use]
    pub fn header(&self) -> Option<&Arc<H>> {
        self.rare.header.as_ref()
    }

    /// Items shed or skipped so far, because this reader was behind.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.rare.skipped
    }

    /// How far this reader is behind the newest item.
    #[must_use]
    pub fn lag(&self) -> Lag {
        let mut state = self.log.lock();
        match state.readers.get_mut(self.at).map(|s| (s.cum, s.clock)) {
            Some((cum, clock)) => state.lag(cum, clock),
            None => Lag::default(),
        }
    }

    /// Selects tracks. A newly selected video track is held back until its own sync point.
    pub fn set_tracks(&mut self, tracks: TrackMask) {
        self.rare.tracks = tracks;
        if let Some(slot) = self.log.lock().readers.get_mut(self.at) {
            slot.hot.pass = slot.hot.pass.and(tracks);
        }
    }

    /// The reader's id, unique in the process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.rare.id
    }

    /// Sequence number of the next item this cursor will look at.
    #[must_use]
    pub fn position(&self) -> u64 {
        let mut state = self.log.lock();
        let slot = state.readers.get_mut(self.at);
        slot.map_or(0, |slot| slot.hot.pos)
    }

    /// Counts bytes that this reader has written to its peer; shown by the stream's list of readers.
    pub fn delivered(&mut self, bytes: u64) {
        self.rare.delivered = self.rare.delivered.saturating_add(bytes);
        if let Some(about) = self.log.lock().readers.about_mut(self.at) {
            about.delivered = self.rare.delivered;
        }
    }

    /// Why this cursor yields nothing more; `None` while it may still yield.
    #[must_use]
    pub fn end_reason(&self) -> Option<EndReason> {
        self.end.or_else(|| {
            let mut state = self.log.lock();
            state.readers.get_mut(self.at)?.end
        })
    }

    /// A token that is cancelled when somebody else ends this reader (an operator, the watch for stalled readers), for
    /// tasks that are stuck in a write and do not read.
    #[cfg(not(loom))]
    pub fn ended_by_other(&mut self) -> tokio_util::sync::CancellationToken {
        let mut state = self.log.lock();
        let ended = state
            .readers
            .get_mut(self.at)
            .is_none_or(|s| s.end.is_some());
        let about = state.readers.about_mut(self.at);
        let token = about.map_or_else(crate::token::Token::new, |about| {
            about.token.get_or_insert_default().clone()
        });
        if ended {
            token.cancel();
        }
        token
    }

    /// For whoever drives this reader with a timer: true, and the cursor is at its end
    /// ([`EndReason::Lagging`]), when there has been something to read for the stall limit and nothing was read.
    /// The engine's own watch does the same for readers that registered.
    pub fn stalled(&mut self, now: Instant) -> bool {
        if self.end.is_some() {
            return self.end == Some(EndReason::Lagging);
        }
        let (at, next, limit) = {
            let mut state = self.log.lock();
            let at = state.readers.get_mut(self.at).map_or(0, |s| s.hot.pos);
            (at, state.next, state.bounds.stall)
        };
        match self.rare.progress {
            Some((pos, since)) if pos == at && next > at => {
                if now.saturating_duration_since(since) >= limit {
                    self.end = Some(EndReason::Lagging);
                    return true;
                }
            }
            _ => self.rare.progress = Some((at, now)),
        }
        false
    }

    /// True while it has no sync point to start at.
    pub(crate) fn waits_for_sync(&self) -> bool {
        let mut state = self.log.lock();
        let slot = state.readers.get_mut(self.at);
        slot.is_some_and(|slot| slot.hot.need_sync)
    }

    /// What [`Cursor::recv`] has left of its batch.
    #[inline]
    fn take_current(&mut self) -> Option<Batch<T, H>> {
        if !std::mem::take(&mut self.has_current) {
            return None;
        }
        self.current.take().filter(|b| !b.is_empty())
    }
}

impl<T: Item, H: Send + Sync + 'static> Drop for Cursor<T, H> {
    fn drop(&mut self) {
        let waker = self.log.lock().leave(self.at);
        drop(waker);
        if let Some(hook) = self.rare.hook.take() {
            hook.left(
                self.rare.id,
                self.rare.info.as_deref(),
                self.rare.delivered,
                self.rare.skipped,
            );
        }
    }
}

impl<T: Item, H: Send + Sync + 'static> std::fmt::Debug for Cursor<T, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("id", &self.rare.id)
            .field("skipped", &self.rare.skipped)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
