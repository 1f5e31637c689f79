//! The header of a frame (§9.1).

use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};

const FRAME: &str = "FLAC frame header";

/// How two channels are coded together (§9.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelMode {
    /// Each by itself.
    Independent,
    /// Left, and the difference.
    LeftSide,
    /// The difference, and right.
    SideRight,
    /// The mean, and the difference.
    MidSide,
}

/// The header of a frame (§9.1).
///
/// ```text
/// +----------------+-+-+----+----+----+---+-+---------------+-----------+----------+-------+
/// |sync (14 bits)  |0|v|size|rate|chan|bit|0|coded number   |block size |rate      |CRC-8  |
/// +----------------+-+-+----+----+----+---+-+---------------+-----------+----------+-------+
///                                              1 to 7 bytes   0 to 2      0 to 2
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// Blocks differ in size, and `number` counts samples.
    pub variable: bool,
    /// The number of the frame, or of its first sample.
    pub number: u64,
    /// Samples for each channel, never 0.
    pub block_size: u32,
    /// In Hz; nothing when STREAMINFO tells.
    pub sample_rate: Option<u32>,
    /// 1 to 8.
    pub channels: u8,
    /// How they are coded.
    pub channel_mode: ChannelMode,
    /// Bits of a sample; nothing when STREAMINFO tells.
    pub bits_per_sample: Option<u8>,
    /// Bytes of the header with its checksum.
    pub length: usize,
}

impl FrameHeader {
    /// Parses a header and checks its CRC-8.
    ///
    /// # Errors
    /// When it ends early, a field is reserved, or the checksum is wrong.
    pub fn parse(frame: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(frame, FRAME);
        ensure(
            r.bits(15)? == 0x7FFC,
            FRAME,
            "must begin with the sync code",
        )?;
        let variable = r.flag()?;
        let (size_code, rate_code) = (r.bits(4)?, r.bits(4)?);
        let (channel_code, bits_code) = (r.small(4)?, r.bits(3)?);
        ensure(!r.flag()?, FRAME, "reserved bit must be 0")?;
        let (channels, channel_mode) = match channel_code {
            0..=7 => (channel_code + 1, ChannelMode::Independent),
            8 => (2, ChannelMode::LeftSide),
            9 => (2, ChannelMode::SideRight),
            10 => (2, ChannelMode::MidSide),
            _ => return Err(Error::invalid(FRAME, "reserved channel assignment")),
        };
        let bits_per_sample = match bits_code {
            0 => None,
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => return Err(Error::invalid(FRAME, "reserved sample size")),
        };
        let (number, number_length) = coded_number(&mut r)?;
        let (block_size, size_length) = match size_code {
            0 => return Err(Error::invalid(FRAME, "reserved block size")),
            1 => (192, 0),
            2..=5 => (144 << size_code, 0),
            6 => (r.bits(8)? + 1, 1),
            7 => (r.bits(16)? + 1, 2),
            _ => (1 << size_code, 0),
        };
        const RATES: [u32; 11] = [
            88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
        ];
        let (sample_rate, rate_length) = match rate_code {
            0 => (None, 0),
            12 => (Some(r.bits(8)? * 1_000), 1),
            13 => (Some(r.bits(16)?), 2),
            14 => (Some(r.bits(16)? * 10), 2),
            15 => return Err(Error::invalid(FRAME, "forbidden sample rate")),
            code => (RATES.get(code as usize - 1).copied(), 0),
        };
        ensure(sample_rate != Some(0), FRAME, "sample rate of 0")?;
        let length = 4 + number_length + size_length + rate_length;
        let told = r.byte()?;
        let covered = frame.get(..length).unwrap_or_default();
        ensure(crc8(covered) == told, FRAME, "CRC-8 is wrong")?;
        Ok(Self {
            variable,
            number,
            block_size,
            sample_rate,
            channels,
            channel_mode,
            bits_per_sample,
            length: length + 1,
        })
    }
}

/// A number coded as UTF-8 codes characters, up to 36 bits (§9.1.5), and its bytes.
fn coded_number(r: &mut BitReader<'_>) -> Result<(u64, usize)> {
    let first = r.byte()?;
    let ones = first.leading_ones();
    if ones == 0 {
        return Ok((u64::from(first), 1));
    }
    ensure((2..=7).contains(&ones), FRAME, "broken coded number")?;
    let mut number = u64::from(first & (0x7F_u8 >> ones));
    for _ in 1..ones {
        let byte = r.byte()?;
        ensure(byte >> 6 == 2, FRAME, "broken coded number")?;
        number = (number << 6) | u64::from(byte & 0x3F);
    }
    Ok((number, ones as usize))
}

/// x^8 + x^2 + x + 1, from 0.
fn crc8(data: &[u8]) -> u8 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| (crc << 1) ^ ((crc >> 7) * 0x07))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with its checksum.
    fn sealed(header: &[u8]) -> Vec<u8> {
        let mut all = header.to_vec();
        all.push(crc8(header));
        all
    }

    #[test]
    fn frame_headers() {
        // The check value of this polynomial.
        assert_eq!(crc8(b"123456789"), 0xF4);
        let header = FrameHeader::parse(&sealed(&[0xFF, 0xF8, 0xC9, 0xA8, 0x7F])).unwrap();
        assert_eq!(
            (header.block_size, header.sample_rate),
            (4_096, Some(44_100))
        );
        assert_eq!(
            (header.channels, header.channel_mode),
            (2, ChannelMode::MidSide)
        );
        assert_eq!(
            (header.number, header.bits_per_sample, header.length),
            (127, Some(16), 6)
        );
        let long = sealed(&[
            0xFF, 0xF9, 0x7E, 0x70, 0xFE, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0x12, 0x33, 0x13,
            0x88,
        ]);
        let header = FrameHeader::parse(&long).unwrap();
        assert!(header.variable);
        assert_eq!(header.number, 0xF_FFFF_FFFF);
        assert_eq!(
            (header.block_size, header.sample_rate),
            (0x1234, Some(50_000))
        );
        assert_eq!((header.channels, header.bits_per_sample), (8, None));
        assert_eq!(header.length, long.len());
        for length in 0..long.len() {
            assert!(FrameHeader::parse(&long[..length]).is_err());
        }
        for at in 0..long.len() * 8 {
            let mut broken = long.clone();
            broken[at / 8] ^= 0x80 >> (at % 8);
            assert!(FrameHeader::parse(&broken).is_err(), "bit {at}");
        }
    }

    #[test]
    fn reserved_values() {
        for header in [
            [0xFF, 0xFA, 0xC9, 0xA8, 0],
            [0xFF, 0xF8, 0x09, 0xA8, 0],
            [0xFF, 0xF8, 0xCF, 0xA8, 0],
            [0xFF, 0xF8, 0xC9, 0xB8, 0],
            [0xFF, 0xF8, 0xC9, 0xA6, 0],
            [0xFF, 0xF8, 0xC9, 0xA9, 0],
            [0xFF, 0xF8, 0xC9, 0xA8, 0x80],
            [0xFF, 0xF8, 0xC9, 0xA8, 0xFF],
        ] {
            assert!(
                FrameHeader::parse(&sealed(&header)).is_err(),
                "{header:02x?}"
            );
        }
    }
}
