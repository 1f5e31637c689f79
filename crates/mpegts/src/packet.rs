//! Transport packets: the four bytes in front, the adaptation field, the clock in it (ISO/IEC 13818-1 §2.4.3).

/// Bytes of a transport packet.
pub const PACKET: usize = 188;
/// The first byte of every packet.
pub const SYNC: u8 = 0x47;
/// Packets of this PID are stuffing.
pub const NULL_PID: u16 = 0x1FFF;
/// Ticks a second of the system clock that PCRs count.
pub const PCR_HZ: u32 = 27_000_000;

/// A packet, read in place.
///
/// ```text
///  0        1                      2        3                        4
/// +--------+-+-+-+----------------+--------+----+----+--------------+ ...
/// | 0x47   |E|S|P|    PID (13)             |SC 2|AF 2| counter (4)  |
/// +--------+-+-+-+-------------------------+----+----+--------------+ ...
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Which stream of the multiplex.
    pub pid: u16,
    /// `transport_error_indicator`: the receiver before us knows that a bit is wrong.
    pub error: bool,
    /// `payload_unit_start_indicator`: a PES packet or section begins in the payload.
    pub starts: bool,
    /// `transport_scrambling_control` is not 0.
    pub scrambled: bool,
    /// `continuity_counter`: goes up by one, modulo 16, with each packet of the PID that has a payload.
    pub counter: u8,
    /// The adaptation field says that there is a payload, though it may be empty.
    pub has_payload: bool,
    /// What the adaptation field tells.
    pub adaptation: Adaptation,
    /// The payload; empty when there is none.
    pub payload: &'a [u8],
}

/// What an adaptation field tells (§2.4.3.4); all of it is absent where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adaptation {
    /// `discontinuity_indicator`: counter or clock may jump here.
    pub discontinuity: bool,
    /// `random_access_indicator`.
    pub random_access: bool,
    /// `program_clock_reference` in ticks of [`PCR_HZ`], modulo 2^33 * 300.
    pub pcr: Option<u64>,
}

impl<'a> Packet<'a> {
    /// Reads a packet. `None` when its adaptation field is longer than the packet, or of the reserved kind 00: nothing
    /// in it can be trusted then. The sync byte is the caller's to check.
    #[must_use]
    #[inline]
    pub fn parse(bytes: &'a [u8; PACKET]) -> Option<Self> {
        let &[_, b1, b2, b3, b4, b5, ..] = bytes;
        let mut packet = Self {
            pid: u16::from_be_bytes([b1 & 0x1F, b2]),
            error: b1 & 0x80 != 0,
            starts: b1 & 0x40 != 0,
            scrambled: b3 & 0xC0 != 0,
            counter: b3 & 0x0F,
            has_payload: b3 & 0x10 != 0,
            adaptation: Adaptation::default(),
            payload: &[],
        };
        match b3 & 0x30 {
            0x10 => packet.payload = bytes.get(4..)?,
            0x00 => return None,
            _ => {
                let rest = bytes.get(5 + usize::from(b4)..)?;
                if packet.has_payload {
                    packet.payload = rest;
                }
                if b4 > 0 {
                    packet.adaptation.discontinuity = b5 & 0x80 != 0;
                    packet.adaptation.random_access = b5 & 0x40 != 0;
                }
                if b4 >= 7 && b5 & 0x10 != 0 {
                    packet.adaptation.pcr = bytes.get(6..12).and_then(read_pcr);
                }
            }
        }
        Some(packet)
    }
}

/// `base 33 | reserved 6 | extension 9`.
fn read_pcr(bytes: &[u8]) -> Option<u64> {
    let six: [u8; 6] = bytes.try_into().ok()?;
    let [a, b, c, d, e, f] = six.map(u64::from);
    let all = a << 40 | b << 32 | c << 24 | d << 16 | e << 8 | f;
    Some((all >> 15) * 300 + (all & 0x1FF).min(299))
}

/// The six bytes of a clock of 27 MHz.
pub(crate) const fn write_pcr(ticks: u64) -> [u8; 6] {
    let base = (ticks / 300) & 0x1_FFFF_FFFF;
    let [_, _, a, b, c, d, e, f] = ((base << 15) | (0x3F << 9) | (ticks % 300)).to_be_bytes();
    [a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(head: &[u8]) -> [u8; PACKET] {
        let mut bytes = [0xFF; PACKET];
        bytes[..head.len()].copy_from_slice(head);
        bytes
    }

    #[test]
    fn payload_only() {
        let bytes = packet(&[0x47, 0x41, 0x23, 0x9A, 1, 2, 3]);
        let read = Packet::parse(&bytes).unwrap();
        assert_eq!((read.pid, read.counter), (0x123, 10));
        assert!(read.starts && read.has_payload && read.scrambled && !read.error);
        assert_eq!((read.payload.len(), read.payload[0]), (184, 1));
    }

    #[test]
    fn adaptation_fields() {
        let bytes = packet(&[0x47, 0, 0x20, 0x35, 7, 0xD0, 0, 0, 0, 0, 0x80, 5]);
        let read = Packet::parse(&bytes).unwrap();
        assert!(read.adaptation.discontinuity && read.adaptation.random_access);
        assert_eq!(read.adaptation.pcr, Some(305));
        assert_eq!(read.payload.len(), 176);
        // 183 leaves no payload, 200 is a lie, 00 is reserved.
        let bytes = packet(&[0x47, 0, 0x20, 0x35, 183, 0]);
        assert_eq!(Packet::parse(&bytes).unwrap().payload, []);
        assert_eq!(Packet::parse(&packet(&[0x47, 0, 0x20, 0x35, 200])), None);
        assert_eq!(Packet::parse(&packet(&[0x47, 0, 0x20, 0x05])), None);
        // A clock that does not fit into the field.
        let bytes = packet(&[0x47, 0, 0x20, 0x35, 6, 0x10]);
        assert_eq!(Packet::parse(&bytes).unwrap().adaptation.pcr, None);
    }

    proptest! {
        #[test]
        fn clocks_survive(base in 0u64..1 << 33, extension in 0u64..300) {
            let ticks = base * 300 + extension;
            prop_assert_eq!(read_pcr(&write_pcr(ticks)), Some(ticks));
        }

        #[test]
        fn any_packet_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), PACKET)) {
            let bytes: [u8; PACKET] = bytes.try_into().unwrap();
            if let Some(read) = Packet::parse(&bytes) {
                prop_assert!(read.payload.len() <= 184);
            }
        }
    }
}
