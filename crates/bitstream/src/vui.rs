//! Video usability information: the part of it that H.264 and H.265 have in common.

use core_frame::ColorInfo;

use crate::bits::BitReader;
use crate::error::Result;

/// Aspect ratio and colour, as both standards code them (ITU-T H.264 and H.265, Annex E).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) sample_aspect: Option<(u32, u32)>,
    pub(crate) color: Option<ColorInfo>,
    pub(crate) full_range: bool,
}

/// From `aspect_ratio_info_present_flag` up to and with the chroma sample locations. What was read before an error
/// stays in `signal`.
pub(crate) fn read_signal(r: &mut BitReader<'_>, signal: &mut Signal) -> Result<()> {
    if r.flag()? {
        let idc = r.byte()?;
        let ratio = if idc == 255 {
            (r.bits(16)?, r.bits(16)?)
        } else {
            SAMPLE_ASPECTS
                .get(usize::from(idc))
                .copied()
                .unwrap_or((0, 0))
        };
        if ratio.0 > 0 && ratio.1 > 0 {
            signal.sample_aspect = Some(reduced(ratio.0, ratio.1));
        }
    }
    if r.flag()? {
        r.skip(1)?; // overscan_appropriate_flag
    }
    if r.flag()? {
        r.skip(3)?; // video_format
        signal.full_range = r.flag()?;
        if r.flag()? {
            signal.color = Some(ColorInfo {
                primaries: r.byte()?,
                transfer: r.byte()?,
                matrix: r.byte()?,
                full_range: signal.full_range,
            });
        } else if signal.full_range {
            // 2 = unspecified (H.273).
            signal.color = Some(ColorInfo {
                primaries: 2,
                transfer: 2,
                matrix: 2,
                full_range: true,
            });
        }
    }
    if r.flag()? {
        r.ue()?; // chroma_sample_loc_type_top_field
        r.ue()?;
    }
    Ok(())
}

/// Frames a second from ticks; nothing when the numbers make no sense or say more than 1000 a second, which is how
/// encoders with a variable rate write "unknown".
pub(crate) fn rate(time_scale: u64, ticks_per_frame: u64) -> Option<(u32, u32)> {
    if time_scale == 0 || ticks_per_frame == 0 || time_scale / ticks_per_frame > 1_000 {
        return None;
    }
    let divisor = gcd(time_scale, ticks_per_frame);
    let num = u32::try_from(time_scale / divisor).ok()?;
    let den = u32::try_from(ticks_per_frame / divisor).ok()?;
    Some((num, den))
}

pub(crate) fn reduced(a: u32, b: u32) -> (u32, u32) {
    let divisor = gcd(u64::from(a), u64::from(b)).max(1) as u32;
    (a / divisor, b / divisor)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Table E-1: `aspect_ratio_idc` to sample aspect ratio.
const SAMPLE_ASPECTS: [(u32, u32); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_reduced_and_sane() {
        assert_eq!(rate(60_000, 2_002), Some((30_000, 1_001)));
        assert_eq!(rate(50, 2), Some((25, 1)));
        assert_eq!(rate(0, 2), None);
        assert_eq!(rate(25, 0), None);
        assert_eq!(rate(90_000, 2), None);
        assert_eq!(
            rate(u64::from(u32::MAX), 2 * u64::from(u32::MAX)),
            Some((1, 2))
        );
    }
}
