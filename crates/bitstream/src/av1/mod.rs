//! AV1: open bitstream units, and marks of temporal units (AV1 Bitstream & Decoding Process Specification).

mod av1c;
mod frame;
mod sequence;

pub use av1c::Av1Config;
pub use frame::{FrameHeader, FrameType};
pub use sequence::{ColorConfig, OperatingPoint, SequenceHeader};

use core_frame::FrameFlags;

use crate::error::{Error, Result};

const WHAT: &str = "AV1 OBU";

/// `obu_type` (§6.2.2).
pub mod obu_type {
    /// Sequence header.
    pub const SEQUENCE_HEADER: u8 = 1;
    /// Temporal delimiter.
    pub const TEMPORAL_DELIMITER: u8 = 2;
    /// Frame header.
    pub const FRAME_HEADER: u8 = 3;
    /// Tile group.
    pub const TILE_GROUP: u8 = 4;
    /// Metadata.
    pub const METADATA: u8 = 5;
    /// Frame header and tile group in one.
    pub const FRAME: u8 = 6;
    /// Frame header once more.
    pub const REDUNDANT_FRAME_HEADER: u8 = 7;
    /// Tile list.
    pub const TILE_LIST: u8 = 8;
    /// Padding.
    pub const PADDING: u8 = 15;
}

/// An open bitstream unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obu<'a> {
    /// `obu_type`.
    pub kind: u8,
    /// `temporal_id`.
    pub temporal_id: u8,
    /// `spatial_id`.
    pub spatial_id: u8,
    /// What follows header and size.
    pub payload: &'a [u8],
    /// The whole unit, header included.
    pub bytes: &'a [u8],
}

/// The units of a temporal unit in the low-overhead format (§5.2). The last one may come without a size. Anything
/// that is no unit is one error, and the end.
#[must_use]
pub const fn obus(data: &[u8]) -> Obus<'_> {
    Obus { rest: data }
}

/// See [`obus`].
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split_obu(self.rest) {
            Ok((obu, rest)) => {
                self.rest = rest;
                Some(Ok(obu))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// A number in little-endian groups of seven bits (§4.10.5), and the bytes it took (at most 8).
///
/// # Errors
/// When it ends early, is longer than 8 bytes or exceeds 32 bits.
pub fn leb128(data: &[u8]) -> Result<(u32, usize)> {
    let mut value = 0_u64;
    for (at, &byte) in data.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7F) << (at * 7);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value)
                .map_err(|_| Error::invalid(WHAT, "leb128 value exceeds 32 bits"))?;
            return Ok((value, at + 1));
        }
    }
    if data.len() >= 8 {
        return Err(Error::invalid(WHAT, "leb128 longer than 8 bytes"));
    }
    Err(Error::Truncated { what: WHAT })
}

fn split_obu(data: &[u8]) -> Result<(Obu<'_>, &[u8])> {
    let truncated = Error::Truncated { what: WHAT };
    let (&head, after) = data.split_first().ok_or(truncated)?;
    if head & 0x80 != 0 {
        return Err(Error::invalid(WHAT, "forbidden bit set"));
    }
    let (mut temporal_id, mut spatial_id, mut rest) = (0, 0, after);
    if head & 4 != 0 {
        let (&extension, after) = rest.split_first().ok_or(truncated)?;
        temporal_id = extension >> 5;
        spatial_id = (extension >> 3) & 3;
        rest = after;
    }
    let mut payload = rest;
    let mut next: &[u8] = &[];
    if head & 2 != 0 {
        let (size, taken) = leb128(rest)?;
        let body = rest.get(taken..).ok_or(truncated)?;
        (payload, next) = body
            .split_at_checked(size as usize)
            .ok_or(Error::invalid(WHAT, "size runs past the end"))?;
    }
    let length = data.len() - next.len();
    let bytes = data.get(..length).ok_or(truncated)?;
    let obu = Obu {
        kind: (head >> 3) & 15,
        temporal_id,
        spatial_id,
        payload,
        bytes,
    };
    Ok((obu, next))
}

/// Marks of a temporal unit. Its own sequence header is used where there is one, else `known`; without either a frame
/// is never taken for disposable. Key: the first frame is a key frame that is shown.
pub(crate) fn classify(unit: &[u8], known: Option<&SequenceHeader>) -> FrameFlags {
    let mut flags = FrameFlags::empty();
    let mut own = None;
    let (mut frames, mut refreshing) = (false, false);
    for obu in obus(unit).map_while(Result::ok) {
        match obu.kind {
            obu_type::SEQUENCE_HEADER => {
                own = SequenceHeader::parse(obu.payload).ok();
                flags |= FrameFlags::IN_BAND_PARAMS;
            }
            obu_type::FRAME_HEADER | obu_type::FRAME => {
                let sequence = own.as_ref().or(known);
                let Ok(header) =
                    FrameHeader::parse(obu.payload, sequence, obu.temporal_id, obu.spatial_id)
                else {
                    refreshing = true;
                    continue;
                };
                if !frames
                    && header.kind == FrameType::Key
                    && header.shown
                    && !header.shows_existing
                {
                    flags |= FrameFlags::KEY;
                }
                frames = true;
                refreshing |= header.refresh_frame_flags != Some(0);
            }
            _ => {}
        }
    }
    if frames && !refreshing {
        flags |= FrameFlags::DISPOSABLE;
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(leb128(&[0xE5, 0x8E, 0x26]), Ok((624_485, 3)));
        assert!(leb128(&[0x80; 9]).is_err());
        assert!(leb128(&[0x80; 3]).is_err());
        assert!(leb128(&[0xFF, 0xFF, 0xFF, 0xFF, 0x7F]).is_err());
        assert!(leb128(&[]).is_err());
    }

    #[test]
    fn units_in_a_row() {
        let data = [0x12, 0, 0x0E, 0x28, 1, 9, 0x20, 7, 7];
        let read: Vec<_> = obus(&data)
            .map(|o| o.map(|o| (o.kind, o.temporal_id, o.spatial_id, o.payload.len())))
            .collect();
        assert_eq!(read, [Ok((2, 0, 0, 0)), Ok((1, 1, 1, 1)), Ok((4, 0, 0, 2))]);
        assert!(obus(&[0x0A, 5, 1]).next().unwrap().is_err());
        assert!(obus(&[0x8A]).next().unwrap().is_err());
        assert_eq!(obus(&[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]).count(), 1);
    }
}
