//! Codec configurations: the form on the wire to the ISO records the bus carries, and back.

use bitstream::opus;
use bytes::{BufMut, Bytes, BytesMut};
use core_frame::CodecId;

use crate::{Error, error::Result};

/// Longest configuration record that is kept; real ones are below 1 KiB.
const MAX: usize = 64 * 1024;

/// A configuration as `bitstream::describe` takes it.
pub(crate) struct Record {
    /// The ISO record.
    pub(crate) config: Bytes,
    /// Bytes of a NAL unit's length in the sender's access units; 4 where there are no NAL units.
    pub(crate) length_size: usize,
}

/// The record of a sequence start. An empty body gives an empty record.
///
/// The record is copied out of the message, so that the few bytes do not keep a message of a multitrack sender alive.
pub(crate) fn from_wire(codec: CodecId, body: &[u8]) -> Result<Record> {
    if body.len() > MAX {
        return Err(Error::Limit("codec configuration record"));
    }
    let plain = |config| Record {
        config,
        length_size: 4,
    };
    match codec {
        CodecId::H264 => Ok(nal_record(body, 4, 0)),
        CodecId::H265 => Ok(nal_record(body, 21, 0)),
        CodecId::H266 => Ok(nal_record(body, 0, 1)),
        // The version and flags of the box come along with some senders.
        CodecId::Vp8 | CodecId::Vp9 => Ok(plain(Bytes::copy_from_slice(
            body.strip_prefix(&[1, 0, 0, 0]).unwrap_or(body),
        ))),
        // Each frame of these tells all there is; what a sender puts here is no record anyone agreed on.
        CodecId::Ac3 | CodecId::Eac3 | CodecId::Mp3 => Ok(plain(Bytes::new())),
        _ => Ok(plain(Bytes::copy_from_slice(body))),
    }
}

/// The body of a sequence start after the FourCC.
pub(crate) fn put_wire(codec: CodecId, config: &[u8], out: &mut BytesMut) {
    match codec {
        CodecId::Vp8 | CodecId::Vp9 if !config.is_empty() => {
            out.put_slice(&[1, 0, 0, 0]);
            out.put_slice(config);
        }
        // Without a record receivers assume mono or stereo.
        CodecId::Opus => {
            if let Ok(head) = opus::Head::parse(&Bytes::copy_from_slice(config)) {
                out.put_slice(&head.write_opus_head());
            }
        }
        CodecId::Ac3 | CodecId::Eac3 | CodecId::Mp3 => {}
        CodecId::Flac if !config.is_empty() => {
            out.put_slice(b"fLaC");
            out.put_slice(config);
        }
        _ => out.put_slice(config),
    }
}

/// A record with `lengthSizeMinusOne` in the byte at `at`, `shift` bits from its low end: rewritten to 4-byte lengths.
fn nal_record(body: &[u8], at: usize, shift: u32) -> Record {
    let mut config = BytesMut::from(body);
    let mut length_size = 4;
    if let Some(byte) = config.get_mut(at) {
        length_size = usize::from(*byte >> shift & 3) + 1;
        *byte |= 3 << shift;
    }
    Record {
        config: config.freeze(),
        length_size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_head_goes_out() {
        let mut out = BytesMut::new();
        put_wire(
            CodecId::Opus,
            &[0, 2, 0x01, 0x38, 0, 0, 0xBB, 0x80, 0, 1, 0],
            &mut out,
        );
        assert_eq!(out[..], b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\x01\0\0"[..]);
    }

    #[test]
    fn codecs_without_a_record_on_the_wire_have_none() {
        for codec in [CodecId::Ac3, CodecId::Eac3, CodecId::Mp3] {
            let mut out = BytesMut::new();
            put_wire(codec, &[0x10, 0x3D, 0xE0], &mut out);
            assert!(out.is_empty(), "{codec}");
            let record = from_wire(codec, &[0x10, 0x3D, 0xE0]).unwrap();
            assert!(record.config.is_empty(), "{codec}");
        }
    }

    #[test]
    fn lengths_become_four_bytes() {
        let two = from_wire(CodecId::H264, &[1, 100, 0, 31, 0xFD, 0xE1]).unwrap();
        assert_eq!((two.length_size, two.config[4]), (2, 0xFF));
        let four = from_wire(CodecId::H264, &[1, 100, 0, 31, 0xFF]).unwrap();
        assert_eq!((four.length_size, four.config[4]), (4, 0xFF));
        // Too short to tell: left to the record's own parser.
        assert_eq!(from_wire(CodecId::H265, &[1]).unwrap().length_size, 4);
    }

    #[test]
    fn big_records_are_refused() {
        assert!(from_wire(CodecId::Av1, &vec![0; MAX + 1]).is_err());
    }
}
