//! The four bytes before each frame.

use core_frame::AudioInfo;

use super::WHAT;
use crate::error::{Error, Result, ensure};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
