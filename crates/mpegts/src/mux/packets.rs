//! Bytes into packets: headers, adaptation fields, stuffing.

use bytes::{BufMut, BytesMut};

use crate::packet::{NULL_PID, PACKET, SYNC, write_pcr};

/// Payload of a packet without adaptation field.
const ROOM: usize = PACKET - 4;

/// What the adaptation field of a packet is to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Say {
    pub(super) discontinuity: bool,
    pub(super) random_access: bool,
    /// In ticks of 27 MHz.
    pub(super) pcr: Option<u64>,
}

impl Say {
    const fn is_nothing(self) -> bool {
        !self.discontinuity && !self.random_access && self.pcr.is_none()
    }

    /// Length byte, flags and clock.
    const fn len(self) -> usize {
        match self.pcr {
            Some(_) => 8,
            None if self.is_nothing() => 0,
            None => 2,
        }
    }
}

/// Writes one payload unit (a PES packet or a section) of known length as packets.
pub(super) struct PacketWriter<'a> {
    out: &'a mut BytesMut,
    counter: &'a mut u8,
    pid: u16,
    say: Say,
    starts: bool,
    /// Bytes of the unit that are still to come.
    left: usize,
    /// Room in the packet under way.
    room: usize,
}

impl<'a> PacketWriter<'a> {
    /// A unit of `length` bytes on `pid`; `say` goes with its first packet.
    pub(super) fn new(
        out: &'a mut BytesMut,
        pid: u16,
        counter: &'a mut u8,
        say: Say,
        length: usize,
    ) -> Self {
        let packets = (length + say.len()).div_ceil(ROOM);
        out.reserve(packets * PACKET);
        Self {
            out,
            counter,
            pid,
            say,
            starts: true,
            left: length,
            room: 0,
        }
    }

    /// More of the unit.
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if self.room == 0 {
                self.packet();
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room));
            self.out.put_slice(now);
            self.room -= now.len();
            self.left = self.left.saturating_sub(now.len());
            bytes = later;
        }
    }

    /// The four bytes of a packet, and its adaptation field where it has something to say or is not full.
    #[inline]
    fn packet(&mut self) {
        let starts = std::mem::take(&mut self.starts);
        let say = std::mem::take(&mut self.say);
        let used = say.len() + self.left;
        let [p1, p0] = self.pid.to_be_bytes();
        let field = say.len() > 0 || used < ROOM;
        let control = if field { 0x30 } else { 0x10 };
        let counter = *self.counter;
        *self.counter = (counter + 1) & 15;
        let first = p1 & 0x1F | u8::from(starts) << 6;
        self.out.put_slice(&[SYNC, first, p0, control | counter]);
        if !field {
            self.room = ROOM;
            return;
        }
        let stuffing = ROOM.saturating_sub(used);
        put_field(self.out, say, say.len() + stuffing);
        self.room = ROOM - say.len() - stuffing;
    }
}

/// An adaptation field of `length` bytes, at least as long as what it says.
fn put_field(out: &mut BytesMut, say: Say, length: usize) {
    let Some(after) = length.checked_sub(1) else {
        return;
    };
    out.put_u8(after as u8);
    if after == 0 {
        return;
    }
    let flags = u8::from(say.discontinuity) << 7
        | u8::from(say.random_access) << 6
        | u8::from(say.pcr.is_some()) << 4;
    out.put_u8(flags);
    let mut said = 2;
    if let Some(ticks) = say.pcr {
        out.put_slice(&write_pcr(ticks));
        said = 8;
    }
    out.put_bytes(0xFF, length.saturating_sub(said));
}

/// A section as packets: pointer field, section, stuffing of FF behind it (§2.4.4).
pub(super) fn put_section(
    out: &mut BytesMut,
    pid: u16,
    counter: &mut u8,
    say: Say,
    section: &[u8],
) {
    let length = 1 + section.len();
    let padded = (length + say.len()).next_multiple_of(ROOM) - say.len();
    let mut writer = PacketWriter::new(out, pid, counter, say, padded);
    writer.put(&[0]);
    writer.put(section);
    let stuffing = [0xFF; ROOM];
    writer.put(stuffing.get(..padded - length).unwrap_or_default());
}

/// A packet with a clock and no payload; its counter stands still (§2.4.3.3).
pub(super) fn put_clock(out: &mut BytesMut, pid: u16, counter: u8, say: Say) {
    let [p1, p0] = pid.to_be_bytes();
    // The counter is the last one used.
    let last = counter.wrapping_sub(1) & 15;
    out.put_slice(&[SYNC, p1 & 0x1F, p0, 0x20 | last]);
    put_field(out, say, ROOM);
}

/// A packet of stuffing.
pub(super) fn put_null(out: &mut BytesMut) {
    let [p1, p0] = NULL_PID.to_be_bytes();
    out.put_slice(&[SYNC, p1, p0, 0x10]);
    out.put_bytes(0xFF, ROOM);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn every_length_comes_back() {
        let data: Vec<u8> = (0..600).map(|n| n as u8).collect();
        let says = [
            Say::default(),
            Say {
                random_access: true,
                ..Say::default()
            },
            Say {
                pcr: Some(27_000_123),
                ..Say::default()
            },
        ];
        for say in says {
            for length in 1..data.len() {
                let mut out = BytesMut::new();
                let mut counter = 14;
                let mut writer = PacketWriter::new(&mut out, 0x123, &mut counter, say, length);
                writer.put(&data[..length / 3]);
                writer.put(&data[length / 3..length]);
                assert_eq!(out.len() % PACKET, 0);
                let mut back = Vec::new();
                for (n, bytes) in out.chunks(PACKET).enumerate() {
                    let packet = Packet::parse(bytes.try_into().unwrap()).unwrap();
                    assert_eq!((packet.pid, packet.starts), (0x123, n == 0));
                    assert_eq!(usize::from(packet.counter), (14 + n) & 15);
                    if n == 0 {
                        assert_eq!(packet.adaptation.pcr, say.pcr);
                        assert_eq!(packet.adaptation.random_access, say.random_access);
                    }
                    back.extend_from_slice(packet.payload);
                }
                assert_eq!(back, data[..length]);
            }
        }
    }

    #[test]
    fn sections_are_filled_up() {
        for length in [10, 183, 184, 400] {
            let mut out = BytesMut::new();
            let mut counter = 0;
            put_section(&mut out, 0, &mut counter, Say::default(), &vec![7; length]);
            assert_eq!(out.len(), (length + 1).div_ceil(184) * PACKET);
        }
        let mut out = BytesMut::new();
        put_null(&mut out);
        put_clock(
            &mut out,
            0x100,
            0,
            Say {
                pcr: Some(1),
                ..Say::default()
            },
        );
        assert_eq!(out.len(), 2 * PACKET);
        let clock = Packet::parse(out[PACKET..].try_into().unwrap()).unwrap();
        assert_eq!(
            (clock.counter, clock.has_payload, clock.adaptation.pcr),
            (15, false, Some(1))
        );
    }
}
