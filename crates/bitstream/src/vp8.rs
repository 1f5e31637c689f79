//! VP8: frame tags, key frame headers and the reference updates of a frame (RFC 6386 §9).

use core_frame::{FrameFlags, VideoInfo};

use crate::error::{Error, Result, ensure};

const WHAT: &str = "VP8 frame header";

/// What stands uncompressed before the first partition (§9.1).
///
/// ```text
///  byte 0            1          2          3  4  5      6  7     8  9     (3 to 9 in key frames only)
/// +----------------+----------+----------+ 9D 01 2A +---------+---------+
/// |size|show|ver|!key  first partition size|         |sw|width |sh|height|   all little-endian
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// The frame is a key frame.
    pub key: bool,
    /// `version`: 0 to 3, which filters the decoder uses. It is the profile of codec strings.
    pub version: u8,
    /// `show_frame`.
    pub shown: bool,
    /// Bytes of the first partition.
    pub first_partition: u32,
    /// Size of the picture, told by key frames.
    pub picture: Option<Picture>,
    /// Where the first partition begins: byte 3, or byte 10 in key frames.
    pub header_length: usize,
}

/// What a key frame says of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Picture {
    /// Coded width in pixels, never 0.
    pub width: u32,
    /// Coded height in pixels, never 0.
    pub height: u32,
    /// `horizontal_scale`: 0 none, 1 by 5/4, 2 by 5/3, 3 by 2. A wish for the display; decoders put out `width`.
    pub horizontal_scale: u8,
    /// `vertical_scale`, likewise.
    pub vertical_scale: u8,
}

impl FrameHeader {
    /// Parses the start of a frame.
    ///
    /// # Errors
    /// When it ends early, is of a version that does not exist, or is a key frame without start code or size.
    pub fn parse(frame: &[u8]) -> Result<Self> {
        let (tag, rest) = frame
            .split_first_chunk::<3>()
            .ok_or(Error::Truncated { what: WHAT })?;
        let tag = u32::from_le_bytes([tag[0], tag[1], tag[2], 0]);
        let mut header = Self {
            key: tag & 1 == 0,
            version: ((tag >> 1) & 7) as u8,
            shown: tag & 0x10 != 0,
            first_partition: tag >> 5,
            picture: None,
            header_length: 3,
        };
        ensure(header.version <= 3, WHAT, "version above 3")?;
        if header.key {
            let (start, rest) = rest
                .split_first_chunk::<3>()
                .ok_or(Error::Truncated { what: WHAT })?;
            ensure(
                start == &[0x9D, 0x01, 0x2A],
                WHAT,
                "start code must be 9D 01 2A",
            )?;
            let ([w0, w1, h0, h1], _) = rest
                .split_first_chunk::<4>()
                .ok_or(Error::Truncated { what: WHAT })?;
            let (w, h) = (
                u16::from_le_bytes([*w0, *w1]),
                u16::from_le_bytes([*h0, *h1]),
            );
            let picture = Picture {
                width: u32::from(w & 0x3FFF),
                height: u32::from(h & 0x3FFF),
                horizontal_scale: (w >> 14) as u8,
                vertical_scale: (h >> 14) as u8,
            };
            ensure(
                picture.width > 0 && picture.height > 0,
                WHAT,
                "picture without samples",
            )?;
            header.picture = Some(picture);
            header.header_length = 10;
        }
        Ok(header)
    }
}

impl Picture {
    /// What a track description wants to know. VP8 shows each packet at once: nothing is reordered.
    #[must_use]
    pub fn video_info(&self) -> VideoInfo {
        VideoInfo {
            width: self.width,
            height: self.height,
            reorder_depth: Some(0),
            ..VideoInfo::default()
        }
    }
}

/// Marks of a frame.
pub(crate) fn classify(frame: &[u8]) -> FrameFlags {
    match FrameHeader::parse(frame) {
        Ok(header) if header.key => FrameFlags::KEY,
        Ok(header) if is_disposable(&header, frame) => FrameFlags::DISPOSABLE,
        _ => FrameFlags::empty(),
    }
}

/// True when no later frame depends on this one: it goes to no reference buffer and its probabilities are not kept, as
/// in the upper temporal layers of an encoder. Segmentation and loop filter deltas outlive such a frame too, but an encoder
/// that writes frames to be dropped sends them with every frame; libvpx does.
fn is_disposable(header: &FrameHeader, frame: &[u8]) -> bool {
    let Some(partition) = frame.get(header.header_length..) else {
        return false;
    };
    let length = partition.len().min(header.first_partition as usize);
    let partition = partition.get(..length).unwrap_or_default();
    // The header is less than this long, even with every option; what is missing is no header.
    !header.key
        && partition.len() >= 2
        && inter_frame_leaves_nothing(&mut BoolDecoder::new(partition))
}

/// §9.3 to §9.11 of an inter frame, in order.
fn inter_frame_leaves_nothing(d: &mut BoolDecoder<'_>) -> bool {
    if d.flag() {
        // Segmentation (§9.3).
        let (map, data) = (d.flag(), d.flag());
        if data {
            d.flag();
            for bits in [7, 7, 7, 7, 6, 6, 6, 6] {
                d.optional_signed(bits);
            }
        }
        if map {
            for _ in 0..3 {
                if d.flag() {
                    d.literal(8);
                }
            }
        }
    }
    d.literal(1 + 6 + 3); // filter type, level and sharpness (§9.6)
    if d.flag() && d.flag() {
        for _ in 0..8 {
            d.optional_signed(6);
        }
    }
    d.literal(2); // partitions (§9.5)
    d.literal(7); // quantizer indices (§9.6)
    for _ in 0..5 {
        d.optional_signed(4);
    }
    // Reference frames (§9.7), probabilities (§9.11), last frame (§9.8).
    let (golden, alternate) = (d.flag(), d.flag());
    let copies_golden = !golden && d.literal(2) != 0;
    let copies_alternate = !alternate && d.literal(2) != 0;
    d.literal(2); // sign biases, told anew by each frame
    let (keeps_probabilities, last) = (d.flag(), d.flag());
    let refers = golden || alternate || copies_golden || copies_alternate || last;
    !(refers || keeps_probabilities || d.overrun())
}

/// The boolean entropy decoder (§7.3), for bits of probability one half only: all that a frame header has up to its
/// reference flags.
struct BoolDecoder<'a> {
    rest: &'a [u8],
    value: u32,
    range: u32,
    shifted: u32,
    missing: u32,
}

impl<'a> BoolDecoder<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut decoder = Self {
            rest: data,
            value: 0,
            range: 255,
            shifted: 0,
            missing: 0,
        };
        decoder.value = (u32::from(decoder.next()) << 8) | u32::from(decoder.next());
        decoder
    }

    fn next(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                byte
            }
            None => {
                self.missing += 1;
                0
            }
        }
    }

    /// More was read than the look-ahead of two bytes explains.
    const fn overrun(&self) -> bool {
        self.missing > 2
    }

    fn flag(&mut self) -> bool {
        let split = 1 + (((self.range - 1) * 128) >> 8);
        let wide = split << 8;
        let bit = self.value >= wide;
        if bit {
            self.range -= split;
            self.value -= wide;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.value <<= 1;
            self.range <<= 1;
            self.shifted += 1;
            if self.shifted == 8 {
                self.shifted = 0;
                self.value |= u32::from(self.next());
            }
        }
        bit
    }

    fn literal(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| (value << 1) | u32::from(self.flag()))
    }

    /// A flag, and if it is set a magnitude and a sign.
    fn optional_signed(&mut self, bits: u32) {
        if self.flag() {
            self.literal(bits + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frame() {
        // 322x182, scaled by 5/4 across; version 1, shown, first partition of 0x123 bytes.
        let tag = (0x123_u32 << 5) | 0x10 | (1 << 1);
        let mut frame = tag.to_le_bytes()[..3].to_vec();
        frame.extend([0x9D, 0x01, 0x2A, 0x42, 0x41, 0xB6, 0x00]);
        let header = FrameHeader::parse(&frame).unwrap();
        assert!(header.key && header.shown);
        assert_eq!((header.version, header.first_partition), (1, 0x123));
        let picture = header.picture.unwrap();
        assert_eq!(
            (
                picture.width,
                picture.height,
                picture.horizontal_scale,
                picture.vertical_scale
            ),
            (322, 182, 1, 0)
        );
        for length in 0..frame.len() {
            assert!(FrameHeader::parse(&frame[..length]).is_err(), "{length}");
        }
        assert_eq!(classify(&frame), FrameFlags::KEY);
        frame[4] = 0;
        assert!(FrameHeader::parse(&frame).is_err());
        assert_eq!(classify(&frame), FrameFlags::empty());
    }

    #[test]
    fn versions_and_sizes_that_do_not_exist() {
        assert!(FrameHeader::parse(&[0x19, 0, 0]).is_err());
        assert!(FrameHeader::parse(&[0x10, 0, 0, 0x9D, 1, 0x2A, 0, 0x40, 1, 0]).is_err());
    }

    #[test]
    fn a_partition_that_is_cut_off_is_not_disposable() {
        // All zero bits: no update, no reference, but there must be enough of them.
        let inter = |length: u8| {
            let mut frame = vec![0x11 | ((length & 7) << 5), length >> 3, 0];
            frame.resize(3 + usize::from(length), 0);
            frame
        };
        assert_eq!(classify(&inter(12)), FrameFlags::DISPOSABLE);
        assert_eq!(classify(&inter(12)[..6]), FrameFlags::empty());
        assert_eq!(classify(&inter(1)), FrameFlags::empty());
    }
}
