//! A batch on its way to a player: which bytes are written, and which are next.

use std::io::{self, IoSlice};

use core_frame::{Preamble, ViewItem};
use smallvec::SmallVec;

use super::transport::Transport;

/// Pieces in one write.
const PIECES: usize = 64;

/// A batch that is being written. Nothing is copied: the pieces are those of the view, shared by all its players.
pub(super) struct Outgoing {
    batch: bus::Batch<ViewItem, Preamble>,
    /// Bytes that the transport has taken, or that are left out at the front.
    written: usize,
    done: bool,
}

/// What one write may take: neighbours in memory are joined.
#[derive(Default)]
struct Pieces<'a> {
    list: SmallVec<[IoSlice<'a>; 8]>,
    bytes: usize,
    /// Bytes at the front that are written already.
    skip: usize,
    /// More would not have fitted.
    cut: bool,
}

impl Outgoing {
    pub(super) const fn new(batch: bus::Batch<ViewItem, Preamble>) -> Self {
        Self::leaving(batch, 0)
    }

    /// Without the first bytes of its preamble.
    pub(super) const fn leaving(batch: bus::Batch<ViewItem, Preamble>, bytes: usize) -> Self {
        Self {
            batch,
            written: bytes,
            done: false,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Writes as much as is taken; returns how many bytes that were.
    pub(super) fn write(&mut self, transport: &mut Transport) -> io::Result<usize> {
        let before = self.written;
        while !self.done {
            let pieces = pieces(&self.batch, self.written);
            let result = match pieces.list.as_slice() {
                [] => Ok(0),
                // The plain call is the cheaper one, by a tenth of the whole price of a write.
                [one] => transport.try_write(one),
                several => transport.try_write_vectored(several),
            };
            match result {
                Ok(n) => {
                    self.written = self.written.saturating_add(n);
                    self.done = n == pieces.bytes && !pieces.cut;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(self.written.saturating_sub(before))
    }
}

/// The preamble where one is due, then the items, from byte `skip` on.
fn pieces(batch: &bus::Batch<ViewItem, Preamble>, skip: usize) -> Pieces<'_> {
    let mut pieces = Pieces {
        skip,
        ..Pieces::default()
    };
    if let Some(preamble) = batch.new_header() {
        let slices = if batch.is_join() {
            &preamble.join
        } else {
            &preamble.update
        };
        slices.iter().for_each(|slice| pieces.add(slice));
    }
    // Items that lie one behind the other so far: where they begin, and how long they are.
    let mut joined: (&[u8], usize) = (&[], 0);
    for (_, item) in batch.iter() {
        let len = item.len as usize;
        let (run, at) = joined;
        let behind = run.get(at..).filter(|rest| rest.len() >= len);
        if behind.is_some_and(|rest| !rest.is_empty() && rest.as_ptr() == item.run.as_ptr()) {
            joined.1 = at.saturating_add(len);
            continue;
        }
        pieces.add(run.get(..at).unwrap_or_default());
        if item.run.len() >= len {
            joined = (&item.run, len);
        } else {
            joined = (&[], 0);
            item.slices.iter().for_each(|slice| pieces.add(slice));
        }
    }
    let (run, at) = joined;
    pieces.add(run.get(..at).unwrap_or_default());
    pieces
}

impl<'a> Pieces<'a> {
    fn add(&mut self, piece: &'a [u8]) {
        let rest = piece.get(self.skip..).unwrap_or_default();
        self.skip = self.skip.saturating_sub(piece.len());
        if rest.is_empty() {
            return;
        }
        if self.list.len() == PIECES {
            self.cut = true;
            return;
        }
        self.bytes = self.bytes.saturating_add(rest.len());
        self.list.push(IoSlice::new(rest));
    }
}
