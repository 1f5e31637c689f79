//! MPEG audio (layers I to III of MPEG-1, MPEG-2 and MPEG-2.5): frame headers and byte streams (ISO/IEC 11172-3 §2.4,
//! 13818-3 §2.4).

use core_frame::AudioInfo;

use crate::error::{Error, Result, ensure};

const WHAT: &str = "MPEG audio header";

/// A free format frame is looked through this far for the next header: twice what the highest bit rate of the tables
/// takes at the lowest rate.
const FREE_FORMAT_MAX: usize = 5_760;

/// Which standard's sample rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// ISO/IEC 11172-3: 32, 44.1 and 48 kHz.
    Mpeg1,
    /// ISO/IEC 13818-3: half of these.
    Mpeg2,
    /// A quarter of these; nobody's standard, everybody's format.
    Mpeg25,
}

/// `mode` (§2.4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelMode {
    /// Two channels, coded by themselves.
    Stereo,
    /// Two channels, coded together where that is shorter.
    JointStereo,
    /// Two channels that do not belong together.
    DualChannel,
    /// One channel.
    Mono,
}

/// The four bytes before each frame (§2.4.1.3).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------------+---+---+-+-------+---+-+-+---+---+-+-+---+
/// |1 1 1 1 1 1 1 1 1 1 1|ver|lay|P|bitrate|frq|p|x|mod|ext|c|o|emp|
/// +---------------------+---+---+-+-------+---+-+-+---+---+-+-+---+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FrameHeader {
    /// Which standard.
    pub version: Version,
    /// 1, 2 or 3.
    pub layer: u8,
    /// A checksum of two bytes follows.
    pub crc: bool,
    /// Bits a second of this frame; nothing in free format.
    pub bitrate_bps: Option<u32>,
    /// In Hz.
    pub sample_rate: u32,
    /// The frame is one slot longer.
    pub padding: bool,
    /// One channel or two, and how they belong together.
    pub channel_mode: ChannelMode,
}

impl FrameHeader {
    /// Bytes of a header.
    pub const LENGTH: usize = 4;

    /// Parses a header. All that follows it is the decoder's.
    ///
    /// # Errors
    /// When it ends early, does not begin with the syncword, or has a reserved version, layer, bit rate or sample rate.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let (&[b0, b1, b2, b3], _) = data
            .split_first_chunk::<4>()
            .ok_or(Error::Truncated { what: WHAT })?;
        ensure(
            b0 == 0xFF && b1 & 0xE0 == 0xE0,
            WHAT,
            "syncword must be 7FF",
        )?;
        let version = match (b1 >> 3) & 3 {
            0 => Version::Mpeg25,
            2 => Version::Mpeg2,
            3 => Version::Mpeg1,
            _ => return Err(Error::invalid(WHAT, "reserved version")),
        };
        let layer = 4 - ((b1 >> 1) & 3);
        ensure(layer < 4, WHAT, "reserved layer")?;
        let bitrate_bps = match b2 >> 4 {
            0 => None,
            index => Some(
                bitrate_kbps(version, layer, index)
                    .ok_or(Error::invalid(WHAT, "reserved bitrate_index"))?
                    * 1_000,
            ),
        };
        let full = [44_100_u32, 48_000, 32_000]
            .get(usize::from((b2 >> 2) & 3))
            .ok_or(Error::invalid(WHAT, "reserved sampling_frequency"))?;
        Ok(Self {
            version,
            layer,
            crc: b1 & 1 == 0,
            bitrate_bps,
            sample_rate: match version {
                Version::Mpeg1 => *full,
                Version::Mpeg2 => full / 2,
                Version::Mpeg25 => full / 4,
            },
            padding: b2 & 2 != 0,
            channel_mode: match b3 >> 6 {
                0 => ChannelMode::Stereo,
                1 => ChannelMode::JointStereo,
                2 => ChannelMode::DualChannel,
                _ => ChannelMode::Mono,
            },
        })
    }

    /// Bytes of the frame, header included; nothing in free format, where the distance to the next header tells.
    #[must_use]
    pub fn frame_length(&self) -> Option<usize> {
        let bitrate = self.bitrate_bps?;
        let padding = u32::from(self.padding);
        // Samples of a frame over eight bits, in slots of four bytes or one (§2.4.3.1).
        let length = match (self.layer, self.version) {
            (1, _) => (12 * bitrate / self.sample_rate + padding) * 4,
            (3, Version::Mpeg2 | Version::Mpeg25) => 72 * bitrate / self.sample_rate + padding,
            _ => 144 * bitrate / self.sample_rate + padding,
        };
        Some(length as usize)
    }

    /// Samples of the frame for each channel.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        match (self.layer, self.version) {
            (1, _) => 384,
            (3, Version::Mpeg2 | Version::Mpeg25) => 576,
            _ => 1_152,
        }
    }

    /// 1 or 2.
    #[must_use]
    pub const fn channels(&self) -> u16 {
        match self.channel_mode {
            ChannelMode::Mono => 1,
            _ => 2,
        }
    }

    /// What a track description wants to know.
    #[must_use]
    pub const fn audio_info(&self) -> AudioInfo {
        AudioInfo {
            sample_rate: self.sample_rate,
            channels: self.channels(),
            frame_samples: self.samples(),
        }
    }

    /// `mp4a` with the object type of the standard (RFC 6381 §3.3, ISO/IEC 14496-1 table 5). "mp3", which some Media
    /// Source implementations take too, is the name of a file type and of no sample entry.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        match self.object_type() {
            0x6B => "mp4a.6B",
            _ => "mp4a.69",
        }
    }

    /// `objectTypeIndication` of an `esds`: 6B for MPEG-1, 69 for the lower rates.
    #[must_use]
    pub const fn object_type(&self) -> u8 {
        match self.version {
            Version::Mpeg1 => 0x6B,
            Version::Mpeg2 | Version::Mpeg25 => 0x69,
        }
    }

    /// True when both can stand in one stream: version, layer, rate and free format are the same. Bit rate, padding and,
    /// in joint stereo encoders, the mode may change with each frame; the number of channels may not.
    #[must_use]
    pub fn is_consistent_with(&self, other: &Self) -> bool {
        self.version == other.version
            && self.layer == other.layer
            && self.sample_rate == other.sample_rate
            && self.channels() == other.channels()
            && self.bitrate_bps.is_none() == other.bitrate_bps.is_none()
    }
}

/// `bitrate_index` 1 to 14 in kbit/s (11172-3 §2.4.2.3, 13818-3 §2.4.2.3).
fn bitrate_kbps(version: Version, layer: u8, index: u8) -> Option<u32> {
    const LAYER_1: [u16; 14] = [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ];
    const LAYER_2: [u16; 14] = [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ];
    const LAYER_3: [u16; 14] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const LOW_1: [u16; 14] = [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ];
    const LOW_2: [u16; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let table = match (version, layer) {
        (Version::Mpeg1, 1) => LAYER_1,
        (Version::Mpeg1, 2) => LAYER_2,
        (Version::Mpeg1, _) => LAYER_3,
        (_, 1) => LOW_1,
        _ => LOW_2,
    };
    let at = usize::from(index).checked_sub(1)?;
    table.get(at).copied().map(u32::from)
}

/// Bytes of the ID3 tag that `data` begins with, which may be more than `data` has: an ID3v2 tag with its header and
/// footer (ID3v2.4 §3.1), or the 128 bytes of ID3v1. Nothing when it begins with none.
#[must_use]
pub fn tag_length(data: &[u8]) -> Option<usize> {
    match data {
        [b'I', b'D', b'3', major, minor, flags, s0, s1, s2, s3, ..]
            if *major != 0xFF && *minor != 0xFF && (s0 | s1 | s2 | s3) < 0x80 =>
        {
            let body = [s0, s1, s2, s3]
                .iter()
                .fold(0_usize, |n, &&b| (n << 7) | usize::from(b));
            let footer = if flags & 0x10 != 0 { 10 } else { 0 };
            Some(10 + body + footer)
        }
        [b'T', b'A', b'G', ..] => Some(128),
        _ => None,
    }
}

/// What a frame that carries no sound tells of the file it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct InfoTag {
    /// Which writer's form.
    pub kind: InfoKind,
    /// Frames of sound that follow, when told.
    pub frames: Option<u32>,
}

/// The writers of [`InfoTag`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InfoKind {
    /// `Xing`: variable bit rate.
    Xing,
    /// `Info`: constant bit rate (LAME).
    Info,
    /// `VBRI` (Fraunhofer).
    Vbri,
}

/// The tag in a frame (header included) that stands in for one of sound: first of its file, to be played by nobody.
#[must_use]
pub fn info_tag(frame: &[u8]) -> Option<InfoTag> {
    let header = FrameHeader::parse(frame).ok()?;
    if header.layer != 3 {
        return None;
    }
    let word = |at: usize| frame.get(at..)?.first_chunk::<4>().copied();
    let side = match (header.version, header.channels()) {
        (Version::Mpeg1, 1) => 17,
        (Version::Mpeg1, _) => 32,
        (_, 1) => 9,
        _ => 17,
    };
    // Writers disagree whether a checksum moves it.
    for at in [4 + side, 6 + side] {
        let kind = match &word(at)? {
            b"Xing" => InfoKind::Xing,
            b"Info" => InfoKind::Info,
            _ => continue,
        };
        let told = word(at + 4).is_some_and(|flags| flags[3] & 1 != 0);
        let frames = word(at + 8).map(u32::from_be_bytes).filter(|_| told);
        return Some(InfoTag { kind, frames });
    }
    (&word(36)? == b"VBRI").then(|| InfoTag {
        kind: InfoKind::Vbri,
        frames: word(36 + 14).map(u32::from_be_bytes),
    })
}

/// The frames of a byte stream: each header with its whole frame. ID3 tags and bytes that are no frame are passed over; a
/// first header counts only when a consistent one follows where its frame ends, or nothing does. A frame that is cut off
/// at the end is left in [`Frames::rest`].
#[must_use]
pub const fn frames(data: &[u8]) -> Frames<'_> {
    Frames {
        rest: data,
        before: None,
    }
}

/// See [`frames`].
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    /// The frame that ended where `rest` begins.
    before: Option<FrameHeader>,
}

impl<'a> Frames<'a> {
    /// What has not been read: the start of a frame or tag whose rest is still to come.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A frame at the front, when it holds together with what is around it; `Err` when more bytes are needed to tell.
    fn at_front(&self) -> Result<Option<(FrameHeader, usize)>> {
        let header = match FrameHeader::parse(self.rest) {
            Ok(header) => header,
            Err(Error::Truncated { .. }) if could_be_sync(self.rest) => {
                return Err(Error::Truncated { what: WHAT });
            }
            Err(_) => return Ok(None),
        };
        let in_sync = self.before.is_some_and(|b| b.is_consistent_with(&header));
        let Some(length) = header.frame_length() else {
            return free_format_length(self.rest, &header).map(|l| l.map(|l| (header, l)));
        };
        let Some(after) = self.rest.get(length..) else {
            // Cut off, if it is a frame at all: other bytes that look like a header may follow this one.
            let certain = in_sync || self.rest.len() < 2 * FREE_FORMAT_MAX;
            return if certain {
                Err(Error::Truncated { what: WHAT })
            } else {
                Ok(None)
            };
        };
        let followed = match FrameHeader::parse(after) {
            Ok(next) => next.is_consistent_with(&header),
            Err(Error::Truncated { .. }) => after.is_empty() || could_be_sync(after),
            Err(_) => tag_length(after).is_some(),
        };
        Ok((followed || in_sync).then_some((header, length)))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = (FrameHeader, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(length) = tag_length(self.rest) {
                self.rest = self.rest.get(length..)?;
                continue;
            }
            if let Some((header, length)) = self.at_front().ok()? {
                let (frame, rest) = self.rest.split_at_checked(length)?;
                (self.rest, self.before) = (rest, Some(header));
                return Some((header, frame));
            }
            self.before = None;
            let mut ahead = self.rest.iter().skip(1);
            let skip = ahead.position(|&b| matches!(b, 0xFF | b'I' | b'T'));
            match skip {
                Some(skip) => self.rest = self.rest.get(skip + 1..)?,
                None => {
                    self.rest = &[];
                    return None;
                }
            }
        }
    }
}

/// Length of a free format frame: up to the next header like it. Nothing when there is none near enough.
fn free_format_length(data: &[u8], header: &FrameHeader) -> Result<Option<usize>> {
    for at in FrameHeader::LENGTH..=FREE_FORMAT_MAX {
        match data.get(at..).map(FrameHeader::parse) {
            Some(Ok(next)) if next.is_consistent_with(header) => return Ok(Some(at)),
            None | Some(Err(Error::Truncated { .. })) => {
                return Err(Error::Truncated { what: WHAT });
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Fewer bytes than a header has, which may become one.
fn could_be_sync(data: &[u8]) -> bool {
    match data {
        [0xFF] => true,
        [0xFF, second, ..] => second & 0xE0 == 0xE0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of this header, filled so that nothing in it looks like a header.
    fn frame(header: [u8; 4]) -> Vec<u8> {
        let length = FrameHeader::parse(&header).unwrap().frame_length().unwrap();
        let mut frame = header.to_vec();
        frame.resize(length, 0x55);
        frame
    }

    #[test]
    fn lengths_and_samples() {
        // header -> layer, rate, bit rate, bytes, samples, channels
        for (header, want) in [
            (
                [0xFF, 0xFB, 0x90, 0x64],
                (3, 44_100, 128_000, 417, 1_152, 2),
            ),
            (
                [0xFF, 0xFB, 0x92, 0x64],
                (3, 44_100, 128_000, 418, 1_152, 2),
            ),
            (
                [0xFF, 0xFB, 0xE4, 0xC4],
                (3, 48_000, 320_000, 960, 1_152, 1),
            ),
            ([0xFF, 0xFB, 0x18, 0x00], (3, 32_000, 32_000, 144, 1_152, 2)),
            ([0xFF, 0xF3, 0x80, 0xC4], (3, 22_050, 64_000, 208, 576, 1)),
            ([0xFF, 0xE3, 0x18, 0xC4], (3, 8_000, 8_000, 72, 576, 1)),
            (
                [0xFF, 0xFD, 0xA4, 0x00],
                (2, 48_000, 192_000, 576, 1_152, 2),
            ),
            ([0xFF, 0xF5, 0x84, 0xC0], (2, 24_000, 64_000, 384, 1_152, 1)),
            ([0xFF, 0xFF, 0xC2, 0x00], (1, 44_100, 384_000, 420, 384, 2)),
        ] {
            let h = FrameHeader::parse(&header).unwrap();
            let got = (
                h.layer,
                h.sample_rate,
                h.bitrate_bps.unwrap(),
                h.frame_length().unwrap(),
                h.samples(),
                h.channels(),
            );
            assert_eq!(got, want, "{header:02x?}");
        }
        assert_eq!(
            FrameHeader::parse(&[0xFF, 0xFB, 0x90, 0])
                .unwrap()
                .codec_string(),
            "mp4a.6B"
        );
        assert_eq!(
            FrameHeader::parse(&[0xFF, 0xF3, 0x80, 0])
                .unwrap()
                .codec_string(),
            "mp4a.69"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for header in [
            [0xFE, 0xFB, 0x90, 0],
            [0xFF, 0xDB, 0x90, 0],
            [0xFF, 0xEB, 0x90, 0],
            [0xFF, 0xF9, 0x90, 0],
            [0xFF, 0xFB, 0xF0, 0],
            [0xFF, 0xFB, 0x9C, 0],
        ] {
            assert!(FrameHeader::parse(&header).is_err(), "{header:02x?}");
        }
        assert_eq!(
            FrameHeader::parse(&[0xFF, 0xFB, 0x90]),
            Err(Error::Truncated { what: WHAT })
        );
    }

    #[test]
    fn a_stream_is_split() {
        let one = frame([0xFF, 0xFB, 0x90, 0x64]);
        let two = frame([0xFF, 0xFB, 0xB0, 0x64]);
        let mut data = b"ID3\x04\0\x10\0\0\x01\x02".to_vec();
        data.resize(10 + 130 + 10, 0xFF);
        // A header that no second one follows.
        data.extend([0xFF, 0xFB, 0x90, 0x64, 1, 2, 3]);
        for part in [&one, &two, &one] {
            data.extend(part);
        }
        data.extend(b"TAG");
        data.resize(data.len() + 125, b' ');
        let mut all = frames(&data);
        let got: Vec<_> = all.by_ref().map(|(_, f)| f.to_vec()).collect();
        assert_eq!(got, [one.clone(), two.clone(), one.clone()]);
        assert!(all.rest().is_empty());
        // Cut anywhere, the whole frames come out and the rest is kept.
        let joined = [one.clone(), two.clone()].concat();
        for cut in 0..joined.len() {
            let mut all = frames(&joined[..cut]);
            let whole = all.by_ref().count();
            assert_eq!(whole, usize::from(cut >= one.len()), "{cut}");
            let left = if cut >= one.len() {
                cut - one.len()
            } else {
                cut
            };
            assert_eq!(all.rest().len(), left, "{cut}");
        }
    }

    #[test]
    fn free_format_ends_where_the_next_begins() {
        let mut one = vec![0xFF, 0xFB, 0x00, 0x64];
        one.resize(500, 0x55);
        let data = [one.clone(), one.clone(), one.clone()].concat();
        let mut all = frames(&data);
        assert_eq!(
            all.by_ref().map(|(_, f)| f.len()).collect::<Vec<_>>(),
            [500, 500]
        );
        assert_eq!(all.rest().len(), 500);
        let mut lonely = vec![0xFF, 0xFB, 0x00, 0x64];
        lonely.resize(3 * FREE_FORMAT_MAX, 0x55);
        assert_eq!(frames(&lonely).count(), 0);
    }

    #[test]
    fn info_tags() {
        for (header, at, name, kind) in [
            ([0xFF, 0xFB, 0x90, 0x64], 36, b"Xing", InfoKind::Xing),
            ([0xFF, 0xFB, 0x90, 0xC4], 21, b"Info", InfoKind::Info),
            ([0xFF, 0xF3, 0x80, 0xC4], 13, b"Xing", InfoKind::Xing),
            ([0xFF, 0xFA, 0x90, 0x64], 38, b"Info", InfoKind::Info),
        ] {
            let mut data = frame(header);
            assert_eq!(info_tag(&data), None);
            data[at..at + 4].copy_from_slice(name);
            data[at + 4..at + 12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 1, 2]);
            assert_eq!(
                info_tag(&data),
                Some(InfoTag {
                    kind,
                    frames: Some(258)
                })
            );
            data[at + 7] = 2;
            assert_eq!(info_tag(&data), Some(InfoTag { kind, frames: None }));
        }
        let mut data = frame([0xFF, 0xFB, 0x90, 0x64]);
        data[36..40].copy_from_slice(b"VBRI");
        data[50..54].copy_from_slice(&[0, 0, 0, 9]);
        assert_eq!(
            info_tag(&data),
            Some(InfoTag {
                kind: InfoKind::Vbri,
                frames: Some(9)
            })
        );
    }
}
