//! What is behind the log's lock: the blocks, the newest sync point, the bounds, and who reads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use core_frame::{Lag, MediaTime, TrackId};

use super::block::{Block, Entry, SLOTS};
use super::pace::PacedSet;
use super::readers::Readers;
use super::wait::{Place, WakeSet};
use super::{Bounds, Item};

/// Emptied blocks kept for the next ones.
const CLEAN: usize = 4;
/// Blocks that left the log while a batch still held them, kept in the hope to get them back.
const DIRTY: usize = 8;

/// A position in the log with what lies before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncPoint {
    pub(crate) seq: u64,
    /// Bytes published before it.
    pub(crate) cum: u64,
    pub(crate) dts: MediaTime,
}

#[derive(Debug)]
pub(crate) struct State<T: Item, H> {
    pub(crate) bounds: Bounds,
    blocks: VecDeque<Entry<T, H>>,
    /// Sequence number of the next item.
    pub(crate) next: u64,
    /// Bytes published so far.
    pub(crate) cum: u64,
    /// Bytes held.
    pub(crate) held: u64,
    pub(crate) newest_sync: Option<SyncPoint>,
    /// The latest decode time so far, of any track.
    pub(crate) clock: MediaTime,
    header: Arc<H>,
    header_no: u32,
    pub(crate) ended: bool,
    /// The track whose key frames are the sync points; a reader that does not want it may start anywhere.
    pub(crate) primary: Option<TrackId>,
    pub(crate) readers: Readers,
    /// Readers woken by each publish.
    pub(crate) waits: WakeSet,
    /// Readers woken by a pace of theirs.
    pub(crate) paced: Vec<PacedSet>,
    pub(crate) intake: T::Intake,
    clean: Vec<Arc<Block<T, H>>>,
    dirty: Vec<Arc<Block<T, H>>>,
    retired: Vec<Arc<Block<T, H>>>,
    /// Slots a block may have, so that bounds of few items hold roughly too.
    slots: u32,
    block_bytes: u64,
    block_time: MediaTime,
}

impl<T: Item, H> State<T, H> {
    pub(crate) fn new(bounds: Bounds, header: Arc<H>) -> Self {
        Self {
            slots: (bounds.items / 8).clamp(1, SLOTS as u64) as u32,
            block_bytes: (bounds.bytes / 16).max(1),
            block_time: MediaTime::from_nanos(bounds.time.as_nanos() / 8),
            bounds,
            blocks: VecDeque::new(),
            next: 0,
            cum: 0,
            held: 0,
            newest_sync: None,
            clock: MediaTime::ZERO,
            header,
            header_no: 0,
            ended: false,
            primary: None,
            readers: Readers::default(),
            waits: WakeSet::new(),
            paced: Vec::new(),
            intake: T::Intake::default(),
            clean: Vec::with_capacity(CLEAN),
            dirty: Vec::with_capacity(DIRTY),
            retired: Vec::new(),
        }
    }

    /// Appends an item; `sync` says that a reader may start here.
    #[inline]
    pub(crate) fn push(&mut self, item: T, sync: bool) {
        let bytes = item.bytes() as u64;
        let dts = item.dts();
        let fits = self.blocks.back().is_some_and(|e| {
            e.len < e.room
                && e.bytes + bytes <= self.block_bytes
                && dts - e.first_dts <= self.block_time
                && e.block.header_no == self.header_no
        });
        if !fits {
            self.open_block(dts);
        }
        let Some(entry) = self.blocks.back_mut() else {
            return;
        };
        let at = entry.len;
        if sync {
            entry.sync |= 1 << at;
            self.newest_sync = Some(SyncPoint {
                seq: self.next,
                cum: self.cum,
                dts,
            });
        }
        Block::set(&mut entry.block, at as usize, item);
        entry.len = at + 1;
        entry.bytes += bytes;
        self.next += 1;
        self.cum += bytes;
        self.held += bytes;
        self.clock = if self.next == 1 {
            dts
        } else {
            self.clock.max(dts)
        };
        entry.clock = self.clock;
        if self.over_bounds() {
            self.evict();
        }
    }

    /// The header that the following items need.
    pub(crate) fn set_header(&mut self, header: Arc<H>) {
        self.header = header;
        self.header_no = self.header_no.wrapping_add(1);
    }

    /// Sequence number of the oldest item still here, or of the next one.
    pub(crate) fn oldest(&self) -> u64 {
        self.blocks.front().map_or(self.next, |e| e.block.first)
    }

    /// The block that holds `seq`.
    pub(crate) fn entry(&self, seq: u64) -> Option<&Entry<T, H>> {
        let last = self.blocks.back()?;
        if seq >= last.block.first {
            return (seq < last.end()).then_some(last);
        }
        let at = self.blocks.partition_point(|e| e.end() <= seq);
        self.blocks.get(at).filter(|e| seq >= e.block.first)
    }

    /// The first sync point at or after `seq`.
    pub(crate) fn sync_from(&self, seq: u64) -> Option<u64> {
        if self.newest_sync.is_none_or(|s| s.seq < seq) {
            return None;
        }
        let at = self.blocks.partition_point(|e| e.end() <= seq);
        self.blocks.range(at..).find_map(|e| {
            let skip = seq.saturating_sub(e.block.first).min(63);
            let mask = e.sync & (u64::MAX << skip);
            (mask != 0).then(|| e.block.first + u64::from(mask.trailing_zeros()))
        })
    }

    /// Where a joining reader starts: the newest sync point, when the GOP from there on is within the cache's bounds.
    pub(crate) fn replay_start(&self) -> Option<u64> {
        let sync = self.newest_sync?;
        let b = &self.bounds;
        let kept = self.next - sync.seq <= b.gop_items
            && self.cum - sync.cum <= b.gop_bytes
            && self.clock - sync.dts <= b.gop_time;
        kept.then_some(sync.seq)
    }

    /// Bytes published before `seq`, and the latest decode time before it (of a block's first item: its own).
    pub(crate) fn measure(&self, seq: u64) -> (u64, MediaTime) {
        let Some(entry) = self.entry(seq) else {
            return (self.cum, self.clock);
        };
        let mut cum = entry.block.cum;
        let mut clock = entry.first_dts;
        for i in 0..(seq - entry.block.first) as usize {
            if let Some(item) = entry.block.get(i) {
                cum += item.bytes() as u64;
                clock = clock.max(item.dts());
            }
        }
        (cum, clock)
    }

    /// How far something that has read `cum` bytes up to `clock` is behind.
    pub(crate) fn lag(&self, cum: u64, clock: MediaTime) -> Lag {
        Lag {
            bytes: self.cum.saturating_sub(cum),
            time: (self.clock - clock).max(MediaTime::ZERO),
        }
    }

    /// Puts a reader's waker on the list of those to wake.
    pub(crate) fn arm(&mut self, reader: u32, waker: &Waker) {
        let next = self.next;
        let Some(slot) = self.readers.get_mut(reader) else {
            return;
        };
        if slot.set > 0
            && let Some(paced) = self.paced.get_mut(usize::from(slot.set) - 1)
            && paced.driver == 0
        {
            // Nobody wakes this set any more.
            paced.members -= 1;
            slot.set = 0;
            slot.place = Place::default();
        }
        let set = set_of(&mut self.waits, &mut self.paced, slot.set);
        slot.place = set.arm(slot.place, reader, next, waker);
    }

    /// Takes a reader's waker off the list.
    pub(crate) fn disarm(&mut self, reader: u32) -> Option<Waker> {
        let slot = self.readers.get_mut(reader)?;
        let place = std::mem::take(&mut slot.place);
        let set = set_of(&mut self.waits, &mut self.paced, slot.set);
        let (waker, moved) = set.disarm(place)?;
        if let Some(moved) = moved.and_then(|m| self.readers.get_mut(m)) {
            moved.place = place;
        }
        Some(waker)
    }

    /// Takes a reader out; its waker is to be dropped once the lock is released.
    pub(crate) fn leave(&mut self, reader: u32) -> Option<Waker> {
        let waker = self.disarm(reader);
        let set = self.readers.get_mut(reader).map_or(0, |slot| slot.set);
        if self.readers.remove(reader).is_some()
            && let Some(at) = usize::from(set).checked_sub(1)
            && let Some(paced) = self.paced.get_mut(at)
        {
            paced.members -= 1;
        }
        waker
    }

    /// Blocks that left the log in this round of writing.
    pub(crate) fn take_retired(&mut self) -> Option<Vec<Arc<Block<T, H>>>> {
        (!self.retired.is_empty()).then(|| std::mem::take(&mut self.retired))
    }

    /// Takes back blocks that were emptied where nobody else held them.
    pub(crate) fn recycle(&mut self, mut blocks: Vec<Arc<Block<T, H>>>) {
        for mut block in blocks.drain(..) {
            let sole = Arc::get_mut(&mut block).is_some();
            if sole && self.clean.len() < CLEAN {
                self.clean.push(block);
            } else if !sole && self.dirty.len() < DIRTY {
                self.dirty.push(block);
            }
        }
        if self.retired.capacity() == 0 {
            self.retired = blocks;
        }
    }

    #[inline(never)]
    fn open_block(&mut self, dts: MediaTime) {
        let block = self.fresh_block();
        self.blocks.push_back(Entry {
            block,
            room: self.slots,
            len: 0,
            sync: 0,
            bytes: 0,
            first_dts: dts,
            clock: dts,
        });
    }

    fn fresh_block(&mut self) -> Arc<Block<T, H>> {
        let mut reuse = self.clean.pop();
        if reuse.is_none() {
            let free = self
                .dirty
                .iter_mut()
                .position(|b| Arc::get_mut(b).is_some());
            reuse = free.map(|at| self.dirty.swap_remove(at));
        }
        if let Some(mut arc) = reuse
            && let Some(block) = Arc::get_mut(&mut arc)
        {
            block.clear();
            block.first = self.next;
            block.cum = self.cum;
            block.clock = self.clock;
            block.header = Arc::clone(&self.header);
            block.header_no = self.header_no;
            return arc;
        }
        let header = Arc::clone(&self.header);
        let (next, cum, clock) = (self.next, self.cum, self.clock);
        Arc::new(Block::new(next, cum, clock, header, self.header_no))
    }

    #[inline]
    fn over_bounds(&self) -> bool {
        let Some(front) = self.blocks.front() else {
            return false;
        };
        let age = self.clock - front.clock;
        self.held > self.bounds.bytes
            || self.next - front.block.first > self.bounds.items
            || age > self.bounds.time
            || (age > self.bounds.tail && self.newest_sync.is_some_and(|s| s.seq >= front.end()))
    }

    /// Lets whole blocks go, oldest first, until the bounds hold; blocks that a lossless reader needs stay until the
    /// spool bound is reached.
    #[inline(never)]
    fn evict(&mut self) {
        let pinned = self.readers.pinned();
        while self.blocks.len() > 1 && self.over_bounds() {
            let keep = self.blocks.front().is_some_and(|e| {
                pinned.is_some_and(|p| p < e.end()) && self.held <= self.bounds.spool
            });
            if keep {
                break;
            }
            if let Some(entry) = self.blocks.pop_front() {
                self.held -= entry.bytes;
                self.retired.push(entry.block);
            }
        }
        let oldest = self.oldest();
        if self.newest_sync.is_some_and(|s| s.seq < oldest) {
            self.newest_sync = None;
        }
    }

    /// Items held.
    pub(crate) fn len(&self) -> u64 {
        self.next - self.oldest()
    }

    /// Media time held.
    pub(crate) fn span(&self) -> MediaTime {
        self.blocks
            .front()
            .map_or(MediaTime::ZERO, |e| self.clock - e.first_dts)
    }
}

/// The wake set of this number.
fn set_of<'a>(waits: &'a mut WakeSet, paced: &'a mut [PacedSet], set: u16) -> &'a mut WakeSet {
    match usize::from(set)
        .checked_sub(1)
        .and_then(|i| paced.get_mut(i))
    {
        Some(paced) => &mut paced.set,
        None => waits,
    }
}
