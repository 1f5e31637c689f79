//! The bounded log of a stream: blocks of items behind one short lock, read by cursors that are mere numbers.

mod batch;
mod block;
mod cursor;
mod pace;
mod read;
mod readers;
mod shed;
mod state;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use core_frame::{ItemMarks, Limits, MediaFrame, MediaTime, ViewItem};

pub use batch::{Batch, BatchIter, TryBatch};
pub use cursor::{Cursor, EndReason};
pub(crate) use read::Join;
#[cfg(not(loom))]
pub(crate) use readers::Hook;
pub(crate) use state::State;

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use block::Block;
use wait::{Armed, wake_all};

/// What a log can hold: frames, or the items of a view.
pub trait Item: ItemMarks + Clone + Send + Sync + Sized + 'static {
    /// What the log's writer remembers between items.
    #[doc(hidden)]
    type Intake: Default + Send + std::fmt::Debug;
}

impl Item for MediaFrame {
    #[cfg(not(loom))]
    type Intake = crate::stream::Intake;
    #[cfg(loom)]
    type Intake = ();
}

impl Item for ViewItem {
    type Intake = ();
}

/// How much a log keeps, and how far back a reader may join.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) items: u64,
    pub(crate) time: MediaTime,
    /// What lies before the newest sync point goes once it is older than this.
    pub(crate) tail: MediaTime,
    /// What lossless readers may pin beyond `bytes`.
    pub(crate) spool: u64,
    /// A joiner gets the kept GOP while it is within these.
    pub(crate) gop_items: u64,
    pub(crate) gop_bytes: u64,
    pub(crate) gop_time: MediaTime,
    /// A reader without progress for this long is given up.
    pub(crate) stall: Duration,
}

impl Bounds {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            bytes: limits.log_bytes.max(1),
            items: u64::from(limits.log_frames).max(1),
            time: millis(limits.log_ms),
            tail: MediaTime::MAX,
            spool: limits.log_bytes.saturating_mul(2),
            gop_items: u64::MAX,
            gop_bytes: u64::MAX,
            gop_time: MediaTime::MAX,
            stall: limits.stall(),
        }
    }
}

pub(crate) fn millis(ms: u64) -> MediaTime {
    MediaTime::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// Blocks that left a log.
type Retired<T, H> = Vec<Arc<Block<T, H>>>;

/// The log: one lock, and one number beside it that tells a waiting reader that nothing happened.
#[derive(Debug)]
pub(crate) struct Log<T: Item, H> {
    state: Mutex<State<T, H>>,
    /// Changes whenever waiting readers are woken. A reader that armed its waker at a version is still armed while
    /// the version stands, and need not take the lock to know it.
    version: AtomicU64,
}

impl<T: Item, H: Send + Sync + 'static> Log<T, H> {
    pub(crate) fn new(bounds: Bounds, header: Arc<H>) -> Self {
        Self {
            state: Mutex::new(State::new(bounds, header)),
            version: AtomicU64::new(0),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<T, H>> {
        self.state.lock()
    }

    /// Takes the lock for appending.
    #[inline]
    pub(crate) fn writer(&self) -> Writer<'_, T, H> {
        let state = self.state.lock();
        Writer {
            before: state.next,
            log: self,
            state,
        }
    }

    /// [`Log::writer`] and [`Writer::finish`] in one.
    pub(crate) fn write<R>(&self, f: impl FnOnce(&mut State<T, H>) -> R) -> R {
        let mut writer = self.writer();
        let result = f(&mut writer.state);
        writer.finish();
        result
    }

    /// What is left to do after a write, with the lock released: readers are woken, and what fell out of the log is freed.
    #[cold]
    #[inline(never)]
    fn settle(&self, woken: Option<Vec<Armed>>, retired: Option<Retired<T, H>>, ended: bool) {
        if let Some(mut list) = woken {
            wake_all(&mut list);
            self.state.lock().waits.give_back(list);
        }
        if ended {
            self.wake_paced();
        }
        if let Some(mut blocks) = retired {
            for block in &mut blocks {
                if let Some(block) = Arc::get_mut(block) {
                    block.clear();
                }
            }
            self.state.lock().recycle(blocks);
        }
    }

    /// Marks the end; readers get what was written before it, then the end.
    pub(crate) fn close(&self) {
        self.write(|state| state.ended = true);
    }

    /// The end does not wait for anybody's pace.
    #[cold]
    fn wake_paced(&self) {
        let mut lists = Vec::new();
        {
            let mut state = self.state.lock();
            lists.extend(state.paced.iter_mut().filter_map(|p| p.set.take()));
            self.bump();
        }
        lists.iter_mut().for_each(wake_all);
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Called under the lock, before anyone is woken.
    fn bump(&self) {
        let next = self.version.load(Ordering::Relaxed).wrapping_add(1);
        self.version.store(next, Ordering::Release);
    }

    /// Ends one reader; true when there was one to end.
    pub(crate) fn end_reader(&self, id: u64, reason: EndReason) -> bool {
        let mut state = self.state.lock();
        let Some((at, token)) = state.readers.end(id, reason) else {
            return false;
        };
        let waker = state.disarm(at);
        self.bump();
        drop(state);
        if let Some(token) = token {
            token.cancel();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

/// The lock of a log, taken for appending.
pub(crate) struct Writer<'a, T: Item, H> {
    log: &'a Log<T, H>,
    pub(crate) state: MutexGuard<'a, State<T, H>>,
    before: u64,
}

impl<T: Item, H: Send + Sync + 'static> Writer<'_, T, H> {
    /// Releases the lock, and then wakes those who wait.
    #[inline]
    pub(crate) fn finish(mut self) {
        let ended = self.state.ended;
        let woken = if self.state.next != self.before || ended {
            self.state.waits.take()
        } else {
            None
        };
        if woken.is_some() {
            self.log.bump();
        }
        let retired = self.state.take_retired();
        let log = self.log;
        drop(self.state);
        if woken.is_some() || retired.is_some() || ended {
            log.settle(woken, retired, ended);
        }
    }
}

#[cfg(all(test, loom))]
mod models;
