//! Who waits for the next item, and how all of them are woken in one round.

use std::task::Waker;

/// A waiting reader: its waker and its place in the slab of readers.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) waker: Waker,
    pub(crate) reader: u32,
}

/// The readers that are woken together. Emptying it is one swap with a spare list of the same capacity, so a round
/// costs the lock nothing per reader and allocates nothing.
#[derive(Debug)]
pub(crate) struct WakeSet {
    pub(crate) armed: Vec<Armed>,
    spare: Vec<Armed>,
    /// Counts the rounds; a reader that was armed in an earlier one is not armed now.
    pub(crate) round: u64,
}

impl WakeSet {
    pub(crate) fn new() -> Self {
        Self {
            armed: Vec::new(),
            spare: Vec::new(),
            round: 1,
        }
    }

    /// Takes everybody out, to be woken once the lock is released.
    pub(crate) fn take(&mut self) -> Option<Vec<Armed>> {
        if self.armed.is_empty() {
            return None;
        }
        self.round += 1;
        let spare = std::mem::take(&mut self.spare);
        Some(std::mem::replace(&mut self.armed, spare))
    }

    /// Gives the emptied list back.
    pub(crate) fn give_back(&mut self, list: Vec<Armed>) {
        if list.capacity() > self.spare.capacity() {
            self.spare = list;
        }
    }
}

/// Wakes everybody on the list and leaves it empty.
pub(crate) fn wake_all(list: &mut Vec<Armed>) {
    for armed in list.drain(..) {
        armed.waker.wake();
    }
}
