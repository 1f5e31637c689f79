//! Timed metadata: KLV and ID3 in PES packets.

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::StreamKind;

/// The frames of a payload. Synchronous KLV comes in metadata access unit cells (ISO/IEC 13818-1 §2.12.4.2), everything
/// else as it is.
///
/// ```text
/// +------------+-----------------+----+---+---+---------+--------------+---------
/// | service  8 | sequence number |frag|dcf|raf| reserved| length    16 | bytes …
/// +------------+-----------------+----+---+---+---------+--------------+---------
/// ```
pub(super) fn metadata_units(kind: StreamKind, payload: &Bytes) -> SmallVec<[Bytes; 2]> {
    let mut units = SmallVec::new();
    // Some senders put ID3 into cells too.
    let in_cells =
        kind == StreamKind::Id3 && payload.get(5..).is_some_and(|p| p.starts_with(b"ID3"));
    if kind != StreamKind::KlvSync && !in_cells {
        units.extend((!payload.is_empty()).then(|| payload.clone()));
        return units;
    }
    let mut rest = payload.clone();
    while let Some(&[_, _, _, high, low]) = rest.first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if rest.len() < 5 + length {
            break;
        }
        rest.advance(5);
        units.push(rest.split_to(length));
    }
    // Senders that leave the cells out: a KLV packet begins with SMPTE's universal label.
    if units.is_empty() && payload.starts_with(&[0x06, 0x0E, 0x2B, 0x34]) {
        units.push(payload.clone());
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let cells = Bytes::from_static(&[
            0, 1, 0xDF, 0, 2, 7, 8, 0, 2, 0xDF, 0, 1, 9, 0, 3, 0xDF, 0, 9,
        ]);
        let units = metadata_units(StreamKind::KlvSync, &cells);
        assert_eq!(
            units[..],
            [Bytes::from_static(&[7, 8]), Bytes::from_static(&[9])]
        );
        let plain = Bytes::from_static(&[0x06, 0x0E, 0x2B, 0x34, 1]);
        for kind in [StreamKind::KlvAsync, StreamKind::KlvSync] {
            let units = metadata_units(kind, &plain);
            assert_eq!((units.len(), &units[0]), (1, &plain));
        }
    }
}
