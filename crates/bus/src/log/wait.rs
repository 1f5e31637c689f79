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
    armed: Vec<Armed>,
    spare: Vec<Armed>,
    /// Counts the rounds; a reader that was armed in an earlier one is not armed now.
    round: u64,
    /// The position of whoever armed first in this round: there is news for the set once the log is past it.
    first: u64,
}

/// A reader's place in a wake set; good for one round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    round: u64,
    index: u32,
}

impl WakeSet {
    pub(crate) fn new() -> Self {
        Self {
            armed: Vec::new(),
            spare: Vec::new(),
            round: 1,
            first: 0,
        }
    }

    /// Puts a reader that has read up to `pos` on the list, or puts another waker in its place.
    pub(crate) fn arm(&mut self, place: Place, reader: u32, pos: u64, waker: &Waker) -> Place {
        if place.round == self.round
            && let Some(armed) = self.armed.get_mut(place.index as usize)
        {
            armed.waker.clone_from(waker);
            return place;
        }
        if self.armed.is_empty() {
            self.first = pos;
        }
        let index = self.armed.len() as u32;
        let waker = waker.clone();
        self.armed.push(Armed { waker, reader });
        Place {
            round: self.round,
            index,
        }
    }

    /// Takes a reader off the list. The last one moves into its place; its number is returned too.
    pub(crate) fn disarm(&mut self, place: Place) -> Option<(Waker, Option<u32>)> {
        let at = place.index as usize;
        if place.round != self.round || at >= self.armed.len() {
            return None;
        }
        let armed = self.armed.swap_remove(at);
        Some((armed.waker, self.armed.get(at).map(|a| a.reader)))
    }

    /// True when somebody waits who has not read up to `next`.
    pub(crate) fn has_news(&self, next: u64) -> bool {
        !self.armed.is_empty() && self.first < next
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
