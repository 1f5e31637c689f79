//! NAL units in a row: Annex B start codes, length prefixes, and the way from one to the other.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{Error, Result};

const WHAT: &str = "access unit";

/// The NAL units of a byte stream with start codes (ISO/IEC 14496-10 and 23008-2, Annex B), without the start codes and
/// without `trailing_zero_8bits`. Bytes before the first start code and empty units are passed over.
#[must_use]
pub fn annex_b(data: &[u8]) -> AnnexB<'_> {
    let rest = start_code(data).and_then(|(_, after)| data.get(after..));
    AnnexB { rest }
}

/// The NAL units of an access unit in which each is preceded by its length in `length_size` bytes (1 to 4, big-endian;
/// ISO/IEC 14496-15 §4.3.3). Units of length 0 are passed over; a length past the end is one error, and the end.
#[must_use]
pub const fn length_prefixed(data: &[u8], length_size: usize) -> LengthPrefixed<'_> {
    LengthPrefixed {
        rest: data,
        length_size,
    }
}

/// True when the bytes begin like Annex B: `00 00 01` or `00 00 00 01`. A 4-byte prefix of exactly 1 would look the
/// same, but no unit of one byte begins an access unit.
#[must_use]
pub fn looks_like_annex_b(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// Annex B to the form of the bus: 4-byte length prefixes. Copies, since prefixes and start codes differ in size.
#[must_use]
pub fn annex_b_to_length_prefixed(data: &[u8]) -> Bytes {
    join(annex_b(data))
}

/// Length prefixes of `length_size` bytes to Annex B with 4-byte start codes. Copies.
///
/// # Errors
/// When a length runs past the end.
pub fn length_prefixed_to_annex_b(data: &[u8], length_size: usize) -> Result<Bytes> {
    let mut out = BytesMut::with_capacity(data.len().saturating_add(64));
    for unit in length_prefixed(data, length_size) {
        out.put_slice(&[0, 0, 0, 1]);
        out.put_slice(unit?);
    }
    Ok(out.freeze())
}

/// To the form of the bus from prefixes of `length_size` bytes. The same `Bytes` come back when they have 4-byte
/// prefixes already; other sizes are copied. The lengths are checked in both cases.
///
/// # Errors
/// When `length_size` is not 1, 2, 3 or 4, or a length runs past the end.
pub fn to_four_byte(payload: Bytes, length_size: usize) -> Result<Bytes> {
    if length_size == 4 {
        for unit in length_prefixed(&payload, 4) {
            unit?;
        }
        return Ok(payload);
    }
    let mut out = BytesMut::with_capacity(payload.len().saturating_add(64));
    for unit in length_prefixed(&payload, length_size) {
        put_unit(&mut out, unit?);
    }
    Ok(out.freeze())
}

/// Writes units one after the other with 4-byte length prefixes; empty ones are left out.
pub fn join<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let mut out = BytesMut::new();
    for unit in units {
        put_unit(&mut out, unit);
    }
    out.freeze()
}

/// The payload bits of a NAL unit: emulation prevention bytes taken out (§7.3.1.1). Borrowed when there are none.
#[must_use]
pub fn unescape_rbsp(unit: &[u8]) -> Cow<'_, [u8]> {
    if !unit.windows(3).any(|w| w == [0, 0, 3]) {
        return Cow::Borrowed(unit);
    }
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0_u8;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 {
            zeros.saturating_add(1)
        } else {
            0
        };
        out.push(byte);
    }
    Cow::Owned(out)
}

/// Puts emulation prevention bytes in (§7.4.1.1), also after final zeros.
#[must_use]
pub fn escape_rbsp(rbsp: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rbsp.len().saturating_add(8));
    let mut zeros = 0_u8;
    for &byte in rbsp {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 {
            zeros.saturating_add(1)
        } else {
            0
        };
        out.push(byte);
    }
    if zeros >= 2 {
        out.push(3);
    }
    out
}

/// See [`annex_b`].
#[derive(Clone, Debug)]
pub struct AnnexB<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for AnnexB<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest?;
            let (unit, after) = match start_code(rest) {
                Some((at, after)) => (rest.get(..at)?, rest.get(after..)),
                None => (rest, None),
            };
            self.rest = after;
            let length = unit
                .iter()
                .rposition(|&b| b != 0)
                .map_or(0, |last| last + 1);
            if length > 0 {
                return unit.get(..length);
            }
        }
    }
}

/// See [`length_prefixed`].
#[derive(Clone, Debug)]
pub struct LengthPrefixed<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> Iterator for LengthPrefixed<'a> {
    type Item = Result<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match split_unit(self.rest, self.length_size) {
                Ok((unit, rest)) => {
                    self.rest = rest;
                    if !unit.is_empty() {
                        return Some(Ok(unit));
                    }
                }
                Err(error) => {
                    self.rest = &[];
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

fn split_unit(data: &[u8], length_size: usize) -> Result<(&[u8], &[u8])> {
    if !(1..=4).contains(&length_size) {
        return Err(Error::invalid(WHAT, "length size must be 1 to 4"));
    }
    let (prefix, rest) = data
        .split_at_checked(length_size)
        .ok_or(Error::Truncated { what: WHAT })?;
    let length = prefix
        .iter()
        .fold(0_usize, |n, &b| (n << 8) | usize::from(b));
    rest.split_at_checked(length)
        .ok_or(Error::invalid(WHAT, "NAL unit length runs past the end"))
}

fn put_unit(out: &mut BytesMut, unit: &[u8]) {
    if let (Ok(length), false) = (u32::try_from(unit.len()), unit.is_empty()) {
        out.put_u32(length);
        out.put_slice(unit);
    }
}

/// Where the next `00 00 01` begins, and where it ends.
fn start_code(data: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0_usize;
    // The third byte decides how far the search may jump.
    while let Some(&third) = data.get(at.checked_add(2)?) {
        match third {
            0 => at += 1,
            1 => {
                if data.get(at) == Some(&0) && data.get(at + 1) == Some(&0) {
                    return Some((at, at + 3));
                }
                at += 3;
            }
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units(data: &[u8]) -> Vec<Vec<u8>> {
        annex_b(data).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn splits_start_codes_of_both_sizes() {
        let data = [
            9, 9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 0, 0, 0, 0, 1, 0x65, 0, 0,
        ];
        assert_eq!(units(&data), [vec![0x67, 1], vec![0x68], vec![0x65]]);
        assert!(units(&[]).is_empty());
        assert!(units(&[1, 2, 3]).is_empty());
        assert!(units(&[0, 0, 1]).is_empty());
        assert!(units(&[0, 0, 1, 0, 0, 1]).is_empty());
    }

    #[test]
    fn every_length_size_becomes_four() {
        let four = join([&[0x65, 1, 2][..], &[0x06]]);
        for (size, bytes) in [
            (1, &b"\x03\x65\x01\x02\x00\x01\x06"[..]),
            (2, b"\x00\x03\x65\x01\x02\x00\x01\x06"),
            (3, b"\x00\x00\x03\x65\x01\x02\x00\x00\x01\x06"),
        ] {
            assert_eq!(
                to_four_byte(Bytes::copy_from_slice(bytes), size).unwrap(),
                four
            );
        }
        let same = to_four_byte(four.clone(), 4).unwrap();
        assert_eq!(same.as_ptr(), four.as_ptr());
        assert!(to_four_byte(four.clone(), 0).is_err());
        assert!(to_four_byte(four, 5).is_err());
    }

    #[test]
    fn a_length_past_the_end_is_one_error() {
        let data = [0xFF, 0xFF, 0xFF, 0xFF, 0x65];
        let read: Vec<_> = length_prefixed(&data, 4).collect();
        assert_eq!(read.len(), 1);
        assert!(read[0].is_err());
        assert!(to_four_byte(Bytes::copy_from_slice(&data), 4).is_err());
        assert!(to_four_byte(Bytes::from_static(&[0, 0, 1]), 4).is_err());
    }

    proptest! {
        #[test]
        fn rbsp_survives(rbsp in proptest::collection::vec(0u8..5, 0..200)) {
            let escaped = escape_rbsp(&rbsp);
            prop_assert!(!escaped.windows(3).any(|w| w[0] == 0 && w[1] == 0 && w[2] < 3));
            prop_assert_eq!(unescape_rbsp(&escaped).into_owned(), rbsp);
        }

        #[test]
        fn both_forms_agree(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8)) {
            let parts: Vec<Vec<u8>> = parts.iter().map(|p| {
                let mut unit = vec![0x65];
                unit.extend(escape_rbsp(p));
                unit.push(0x80);
                unit
            }).collect();
            let prefixed = join(parts.iter().map(Vec::as_slice));
            let annexb = length_prefixed_to_annex_b(&prefixed, 4).unwrap();
            prop_assert_eq!(annex_b_to_length_prefixed(&annexb), prefixed.clone());
            let back: Vec<Vec<u8>> = length_prefixed(&prefixed, 4).map(|u| u.unwrap().to_vec()).collect();
            prop_assert_eq!(back, parts);
        }

        #[test]
        fn any_bytes_split_without_panic(data in proptest::collection::vec(0u8..4, 0..200), size in 0usize..9) {
            let mut total = 0;
            for unit in annex_b(&data) { total += unit.len(); }
            prop_assert!(total <= data.len());
            for unit in length_prefixed(&data, size) { let _ = unit; }
        }
    }
}
