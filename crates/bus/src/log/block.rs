//! A block: up to 64 write-once slots under one header.

use std::sync::{Arc, OnceLock};

use core_frame::MediaTime;

use crate::sync::Slot;

/// Slots in a block, and bits in a batch's mask. Models have blocks of two, so that a few items fill several.
pub(crate) const SLOTS: usize = if cfg!(loom) { 2 } else { 64 };

/// A run of items with consecutive sequence numbers and one header. Shared by reference: whoever holds one keeps its
/// items alive, so it is recycled only by its sole owner.
#[derive(Debug)]
pub(crate) struct Block<T, H> {
    /// Sequence number of the first slot.
    pub(crate) first: u64,
    /// Bytes published before the first slot, since the log began.
    pub(crate) cum: u64,
    /// The latest decode time before the first slot. Lag is measured on this clock, and not by an item's own time: tracks that
    /// are interleaved far apart are no lag.
    pub(crate) clock: MediaTime,
    /// What the items need to be understood.
    pub(crate) header: Arc<H>,
    /// Counts the log's headers, so that a cursor sees a change without comparing them.
    pub(crate) header_no: u32,
    /// Slots that were written while nobody else held the block: plain memory.
    own: [Option<T>; SLOTS],
    /// Slots that were written while a reader held it; made when first needed, and kept over recycling.
    shared: OnceLock<Box<[Slot<T>; SLOTS]>>,
}

impl<T, H> Block<T, H> {
    pub(crate) fn new(
        first: u64,
        cum: u64,
        clock: MediaTime,
        header: Arc<H>,
        header_no: u32,
    ) -> Self {
        Self {
            first,
            cum,
            clock,
            header,
            header_no,
            own: [const { None }; SLOTS],
            shared: OnceLock::new(),
        }
    }

    /// Writes a slot.
    #[inline]
    pub(crate) fn set(this: &mut Arc<Self>, at: usize, item: T) {
        if let Some(block) = Arc::get_mut(this) {
            if let Some(slot) = block.own.get_mut(at) {
                *slot = Some(item);
            }
        } else {
            this.set_shared(at, item);
        }
    }

    #[inline(never)]
    fn set_shared(&self, at: usize, item: T) {
        let slots = self
            .shared
            .get_or_init(|| Box::new(std::array::from_fn(|_| Slot::new())));
        if let Some(slot) = slots.get(at) {
            slot.set(item);
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        match self.own.get(at) {
            Some(Some(item)) => Some(item),
            _ => self.shared.get()?.get(at)?.get(),
        }
    }

    /// Drops the items; the block is then as new but for its numbers.
    pub(crate) fn clear(&mut self) {
        self.own.fill_with(|| None);
        for slot in self.shared.get_mut().into_iter().flat_map(|s| s.iter_mut()) {
            slot.clear();
        }
    }
}

/// The log's own notes on a block it holds; read and written under its lock.
#[derive(Debug)]
pub(crate) struct Entry<T, H> {
    pub(crate) block: Arc<Block<T, H>>,
    /// Slots that may be written before the block is closed.
    pub(crate) room: u32,
    /// Slots written.
    pub(crate) len: u32,
    /// Which slots are sync points.
    pub(crate) sync: u64,
    /// Bytes in the written slots.
    pub(crate) bytes: u64,
    /// Decode time of the first slot.
    pub(crate) first_dts: MediaTime,
    /// The latest decode time up to the last written slot.
    pub(crate) clock: MediaTime,
}

impl<T, H> Entry<T, H> {
    /// Sequence number after the last written slot.
    pub(crate) fn end(&self) -> u64 {
        self.block.first + u64::from(self.len)
    }

    /// Bytes published up to the end of the last written slot.
    pub(crate) fn end_cum(&self) -> u64 {
        self.block.cum + self.bytes
    }
}
