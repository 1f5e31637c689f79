//! VP9: superframes, uncompressed headers and `vpcC` (VP9 Bitstream & Decoding Process Specification; VP Codec ISO
//! Media File Format Binding).

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{ColorInfo, FrameFlags, VideoInfo};

use crate::bits::BitReader;
use crate::cursor::Cursor;
use crate::error::{Result, ensure};
use crate::vp8;

const WHAT: &str = "VP9 frame header";
const RECORD: &str = "vpcC";

/// The first part of the uncompressed header (§6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// Profile, 0 to 3.
    pub profile: u8,
    /// `show_existing_frame`: no frame of its own, one decoded before is shown.
    pub shows_existing: bool,
    /// `frame_type` is a key frame.
    pub key: bool,
    /// `show_frame`, or an existing frame is shown.
    pub shown: bool,
    /// What a key frame says of the picture.
    pub picture: Option<Picture>,
    /// Nothing that comes later depends on this frame: it goes to no reference slot, in error resilient mode.
    pub disposable: bool,
}

/// Size and colour from a key frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Picture {
    /// `frame_width_minus_1` plus one.
    pub width: u32,
    /// `frame_height_minus_1` plus one.
    pub height: u32,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `color_space` (§7.2.2): 0 unknown, 2 BT.709, 7 RGB …
    pub color_space: u8,
    /// `color_range`.
    pub full_range: bool,
    /// `subsampling_x`.
    pub subsampling_x: bool,
    /// `subsampling_y`.
    pub subsampling_y: bool,
}

impl FrameHeader {
    /// Parses the start of a frame.
    ///
    /// # Errors
    /// When it ends early or lacks the marks every frame has.
    pub fn parse(frame: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(frame, WHAT);
        ensure(r.bits(2)? == 2, WHAT, "frame_marker must be 2")?;
        let (low, high) = (r.small(1)?, r.small(1)?);
        let mut header = Self {
            profile: (high << 1) | low,
            ..Self::default()
        };
        if header.profile == 3 {
            ensure(!r.flag()?, WHAT, "reserved profile")?;
        }
        if r.flag()? {
            (header.shows_existing, header.shown) = (true, true);
            return Ok(header);
        }
        header.key = !r.flag()?;
        header.shown = r.flag()?;
        let error_resilient = r.flag()?;
        if header.key {
            sync_code(&mut r)?;
            let mut picture = Picture::default();
            picture.read_color(&mut r, header.profile)?;
            picture.width = r.bits(16)? + 1;
            picture.height = r.bits(16)? + 1;
            header.picture = Some(picture);
            return Ok(header);
        }
        // The next frame takes motion vectors, loop filter deltas and probabilities from this one, unless error
        // resilience breaks that chain, as encoders with temporal layers do.
        let intra_only = !header.shown && r.flag()?;
        header.disposable = error_resilient && !intra_only && r.byte()? == 0;
        Ok(header)
    }
}

impl Picture {
    /// `color_config` (§6.2.2).
    fn read_color(&mut self, r: &mut BitReader<'_>, profile: u8) -> Result<()> {
        self.bit_depth = match profile {
            0 | 1 => 8,
            _ if r.flag()? => 12,
            _ => 10,
        };
        self.color_space = r.small(3)?;
        if self.color_space == 7 {
            self.full_range = true;
            if profile & 1 == 1 {
                r.skip(1)?;
            }
            return Ok(());
        }
        self.full_range = r.flag()?;
        (self.subsampling_x, self.subsampling_y) = (true, true);
        if profile & 1 == 1 {
            (self.subsampling_x, self.subsampling_y) = (r.flag()?, r.flag()?);
            r.skip(1)?;
        }
        Ok(())
    }

    /// Colour in the code points of H.273; nothing when the stream does not know.
    #[must_use]
    pub fn color_info(&self) -> Option<ColorInfo> {
        let (primaries, transfer, matrix) = match self.color_space {
            1 => (5, 6, 5),
            2 => (1, 1, 1),
            3 => (6, 6, 6),
            4 => (7, 7, 7),
            5 => (9, 14, 9),
            7 => (1, 13, 0),
            _ if self.full_range => (2, 2, 2),
            _ => return None,
        };
        Some(ColorInfo {
            primaries,
            transfer,
            matrix,
            full_range: self.full_range,
        })
    }

    /// What a track description wants to know. VP9 shows each packet at once: nothing is reordered.
    #[must_use]
    pub fn video_info(&self) -> VideoInfo {
        VideoInfo {
            width: self.width,
            height: self.height,
            color: self.color_info(),
            reorder_depth: Some(0),
            ..VideoInfo::default()
        }
    }
}

/// The frames of a packet: those of its superframe index (Annex B), or the packet itself. Hidden frames are included;
/// an index that does not fit the packet is passed over.
pub fn frames(packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    let index = superframe_index(packet);
    let (mut rest, count) = (packet, index.map_or(1, |i| i.count));
    (0..count).map_while(move |at| {
        let size = index.map_or(Some(packet.len()), |i| i.size(at))?;
        let (frame, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(frame)
    })
}

#[derive(Clone, Copy)]
struct Index<'a> {
    count: usize,
    size_bytes: usize,
    sizes: &'a [u8],
}

impl Index<'_> {
    fn size(&self, at: usize) -> Option<usize> {
        let start = at * self.size_bytes;
        let bytes = self.sizes.get(start..start + self.size_bytes)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |n, &b| (n << 8) | usize::from(b)),
        )
    }
}

fn superframe_index(packet: &[u8]) -> Option<Index<'_>> {
    let &mark = packet.last()?;
    if mark & 0xE0 != 0xC0 {
        return None;
    }
    let count = usize::from(mark & 7) + 1;
    let size_bytes = usize::from((mark >> 3) & 3) + 1;
    let length = 2 + count * size_bytes;
    let start = packet.len().checked_sub(length)?;
    if packet.get(start) != Some(&mark) {
        return None;
    }
    let index = Index {
        count,
        size_bytes,
        sizes: packet.get(start + 1..packet.len() - 1)?,
    };
    let total: usize = (0..count).filter_map(|at| index.size(at)).sum();
    (total <= start).then_some(index)
}

/// Marks of a packet.
pub(crate) fn classify(packet: &[u8]) -> FrameFlags {
    let mut flags = FrameFlags::empty();
    let (mut first, mut disposable) = (true, true);
    for frame in frames(packet) {
        let header = FrameHeader::parse(frame).unwrap_or_default();
        if first && header.key {
            flags |= FrameFlags::KEY;
        }
        disposable &= header.disposable;
        first = false;
    }
    flags.set(FrameFlags::DISPOSABLE, !first && disposable);
    flags
}

fn sync_code(r: &mut BitReader<'_>) -> Result<()> {
    ensure(
        r.bits(24)? == 0x49_83_42,
        WHAT,
        "sync code must be 49 83 42",
    )
}

/// A VP codec configuration record (VP Codec ISO Media File Format Binding, "VPCodecConfigurationRecord").
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VpcConfig {
    /// Profile, 0 to 3.
    pub profile: u8,
    /// Ten times the level; 0 when undefined.
    pub level: u8,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `chromaSubsampling`: 0 4:2:0 vertical, 1 4:2:0 colocated, 2 4:2:2, 3 4:4:4.
    pub chroma_subsampling: u8,
    /// Colour description.
    pub color: ColorInfo,
}

impl VpcConfig {
    /// Parses a record, with or without the version and flags of the box (`01 00 00 00`) before it; senders differ.
    ///
    /// # Errors
    /// When it ends early or has a profile or bit depth that does not exist.
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut c = Cursor::new(record, RECORD);
        // A bare record cannot begin so: its third byte holds a bit depth and is never 0.
        if record.starts_with(&[1, 0, 0, 0]) {
            c.u32()?;
        }
        let (profile, level, packed) = (c.u8()?, c.u8()?, c.u8()?);
        let config = Self {
            profile,
            level,
            bit_depth: packed >> 4,
            chroma_subsampling: (packed >> 1) & 7,
            color: ColorInfo {
                primaries: c.u8()?,
                transfer: c.u8()?,
                matrix: c.u8()?,
                full_range: packed & 1 != 0,
            },
        };
        let extra = usize::from(c.u16()?);
        c.bytes(extra)?; // codecInitializationData is empty for VP8 and VP9
        ensure(config.profile <= 3, RECORD, "profile above 3")?;
        ensure(
            matches!(config.bit_depth, 8 | 10 | 12),
            RECORD,
            "bit depth must be 8, 10 or 12",
        )?;
        Ok(config)
    }

    /// The record of a VP8 key frame: profile and size from its header, 8 bits, 4:2:0. VP8 has no levels of its own; the
    /// field is filled as for VP9, which is what FFmpeg writes.
    #[must_use]
    pub fn from_vp8_key_frame(frame: &[u8]) -> Option<Self> {
        let header = vp8::FrameHeader::parse(frame).ok()?;
        let picture = header.picture?;
        Some(Self {
            profile: header.version,
            level: level(picture.width, picture.height),
            bit_depth: 8,
            chroma_subsampling: 1,
            color: ColorInfo {
                primaries: 2,
                transfer: 2,
                matrix: 2,
                full_range: false,
            },
        })
    }

    /// Builds a record from a VP9 key frame; the level follows from the size alone, so that it is the least that fits.
    #[must_use]
    pub fn from_key_frame(packet: &[u8]) -> Option<Self> {
        let header = FrameHeader::parse(frames(packet).next()?).ok()?;
        let picture = header.picture?;
        Some(Self {
            profile: header.profile,
            level: level(picture.width, picture.height),
            bit_depth: picture.bit_depth,
            chroma_subsampling: match (picture.subsampling_x, picture.subsampling_y) {
                (true, true) => 1,
                (true, false) => 2,
                _ => 3,
            },
            color: picture.color_info().unwrap_or(ColorInfo {
                primaries: 2,
                transfer: 2,
                matrix: 2,
                full_range: false,
            }),
        })
    }

    /// The record's bytes, without the version and flags of the box.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(8);
        let range = u8::from(self.color.full_range);
        out.put_slice(&[
            self.profile,
            self.level,
            (self.bit_depth << 4) | ((self.chroma_subsampling & 7) << 1) | range,
            self.color.primaries,
            self.color.transfer,
            self.color.matrix,
        ]);
        out.put_u16(0);
        out.freeze()
    }

    /// `vp09.PP.LL.DD`, with the optional part when any of it differs from what leaving it out says (4:2:0 colocated,
    /// BT.709, limited range) and the colour is known.
    #[must_use]
    pub fn codec_string(&self) -> String {
        self.codec_string_behind("vp09")
    }

    /// The same for VP8: `vp08.PP.LL.DD`. Media Source implementations and WebM know it as "vp8".
    #[must_use]
    pub fn vp8_codec_string(&self) -> String {
        self.codec_string_behind("vp08")
    }

    fn codec_string_behind(&self, sample_entry: &str) -> String {
        let mut text = format!(
            "{sample_entry}.{:02}.{:02}.{:02}",
            self.profile, self.level, self.bit_depth
        );
        let c = self.color;
        let known = !matches!((c.primaries, c.transfer, c.matrix), (1, 1, 1) | (2, 2, 2));
        if self.chroma_subsampling > 1 || known || c.full_range {
            text += &format!(
                ".{:02}.{:02}.{:02}.{:02}.{:02}",
                self.chroma_subsampling,
                c.primaries,
                c.transfer,
                c.matrix,
                u8::from(c.full_range)
            );
        }
        text
    }

    /// What the record says of the colour; the size stands in key frames only.
    #[must_use]
    pub fn video_info(&self) -> VideoInfo {
        let c = self.color;
        let told = (c.primaries, c.transfer, c.matrix) != (2, 2, 2) || c.full_range;
        VideoInfo {
            color: told.then_some(c),
            reorder_depth: Some(0),
            ..VideoInfo::default()
        }
    }
}

/// The least level whose picture size and side bound hold the picture (VP9 levels, "Levels" annex).
fn level(width: u32, height: u32) -> u8 {
    const LEVELS: [(u64, u32, u8); 9] = [
        (36_864, 512, 10),
        (73_728, 768, 11),
        (122_880, 960, 20),
        (245_760, 1_344, 21),
        (552_960, 2_048, 30),
        (983_040, 2_752, 31),
        (2_228_224, 4_160, 40),
        (8_912_896, 8_384, 50),
        (35_651_584, 16_832, 60),
    ];
    let area = u64::from(width) * u64::from(height);
    let side = width.max(height);
    LEVELS
        .iter()
        .find(|(max_area, max_side, _)| area <= *max_area && side <= *max_side)
        .map_or(62, |(_, _, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_with_and_without_box_header() {
        let bare = Bytes::from_static(&[0, 31, 0x82, 1, 1, 1, 0, 0]);
        let config = VpcConfig::parse(&bare).unwrap();
        assert_eq!(config.write(), bare);
        assert_eq!(config.codec_string(), "vp09.00.31.08");
        let boxed = Bytes::from_static(&[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]);
        assert_eq!(VpcConfig::parse(&boxed).unwrap(), config);
        for length in 0..bare.len() {
            assert!(VpcConfig::parse(&bare.slice(..length)).is_err());
        }
        let hdr = VpcConfig::parse(&Bytes::from_static(&[2, 10, 0xA2, 9, 16, 9, 0, 0])).unwrap();
        assert_eq!(hdr.codec_string(), "vp09.02.10.10.01.09.16.09.00");
    }

    #[test]
    fn superframes_split() {
        let packet = [0x82, 1, 2, 0x86, 9, 0xC1, 3, 2, 0xC1];
        let parts: Vec<_> = frames(&packet).collect();
        assert_eq!(parts, [&[0x82, 1, 2][..], &[0x86, 9]]);
        let lying = [0x82, 1, 0xC1, 200, 200, 0xC1];
        assert_eq!(frames(&lying).count(), 1);
        assert_eq!(frames(&[]).count(), 1);
        assert_eq!(classify(&[]), FrameFlags::empty());
    }
}
