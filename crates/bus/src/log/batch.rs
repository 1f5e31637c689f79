//! What a read lends: a run of items under one block reference.

use std::sync::Arc;

use super::block::Block;

/// A run of items of one block, in order, under one reference. Items that the reader did not select, or that were
/// shed, are left out. Dropping the batch releases the block.
#[derive(Debug)]
pub struct Batch<T, H> {
    pub(super) block: Arc<Block<T, H>>,
    /// Which slots belong to the batch.
    pub(super) mask: u64,
    /// Which slots are sync points.
    pub(super) sync: u64,
    pub(super) skipped: u64,
    pub(super) join: bool,
    pub(super) fresh_header: bool,
}

impl<T, H> Batch<T, H> {
    /// The header (track table, preamble) when it is not the one this cursor saw last: always on the first batch.
    #[must_use]
    pub fn new_header(&self) -> Option<&Arc<H>> {
        self.fresh_header.then_some(&self.block.header)
    }

    /// The header the items need.
    #[must_use]
    pub fn header(&self) -> &Arc<H> {
        &self.block.header
    }

    /// True for the first batch of its cursor.
    #[must_use]
    pub fn is_join(&self) -> bool {
        self.join
    }

    /// How many items were shed or skipped since the batch before, inside this one included.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The items with their sequence numbers, in order.
    pub fn iter(&self) -> BatchIter<'_, T, H> {
        BatchIter {
            block: &self.block,
            rest: self.mask,
        }
    }

    /// True when the item with this sequence number is a sync point: a reader may start there.
    #[must_use]
    pub fn is_sync(&self, seq: u64) -> bool {
        seq.checked_sub(self.block.first)
            .is_some_and(|at| at < 64 && self.sync & self.mask & (1 << at) != 0)
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mask.count_ones() as usize
    }

    /// True when no item is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mask == 0
    }

    /// Takes the first item off.
    pub(super) fn pop(&mut self) -> Option<(u64, &T)> {
        while self.mask != 0 {
            let at = self.mask.trailing_zeros();
            self.mask &= self.mask - 1;
            if let Some(item) = self.block.get(at as usize) {
                return Some((self.block.first + u64::from(at), item));
            }
        }
        None
    }
}

impl<'a, T, H> IntoIterator for &'a Batch<T, H> {
    type Item = (u64, &'a T);
    type IntoIter = BatchIter<'a, T, H>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Walks the items of a [`Batch`].
#[derive(Debug)]
pub struct BatchIter<'a, T, H> {
    block: &'a Block<T, H>,
    rest: u64,
}

impl<'a, T, H> Iterator for BatchIter<'a, T, H> {
    type Item = (u64, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest != 0 {
            let at = self.rest.trailing_zeros();
            self.rest &= self.rest - 1;
            if let Some(item) = self.block.get(at as usize) {
                return Some((self.block.first + u64::from(at), item));
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.rest.count_ones() as usize))
    }
}

/// What there is to read right now.
#[derive(Debug)]
pub enum TryBatch<T, H> {
    /// These items.
    Batch(Batch<T, H>),
    /// Nothing yet.
    Empty,
    /// The end: everything before it was delivered, or the reader was ended.
    Ended,
}
