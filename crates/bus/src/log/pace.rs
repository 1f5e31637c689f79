//! Readers that share a pace: one task per pace waits for the log and wakes them in rounds.

use std::sync::Arc;
use std::time::Duration;
#[cfg(not(loom))]
use std::{
    sync::Weak,
    task::{Context, Poll},
    time::Instant,
};

use super::wait::WakeSet;
use super::{Item, Log, State};
#[cfg(not(loom))]
use super::{
    readers::{About, ReaderSlot},
    wait::wake_all,
};

/// The readers of one pace.
#[derive(Debug)]
pub(crate) struct PacedSet {
    pub(crate) span: Duration,
    pub(crate) set: WakeSet,
    /// Readers that belong to it, waiting or not.
    pub(crate) members: u32,
    /// The task that wakes it, by the id of the reader that started it; 0 for none.
    pub(crate) driver: u64,
}

impl<T: Item, H> State<T, H> {
    /// Counts a reader into the set of its pace; gives the set's number, and true when the set needs a task.
    pub(crate) fn enter_pace(&mut self, span: Duration, id: u64) -> (u16, bool) {
        let at = match self.paced.iter().position(|p| p.span == span) {
            Some(at) => at,
            None => {
                // A set that nobody is in can be had for another pace.
                let idle = self
                    .paced
                    .iter()
                    .position(|p| p.members == 0 && p.driver == 0);
                let at = idle.unwrap_or(self.paced.len());
                if idle.is_none() {
                    self.paced.push(PacedSet {
                        span,
                        set: WakeSet::new(),
                        members: 0,
                        driver: 0,
                    });
                }
                at
            }
        };
        let Some(paced) = self.paced.get_mut(at) else {
            return (0, false);
        };
        paced.span = span;
        paced.members += 1;
        let start = paced.driver == 0;
        if start {
            paced.driver = id;
        }
        (at as u16 + 1, start)
    }
}

#[cfg(not(loom))]
impl<T: Item, H: Send + Sync + 'static> Log<T, H> {
    fn flush_pace(&self, set: u16) {
        let mut state = self.lock();
        let Some(paced) = state.paced.get_mut(usize::from(set) - 1) else {
            return;
        };
        let Some(mut list) = paced.set.take() else {
            return;
        };
        self.bump();
        drop(state);
        wake_all(&mut list);
        if let Some(paced) = self.lock().paced.get_mut(usize::from(set) - 1) {
            paced.set.give_back(list);
        }
    }
}

/// The task of a pace. However it ends (with a runtime that shuts down or has no timers, too), its readers are not left
/// waiting: each publish wakes them from then on.
#[cfg(not(loom))]
struct Driver<T: Item, H: Send + Sync + 'static> {
    log: Weak<Log<T, H>>,
    set: u16,
    /// Its own place in the slab: it waits for publishes like a reader.
    at: u32,
    id: u64,
}

#[cfg(not(loom))]
impl<T: Item, H: Send + Sync + 'static> Driver<T, H> {
    /// Waits until there is news for the readers, then until the round is due, then wakes them all.
    async fn run(self, span: Duration) {
        let mut due = tokio::time::Instant::now();
        loop {
            // First the pause, so that a publish in it wakes nobody.
            tokio::time::sleep_until(due).await;
            if !std::future::poll_fn(|cx| self.poll_news(cx)).await {
                return;
            }
            let Some(log) = self.log.upgrade() else {
                return;
            };
            log.flush_pace(self.set);
            due = tokio::time::Instant::now() + span;
        }
    }

    /// Waits for news; false when the task is not needed any more.
    fn poll_news(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(log) = self.log.upgrade() else {
            return Poll::Ready(false);
        };
        let mut state = log.lock();
        let (next, ended) = (state.next, state.ended);
        let Some(paced) = state.paced.get_mut(usize::from(self.set) - 1) else {
            return Poll::Ready(false);
        };
        if paced.members == 0 || ended {
            // Under this lock, so that a reader that comes now starts another task.
            paced.driver = 0;
            return Poll::Ready(false);
        }
        if paced.set.has_news(next) {
            return Poll::Ready(true);
        }
        state.arm(self.at, cx.waker());
        Poll::Pending
    }
}

#[cfg(not(loom))]
impl<T: Item, H: Send + Sync + 'static> Drop for Driver<T, H> {
    fn drop(&mut self) {
        let Some(log) = self.log.upgrade() else {
            return;
        };
        let (waker, early) = {
            let mut state = log.lock();
            let waker = state.leave(self.at);
            let paced = state.paced.get_mut(usize::from(self.set) - 1);
            let early = paced.is_some_and(|p| {
                let early = p.driver == self.id;
                if early {
                    p.driver = 0;
                }
                early
            });
            (waker, early)
        };
        drop(waker);
        if early {
            log.flush_pace(self.set);
        }
    }
}

#[cfg(loom)]
pub(crate) fn spawn<T: Item, H>(
    _: &crate::token::Runtime,
    _: &Arc<Log<T, H>>,
    _: u16,
    _: u64,
    _: Duration,
) {
}

/// Starts the task of a pace on the current runtime.
#[cfg(not(loom))]
pub(crate) fn spawn<T: Item, H: Send + Sync + 'static>(
    runtime: &tokio::runtime::Handle,
    log: &Arc<Log<T, H>>,
    set: u16,
    id: u64,
    span: Duration,
) {
    let at = {
        let mut state = log.lock();
        let slot = ReaderSlot::new(state.next);
        state.readers.insert(slot, About::new(id, Instant::now()))
    };
    let log = Arc::downgrade(log);
    let driver = Driver { log, set, at, id };
    runtime.spawn(driver.run(span));
}
