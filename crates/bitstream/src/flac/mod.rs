//! FLAC: STREAMINFO and metadata blocks, the `dfLa` record, and frame headers (RFC 9639).

mod frame;

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::AudioInfo;

pub use frame::{ChannelMode, FrameHeader};

use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};

const INFO: &str = "FLAC STREAMINFO";
const BLOCKS: &str = "FLAC metadata";

/// What a file begins with (§6).
pub const MAGIC: &[u8; 4] = b"fLaC";

/// The first metadata block (§8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Samples of the smallest block but the last, 16 or more.
    pub min_block: u16,
    /// Samples of the largest block.
    pub max_block: u16,
    /// Bytes of the smallest frame; 0 when unknown.
    pub min_frame: u32,
    /// Bytes of the largest frame; 0 when unknown.
    pub max_frame: u32,
    /// In Hz, never 0.
    pub sample_rate: u32,
    /// 1 to 8.
    pub channels: u8,
    /// Bits of a sample, 4 to 32.
    pub bits_per_sample: u8,
    /// Samples in all for each channel; 0 when unknown, as in live streams.
    pub total_samples: u64,
    /// MD5 of the decoded sound; zeros when unknown.
    pub md5: [u8; 16],
}

impl StreamInfo {
    /// Bytes of the block.
    pub const LENGTH: usize = 34;

    /// Parses the body of the block.
    ///
    /// # Errors
    /// When it ends early, or has a block size below 16, a sample rate of 0 (no sound) or less than 4 bits a sample.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(body, INFO);
        let mut info = Self {
            min_block: r.bits(16)? as u16,
            max_block: r.bits(16)? as u16,
            min_frame: r.bits(24)?,
            max_frame: r.bits(24)?,
            sample_rate: r.bits(20)?,
            channels: r.small(3)? + 1,
            bits_per_sample: r.small(5)? + 1,
            total_samples: (u64::from(r.bits(4)?) << 32) | u64::from(r.bits(32)?),
            md5: [0; 16],
        };
        for byte in &mut info.md5 {
            *byte = r.byte()?;
        }
        ensure(
            16 <= info.min_block && info.min_block <= info.max_block,
            INFO,
            "block sizes must be 16 or more, the smallest first",
        )?;
        ensure(info.sample_rate > 0, INFO, "sample rate of 0")?;
        ensure(info.bits_per_sample >= 4, INFO, "less than 4 bits a sample")?;
        Ok(info)
    }

    /// What the header of a stream's first frame tells; nothing when it leaves rate or sample size to a STREAMINFO. Only
    /// the last frame of a stream with blocks of one size is shorter.
    #[must_use]
    pub fn from_frame(header: &FrameHeader) -> Option<Self> {
        let size = u16::try_from(header.block_size).unwrap_or(u16::MAX).max(16);
        Some(Self {
            min_block: if header.variable { 16 } else { size },
            max_block: if header.variable { u16::MAX } else { size },
            min_frame: 0,
            max_frame: 0,
            sample_rate: header.sample_rate?,
            channels: header.channels,
            bits_per_sample: header.bits_per_sample?,
            total_samples: 0,
            md5: [0; 16],
        })
    }

    /// The body of the block.
    #[must_use]
    pub fn write(&self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        let mut buf = &mut out[..];
        buf.put_u16(self.min_block);
        buf.put_u16(self.max_block);
        buf.put_uint(u64::from(self.min_frame & 0xFF_FFFF), 3);
        buf.put_uint(u64::from(self.max_frame & 0xFF_FFFF), 3);
        buf.put_u64(
            (u64::from(self.sample_rate & 0xF_FFFF) << 44)
                | (u64::from(self.channels.saturating_sub(1) & 7) << 41)
                | (u64::from(self.bits_per_sample.saturating_sub(1) & 0x1F) << 36)
                | (self.total_samples & 0xF_FFFF_FFFF),
        );
        buf.put_slice(&self.md5);
        out
    }

    /// What a track description wants to know; blocks of one size tell their length.
    #[must_use]
    pub fn audio_info(&self) -> AudioInfo {
        AudioInfo {
            sample_rate: self.sample_rate,
            channels: u16::from(self.channels),
            frame_samples: match self.min_block == self.max_block {
                true => u32::from(self.max_block),
                false => 0,
            },
        }
    }
}

/// The metadata blocks of a stream, as the body of `dfLa` has them behind version and flags (Encapsulation of FLAC in ISO
/// Base Media File Format §3.3.2): STREAMINFO first, each with its header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlacConfig {
    /// The first block.
    pub info: StreamInfo,
    /// All of them, with their headers.
    pub blocks: Bytes,
}

impl FlacConfig {
    /// Parses any form there is: metadata blocks, the same behind `fLaC` (files, Matroska, Enhanced RTMP) or behind version
    /// and flags of the box, and the bare 34 bytes of STREAMINFO. Bytes behind the last block are cut off.
    ///
    /// # Errors
    /// When a block ends early, or the first is no STREAMINFO.
    pub fn parse(record: &Bytes) -> Result<Self> {
        if record.len() == StreamInfo::LENGTH {
            let info = StreamInfo::parse(record)?;
            return Ok(Self::new(info));
        }
        // A block of type 0 has 34 bytes, so four zeros are none.
        let skip = match record.first_chunk::<4>() {
            Some(MAGIC | [0, 0, 0, 0]) => 4,
            _ => 0,
        };
        let blocks = record.slice(skip..);
        let length = blocks_length(&blocks)?;
        let blocks = blocks.slice(..length);
        let body = blocks.get(4..).unwrap_or_default();
        Ok(Self {
            info: StreamInfo::parse(body)?,
            blocks,
        })
    }

    /// A record with nothing but a STREAMINFO.
    #[must_use]
    pub fn new(info: StreamInfo) -> Self {
        let mut blocks = BytesMut::with_capacity(4 + StreamInfo::LENGTH);
        blocks.put_slice(&[0x80, 0, 0, 34]);
        blocks.put_slice(&info.write());
        Self {
            info,
            blocks: blocks.freeze(),
        }
    }

    /// The record of a frame that tells all a decoder must know; see [`StreamInfo::from_frame`].
    #[must_use]
    pub fn from_frame(frame: &[u8]) -> Option<Self> {
        let header = FrameHeader::parse(frame).ok()?;
        StreamInfo::from_frame(&header).map(Self::new)
    }

    /// The record's bytes, without version and flags of the box.
    #[must_use]
    pub fn write(&self) -> Bytes {
        self.blocks.clone()
    }

    /// The blocks behind `fLaC`, as a file begins and as Matroska and Enhanced RTMP want them.
    #[must_use]
    pub fn write_with_magic(&self) -> Bytes {
        [MAGIC, &self.blocks[..]].concat().into()
    }
}

/// Bytes of the metadata blocks (§8.1) at the front of `data`, up to and with the one marked as last or, where that mark
/// is missing, up to the end of `data`.
///
/// # Errors
/// When a block ends early, the first is no STREAMINFO, or one is of the type that is forbidden.
pub fn blocks_length(data: &[u8]) -> Result<usize> {
    let mut at = 0;
    loop {
        let truncated = Error::Truncated { what: BLOCKS };
        let header = data.get(at..).and_then(|d| d.first_chunk::<4>());
        let [kind, length @ ..] = header.ok_or(truncated)?;
        let length = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize;
        let first = at == 0;
        ensure(
            !first || (kind & 0x7F == 0 && length == StreamInfo::LENGTH),
            BLOCKS,
            "the first must be STREAMINFO",
        )?;
        ensure(kind & 0x7F != 0x7F, BLOCKS, "type 127 is forbidden")?;
        at += 4 + length;
        if at > data.len() {
            return Err(truncated);
        }
        if kind & 0x80 != 0 || at == data.len() {
            return Ok(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO_BYTES: [u8; 34] = [
        0x10, 0, 0x10, 0, 0, 0, 0x0E, 0, 0x20, 0x33, 0x0B, 0xB8, 0x02, 0xF0, 0, 0, 0x5D, 0xC0, 1,
        2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ];

    #[test]
    fn stream_info() {
        let info = StreamInfo::parse(&INFO_BYTES).unwrap();
        assert_eq!((info.min_block, info.max_block), (4_096, 4_096));
        assert_eq!((info.min_frame, info.max_frame), (14, 8_243));
        assert_eq!((info.sample_rate, info.channels), (48_000, 2));
        assert_eq!((info.bits_per_sample, info.total_samples), (16, 24_000));
        assert_eq!(info.write(), INFO_BYTES);
        assert_eq!(info.audio_info().frame_samples, 4_096);
        for length in 0..34 {
            assert!(StreamInfo::parse(&INFO_BYTES[..length]).is_err());
        }
        assert!(StreamInfo::parse(&[0; 34]).is_err());
    }

    #[test]
    fn every_form_of_a_record() {
        let bare = Bytes::copy_from_slice(&INFO_BYTES);
        let config = FlacConfig::parse(&bare).unwrap();
        let block = config.write();
        assert_eq!(block[..4], [0x80, 0, 0, 34]);
        let comment = [
            &[0, 0, 0, 34],
            &INFO_BYTES[..],
            &[0x84, 0, 0, 2, b'h', b'i'],
        ]
        .concat();
        for (form, blocks) in [
            (block.to_vec(), &block[..]),
            (config.write_with_magic().to_vec(), &block),
            ([&[0; 4], &block[..]].concat(), &block),
            ([&block[..], b"\xFF\xF8 frames"].concat(), &block),
            (comment.clone(), &comment),
            ([MAGIC, &comment[..]].concat(), &comment),
        ] {
            let parsed = FlacConfig::parse(&form.into()).unwrap();
            assert_eq!(parsed.info, config.info);
            assert_eq!(parsed.blocks, blocks);
        }
        for bad in [
            &b"fLaC"[..],
            &comment[..comment.len() - 1],
            &[0x84, 0, 0, 34],
            &[&[0x81, 0, 0, 34], &INFO_BYTES[..]].concat(),
            &[&comment[..38], &[0xFF, 0, 0, 0]].concat(),
        ] {
            assert!(FlacConfig::parse(&Bytes::copy_from_slice(bad)).is_err());
        }
    }
}
