//! AV1 from PES packets: OBUs behind start codes ("Carriage of AV1 in MPEG-2 TS" §3) or in the low-overhead form, which
//! senders use too.

use bitstream::av1::{self, obu_type};
use bitstream::nal;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A temporal unit in the form of the bus: low-overhead OBUs with sizes, without temporal delimiters.
pub(super) fn temporal_unit(data: Bytes) -> bitstream::Result<Bytes> {
    if data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1]) {
        return Ok(from_start_codes(&data));
    }
    let mut data = data;
    // The usual case: one delimiter, in front, and the rest is as the bus wants it.
    while data.starts_with(&[0x12, 0]) {
        data.advance(2);
    }
    let mut plain = true;
    for obu in av1::obus(&data) {
        let obu = obu?;
        plain &= obu.kind != obu_type::TEMPORAL_DELIMITER && has_size(obu.bytes);
    }
    if plain {
        return Ok(data);
    }
    let mut out = BytesMut::with_capacity(data.len() + 8);
    for obu in av1::obus(&data) {
        put(&mut out, obu?.bytes);
    }
    Ok(out.freeze())
}

/// Copies, since emulation prevention bytes have to go.
fn from_start_codes(data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 8);
    for unit in nal::annex_b(data) {
        let unit = nal::unescape_rbsp(unit);
        put(&mut out, &unit);
        // Zeros at the end of an OBU look like the zeros before a start code; the OBU's size knows better.
        let missing = declared(&unit).unwrap_or(0).saturating_sub(unit.len());
        if missing <= MOST_ZEROS && !is_delimiter(&unit) {
            out.put_bytes(0, missing);
        }
    }
    out.freeze()
}

/// More zeros than this at the end of an OBU are not believed.
const MOST_ZEROS: usize = 64;

fn is_delimiter(obu: &[u8]) -> bool {
    obu.first()
        .is_some_and(|b| (b >> 3) & 15 == obu_type::TEMPORAL_DELIMITER)
}

/// Bytes of an OBU as its size field tells.
fn declared(obu: &[u8]) -> Option<usize> {
    let &head = obu.first().filter(|_| has_size(obu))?;
    let header = if head & 4 != 0 { 2 } else { 1 };
    let (size, taken) = av1::leb128(obu.get(header..)?).ok()?;
    (size as usize).checked_add(header + taken)
}

fn has_size(obu: &[u8]) -> bool {
    obu.first().is_some_and(|b| b & 2 != 0)
}

/// Appends an OBU, with a size if it has none. Delimiters are left out.
fn put(out: &mut BytesMut, obu: &[u8]) {
    let Some(&head) = obu.first().filter(|_| !is_delimiter(obu)) else {
        return;
    };
    if has_size(obu) {
        out.put_slice(obu);
        return;
    }
    let header = if head & 4 != 0 { 2 } else { 1 };
    let Some((header, payload)) = obu.split_at_checked(header) else {
        return;
    };
    out.put_u8(head | 2);
    out.put_slice(header.get(1..).unwrap_or_default());
    let mut size = payload.len();
    while size > 0x7F {
        out.put_u8(size as u8 | 0x80);
        size >>= 7;
    }
    out.put_u8(size as u8);
    out.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let low = Bytes::from_static(&[0x12, 0, 0x0A, 2, 7, 7, 0x32, 3, 0, 1, 0]);
        let want = &low[2..];
        assert_eq!(temporal_unit(low.clone()).unwrap(), want);
        let coded = Bytes::from_static(&[
            0, 0, 1, 0x12, 0, 0, 0, 1, 0x0A, 2, 7, 7, 0, 0, 1, 0x32, 3, 0, 1, 0,
        ]);
        // The delimiter's size and the last byte are taken for zeros before a start code.
        assert_eq!(temporal_unit(coded).unwrap(), want);
        // The last OBU without a size.
        let open = Bytes::from_static(&[0x12, 0, 0x0A, 2, 7, 7, 0x30, 0, 1, 0]);
        assert_eq!(temporal_unit(open).unwrap(), want);
        assert!(temporal_unit(Bytes::from_static(&[0x0A, 9, 1])).is_err());
    }
}
