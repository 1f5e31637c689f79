//! ADTS: the header before each raw access unit of a byte stream (ISO/IEC 14496-3 §1.A.2.2).

use super::{AudioSpecificConfig, RATES};
use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};

const WHAT: &str = "ADTS header";

/// The header before each raw access unit of an ADTS stream (§1.A.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdtsHeader {
    /// `audioObjectType`: `profile_ObjectType` plus one.
    pub object_type: u8,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// `channel_configuration`: 0 when the stream tells the channels.
    pub channel_config: u8,
    /// Bytes of the header: 7, or 9 with a checksum.
    pub header_length: usize,
    /// Bytes of header and access unit.
    pub frame_length: usize,
    /// Raw data blocks in the frame: 1 in practice.
    pub blocks: u8,
}

impl AdtsHeader {
    /// Parses a header.
    ///
    /// # Errors
    /// When it ends early, does not begin with the syncword, has a reserved rate, or a length shorter than itself.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(data, WHAT);
        ensure(r.bits(12)? == 0xFFF, WHAT, "syncword must be FFF")?;
        r.skip(1)?; // ID
        ensure(r.bits(2)? == 0, WHAT, "layer must be 0")?;
        let header_length = if r.flag()? { 7 } else { 9 };
        let object_type = r.small(2)? + 1;
        let rate = r.bits(4)?;
        r.skip(1)?; // private_bit
        let channel_config = r.small(3)?;
        r.skip(4)?;
        let frame_length = r.bits(13)? as usize;
        r.skip(11)?; // adts_buffer_fullness
        let blocks = r.small(2)? + 1;
        ensure(
            frame_length >= header_length,
            WHAT,
            "frame shorter than its header",
        )?;
        Ok(Self {
            object_type,
            sample_rate: RATES
                .get(rate as usize)
                .copied()
                .ok_or(Error::invalid(WHAT, "reserved sampling_frequency_index"))?,
            channel_config,
            header_length,
            frame_length,
            blocks,
        })
    }

    /// The header for a raw access unit of `length` bytes.
    ///
    /// # Errors
    /// When ADTS cannot say it: object types other than 1 to 4, rates without an index, channels told by a program
    /// config element or above 7.1, or more than 8184 bytes.
    pub fn for_access_unit(config: &AudioSpecificConfig, length: usize) -> Result<Self> {
        ensure(
            (1..=4).contains(&config.object_type),
            WHAT,
            "object type above 4",
        )?;
        ensure(
            RATES.contains(&config.sample_rate),
            WHAT,
            "sample rate without an index",
        )?;
        ensure(
            (1..=7).contains(&config.channel_config),
            WHAT,
            "channels without a number",
        )?;
        ensure(
            length <= 0x1FFF - 7,
            WHAT,
            "access unit longer than 8184 bytes",
        )?;
        Ok(Self {
            object_type: config.object_type,
            sample_rate: config.sample_rate,
            channel_config: config.channel_config,
            header_length: 7,
            frame_length: length.saturating_add(7),
            blocks: 1,
        })
    }

    /// The seven bytes of a header without checksum.
    #[must_use]
    pub fn write(&self) -> [u8; 7] {
        let rate = RATES
            .iter()
            .position(|&r| r == self.sample_rate)
            .unwrap_or(15) as u8;
        let profile = self.object_type.saturating_sub(1) & 3;
        let channels = self.channel_config & 7;
        let length = (self.frame_length & 0x1FFF) as u16;
        [
            0xFF,
            0xF1,
            (profile << 6) | (rate << 2) | (channels >> 2),
            ((channels & 3) << 6) | (length >> 11) as u8,
            ((length >> 3) & 0xFF) as u8,
            ((length & 7) << 5) as u8 | 0x1F,
            0xFC | (self.blocks.saturating_sub(1) & 3),
        ]
    }
}

/// The frames of an ADTS stream: each header with its raw access unit. Bytes between frames are passed over up to the
/// next header whose frame is complete or followed by another syncword; a frame that is cut off at the end is left.
#[must_use]
pub const fn adts_frames(data: &[u8]) -> AdtsFrames<'_> {
    AdtsFrames { rest: data }
}

/// See [`adts_frames`].
#[derive(Clone, Debug)]
pub struct AdtsFrames<'a> {
    rest: &'a [u8],
}

impl<'a> AdtsFrames<'a> {
    /// What has not been read: the start of a frame whose rest is still to come.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for AdtsFrames<'a> {
    type Item = (AdtsHeader, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match AdtsHeader::parse(self.rest) {
                Ok(header) => {
                    let Some((frame, rest)) = self.rest.split_at_checked(header.frame_length)
                    else {
                        // Cut off, if it is a frame at all.
                        return None;
                    };
                    if rest.is_empty() || is_sync(rest) {
                        self.rest = rest;
                        return Some((
                            header,
                            frame.get(header.header_length..).unwrap_or_default(),
                        ));
                    }
                }
                Err(Error::Truncated { .. }) => return None,
                Err(_) => {}
            }
            let skip = self.rest.iter().skip(1).position(|&b| b == 0xFF)?;
            self.rest = self.rest.get(skip + 1..)?;
        }
    }
}

fn is_sync(data: &[u8]) -> bool {
    match data {
        [0xFF, second, ..] => second & 0xF6 == 0xF0,
        [0xFF] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::channels_of;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn adts_resyncs_and_leaves_the_tail() {
        let asc = AudioSpecificConfig::low_complexity(48_000, 2).unwrap();
        let mut stream = vec![0xFF, 0x00, 0xFF];
        for length in [5_usize, 300, 0] {
            stream.extend(AdtsHeader::for_access_unit(&asc, length).unwrap().write());
            stream.extend(vec![0xAB; length]);
        }
        let tail = AdtsHeader::for_access_unit(&asc, 50).unwrap().write();
        stream.extend(tail);
        let mut frames = adts_frames(&stream);
        let lengths: Vec<_> = frames
            .by_ref()
            .map(|(h, body)| (h.sample_rate, body.len()))
            .collect();
        assert_eq!(lengths, [(48_000, 5), (48_000, 300), (48_000, 0)]);
        assert_eq!(frames.rest(), tail);
    }

    proptest! {
        #[test]
        fn adts_headers_survive(index in 0usize..13, kind in 1u8..=4, channel_config in 1u8..=7, length in 0usize..8_185) {
            let mut asc = AudioSpecificConfig::low_complexity(RATES[index], channels_of(channel_config)).unwrap();
            asc.object_type = kind;
            let header = AdtsHeader::for_access_unit(&asc, length).unwrap();
            prop_assert_eq!(AdtsHeader::parse(&header.write()).unwrap(), header);
        }

        #[test]
        fn any_bytes_end(data in proptest::collection::vec(prop_oneof![Just(0xFFu8), Just(0xF1), any::<u8>()], 0..300)) {
            for (header, body) in adts_frames(&data) {
                prop_assert_eq!(header.frame_length - header.header_length, body.len());
            }
            let _ = AudioSpecificConfig::parse(&data);
        }
    }
}
