//! A constant rate: packets at their places on a clock that counts bytes, stuffing between them.

use bytes::{BufMut, BytesMut};
use core_frame::MediaTime;

use super::PCR_WRAP;
use super::packets::{Say, put_clock, put_null};
use crate::packet::{PACKET, PCR_HZ, write_pcr};

/// Sets packets among stuffing so that the rate is the same at every moment.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    bitrate_bps: u32,
    /// The clock at byte 0, in ticks of 27 MHz; known from the first frame on.
    origin: Option<i64>,
    bytes: u64,
    /// The clock of the last reference.
    told: i64,
    late: u64,
}

impl Constant {
    pub(super) fn new(bitrate_bps: u32) -> Self {
        Self {
            // Slower than one packet a second is no rate.
            bitrate_bps: bitrate_bps.max(8 * PACKET as u32),
            origin: None,
            bytes: 0,
            told: i64::MIN / 2,
            late: 0,
        }
    }

    pub(super) const fn late(&self) -> u64 {
        self.late
    }

    /// Appends stuffing up to `due` (in ticks of 27 MHz), then `packets`. Clock references in the packets are set to
    /// their places, and others put between so that they are no further apart than `every`. `clock` is the PID they
    /// come on and its counter.
    pub(super) fn send(
        &mut self,
        packets: &[u8],
        due: i64,
        every: MediaTime,
        clock: (u16, u8),
        out: &mut BytesMut,
    ) {
        // A jump of the timeline begins a new count.
        let jump = |now: i64| (due - now).abs() > 10 * i64::from(PCR_HZ);
        if self.origin.is_none() || jump(self.now()) {
            self.origin = Some(due);
            self.bytes = 0;
            self.told = i64::MIN / 2;
        }
        if self.now() > due + every.to_ticks(PCR_HZ) {
            self.late += 1;
        }
        let packet = self.ticks_of(PACKET as u64);
        let every = every.to_ticks(PCR_HZ) - packet;
        while self.now() + packet <= due {
            if self.now() - self.told >= every {
                self.clock(clock, out);
            } else {
                put_null(out);
                self.bytes += PACKET as u64;
            }
        }
        let mut counter = clock.1;
        for bytes in packets.chunks_exact(PACKET) {
            if is_clock_packet(bytes) {
                self.told = self.now();
            } else if self.now() - self.told >= every {
                self.clock((clock.0, counter), out);
            }
            let at = out.len();
            out.put_slice(bytes);
            if is_clock_packet(bytes) {
                let ticks = self.now().rem_euclid(PCR_WRAP) as u64;
                if let Some(slot) = out.get_mut(at + 6..at + 12) {
                    slot.copy_from_slice(&write_pcr(ticks));
                }
            }
            if let &[_, p1, p0, c, ..] = bytes
                && u16::from_be_bytes([p1 & 0x1F, p0]) == clock.0
                && c & 0x10 != 0
            {
                counter = (c + 1) & 15;
            }
            self.bytes += PACKET as u64;
        }
    }

    fn clock(&mut self, (pid, counter): (u16, u8), out: &mut BytesMut) {
        self.told = self.now();
        let say = Say {
            pcr: Some(self.told.rem_euclid(PCR_WRAP) as u64),
            ..Say::default()
        };
        put_clock(out, pid, counter, say);
        self.bytes += PACKET as u64;
    }

    /// The clock at the next byte.
    fn now(&self) -> i64 {
        self.origin.unwrap_or(0) + self.ticks_of(self.bytes)
    }

    fn ticks_of(&self, bytes: u64) -> i64 {
        let ticks = u128::from(bytes) * 8 * u128::from(PCR_HZ) / u128::from(self.bitrate_bps);
        i64::try_from(ticks).unwrap_or(i64::MAX / 2)
    }
}

/// True for a packet with a clock reference.
fn is_clock_packet(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, control, length, flags, ..] if control & 0x20 != 0 && *length >= 7 && flags & 0x10 != 0)
}
