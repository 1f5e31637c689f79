//! A batch on its way to a player: which bytes are written, and which are next.

use std::io::{self, IoSlice};

use bytes::Bytes;
use core_frame::{Preamble, ViewItem};
use smallvec::SmallVec;
use tokio::net::TcpStream;

/// Pieces in one write.
const PIECES: usize = 64;

/// A batch that is being written. Nothing is copied: the pieces are those of the view, shared by all its players.
pub(super) struct Outgoing {
    batch: bus::Batch<ViewItem, Preamble>,
    /// Bytes that the socket has taken.
    done: usize,
    total: usize,
}

impl Outgoing {
    pub(super) fn new(batch: bus::Batch<ViewItem, Preamble>) -> Self {
        let total = pieces(&batch).map(Bytes::len).sum();
        Self {
            batch,
            done: 0,
            total,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done >= self.total
    }

    /// Writes as much as the socket takes; returns how many bytes that were.
    pub(super) fn write(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let before = self.done;
        while !self.is_done() {
            let mut skip = self.done;
            let mut slices: SmallVec<[IoSlice<'_>; PIECES]> = SmallVec::new();
            for piece in pieces(&self.batch) {
                match piece.get(skip..) {
                    Some(rest) if !rest.is_empty() => {
                        slices.push(IoSlice::new(rest));
                        skip = 0;
                        if slices.len() == PIECES {
                            break;
                        }
                    }
                    _ => skip = skip.saturating_sub(piece.len()),
                }
            }
            let written = match slices.as_slice() {
                // The plain call is the cheaper one.
                [one] => stream.try_write(one),
                several => stream.try_write_vectored(several),
            };
            match written {
                Ok(n) => self.done = self.done.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(self.done.saturating_sub(before))
    }
}

/// The preamble where one is due, then the items.
fn pieces(batch: &bus::Batch<ViewItem, Preamble>) -> impl Iterator<Item = &Bytes> {
    let preamble = batch.new_header().map(|preamble| {
        if batch.is_join() {
            &preamble.join
        } else {
            &preamble.update
        }
    });
    let items = batch.iter().flat_map(|(_, item)| item.slices.iter());
    preamble.into_iter().flatten().chain(items)
}
