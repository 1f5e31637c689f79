//! PES packets: the header that stands before an access unit (ISO/IEC 13818-1 §2.4.3.6, §2.4.3.7).

/// Ticks a second of presentation and decode times.
pub const PTS_HZ: u32 = 90_000;

/// The header of a PES packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PesHeader {
    /// `stream_id`.
    pub stream_id: u8,
    /// Bytes of payload that follow the header; `None` when the packet lasts until the next one begins.
    pub payload: Option<usize>,
    /// Presentation time in ticks of [`PTS_HZ`], modulo 2^33; `None` also when its marker bits are wrong.
    pub pts: Option<u64>,
    /// Decode time, likewise; `None` when it is the presentation time.
    pub dts: Option<u64>,
    /// `data_alignment_indicator`: an access unit begins with the payload.
    pub aligned: bool,
    /// `PES_scrambling_control` is not 0.
    pub scrambled: bool,
    /// Bytes of the header itself.
    pub length: usize,
}

/// What the first bytes of a PES packet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PesStart {
    /// A header.
    Header(PesHeader),
    /// The start of a header.
    More,
    /// A packet without the header that media has: padding, private stream 2, program stream map and the like.
    Other,
    /// No PES packet.
    Bad,
}

/// Reads the header that `data` begins with.
#[must_use]
pub fn read_header(data: &[u8]) -> PesStart {
    let (&[0, 0, 1, stream_id, l1, l0], rest) = (match data.split_first_chunk::<6>() {
        Some(split) => split,
        None if [0, 0, 1].starts_with(data.get(..3).unwrap_or(data)) => return PesStart::More,
        None => return PesStart::Bad,
    }) else {
        return PesStart::Bad;
    };
    match stream_id {
        0xBC | 0xBE | 0xBF | 0xF0..=0xF2 | 0xF8 | 0xFF => return PesStart::Other,
        0xBD | 0xC0..=0xFE => {}
        _ => return PesStart::Bad,
    }
    let Some((&[control, flags, fields], after)) = rest.split_first_chunk::<3>() else {
        return PesStart::More;
    };
    // Two bits of '10' that MPEG-1 does not have.
    if control & 0xC0 != 0x80 {
        return PesStart::Bad;
    }
    let Some(fields) = after.get(..usize::from(fields)) else {
        return PesStart::More;
    };
    let declared = usize::from(u16::from_be_bytes([l1, l0]));
    let payload = match declared {
        0 => None,
        n => match n.checked_sub(3 + fields.len()) {
            Some(left) => Some(left),
            None => return PesStart::Bad,
        },
    };
    let mut header = PesHeader {
        stream_id,
        payload,
        aligned: control & 4 != 0,
        scrambled: control & 0x30 != 0,
        length: 9 + fields.len(),
        ..PesHeader::default()
    };
    match flags >> 6 {
        2 => header.pts = fields.get(..5).and_then(|f| read_stamp(f, 2)),
        3 => {
            header.pts = fields.get(..5).and_then(|f| read_stamp(f, 3));
            header.dts = fields.get(5..10).and_then(|f| read_stamp(f, 1));
        }
        _ => {}
    }
    PesStart::Header(header)
}

/// `prefix 4 | bits 32..30 | 1 | bits 29..15 | 1 | bits 14..0 | 1`; nothing when a marker bit is wrong.
fn read_stamp(bytes: &[u8], prefix: u8) -> Option<u64> {
    let &[a, b, c, d, e] = bytes else { return None };
    if a >> 4 != prefix || a & c & e & 1 == 0 {
        return None;
    }
    let [a, b, c, d, e] = [a, b, c, d, e].map(u64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// The five bytes of a time in ticks of [`PTS_HZ`].
pub(crate) const fn write_stamp(ticks: u64, prefix: u8) -> [u8; 5] {
    [
        prefix << 4 | (ticks >> 29) as u8 & 0x0E | 1,
        (ticks >> 22) as u8,
        (ticks >> 14) as u8 | 1,
        (ticks >> 7) as u8,
        (ticks << 1) as u8 | 1,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers() {
        let mut bytes = vec![0, 0, 1, 0xE0, 0, 0, 0x84, 0xC0, 10];
        bytes.extend(write_stamp(0x1_2345_6789, 3));
        bytes.extend(write_stamp(0x1_2345_0000, 1));
        let PesStart::Header(h) = read_header(&bytes) else {
            panic!("a header")
        };
        assert_eq!((h.pts, h.dts), (Some(0x1_2345_6789), Some(0x1_2345_0000)));
        assert_eq!((h.payload, h.length), (None, 19));
        assert!(h.aligned && !h.scrambled);
        for cut in 0..bytes.len() {
            assert_eq!(read_header(&bytes[..cut]), PesStart::More, "{cut}");
        }
        // A marker bit that is wrong takes the time away and nothing else.
        bytes[13] &= 0xFE;
        let PesStart::Header(h) = read_header(&bytes) else {
            panic!("a header")
        };
        assert_eq!((h.pts, h.length), (None, 19));
    }

    #[test]
    fn lengths() {
        let of = |declared: u8, fields: u8| {
            let mut bytes = vec![0, 0, 1, 0xC0, 0, declared, 0x80, 0, fields];
            bytes.resize(9 + usize::from(fields), 0xFF);
            read_header(&bytes)
        };
        assert!(matches!(of(8, 5), PesStart::Header(h) if h.payload == Some(0)));
        assert!(matches!(of(20, 5), PesStart::Header(h) if h.payload == Some(12)));
        assert_eq!(of(7, 5), PesStart::Bad);
        assert_eq!(read_header(&[0, 0, 1, 0xBE, 0, 9]), PesStart::Other);
        assert_eq!(read_header(&[0, 0, 2]), PesStart::Bad);
        assert_eq!(
            read_header(&[0, 0, 1, 0xC0, 0, 9, 0x40, 0, 0]),
            PesStart::Bad
        );
    }

    proptest! {
        #[test]
        fn stamps_survive(ticks in 0u64..1 << 33, prefix in 1u8..4) {
            prop_assert_eq!(read_stamp(&write_stamp(ticks, prefix), prefix), Some(ticks));
        }

        #[test]
        fn any_bytes(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut data = data;
            let _ = read_header(&data);
            data.splice(..0, [0, 0, 1, 0xE0]);
            if let PesStart::Header(h) = read_header(&data) {
                prop_assert!(h.length <= data.len());
            }
        }
    }
}
