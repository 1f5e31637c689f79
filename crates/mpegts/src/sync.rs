//! From bytes to packets: finding the grid of sync bytes, keeping it, finding it again.

use crate::packet::{PACKET, SYNC};

/// Distances between sync bytes that are met: plain packets, with the four-byte time stamp of Blu-ray and AVCHD in
/// front, with 16 bytes of Reed-Solomon code behind (DVB, EN 300 429).
const STRIDES: [usize; 3] = [PACKET, 192, 204];
/// Sync bytes in a row that prove a grid.
const PROOF: usize = 5;
/// The same where the distance is known already.
const PROOF_AGAIN: usize = 3;
/// After this many bytes without the old grid, a grid of any distance will do.
const ANOTHER: u64 = 8_192;
/// No search needs to look further ahead than this.
const WINDOW: usize = 204 * PROOF;

/// What a [`PacketReader`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found<'a> {
    /// A packet.
    Packet {
        /// Its first byte, counted from the start of the input.
        offset: u64,
        /// Its bytes, which begin with the sync byte.
        bytes: &'a [u8; PACKET],
    },
    /// The packet before this was cut short: its end is the start of the packet that comes next.
    Cut {
        /// Where the next packet begins, counted from the start of the input.
        offset: u64,
    },
    /// A packet whose sync byte is wrong, between packets whose sync bytes are right.
    BadSync {
        /// Its first byte, counted from the start of the input.
        offset: u64,
    },
    /// Bytes that are no packets were passed over.
    Garbage {
        /// The first of them, counted from the start of the input.
        offset: u64,
        /// How many.
        skipped: u64,
    },
    /// The input ended inside a packet.
    Truncated {
        /// Where that packet begins, counted from the start of the input.
        offset: u64,
        /// How many bytes of it there were.
        skipped: u64,
    },
}

/// Finds packets in bytes that come in pieces of any size. What it finds does not depend on the pieces, and a packet is
/// handed on as soon as its last byte is there.
#[derive(Clone, Debug)]
pub struct PacketReader {
    /// Bytes from one sync byte to the next, once known.
    stride: usize,
    locked: bool,
    /// Input that could not be used yet; less than twice [`WINDOW`].
    carry: Vec<u8>,
    /// Where `carry` begins in the input.
    offset: u64,
    /// Bytes passed over since the last packet.
    skipped: u64,
    /// The last packet, for the case that it turns out to be cut.
    last: [u8; PACKET],
    has_last: bool,
    /// The first bytes that were passed over since then, at most a packet of them.
    passed: Vec<u8>,
}

impl Default for PacketReader {
    fn default() -> Self {
        Self::new()
    }
}

impl PacketReader {
    /// One that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stride: 0,
            locked: false,
            carry: Vec::new(),
            offset: 0,
            skipped: 0,
            last: [0; PACKET],
            has_last: false,
            passed: Vec::new(),
        }
    }

    /// Bytes from one packet to the next: 188, 192 or 204; 0 until the first is found.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Takes more input and hands what it finds to `found`, in order.
    pub fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Found<'_>)) {
        let mut bytes = bytes;
        while !self.carry.is_empty() {
            if bytes.is_empty() {
                return;
            }
            // A window more than what is there always suffices to use up what is there.
            let held = self.carry.len();
            let (more, after) = bytes.split_at(bytes.len().min(WINDOW));
            let mut carry = std::mem::take(&mut self.carry);
            carry.extend_from_slice(more);
            let used = self.scan(&carry, false, &mut found);
            if used >= held {
                bytes = bytes.get(used - held..).unwrap_or_default();
                carry.clear();
                self.carry = carry;
                break;
            }
            carry.drain(..used);
            self.carry = carry;
            bytes = after;
        }
        let used = self.scan(bytes, false, &mut found);
        self.carry
            .extend_from_slice(bytes.get(used..).unwrap_or_default());
    }

    /// The input has ended: what waited for more bytes comes out.
    pub fn finish(&mut self, mut found: impl FnMut(Found<'_>)) {
        let mut carry = std::mem::take(&mut self.carry);
        let used = self.scan(&carry, true, &mut found);
        carry.drain(..used);
        let left = carry.len() as u64;
        if left > 0 {
            let offset = self.offset;
            found(Found::Truncated {
                offset,
                skipped: left,
            });
        }
        self.offset += left;
        self.locked = false;
        self.has_last = false;
    }

    /// Bytes held back until more come.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.carry.len()
    }

    /// Finds what is in `data`, which begins at `self.offset`, and returns how much of it is done with.
    fn scan(&mut self, data: &[u8], end: bool, found: &mut impl FnMut(Found<'_>)) -> usize {
        let mut at = 0;
        loop {
            if self.locked {
                at = self.packets(data, at, end, found);
                let rest = data.get(at..).unwrap_or_default();
                if rest.first().is_none_or(|&b| b == SYNC) {
                    break;
                }
                // One wrong sync byte in a grid that goes on costs its packet and nothing else.
                let ahead = [1, 2].map(|n| rest.get(n * self.stride));
                let holds = |b: &Option<&u8>| b.map_or(end, |&b| b == SYNC);
                if ahead.iter().all(holds) && rest.len() >= PACKET {
                    let offset = self.offset + at as u64;
                    found(Found::BadSync { offset });
                    self.has_last = false;
                    at = (at + self.stride).min(data.len());
                    continue;
                }
                if !end && ahead.iter().all(|b| b.is_none_or(|&b| b == SYNC)) {
                    break;
                }
                self.locked = false;
            }
            match self.search(data, at, end) {
                Search::Grid(p) => {
                    self.lock(data, at, p, found);
                    at = p;
                }
                Search::Nothing(p) => {
                    self.pass(data.get(at..p).unwrap_or_default());
                    self.skipped += (p - at) as u64;
                    at = p;
                    break;
                }
            }
        }
        if end && self.skipped > 0 {
            let offset = self.offset + at as u64 - self.skipped;
            found(Found::Garbage {
                offset,
                skipped: self.skipped,
            });
            self.skipped = 0;
        }
        self.offset += at as u64;
        at
    }

    /// Hands on the packets from `at` on while the grid holds; returns where it stopped.
    fn packets(
        &mut self,
        data: &[u8],
        from: usize,
        end: bool,
        found: &mut impl FnMut(Found<'_>),
    ) -> usize {
        // The bytes between two packets are waited for, but not at the end.
        let need = if end { PACKET } else { self.stride };
        let mut at = from;
        while let Some(rest) = data.get(at..)
            && rest.len() >= need
            && let Some(bytes) = rest.first_chunk::<PACKET>()
            && rest.first() == Some(&SYNC)
        {
            let offset = self.offset + at as u64;
            found(Found::Packet { offset, bytes });
            at = (at + self.stride).min(data.len());
        }
        if at > from
            && let Some(start) = at.checked_sub(self.stride)
            && let Some(bytes) = data.get(start..).and_then(|d| d.first_chunk::<PACKET>())
        {
            self.last = *bytes;
            self.has_last = true;
            self.passed.clear();
        }
        at
    }

    fn pass(&mut self, bytes: &[u8]) {
        let room = PACKET.saturating_sub(self.passed.len());
        self.passed
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// A grid begins at `p`; `at` is where the search for it began.
    fn lock(&mut self, data: &[u8], at: usize, p: usize, found: &mut impl FnMut(Found<'_>)) {
        self.locked = true;
        self.pass(data.get(at..p).unwrap_or_default());
        let skipped = self.skipped + (p - at) as u64;
        self.skipped = 0;
        let lost_at = self.offset + p as u64 - skipped;
        let had_last = std::mem::take(&mut self.has_last);
        // When bytes are missing inside a packet, the packet after it begins inside what was taken for its end.
        let gap = skipped as usize;
        if had_last
            && self.stride == PACKET
            && (1..PACKET).contains(&gap)
            && self.last.get(gap) == Some(&SYNC)
        {
            let offset = lost_at - (PACKET - gap) as u64;
            found(Found::Cut { offset });
            let mut whole = [0; PACKET];
            let head = self.last.get(gap..).unwrap_or_default();
            for (slot, &byte) in whole.iter_mut().zip(head.iter().chain(&self.passed)) {
                *slot = byte;
            }
            let bytes = &whole;
            found(Found::Packet { offset, bytes });
            return;
        }
        // The time stamp in front of the first packet is not garbage.
        let is_stamp = self.stride == 192 && lost_at == 0 && skipped == 4;
        if skipped > 0 && !is_stamp {
            found(Found::Garbage {
                offset: lost_at,
                skipped,
            });
        }
    }

    /// The first place from `from` on where a grid begins.
    fn search(&mut self, data: &[u8], from: usize, end: bool) -> Search {
        let mut at = from;
        while let Some(next) = data.get(at..).and_then(|d| memchr::memchr(SYNC, d)) {
            at += next;
            let known = [self.stride];
            let (strides, proof) = match self.stride {
                0 => (&STRIDES[..], PROOF),
                _ => (&known[..], PROOF_AGAIN),
            };
            let mut undecided = false;
            for &stride in strides {
                let mut syncs = (1..proof).map(|n| data.get(at + n * stride));
                let fits = data.len() - at >= PACKET;
                if syncs.clone().all(|b| b == Some(&SYNC)) {
                    self.stride = stride;
                    return Search::Grid(at);
                }
                let open = syncs.all(|b| b.is_none_or(|&b| b == SYNC));
                if open && end && fits {
                    self.stride = stride;
                    return Search::Grid(at);
                }
                undecided |= open && !end;
            }
            if undecided {
                return Search::Nothing(at);
            }
            at += 1;
            // Another distance, after all: files and streams are joined.
            if self.skipped + (at - from) as u64 > ANOTHER {
                self.stride = 0;
                self.has_last = false;
            }
        }
        Search::Nothing(data.len())
    }
}

enum Search {
    Grid(usize),
    Nothing(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(n: u8) -> [u8; PACKET] {
        let mut bytes = [0xEE; PACKET];
        bytes[..4].copy_from_slice(&[SYNC, 1, 0, 0x10 | n & 15]);
        bytes[5] = n;
        bytes
    }

    fn packets(numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
        numbers.into_iter().flat_map(packet).collect()
    }

    /// Numbers of the packets, and everything else as text; the same for every way to split the input.
    fn read(data: &[u8]) -> (Vec<u8>, Vec<String>) {
        let run = |piece: usize| {
            let (mut numbers, mut others) = (Vec::new(), Vec::new());
            let mut take = |f: Found<'_>| match f {
                Found::Packet { bytes, .. } => numbers.push(bytes[5]),
                other => others.push(format!("{other:?}")),
            };
            let mut reader = PacketReader::new();
            for part in data.chunks(piece) {
                reader.push(part, &mut take);
                assert!(reader.buffered() < 2 * WINDOW);
            }
            reader.finish(&mut take);
            (numbers, others)
        };
        let whole = run(data.len().max(1));
        for piece in [1, 7, 100, 187, 188, 189, 376, 1_316, 4_000] {
            assert_eq!(run(piece), whole, "in {piece}s");
        }
        whole
    }

    #[test]
    fn all_three_distances() {
        assert_eq!(read(&packets(0..20)), ((0..20).collect(), vec![]));
        let stamped: Vec<u8> = (0..20)
            .flat_map(|n| [[9; 4].to_vec(), packet(n).to_vec()].concat())
            .collect();
        assert_eq!(read(&stamped), ((0..20).collect(), vec![]));
        let coded: Vec<u8> = (0..20)
            .flat_map(|n| [packet(n).to_vec(), vec![7; 16]].concat())
            .collect();
        assert_eq!(read(&coded), ((0..20).collect(), vec![]));
        assert_eq!(read(&packets([1])), (vec![1], vec![]));
        assert_eq!(read(&[]), (vec![], vec![]));
    }

    #[test]
    fn a_packet_is_there_with_its_last_byte() {
        let data = packets(0..10);
        let mut reader = PacketReader::new();
        let mut count = 0;
        reader.push(&data[..188 * 6], |_| count += 1);
        assert_eq!(count, 6);
        reader.push(&data[188 * 6..188 * 7], |_| count += 1);
        assert_eq!(count, 7);
    }

    #[test]
    fn joins_and_garbage() {
        let data = packets(0..20);
        let (numbers, others) = read(&data[100..]);
        assert_eq!(numbers, (1..20).collect::<Vec<_>>());
        assert_eq!(others, ["Garbage { offset: 0, skipped: 88 }"]);
        let noisy = [
            packets(0..8),
            vec![1, SYNC, SYNC],
            vec![1; 500],
            packets(8..16),
        ]
        .concat();
        let (numbers, others) = read(&noisy);
        assert_eq!(numbers, (0..16).collect::<Vec<_>>());
        assert_eq!(others, ["Garbage { offset: 1504, skipped: 503 }"]);
        let (numbers, others) = read(&[0x11; 5_000]);
        assert!(numbers.is_empty());
        assert_eq!(others, ["Garbage { offset: 0, skipped: 5000 }"]);
    }

    #[test]
    fn one_wrong_sync_byte_costs_one_packet() {
        let mut data = packets(0..12);
        data[188 * 5] = 0;
        let (numbers, others) = read(&data);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
        assert_eq!(others, ["BadSync { offset: 940 }"]);
    }

    #[test]
    fn the_packet_after_a_cut_is_whole() {
        for (from, len) in [(10, 1), (60, 100), (2, 180)] {
            let mut data = packets(0..12);
            data.drain(188 * 5 + from..188 * 5 + from + len);
            let (numbers, others) = read(&data);
            // Number 5 is handed on, with a wrong end, and said to be cut.
            assert_eq!(numbers.len(), 12);
            assert_eq!(numbers[6..], [6, 7, 8, 9, 10, 11]);
            assert_eq!(others, [format!("Cut {{ offset: {} }}", 188 * 6 - len)]);
        }
    }

    #[test]
    fn the_end_is_told() {
        let data = packets(0..6);
        let (numbers, others) = read(&data[..1_000]);
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(others, ["Truncated { offset: 940, skipped: 60 }"]);
    }
}
