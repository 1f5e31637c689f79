//! PES packets put together from the payloads of transport packets.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::pes::{PesHeader, PesStart, read_header};

/// Room in front of each payload, so that start codes of three bytes can grow into lengths of four in place.
pub(super) const LEAD: usize = 256;

/// The payload of one PES packet.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) header: PesHeader,
    /// [`Unit::lead`] bytes of room, [`Unit::carried`] bytes from before, then the payload.
    pub(super) data: BytesMut,
    pub(super) lead: usize,
    /// Bytes that were left over from the packet before this.
    pub(super) carried: usize,
    /// The packet is shorter than it said.
    pub(super) short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came yet, or what came was lost: the rest of a packet is not wanted.
    Lost,
    /// A packet was complete; more of it would be too much.
    Done,
    /// Inside a header.
    Head,
    /// Inside a payload.
    Body,
}

/// Why a payload was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It begins no PES packet.
    Header,
    /// It goes on after the packet's end.
    Surplus,
    /// The packet became too large; it is thrown away.
    Limit,
}

/// Puts the PES packets of one PID together. Payloads are copied once, one behind the other, into blocks that frames
/// then share.
#[derive(Debug)]
pub(super) struct Assembly {
    state: State,
    header: PesHeader,
    /// The start of a header that did not fit into its first packet.
    head: SmallVec<[u8; 32]>,
    buf: BytesMut,
    carry: Bytes,
    carried: usize,
    lead: usize,
    block: usize,
    limit: usize,
}

impl Assembly {
    pub(super) fn new(lead: usize, block: usize, limit: usize) -> Self {
        Self {
            state: State::Lost,
            header: PesHeader::default(),
            head: SmallVec::new(),
            buf: BytesMut::new(),
            carry: Bytes::new(),
            carried: 0,
            lead,
            block,
            limit,
        }
    }

    /// A packet begins with `payload`.
    pub(super) fn begin(&mut self, payload: &[u8]) -> Result<(), Refused> {
        self.head.clear();
        self.buf.clear();
        self.read_head(payload)
    }

    /// More of the packet under way.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<(), Refused> {
        match self.state {
            State::Body => self.body(payload),
            State::Head => {
                let mut head = std::mem::take(&mut self.head);
                head.extend_from_slice(payload);
                self.read_head(&head)
            }
            State::Lost => Ok(()),
            State::Done => {
                self.state = State::Lost;
                Err(Refused::Surplus)
            }
        }
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        match read_header(bytes) {
            PesStart::Header(header) => {
                self.header = header;
                self.state = State::Body;
                self.make_room(payload_hint(&header));
                self.buf.put_bytes(0, self.lead);
                let carry = std::mem::take(&mut self.carry);
                self.carried = carry.len();
                self.buf.put_slice(&carry);
                self.body(bytes.get(header.length..).unwrap_or_default())
            }
            PesStart::More => {
                self.state = State::Head;
                self.head = SmallVec::from_slice(bytes);
                Ok(())
            }
            PesStart::Other => {
                self.state = State::Lost;
                Ok(())
            }
            PesStart::Bad => {
                self.state = State::Lost;
                Err(Refused::Header)
            }
        }
    }

    #[inline]
    fn body(&mut self, payload: &[u8]) -> Result<(), Refused> {
        let mut payload = payload;
        let mut surplus = false;
        if let Some(declared) = self.header.payload {
            let left = declared.saturating_sub(self.received());
            if payload.len() > left {
                payload = payload.get(..left).unwrap_or_default();
                surplus = true;
            }
        }
        if self.buf.len() + payload.len() > self.limit {
            self.buf.clear();
            self.state = State::Lost;
            return Err(Refused::Limit);
        }
        if self.buf.capacity() - self.buf.len() < payload.len() {
            self.grow(payload.len());
        }
        self.buf.put_slice(payload);
        if surplus {
            Err(Refused::Surplus)
        } else {
            Ok(())
        }
    }

    /// Payload bytes that are here.
    pub(super) fn received(&self) -> usize {
        match self.state {
            State::Body => self.buf.len().saturating_sub(self.lead + self.carried),
            _ => 0,
        }
    }

    /// True when the packet under way has all the bytes that it declared.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.state == State::Body && self.header.payload.is_some_and(|n| self.received() >= n)
    }

    /// A packet is under way.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Body | State::Head)
    }

    /// The packet under way is at its end.
    pub(super) fn end(&mut self) -> Option<Unit> {
        let (state, received) = (self.state, self.received());
        if state != State::Lost {
            self.state = State::Done;
        }
        if state != State::Body {
            return None;
        }
        Some(Unit {
            header: self.header,
            data: self.buf.split(),
            lead: self.lead,
            carried: self.carried,
            short: self.header.payload.is_some_and(|n| received < n),
        })
    }

    /// What was under way is lost, and whatever comes before the next packet begins.
    pub(super) fn lose(&mut self) {
        self.state = State::Lost;
        self.carry = Bytes::new();
    }

    /// Bytes that the next packet goes on from.
    pub(super) fn carry(&mut self, rest: Bytes) {
        self.carry = rest;
    }

    /// Sees to it that a packet of `hint` bytes has room, in a block of its own if need be.
    fn make_room(&mut self, hint: usize) {
        let need = self.lead + self.carry.len() + hint.min(self.limit);
        if self.buf.capacity() >= need || self.buf.try_reclaim(need) {
            return;
        }
        self.buf = BytesMut::with_capacity(need.max(self.block));
    }

    /// Moves what is here to a larger block. The doubling bounds what is copied over a packet's life.
    fn grow(&mut self, more: usize) {
        let need = (2 * self.buf.len() + more).max(self.block);
        let mut larger = BytesMut::with_capacity(need);
        larger.put_slice(&self.buf);
        self.buf = larger;
    }
}

/// Room that is taken before a packet's bytes are there. A declared length is at most 64 KiB.
fn payload_hint(header: &PesHeader) -> usize {
    header.payload.unwrap_or(16 * 1024)
}
