//! Joining a log and reading from it: where a cursor starts, what it may have, where it resumes after falling behind.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use core_frame::{MediaTime, ShedPolicy};

use super::block::Block;
use super::cursor::{ArmedAt, Cursor, EndReason, Rare};
use super::readers::{About, Hook, Hot, ReaderSlot};
use super::{Batch, Item, Log, TryBatch};
use crate::token::Runtime;
use crate::{ReaderInfo, Start, TrackMask};

/// What a subscription asks of a log.
pub(crate) struct Join {
    pub(crate) start: Start,
    pub(crate) tracks: TrackMask,
    pub(crate) shed: Option<Arc<dyn ShedPolicy>>,
    pub(crate) lossless: bool,
    pub(crate) info: Option<Arc<ReaderInfo>>,
    pub(crate) hook: Option<Arc<dyn Hook>>,
    /// Woken in rounds this far apart, by a task on this runtime.
    pub(crate) pace: Option<(Duration, Runtime)>,
}

/// A run of slots as the lock showed it.
pub(super) struct Run<T, H> {
    pub(super) block: Arc<Block<T, H>>,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) sync: u64,
    /// How far the end of the run is behind the newest item, in bytes.
    pub(super) behind: u64,
    /// The latest decode time in the log.
    pub(super) clock: MediaTime,
    pub(super) newest_sync: Option<u64>,
    pub(super) next: u64,
}

/// Runs of at most this many items are looked through under the lock.
const SHORT: u32 = 8;

/// Within these a reader counts as up to date, and no policy is asked: no more than a paced round.
pub(super) const NEAR_TIME: MediaTime = MediaTime::from_millis(100);
pub(super) const NEAR_BYTES: u64 = 64 * 1024;

impl<T: Item, H: Send + Sync + 'static> Log<T, H> {
    /// A new cursor. Finding its start and taking its place among the readers is one step under the lock, so no item
    /// is lost or doubled between what is kept and what follows.
    pub(crate) fn join(self: &Arc<Self>, id: u64, now: Instant, join: Join) -> Cursor<T, H> {
        let mut state = self.lock();
        let (pos, need_sync) = match join.start {
            Start::NewestSync => match state.replay_start() {
                Some(seq) => (seq, false),
                None => (state.next, true),
            },
            Start::Live => (state.next, true),
            Start::Oldest => (state.oldest(), false),
        };
        let (cum, clock) = state.measure(pos);
        let replay_until = state.next;
        let (set, start) = match &join.pace {
            Some((span, _)) => state.enter_pace(*span, id),
            None => (0, false),
        };
        let mut slot = ReaderSlot {
            cum,
            clock,
            pins: join.lossless,
            set,
            ..ReaderSlot::new(pos)
        };
        slot.hot.need_sync = need_sync;
        if join.start == Start::Oldest {
            slot.hot.pass = join.tracks;
        }
        let about = About {
            info: join.info.clone(),
            ..About::new(id, now)
        };
        let at = state.readers.insert(slot, about);
        drop(state);
        if start && let Some((span, runtime)) = &join.pace {
            super::pace::spawn(runtime, self, set, id, *span);
        }
        Cursor {
            log: Arc::clone(self),
            armed: ArmedAt::NOT,
            at,
            end: None,
            has_current: false,
            current: None,
            rare: Rare {
                tracks: join.tracks,
                shed_tracks: TrackMask::NONE,
                replay_until,
                shed: join.shed,
                lossless: join.lossless,
                tell: false,
                untold: 0,
                skipped: 0,
                delivered: 0,
                id,
                header: None,
                progress: None,
                hook: join.hook,
                info: join.info,
            },
        }
    }
}

impl<T: Item, H: Send + Sync + 'static> Cursor<T, H> {
    /// Takes the next run that has something for this cursor. With a waker, the cursor is armed as soon as it has
    /// everything there is.
    #[inline]
    pub(super) fn read(&mut self, waker: Option<&Waker>) -> TryBatch<T, H> {
        if let Some(waker) = waker
            && self.armed == ArmedAt::new(self.log.version(), waker)
        {
            return TryBatch::Empty;
        }
        loop {
            if self.end.is_some() {
                return TryBatch::Ended;
            }
            if let Some(result) = self.step(waker) {
                return result;
            }
        }
    }

    /// One look at the log; `None` when there was something, but nothing for this cursor.
    fn step(&mut self, waker: Option<&Waker>) -> Option<TryBatch<T, H>> {
        let log = &*self.log;
        let mut guard = log.lock();
        let state = &mut *guard;
        let Some(slot) = state.readers.get_mut(self.at) else {
            return Some(TryBatch::Ended);
        };
        if slot.end.is_some() {
            self.end = slot.end;
            return Some(TryBatch::Ended);
        }
        let mut hot = slot.hot;
        let displaced = hot.need_sync || hot.pos < state.oldest();
        if displaced {
            self.rare.place(&mut hot, state);
        }
        let Some(entry) = state.entry(hot.pos) else {
            let ended = state.ended;
            if displaced {
                state.readers.moved(self.at, hot, self.rare.skipped);
            }
            if ended {
                self.end = Some(EndReason::Ended);
                if let Some(slot) = state.readers.get_mut(self.at) {
                    slot.end = self.end;
                }
                return Some(TryBatch::Ended);
            }
            if let Some(waker) = waker {
                state.arm(self.at, waker);
                self.armed = ArmedAt::new(log.version(), waker);
            }
            drop(guard);
            self.tell_lag();
            return Some(TryBatch::Empty);
        };
        let (end, end_cum, end_clock) = (entry.end(), entry.end_cum(), entry.clock);
        let run = Run {
            block: Arc::clone(&entry.block),
            from: (hot.pos - entry.block.first) as usize,
            to: entry.len as usize,
            sync: entry.sync,
            behind: state.cum - end_cum,
            clock: state.clock,
            newest_sync: state.newest_sync.map(|s| s.seq),
            next: state.next,
        };
        // A reader that keeps up waits next; arming it now saves it the lock then.
        let up_to_date = end == state.next && !state.ended;
        if up_to_date && let Some(waker) = waker {
            state.arm(self.at, waker);
            self.armed = ArmedAt::new(log.version(), waker);
        }
        let plain = (!displaced).then(|| run.plain(&hot)).flatten();
        let slot = state.readers.get_mut(self.at)?;
        slot.cum = end_cum;
        slot.clock = end_clock;
        slot.hot.pos = end;
        if let Some(mask) = plain {
            slot.hot.joined = true;
            slot.hot.header_no = run.block.header_no;
            drop(guard);
            return Some(TryBatch::Batch(self.batch(run, &hot, mask, 0)));
        }
        drop(guard);
        let result = self.sift(run, hot);
        self.tell_lag();
        result.map(TryBatch::Batch)
    }

    /// The thorough way, for longer runs and readers that are not up to date; the lock is not held.
    #[cold]
    fn sift(&mut self, run: Run<T, H>, mut hot: Hot) -> Option<Batch<T, H>> {
        let was = hot;
        let choice = self.rare.choose(&run, &mut hot);
        if choice.jumped {
            // There is something to read, so the cursor is not to count as waiting.
            self.armed = ArmedAt::NOT;
        }
        let batch = (choice.mask != 0).then(|| {
            hot.joined = true;
            hot.header_no = run.block.header_no;
            self.batch(run, &was, choice.mask, choice.told)
        });
        let skipped = self.rare.skipped;
        self.log.lock().readers.moved(self.at, hot, skipped);
        batch
    }

    #[inline]
    fn batch(&mut self, run: Run<T, H>, was: &Hot, mask: u64, skipped: u64) -> Batch<T, H> {
        let fresh_header = was.header_no != run.block.header_no;
        if fresh_header {
            self.rare.header = Some(Arc::clone(&run.block.header));
        }
        Batch {
            block: run.block,
            mask,
            sync: run.sync,
            skipped,
            join: !was.joined,
            fresh_header,
        }
    }

    /// Tells the stream's owner that this reader skipped to a later sync point.
    fn tell_lag(&mut self) {
        let rare = &mut self.rare;
        if std::mem::take(&mut rare.tell)
            && let Some(hook) = &rare.hook
        {
            hook.lagging(rare.id, rare.info.as_deref(), rare.skipped);
        }
    }
}

impl<T: Item, H> Run<T, H> {
    /// The mask of a short run that passes whole, for a reader that is up to date: by far the most common one.
    #[inline]
    fn plain(&self, hot: &Hot) -> Option<u64> {
        if hot.missed || self.to - self.from > SHORT as usize {
            return None;
        }
        let mut bytes = self.behind;
        let mut oldest = self.clock;
        for at in (self.from..self.to).rev() {
            let item = self.block.get(at)?;
            if !hot.pass.contains(item.track()) {
                return None;
            }
            oldest = item.dts();
            if at > self.from {
                bytes += item.bytes() as u64;
            }
        }
        let near = bytes <= NEAR_BYTES && self.clock - oldest.max(self.block.clock) <= NEAR_TIME;
        near.then(|| (u64::MAX >> (64 - (self.to - self.from))) << self.from)
    }
}
