//! H.266: NAL unit types, enough to mark access units (ITU-T H.266 Table 5).

use core_frame::FrameFlags;

use crate::nal::length_prefixed;

/// `nal_unit_type` of a unit; 31 (unspecified) for one without a whole header.
#[must_use]
pub fn unit_type(unit: &[u8]) -> u8 {
    unit.get(1).map_or(31, |b| b >> 3)
}

/// Marks of an access unit with 4-byte length prefixes.
pub(crate) fn classify(access_unit: &[u8]) -> FrameFlags {
    let mut flags = FrameFlags::empty();
    for unit in length_prefixed(access_unit, 4).map_while(Result::ok) {
        match unit_type(unit) {
            // IDR_W_RADL, IDR_N_LP, CRA_NUT
            7..=9 => flags |= FrameFlags::KEY,
            // OPI, DCI, VPS, SPS, PPS
            12..=16 => flags |= FrameFlags::IN_BAND_PARAMS,
            _ => {}
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        let unit = |kind: u8| vec![0, (kind << 3) | 1, 0];
        let of = |kinds: &[u8]| {
            let units: Vec<_> = kinds.iter().map(|k| unit(*k)).collect();
            classify(&crate::nal::join(units.iter().map(Vec::as_slice)))
        };
        assert_eq!(of(&[7]), FrameFlags::KEY);
        assert_eq!(of(&[0]), FrameFlags::empty());
        assert_eq!(
            of(&[15, 16, 9]),
            FrameFlags::KEY | FrameFlags::IN_BAND_PARAMS
        );
    }
}
