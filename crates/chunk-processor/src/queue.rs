//! A queue that gives up what is needed least: the pure part.

use std::collections::VecDeque;
use std::fmt;

use core_frame::{
    FrameFlags, ItemMarks, Lag, MediaKind, MediaTime, ShedDecision, ShedPolicy, TrackId,
};
use smallvec::SmallVec;

/// A queue of marked items in the order they came, bounded in bytes and in time by a [`ShedPolicy`].
///
/// The policy is asked about each item as it comes, with the queue as the lag. Order of giving up: disposable frames, then the tail of the GOP
/// (from one frame on to the next key frame of that track), then everything up to the newest key frame; sound last. What is given up in a
/// GOP is always its end, so that what stays can be decoded. The order of what stays never changes.
pub struct ShedQueue<T> {
    policy: Box<dyn ShedPolicy>,
    items: VecDeque<T>,
    bytes: u64,
    /// Tracks that lost the tail of a GOP and wait for a key frame.
    to_sync: SmallVec<[TrackId; 4]>,
    shed: u64,
}

impl<T> fmt::Debug for ShedQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShedQueue")
            .field("len", &self.items.len())
            .field("bytes", &self.bytes)
            .field("shed", &self.shed)
            .finish_non_exhaustive()
    }
}

impl<T: ItemMarks> ShedQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new(policy: Box<dyn ShedPolicy>) -> Self {
        Self {
            policy,
            items: VecDeque::new(),
            bytes: 0,
            to_sync: SmallVec::new(),
            shed: 0,
        }
    }

    /// Puts an item at the end, or sheds it, or sheds others for it. True when it is in the queue now.
    pub fn push(&mut self, item: T) -> bool {
        let lag = self.lag_with(&item);
        let sync = item.flags().contains(FrameFlags::KEY);
        if item.kind() == MediaKind::Video && self.to_sync.contains(&item.track()) {
            if !sync {
                self.shed += 1;
                return false;
            }
            self.to_sync.retain(|t| *t != item.track());
        }
        match self.policy.decide(&item, lag) {
            ShedDecision::Keep => {}
            ShedDecision::Drop => {
                self.shed += 1;
                return false;
            }
            ShedDecision::DropToSync => {
                self.drop_tail(item.track());
                self.shed += 1;
                return false;
            }
            ShedDecision::SkipToNewest => return self.make_room(item, sync),
        }
        self.append(item);
        true
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.bytes() as u64);
        Some(item)
    }

    /// True when `item` may come in without anything being shed.
    pub fn has_room_for(&self, item: &T) -> bool {
        self.items.is_empty() || self.policy.decide(item, self.lag_with(item)) == ShedDecision::Keep
    }

    /// Items in the queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True when nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes in the queue.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Items given up so far.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed
    }

    fn lag_with(&self, item: &T) -> Lag {
        let oldest = self.items.front().map_or(item.dts(), ItemMarks::dts);
        Lag {
            bytes: self.bytes.saturating_add(item.bytes() as u64),
            time: (item.dts() - oldest).max(MediaTime::ZERO),
        }
    }

    fn append(&mut self, item: T) {
        self.bytes = self.bytes.saturating_add(item.bytes() as u64);
        self.items.push_back(item);
    }

    fn drop_tail(&mut self, track: TrackId) {
        if !self.to_sync.contains(&track) {
            self.to_sync.push(track);
        }
    }

    /// The whole budget is spent: what no longer leads to the present goes first, then the picture, then the oldest sound.
    fn make_room(&mut self, item: T, sync: bool) -> bool {
        let video = item.kind() == MediaKind::Video;
        if video && sync {
            // The reader goes on here.
            self.shed_where(|_, _| true);
            self.to_sync.clear();
            self.append(item);
            return true;
        }
        let is_sync = |i: &T| i.kind() == MediaKind::Video && i.flags().contains(FrameFlags::KEY);
        if let Some(newest) = self.items.iter().rposition(is_sync).filter(|&at| at > 0) {
            self.shed_where(|at, _| at < newest);
        }
        if !self.is_over(&item) {
            self.append(item);
            return true;
        }
        if video {
            self.drop_tail(item.track());
            self.shed += 1;
            return false;
        }
        // One GOP is larger than the budget: its pictures go from the end, which the next key frame mends.
        while self.is_over(&item) {
            let picture = self
                .items
                .iter()
                .rposition(|i| i.kind() == MediaKind::Video);
            let at = picture.unwrap_or(0);
            let Some(gone) = self.items.remove(at) else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(gone.bytes() as u64);
            self.shed += 1;
            if gone.kind() == MediaKind::Video {
                self.drop_tail(gone.track());
            }
        }
        self.append(item);
        true
    }

    fn is_over(&self, item: &T) -> bool {
        !self.items.is_empty()
            && self.policy.decide(item, self.lag_with(item)) == ShedDecision::SkipToNewest
    }

    fn shed_where(&mut self, gone: impl Fn(usize, &T) -> bool) {
        let mut at = 0;
        let (bytes, shed) = (&mut self.bytes, &mut self.shed);
        self.items.retain(|item| {
            let goes = gone(at, item);
            at += 1;
            if goes {
                *bytes = bytes.saturating_sub(item.bytes() as u64);
                *shed += 1;
            }
            !goes
        });
    }
}
