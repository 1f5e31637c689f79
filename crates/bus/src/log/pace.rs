//! Readers that share a pace: one task per pace waits for the log and wakes them in rounds.

use std::sync::Arc;
use std::time::Duration;
#[cfg(not(loom))]
use std::{sync::Weak, task::Poll, time::Instant};

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
    /// Its task is running.
    running: bool,
}

impl<T: Item, H> State<T, H> {
    /// Counts a reader into the set of its pace; gives the set's number, and true when the set needs a task.
    pub(crate) fn enter_pace(&mut self, span: Duration) -> (u16, bool) {
        let at = match self.paced.iter().position(|p| p.span == span) {
            Some(at) => at,
            None => {
                // A set that nobody is in can be had for another pace.
                let idle = self.paced.iter().position(|p| p.members == 0 && !p.running);
                let at = idle.unwrap_or(self.paced.len());
                if idle.is_none() {
                    self.paced.push(PacedSet {
                        span,
                        set: WakeSet::new(),
                        members: 0,
                        running: false,
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
        let start = !std::mem::replace(&mut paced.running, true);
        (at as u16 + 1, start)
    }
}

#[cfg(not(loom))]
impl<T: Item, H: Send + Sync + 'static> Log<T, H> {
    /// The task of a pace: waits until there is news for its readers, then until the round is due, then wakes them all.
    pub(crate) async fn drive_pace(log: Weak<Self>, set: u16, id: u64, span: Duration) {
        let Some(strong) = log.upgrade() else { return };
        let at = {
            let mut state = strong.lock();
            let next = state.next;
            let about = About::new(id, Instant::now());
            state.readers.insert(ReaderSlot::new(next), about)
        };
        drop(strong);
        let mut due = tokio::time::Instant::now();
        loop {
            // First the pause, so that a publish in it wakes nobody.
            tokio::time::sleep_until(due).await;
            if !pace_has_news(&log, set, at).await {
                return;
            }
            let Some(log) = log.upgrade() else { return };
            log.flush_pace(set);
            due = tokio::time::Instant::now() + span;
        }
    }

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

#[cfg(not(loom))]
/// Waits for news; false when the task is not needed any more, and has been taken off the log.
async fn pace_has_news<T: Item, H: Send + Sync + 'static>(
    log: &Weak<Log<T, H>>,
    set: u16,
    at: u32,
) -> bool {
    std::future::poll_fn(|cx| {
        let Some(log) = log.upgrade() else {
            return Poll::Ready(false);
        };
        let mut state = log.lock();
        let (next, ended) = (state.next, state.ended);
        let Some(paced) = state.paced.get_mut(usize::from(set) - 1) else {
            return Poll::Ready(false);
        };
        if paced.members == 0 || ended {
            paced.running = false;
            state.disarm(at);
            state.readers.remove(at);
            return Poll::Ready(false);
        }
        if paced.set.has_news(next) {
            return Poll::Ready(true);
        }
        state.arm(at, cx.waker());
        Poll::Pending
    })
    .await
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
    runtime.spawn(Log::drive_pace(Arc::downgrade(log), set, id, span));
}
