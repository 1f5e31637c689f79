//! The shedding queue with waiting.

use std::sync::Arc;
use std::time::Duration;

use core_frame::{DropTail, ItemMarks, ShedPolicy};
use futures_util::stream::{self, Stream};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::chunk::MediaChunk;
use crate::queue::ShedQueue;

/// The queue is closed; the item comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is closed")]
pub struct Closed<T>(pub T);

/// A queue of media, bounded in bytes and time, that gives up what is needed least: disposable B-frames, then the tail of the GOP, sound last.
/// What it yields is in the order it came. Cloning it shares it.
///
/// It is for those who need a queue of their own; the readers of the bus apply the same [`ShedPolicy`] to their cursors without one.
#[derive(Debug)]
pub struct MediaPriorityQueue<T = MediaChunk> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for MediaPriorityQueue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Something came, or the queue was closed.
    filled: Notify,
    /// Something was taken, or the queue was closed.
    drained: Notify,
}

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State<T> {
    queue: ShedQueue<T>,
    closed: bool,
}

impl<T: ItemMarks + Send + 'static> MediaPriorityQueue<T> {
    /// Holds up to `bytes` and `time` of media, under [`DropTail`].
    #[must_use]
    pub fn new(bytes: u64, time: Duration) -> Self {
        Self::with_policy(Box::new(DropTail {
            time,
            bytes,
            inside_gop: true,
        }))
    }

    /// Holds what a policy of one's own allows.
    #[must_use]
    pub fn with_policy(policy: Box<dyn ShedPolicy>) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    queue: ShedQueue::new(policy),
                    closed: false,
                }),
                filled: Notify::new(),
                drained: Notify::new(),
            }),
        }
    }

    /// Puts an item in, and waits for room where there is none: nothing is shed. For sources that can wait, such as files.
    ///
    /// Cancel-safe: an item whose call was dropped is not in the queue.
    ///
    /// # Errors
    /// The queue is closed, or was while this waited; the item comes back.
    pub async fn enqueue(&self, item: T) -> Result<(), Closed<T>> {
        loop {
            let drained = self.shared.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            {
                let mut state = self.shared.state.lock();
                if state.closed {
                    return Err(Closed(item));
                }
                if state.queue.has_room_for(&item) {
                    state.queue.push(item);
                    drop(state);
                    self.shared.filled.notify_one();
                    // Another who waits may fit too.
                    self.shared.drained.notify_one();
                    return Ok(());
                }
            }
            drained.await;
        }
    }

    /// Puts an item in at once, and sheds by the policy where there is no room. False when the item itself was shed. For live sources.
    ///
    /// # Errors
    /// The queue is closed; the item comes back.
    pub fn try_enqueue(&self, item: T) -> Result<bool, Closed<T>> {
        let mut state = self.shared.state.lock();
        if state.closed {
            return Err(Closed(item));
        }
        let kept = state.queue.push(item);
        drop(state);
        self.shared.filled.notify_one();
        Ok(kept)
    }

    /// The items, in the order they came; after [`MediaPriorityQueue::close`] what is left, and then the end. Several such streams share the items.
    pub fn dequeue(&self) -> impl Stream<Item = T> + Send + use<T> {
        stream::unfold(self.clone(), |queue| async move {
            let item = queue.next().await?;
            Some((item, queue))
        })
    }

    /// Items in the queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.state.lock().queue.len()
    }

    /// True when nothing is in the queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in the queue.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.state.lock().queue.bytes()
    }

    /// Items shed so far.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shared.state.lock().queue.shed()
    }

    /// Takes nothing in any more; what is in the queue is still handed out.
    pub fn close(&self) {
        self.shared.state.lock().closed = true;
        self.shared.filled.notify_waiters();
        self.shared.drained.notify_waiters();
    }

    async fn next(&self) -> Option<T> {
        loop {
            let filled = self.shared.filled.notified();
            tokio::pin!(filled);
            // Takes part in `notify_waiters` from here on.
            filled.as_mut().enable();
            {
                let mut state = self.shared.state.lock();
                let item = state.queue.pop();
                let more = !state.queue.is_empty();
                if item.is_some() || state.closed {
                    drop(state);
                    if more {
                        self.shared.filled.notify_one();
                    }
                    self.shared.drained.notify_one();
                    return item;
                }
            }
            filled.await;
        }
    }
}
