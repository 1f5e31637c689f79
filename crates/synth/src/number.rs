//! The number a frame carries in its payload: an SEI message in H.264, a data stream element in AAC.

use core_frame::{CodecId, MediaFrame, WallTime};

/// What a numbered frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Counts up by one per frame of a track, in decode order, from 0.
    pub n: u64,
    /// When it was published, as told to [`crate::Source::stamp`].
    pub wall: Option<WallTime>,
}

/// Reads the number out of a payload made by [`crate::Source`], whatever container it went through, in length-prefixed or
/// Annex B form. `None` for foreign media.
#[must_use]
pub fn read_number(frame: &MediaFrame) -> Option<Number> {
    read_number_in(frame.codec, &frame.payload)
}

/// [`read_number`] over a bare payload.
#[must_use]
pub fn read_number_in(codec: CodecId, payload: &[u8]) -> Option<Number> {
    let head = payload.get(..payload.len().min(SEARCH))?;
    let fields = match codec {
        CodecId::H264 => after(head, &UUID)?,
        CodecId::Aac => after(head, &DSE_MARK)?,
        _ => return None,
    };
    let n = get7(fields.get(..10)?);
    let wall = get7(fields.get(10..20)?);
    Some(Number {
        n,
        wall: (wall != 0).then(|| WallTime::from_unix_nanos(i128::from(wall))),
    })
}

/// Marks our SEI user data (no zero byte, so that emulation prevention never touches it).
pub(crate) const UUID: [u8; 16] =
    *b"\x6d\x69\x6c\x6c\x73\x74\x4e\x9d\xa7\x65\x61\x6d\x6e\x75\x6d\x31";
/// Marks our data stream element.
pub(crate) const DSE_MARK: [u8; 6] = *b"mstnum";

/// How far into a payload the mark is looked for: parameter sets and delimiters may have been put before it.
const SEARCH: usize = 4_096;

/// Number and wall clock (Unix nanoseconds, 0 = none), 7 bits a byte with the top bit set: never a zero byte.
pub(crate) fn fields(n: u64, wall: u64) -> [u8; 20] {
    let mut out = [0; 20];
    let (a, b) = out.split_at_mut(10);
    put7(a, n);
    put7(b, wall);
    out
}

fn put7(out: &mut [u8], mut value: u64) {
    for byte in out.iter_mut().rev() {
        *byte = 0x80 | (value & 0x7F) as u8;
        value >>= 7;
    }
}

fn get7(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7F))
}

fn after<'a>(head: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = head.windows(mark.len()).position(|w| w == mark)?;
    head.get(at + mark.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives() {
        for n in [0, 1, 127, 128, 1 << 40, u64::MAX] {
            let f = fields(n, u64::MAX - n);
            assert!(f.iter().all(|b| b & 0x80 != 0));
            assert_eq!((get7(&f[..10]), get7(&f[10..])), (n, u64::MAX - n));
        }
    }

    #[test]
    fn foreign_and_cut_payloads_have_none() {
        assert_eq!(read_number_in(CodecId::H264, b""), None);
        assert_eq!(read_number_in(CodecId::H264, &UUID), None);
        assert_eq!(read_number_in(CodecId::Vp9, &UUID), None);
    }
}
