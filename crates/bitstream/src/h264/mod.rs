//! H.264: NAL unit headers, slice types and marks of access units (ISO/IEC 14496-10).

mod avcc;
mod pps;
mod sps;

pub use avcc::AvcConfig;
pub use pps::Pps;
pub use sps::{Sps, Vui};

use bytes::Bytes;
use core_frame::FrameFlags;

use crate::bits::BitReader;
use crate::nal::length_prefixed;
use crate::sei;

/// `nal_unit_type` (Table 7-1).
pub mod nal_type {
    /// Coded slice of a picture that is no IDR picture.
    pub const SLICE: u8 = 1;
    /// Slice data partition A.
    pub const PARTITION_A: u8 = 2;
    /// Slice data partition C.
    pub const PARTITION_C: u8 = 4;
    /// Coded slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// End of sequence.
    pub const END_OF_SEQUENCE: u8 = 10;
    /// End of stream.
    pub const END_OF_STREAM: u8 = 11;
    /// Filler data.
    pub const FILLER: u8 = 12;
    /// Sequence parameter set extension.
    pub const SPS_EXTENSION: u8 = 13;
}

/// What a slice may predict from (Table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SliceType {
    /// From earlier pictures.
    P,
    /// From two pictures.
    B,
    /// From its own picture.
    I,
    /// Switching P.
    Sp,
    /// Switching I.
    Si,
}

impl SliceType {
    /// True for slices that need no other picture.
    #[must_use]
    pub const fn is_intra(self) -> bool {
        matches!(self, Self::I | Self::Si)
    }
}

/// `nal_unit_type` of a unit; 0 for an empty one.
#[must_use]
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |b| b & 0x1F)
}

/// `nal_ref_idc` of a unit: 0 when no other picture refers to it.
#[must_use]
pub fn ref_idc(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |b| (b >> 5) & 3)
}

/// True for units that carry slices (types 1 to 5).
#[must_use]
pub const fn is_slice(unit_type: u8) -> bool {
    matches!(unit_type, nal_type::SLICE..=nal_type::IDR)
}

/// `slice_type` of a slice NAL unit (§7.3.3); nothing for other units and for damaged headers. Needs no parameter set.
#[must_use]
pub fn slice_type(unit: &[u8]) -> Option<SliceType> {
    let mut reader = slice_header(unit)?;
    reader.ue().ok()?; // first_mb_in_slice
    match reader.ue().ok()? {
        0 | 5 => Some(SliceType::P),
        1 | 6 => Some(SliceType::B),
        2 | 7 => Some(SliceType::I),
        3 | 8 => Some(SliceType::Sp),
        4 | 9 => Some(SliceType::Si),
        _ => None,
    }
}

/// True when a slice NAL unit is the first of its picture (`first_mb_in_slice` is 0), which without arbitrary slice
/// order is where an access unit of a byte stream turns into the next.
#[must_use]
pub fn is_first_slice(unit: &[u8]) -> bool {
    slice_header(unit).is_some_and(|mut r| r.ue() == Ok(0))
}

/// True when this unit, coming after a slice, begins a new access unit (§7.4.1.2.3, without comparing frame numbers: a
/// slice begins one when its `first_mb_in_slice` is 0).
#[must_use]
pub fn begins_access_unit(unit: &[u8]) -> bool {
    match unit_type(unit) {
        nal_type::SEI | nal_type::SPS | nal_type::PPS | nal_type::AUD | 14..=18 => true,
        nal_type::SLICE | nal_type::PARTITION_A | nal_type::IDR => is_first_slice(unit),
        _ => false,
    }
}

/// What a picture as a whole may predict from: B when any slice is B, P when any is P, else I. Nothing without slices.
#[must_use]
pub fn picture_type(access_unit: &[u8]) -> Option<SliceType> {
    let mut found = None;
    for unit in length_prefixed(access_unit, 4).map_while(Result::ok) {
        match slice_type(unit) {
            Some(SliceType::B) => return Some(SliceType::B),
            Some(kind) if !kind.is_intra() || found.is_none() => found = Some(kind),
            _ => {}
        }
    }
    found
}

/// `recovery_frame_cnt` of a recovery point message in an SEI unit (§D.1.8): how many pictures after this one are
/// correct again. 0 for an intra picture at which an open GOP begins.
#[must_use]
pub fn recovery_frames(unit: &[u8]) -> Option<u32> {
    if unit_type(unit) != nal_type::SEI {
        return None;
    }
    sei::messages(unit, 1)
        .find(|m| m.kind == sei::RECOVERY_POINT)
        .and_then(|m| m.reader().ue().ok())
}

/// An SEI NAL unit with one `user_data_unregistered` message (§D.1.7), without start code or length.
#[must_use]
pub fn write_user_data_unregistered(uuid: &[u8; 16], data: &[u8]) -> Bytes {
    sei::write_user_data(&[nal_type::SEI], uuid, data).into()
}

/// The data behind `uuid` in the first such `user_data_unregistered` message of an access unit in bus form.
#[must_use]
pub fn find_user_data_unregistered(access_unit: &[u8], uuid: &[u8; 16]) -> Option<Vec<u8>> {
    length_prefixed(access_unit, 4)
        .map_while(Result::ok)
        .filter(|unit| unit_type(unit) == nal_type::SEI)
        .find_map(|unit| sei::user_data(unit, 1, uuid))
}

/// Marks of an access unit with 4-byte length prefixes. A length past the end ends the walk.
pub(crate) fn classify(access_unit: &[u8]) -> FrameFlags {
    let mut flags = FrameFlags::empty();
    let (mut slices, mut referred) = (false, false);
    for unit in length_prefixed(access_unit, 4).map_while(Result::ok) {
        match unit_type(unit) {
            kind if is_slice(kind) => {
                slices = true;
                referred |= ref_idc(unit) != 0;
                if kind == nal_type::IDR {
                    flags |= FrameFlags::KEY;
                }
            }
            nal_type::SPS | nal_type::PPS | nal_type::SPS_EXTENSION | 15 => {
                flags |= FrameFlags::IN_BAND_PARAMS;
            }
            nal_type::SEI if recovery_frames(unit).is_some() => {
                flags |= FrameFlags::RECOVERY_POINT;
            }
            _ => {}
        }
    }
    if slices && !referred && !flags.contains(FrameFlags::KEY) {
        flags |= FrameFlags::DISPOSABLE;
    }
    flags
}

fn slice_header(unit: &[u8]) -> Option<BitReader<'_>> {
    matches!(
        unit_type(unit),
        nal_type::SLICE | nal_type::PARTITION_A | nal_type::IDR
    )
    .then(|| BitReader::rbsp(unit.get(1..).unwrap_or_default(), "slice header"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nal::join;

    /// A slice: first_mb 0, slice_type as given.
    fn slice(header: u8, kind: u32) -> Vec<u8> {
        let mut w = crate::bits::BitWriter::new();
        w.ue(0);
        w.ue(kind);
        w.ue(0);
        let mut unit = vec![header];
        unit.extend(w.finish());
        unit
    }

    #[test]
    fn marks() {
        let of = |units: &[Vec<u8>]| classify(&join(units.iter().map(Vec::as_slice)));
        assert_eq!(of(&[slice(0x65, 7)]), FrameFlags::KEY);
        assert_eq!(of(&[slice(0x41, 5)]), FrameFlags::empty());
        assert_eq!(of(&[slice(0x01, 6)]), FrameFlags::DISPOSABLE);
        assert_eq!(of(&[slice(0x01, 6), slice(0x21, 6)]), FrameFlags::empty());
        assert_eq!(
            of(&[vec![0x67, 1], vec![0x68, 1], slice(0x65, 7)]),
            FrameFlags::KEY | FrameFlags::IN_BAND_PARAMS
        );
        assert_eq!(
            of(&[vec![6, 6, 1, 0xC0, 0x80], slice(0x41, 7)]),
            FrameFlags::RECOVERY_POINT
        );
        assert_eq!(of(&[]), FrameFlags::empty());
        assert_eq!(classify(&[0xFF; 9]), FrameFlags::empty());
    }

    #[test]
    fn slice_types() {
        let all: Vec<_> = (0..11).map(|k| slice_type(&slice(0x41, k))).collect();
        use SliceType::*;
        let five = [P, B, I, Sp, Si].map(Some);
        assert_eq!(all[..5], five);
        assert_eq!(all[5..10], five);
        assert_eq!(all[10], None);
        assert_eq!(slice_type(&[0x67, 0x88]), None);
        assert!(is_first_slice(&slice(0x41, 0)));
    }

    #[test]
    fn user_data_is_found_again() {
        let uuid = *b"0123456789abcdef";
        let sei = write_user_data_unregistered(&uuid, b"\0\0\x01frame 7");
        let unit = join([&[9, 0xF0][..], &sei, &slice(0x65, 7)]);
        assert_eq!(
            find_user_data_unregistered(&unit, &uuid).unwrap(),
            b"\0\0\x01frame 7"
        );
        assert_eq!(classify(&unit), FrameFlags::KEY);
    }
}
