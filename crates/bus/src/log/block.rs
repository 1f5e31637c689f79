//! A block: up to 64 write-once slots under one header.

use std::sync::Arc;

use crate::sync::Slot;

/// Slots in a block, and bits in a batch's mask.
pub(crate) const SLOTS: usize = 64;

/// A run of items with consecutive sequence numbers and one header. Shared by reference: whoever holds one keeps its
/// items alive, so it is recycled only by its sole owner.
#[derive(Debug)]
pub(crate) struct Block<T, H> {
    /// Sequence number of the first slot.
    pub(crate) first: u64,
    /// Bytes published before the first slot, since the log began.
    pub(crate) cum: u64,
    /// What the items need to be understood.
    pub(crate) header: Arc<H>,
    /// Counts the log's headers, so that a cursor sees a change without comparing them.
    pub(crate) header_no: u64,
    slots: [Slot<T>; SLOTS],
}

impl<T, H> Block<T, H> {
    pub(crate) fn new(first: u64, cum: u64, header: Arc<H>, header_no: u64) -> Self {
        Self {
            first,
            cum,
            header,
            header_no,
            slots: std::array::from_fn(|_| Slot::new()),
        }
    }

    pub(crate) fn set(&self, at: usize, item: T) {
        if let Some(slot) = self.slots.get(at) {
            slot.set(item);
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.slots.get(at).and_then(Slot::get)
    }

    /// Drops the items; the block is then as new but for its numbers.
    pub(crate) fn clear(&mut self) {
        for slot in &mut self.slots {
            drop(slot.take());
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
    pub(crate) first_dts: core_frame::MediaTime,
    pub(crate) last_dts: core_frame::MediaTime,
}

impl<T, H> Entry<T, H> {
    /// Sequence number after the last written slot.
    pub(crate) fn end(&self) -> u64 {
        self.block.first + u64::from(self.len)
    }
}
