//! H.265: NAL unit headers, slice types and marks of access units (ISO/IEC 23008-2).

mod hvcc;
mod pps;
mod profile;
mod rps;
mod sps;
mod vps;

pub use hvcc::{HevcConfig, NalArray};
pub use pps::Pps;
pub use profile::Profile;
pub use sps::{Sps, Vui};
pub use vps::Vps;

use bytes::Bytes;
use core_frame::FrameFlags;

use crate::bits::BitReader;
use crate::nal::length_prefixed;
use crate::sei;

/// `nal_unit_type` (Table 7-1).
pub mod nal_type {
    /// Highest type of a sub-layer non-reference picture or its reserved kin (even types up to it are non-reference).
    pub const RSV_VCL_R15: u8 = 15;
    /// Lowest type of an intra random access point.
    pub const BLA_W_LP: u8 = 16;
    /// Instantaneous decoding refresh that may have decodable leading pictures.
    pub const IDR_W_RADL: u8 = 19;
    /// Instantaneous decoding refresh without leading pictures.
    pub const IDR_N_LP: u8 = 20;
    /// Clean random access.
    pub const CRA: u8 = 21;
    /// Highest type of an intra random access point, reserved ones included.
    pub const RSV_IRAP_VCL23: u8 = 23;
    /// Highest type of a slice.
    pub const RSV_VCL31: u8 = 31;
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const AUD: u8 = 35;
    /// End of sequence.
    pub const END_OF_SEQUENCE: u8 = 36;
    /// End of bitstream.
    pub const END_OF_BITSTREAM: u8 = 37;
    /// Filler data.
    pub const FILLER: u8 = 38;
    /// SEI before the slices.
    pub const SEI_PREFIX: u8 = 39;
    /// SEI after slices.
    pub const SEI_SUFFIX: u8 = 40;
}

/// What a slice may predict from (Table 7-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SliceType {
    /// From two pictures.
    B,
    /// From one picture.
    P,
    /// From its own picture.
    I,
}

/// `nal_unit_type` of a unit; 63 (unspecified) for an empty one.
#[must_use]
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.first().map_or(63, |b| (b >> 1) & 0x3F)
}

/// `nuh_layer_id` of a unit: 0 is the base layer.
#[must_use]
pub fn layer_id(unit: &[u8]) -> u8 {
    match unit {
        [first, second, ..] => ((first & 1) << 5) | (second >> 3),
        _ => 0,
    }
}

/// `TemporalId` of a unit: `nuh_temporal_id_plus1` less one.
#[must_use]
pub fn temporal_id(unit: &[u8]) -> u8 {
    unit.get(1).map_or(0, |b| (b & 7).saturating_sub(1))
}

/// True for units that carry slices.
#[must_use]
pub const fn is_slice(unit_type: u8) -> bool {
    unit_type <= nal_type::RSV_VCL31
}

/// True for slices of intra random access point pictures: BLA, IDR, CRA.
#[must_use]
pub const fn is_irap(unit_type: u8) -> bool {
    matches!(unit_type, nal_type::BLA_W_LP..=nal_type::RSV_IRAP_VCL23)
}

/// True for slices of IDR pictures.
#[must_use]
pub const fn is_idr(unit_type: u8) -> bool {
    matches!(unit_type, nal_type::IDR_W_RADL | nal_type::IDR_N_LP)
}

/// True for slices of pictures that no picture of the same temporal sub-layer refers to (§7.4.2.2): TRAIL_N, TSA_N,
/// STSA_N, RADL_N, RASL_N and the reserved ones. Higher sub-layers may still refer to them.
#[must_use]
pub const fn is_sub_layer_non_reference(unit_type: u8) -> bool {
    unit_type < nal_type::RSV_VCL_R15 && unit_type.is_multiple_of(2)
}

/// True when a slice NAL unit is the first of its picture.
#[must_use]
pub fn is_first_slice(unit: &[u8]) -> bool {
    is_slice(unit_type(unit)) && unit.get(2).is_some_and(|b| b & 0x80 != 0)
}

/// True when this unit, coming after a slice, begins a new access unit (§7.4.2.4.4).
#[must_use]
pub fn begins_access_unit(unit: &[u8]) -> bool {
    layer_id(unit) == 0
        && match unit_type(unit) {
            nal_type::VPS..=nal_type::AUD | nal_type::SEI_PREFIX | 41..=44 | 48..=55 => true,
            _ => is_first_slice(unit),
        }
}

/// `slice_type` of a slice NAL unit (§7.3.6.1). The header's layout hangs on the PPS, so nothing comes back for a slice
/// of another PPS, and for a slice that is not the first of its picture (its address hangs on the SPS).
#[must_use]
pub fn slice_type(unit: &[u8], pps: &Pps) -> Option<SliceType> {
    let kind = unit_type(unit);
    if !is_slice(kind) {
        return None;
    }
    let mut r = BitReader::rbsp(unit.get(2..).unwrap_or_default(), "slice header");
    if !r.flag().ok()? {
        return None;
    }
    if is_irap(kind) {
        r.skip(1).ok()?; // no_output_of_prior_pics_flag
    }
    if r.ue().ok()? != u32::from(pps.id) {
        return None;
    }
    r.skip(u32::from(pps.extra_slice_header_bits)).ok()?;
    match r.ue().ok()? {
        0 => Some(SliceType::B),
        1 => Some(SliceType::P),
        2 => Some(SliceType::I),
        _ => None,
    }
}

/// An SEI prefix NAL unit with one `user_data_unregistered` message (§D.2.7), without start code or length.
#[must_use]
pub fn write_user_data_unregistered(uuid: &[u8; 16], data: &[u8]) -> Bytes {
    sei::write_user_data(&[nal_type::SEI_PREFIX << 1, 1], uuid, data).into()
}

/// The data behind `uuid` in the first such `user_data_unregistered` message of an access unit in bus form.
#[must_use]
pub fn find_user_data_unregistered(access_unit: &[u8], uuid: &[u8; 16]) -> Option<Vec<u8>> {
    length_prefixed(access_unit, 4)
        .map_while(Result::ok)
        .filter(|u| matches!(unit_type(u), nal_type::SEI_PREFIX | nal_type::SEI_SUFFIX))
        .find_map(|unit| sei::user_data(unit, 2, uuid))
}

/// Marks of an access unit with 4-byte length prefixes. `top_sub_layer` is the highest `TemporalId` of the stream, when
/// known: only its non-reference pictures are disposable. While it is unknown one sub-layer is assumed, and pictures of
/// a higher one are taken for references. Other layers than the base layer are passed over.
pub(crate) fn classify(access_unit: &[u8], top_sub_layer: Option<u8>) -> FrameFlags {
    let top = top_sub_layer.unwrap_or(0);
    let mut flags = FrameFlags::empty();
    let (mut slices, mut referred) = (false, false);
    for unit in length_prefixed(access_unit, 4).map_while(Result::ok) {
        let kind = unit_type(unit);
        if layer_id(unit) != 0 {
            continue;
        }
        if is_slice(kind) {
            slices = true;
            let known = top_sub_layer.is_some() || temporal_id(unit) == 0;
            referred |= !(is_sub_layer_non_reference(kind) && temporal_id(unit) >= top && known);
            if is_irap(kind) {
                flags |= FrameFlags::KEY;
            }
        } else if matches!(kind, nal_type::VPS..=nal_type::PPS) {
            flags |= FrameFlags::IN_BAND_PARAMS;
        } else if kind == nal_type::SEI_PREFIX
            && sei::messages(unit, 2).any(|m| m.kind == sei::RECOVERY_POINT)
        {
            flags |= FrameFlags::RECOVERY_POINT;
        }
    }
    if slices && !referred {
        flags |= FrameFlags::DISPOSABLE;
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nal::join;

    fn unit(kind: u8, temporal: u8) -> Vec<u8> {
        vec![kind << 1, temporal + 1, 0x80, 0x80]
    }

    #[test]
    fn marks() {
        let of = |units: &[Vec<u8>], top| classify(&join(units.iter().map(Vec::as_slice)), top);
        for irap in [16, 19, 20, 21] {
            assert_eq!(of(&[unit(irap, 0)], None), FrameFlags::KEY);
        }
        assert_eq!(of(&[unit(1, 0)], None), FrameFlags::empty());
        assert_eq!(of(&[unit(0, 0)], None), FrameFlags::DISPOSABLE);
        assert_eq!(of(&[unit(0, 1)], None), FrameFlags::empty());
        assert_eq!(of(&[unit(0, 1)], Some(1)), FrameFlags::DISPOSABLE);
        assert_eq!(of(&[unit(0, 0)], Some(1)), FrameFlags::empty());
        assert_eq!(of(&[unit(8, 0)], Some(0)), FrameFlags::DISPOSABLE);
        assert_eq!(
            of(&[unit(32, 0), unit(33, 0), unit(34, 0), unit(20, 0)], None),
            FrameFlags::KEY | FrameFlags::IN_BAND_PARAMS
        );
        assert_eq!(
            of(&[vec![78, 1, 6, 1, 0xC0, 0x80], unit(1, 0)], None),
            FrameFlags::RECOVERY_POINT
        );
        assert_eq!(classify(&[0xFF; 9], None), FrameFlags::empty());
    }

    #[test]
    fn user_data_is_found_again() {
        let uuid = *b"0123456789abcdef";
        let sei = write_user_data_unregistered(&uuid, b"\0\0\x01frame 7");
        let au = join([&sei[..], &unit(20, 0)]);
        assert_eq!(
            find_user_data_unregistered(&au, &uuid).unwrap(),
            b"\0\0\x01frame 7"
        );
    }
}
