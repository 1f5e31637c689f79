//! Opus: identification headers (`OpusHead` of RFC 7845, `dOps` of the ISO mapping) and packet durations (RFC 6716).

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::AudioInfo;

use crate::cursor::Cursor;
use crate::error::{Error, Result, ensure};

const WHAT: &str = "Opus head";
const PACKET: &str = "Opus packet";

/// Opus always decodes at this rate.
pub const SAMPLE_RATE: u32 = 48_000;

/// What `OpusHead` (RFC 7845 §5.1) and `dOps` (Encapsulation of Opus in ISO Base Media File Format §4.3.2) both say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// Output channels, never 0.
    pub channels: u8,
    /// Samples at 48 kHz to drop at the start.
    pub pre_skip: u16,
    /// Sample rate of the original in Hz; 0 when unknown. Not the rate of playback.
    pub input_sample_rate: u32,
    /// Gain to apply, in 1/256 dB.
    pub output_gain: i16,
    /// Which channel comes from which coded one; nothing in mapping family 0 (mono and stereo).
    pub mapping: Option<Mapping>,
}

/// A channel mapping table (RFC 7845 §5.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Mapping family: 1 Vorbis order, 2 and 3 ambisonics, 255 undefined.
    pub family: u8,
    /// Coded streams in each packet.
    pub streams: u8,
    /// How many of them are stereo.
    pub coupled: u8,
    /// For each output channel the coded channel, 255 for silence; in family 3 the demixing matrix.
    pub table: Bytes,
}

impl Head {
    /// Of mono or stereo sound, as encoders write it by default.
    ///
    /// # Errors
    /// When there are not one or two channels.
    pub fn new(channels: u8, pre_skip: u16) -> Result<Self> {
        ensure(
            (1..=2).contains(&channels),
            WHAT,
            "family 0 has one or two channels",
        )?;
        Ok(Self {
            channels,
            pre_skip,
            input_sample_rate: SAMPLE_RATE,
            output_gain: 0,
            mapping: None,
        })
    }

    /// Parses either form: `OpusHead` is known by its magic, anything else is taken for a `dOps` body.
    ///
    /// # Errors
    /// When it ends early, has no channels, an unknown version, or a mapping that points to no coded channel.
    pub fn parse(head: &Bytes) -> Result<Self> {
        let mut c = Cursor::new(head, WHAT);
        let little = head.starts_with(b"OpusHead");
        if little {
            let _: [u8; 8] = c.array()?;
        }
        let version = c.u8()?;
        // The upper half of OpusHead's version must be 0 (RFC 7845 §5.1); dOps knows 0 only.
        ensure(
            version <= if little { 15 } else { 0 },
            WHAT,
            "unknown version",
        )?;
        let channels = c.u8()?;
        let (mut pre_skip, mut rate, mut gain) = (c.u16()?, c.u32()?, c.u16()?);
        if little {
            (pre_skip, rate, gain) = (pre_skip.swap_bytes(), rate.swap_bytes(), gain.swap_bytes());
        }
        let family = c.u8()?;
        ensure(channels > 0, WHAT, "no channels")?;
        ensure(
            family > 0 || channels <= 2,
            WHAT,
            "family 0 has one or two channels",
        )?;
        let mut mapping = None;
        if family > 0 {
            let (streams, coupled) = (c.u8()?, c.u8()?);
            ensure(
                streams > 0 && coupled <= streams,
                WHAT,
                "more stereo streams than streams",
            )?;
            let coded = u16::from(streams) + u16::from(coupled);
            ensure(coded <= 255, WHAT, "more than 255 coded channels")?;
            let table = if family == 3 {
                c.bytes(2 * usize::from(channels) * usize::from(coded))?
            } else {
                let table = c.bytes(usize::from(channels))?;
                ensure(
                    table.iter().all(|&t| t == 255 || u16::from(t) < coded),
                    WHAT,
                    "mapping to a channel that is not coded",
                )?;
                table
            };
            mapping = Some(Mapping {
                family,
                streams,
                coupled,
                table,
            });
        }
        Ok(Self {
            channels,
            pre_skip,
            input_sample_rate: rate,
            output_gain: gain as i16,
            mapping,
        })
    }

    /// The body of a `dOps` box, big-endian.
    #[must_use]
    pub fn write_dops(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(32);
        out.put_slice(&[0, self.channels]);
        out.put_u16(self.pre_skip);
        out.put_u32(self.input_sample_rate);
        out.put_i16(self.output_gain);
        self.put_mapping(&mut out);
        out.freeze()
    }

    /// An `OpusHead` packet, little-endian.
    #[must_use]
    pub fn write_opus_head(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(40);
        out.put_slice(b"OpusHead");
        out.put_slice(&[1, self.channels]);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_sample_rate);
        out.put_i16_le(self.output_gain);
        self.put_mapping(&mut out);
        out.freeze()
    }

    /// What a track description wants to know. The length of packets is each packet's own: see [`packet_samples`].
    #[must_use]
    pub fn audio_info(&self) -> AudioInfo {
        AudioInfo {
            sample_rate: SAMPLE_RATE,
            channels: u16::from(self.channels),
            frame_samples: 0,
        }
    }

    fn put_mapping(&self, out: &mut BytesMut) {
        match &self.mapping {
            None => out.put_u8(0),
            Some(m) => {
                out.put_slice(&[m.family, m.streams, m.coupled]);
                out.put_slice(&m.table);
            }
        }
    }
}

/// Samples a packet lasts at 48 kHz, told by its first two bytes (RFC 6716 §3.1, §3.2).
///
/// ```text
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// | config  |s| c |   c = 0: one frame, 1: two equal, 2: two, 3: the next byte tells how many
/// +-+-+-+-+-+-+-+-+
/// ```
///
/// # Errors
/// When the packet is empty, tells no frames, or lasts more than 120 ms.
pub fn packet_samples(packet: &[u8]) -> Result<u32> {
    let truncated = Error::Truncated { what: PACKET };
    let (&toc, rest) = packet.split_first().ok_or(truncated)?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480_u32, 960, 1_920, 2_880].get(usize::from(config & 3)),
        12..=15 => [480, 960].get(usize::from(config & 1)),
        _ => [120, 240, 480, 960].get(usize::from(config & 3)),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first().ok_or(truncated)? & 0x3F),
    };
    ensure(frames > 0, PACKET, "no frames")?;
    let samples = frame.copied().unwrap_or_default() * frames;
    ensure(samples <= 5_760, PACKET, "longer than 120 ms")?;
    Ok(samples)
}

/// True when the packet's table of contents says stereo.
#[must_use]
pub fn is_stereo(packet: &[u8]) -> bool {
    packet.first().is_some_and(|toc| toc & 4 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_survive() {
        let surround = Head {
            channels: 6,
            pre_skip: 312,
            input_sample_rate: 44_100,
            output_gain: -256,
            mapping: Some(Mapping {
                family: 1,
                streams: 4,
                coupled: 2,
                table: Bytes::from_static(&[0, 4, 1, 2, 3, 5]),
            }),
        };
        for head in [
            surround,
            Head::new(2, 312).unwrap(),
            Head::new(1, 0).unwrap(),
        ] {
            for bytes in [head.write_dops(), head.write_opus_head()] {
                assert_eq!(Head::parse(&bytes).unwrap(), head);
                for length in 0..bytes.len() {
                    assert!(Head::parse(&bytes.slice(..length)).is_err());
                }
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for dops in [
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 7],
            &[0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 1],
        ] {
            assert!(
                Head::parse(&Bytes::copy_from_slice(dops)).is_err(),
                "{dops:?}"
            );
        }
    }

    #[test]
    fn durations() {
        // (config << 3 | code, count byte) -> samples
        for (toc, count, samples) in [
            (0 << 3, 0, Some(480)),
            (3 << 3, 0, Some(2_880)),
            (13 << 3, 0, Some(960)),
            (16 << 3, 0, Some(120)),
            ((31 << 3) | 1, 0, Some(1_920)),
            ((31 << 3) | 3, 6, Some(5_760)),
            ((31 << 3) | 3, 7, None),
            ((31 << 3) | 3, 0, None),
        ] {
            assert_eq!(packet_samples(&[toc, count]).ok(), samples, "{toc} {count}");
        }
        assert!(packet_samples(&[]).is_err());
        assert!(packet_samples(&[0xFF]).is_err());
    }
}
