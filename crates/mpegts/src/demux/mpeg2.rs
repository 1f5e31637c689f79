//! The sequence header of MPEG-1 and MPEG-2 video (ISO/IEC 13818-2 §6.2.2.1).

use bitstream::bits::BitReader;
use bitstream::nal;
use core_frame::VideoInfo;

const WHAT: &str = "MPEG-2 sequence header";

/// Frames a second by `frame_rate_code` (table 6-4).
const RATES: [(u32, u32); 8] = [
    (24_000, 1_001),
    (24, 1),
    (25, 1),
    (30_000, 1_001),
    (30, 1),
    (50, 1),
    (60_000, 1_001),
    (60, 1),
];

/// Size, shape and rate from the first sequence header and its extension.
pub(super) fn sequence(data: &[u8]) -> Option<VideoInfo> {
    let mut units = nal::annex_b(data);
    let header = units.find(|u| u.first() == Some(&0xB3))?;
    let mut r = BitReader::new(header.get(1..)?, WHAT);
    let (mut width, mut height) = (r.bits(12).ok()?, r.bits(12).ok()?);
    let (aspect, rate) = (r.bits(4).ok()?, r.bits(4).ok()?);
    let mut frame_rate = RATES.get((rate as usize).checked_sub(1)?).copied();
    if let Some([0xB5, rest @ ..]) = units.next()
        && let Some((w, h, n, d)) = extension(rest)
    {
        width |= w << 12;
        height |= h << 12;
        frame_rate = frame_rate.map(|(num, den)| (num * (n + 1), den * (d + 1)));
    }
    // Table 6-3 tells the shape of the picture; the shape of a sample follows from it.
    let display = match aspect {
        2 => Some((4, 3)),
        3 => Some((16, 9)),
        4 => Some((221, 100)),
        _ => None,
    };
    let sample_aspect = match display {
        Some((w, h)) if width > 0 && height > 0 => {
            let (w, h) = (w * height, h * width);
            let divisor = gcd(w, h);
            Some((w / divisor, h / divisor))
        }
        _ => (aspect == 1).then_some((1, 1)),
    };
    Some(VideoInfo {
        width,
        height,
        frame_rate,
        sample_aspect,
        ..VideoInfo::default()
    })
}

/// Sequence extension (§6.2.2.3): upper bits of the size, factors of the rate.
fn extension(data: &[u8]) -> Option<(u32, u32, u32, u32)> {
    let mut r = BitReader::new(data, WHAT);
    if r.bits(4).ok()? != 1 {
        return None;
    }
    r.skip(8 + 1 + 2).ok()?; // profile_and_level, progressive_sequence, chroma_format
    let (width, height) = (r.bits(2).ok()?, r.bits(2).ok()?);
    r.skip(12 + 1 + 8 + 1).ok()?; // bit_rate, marker, vbv_buffer_size, low_delay
    Some((width, height, r.bits(2).ok()?, r.bits(5).ok()?))
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_sd() {
        // 720x576, 4:3, 25 Hz.
        let header = [
            0, 0, 1, 0xB3, 0x2D, 0x02, 0x40, 0x23, 0xFF, 0xFF, 0xE0, 0x18,
        ];
        let info = sequence(&header).unwrap();
        assert_eq!((info.width, info.height), (720, 576));
        assert_eq!(info.frame_rate, Some((25, 1)));
        assert_eq!(info.sample_aspect, Some((16, 15)));
        for cut in 0..8 {
            assert_eq!(sequence(&header[..cut]), None);
        }
    }
}
