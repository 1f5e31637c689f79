//! Audio tag bodies: legacy formats and the Enhanced RTMP header.

use bytes::Bytes;
use core_frame::{CodecId, MediaKind};

use super::packet::{Channels, Flavor, Packet, PacketKind, Packets, Tag, modifiers, packets};
use super::{Cursor, FrameType};
use crate::{Error, FourCc, error::Result};

/// `SoundFormat` that announces an Enhanced header.
const EX_HEADER: u8 = 9;

/// `AudioPacketType`.
mod packet_type {
    pub(super) const SEQUENCE_START: u8 = 0;
    pub(super) const CODED_FRAMES: u8 = 1;
    pub(super) const SEQUENCE_END: u8 = 2;
    pub(super) const MULTICHANNEL_CONFIG: u8 = 4;
    pub(super) const MULTITRACK: u8 = 5;
}

const FLAVOR: Flavor = Flavor {
    multitrack: packet_type::MULTITRACK,
    packet: enhanced_packet,
    codec: enhanced_codec,
};

/// Parses the body of an audio tag or message.
///
/// Legacy (Video File Format v10.1, annex E.4.2.1): `format 4 | rate 2 | size 1 | type 1`, for AAC (10) followed by
/// `packet type 8`. An empty body is silence.
///
/// Enhanced (E-RTMP v2, "ExAudioTagHeader"): `9 | packet type 4`, modifiers, FourCC or multitrack.
///
/// # Errors
/// The body ends early, breaks a rule or uses a codec that is not handled.
pub fn parse_audio(body: &Bytes) -> Result<Tag> {
    let mut at = Cursor::new(body, "audio tag");
    if at.is_empty() {
        return Ok(Tag::empty(FrameType::Key));
    }
    let first = at.u8()?;
    let (format, low) = (first >> 4, first & 0x0F);
    if format == EX_HEADER {
        let (packet_type, nanos) = modifiers(&mut at, low)?;
        return Ok(Tag {
            frame_type: FrameType::Key,
            nanos,
            packets: packets(&mut at, packet_type, &FLAVOR)?,
        });
    }
    let (codec, kind) = legacy(&mut at, format, low)?;
    let mut packets = Packets::new();
    packets.push(Packet {
        track: 0,
        codec,
        kind,
        payload: at.rest(),
    });
    Ok(Tag {
        frame_type: FrameType::Key,
        nanos: 0,
        packets,
    })
}

fn legacy(at: &mut Cursor<'_>, format: u8, low: u8) -> Result<(CodecId, PacketKind)> {
    let channels = 1 + u16::from(low & 1);
    let rate = match low >> 2 {
        0 => 5_512,
        1 => 11_025,
        2 => 22_050,
        _ => 44_100,
    };
    let raw = |codec, sample_rate| {
        Ok((
            codec,
            PacketKind::Raw {
                sample_rate,
                channels,
            },
        ))
    };
    match format {
        2 => raw(CodecId::Mp3, rate),
        14 => raw(CodecId::Mp3, 8_000),
        7 => raw(CodecId::Pcma, 8_000),
        8 => raw(CodecId::Pcmu, 8_000),
        3 if low & 2 != 0 => raw(CodecId::Pcm, rate),
        10 => match at.u8()? {
            0 => Ok((CodecId::Aac, PacketKind::SequenceStart)),
            1 => Ok((CodecId::Aac, PacketKind::Frame { composition_ms: 0 })),
            _ => Err(Error::invalid("audio tag", "AACPacketType must be 0 or 1")),
        },
        0 | 3 => Err(Error::Unsupported(
            "linear PCM that is not 16-bit little-endian",
        )),
        1 => Err(Error::Unsupported("ADPCM audio")),
        4..=6 => Err(Error::Unsupported("Nellymoser audio")),
        11 => Err(Error::Unsupported("Speex audio")),
        15 => Err(Error::Unsupported("device-specific audio")),
        _ => Err(Error::Unsupported("a reserved audio format number")),
    }
}

fn enhanced_packet(at: &mut Cursor<'_>, packet_type: u8, _: CodecId) -> Result<PacketKind> {
    match packet_type {
        packet_type::SEQUENCE_START => Ok(PacketKind::SequenceStart),
        packet_type::CODED_FRAMES => Ok(PacketKind::Frame { composition_ms: 0 }),
        packet_type::SEQUENCE_END => Ok(PacketKind::SequenceEnd),
        packet_type::MULTICHANNEL_CONFIG => multichannel(at),
        _ => Err(Error::Unsupported("a reserved audio packet type")),
    }
}

/// `order 8 | count 8 | custom: map 8 × count; native: mask 32`.
fn multichannel(at: &mut Cursor<'_>) -> Result<PacketKind> {
    let order = at.u8()?;
    let count = at.u8()?;
    if count == 0 {
        return Err(Error::invalid("multichannel config", "no channel"));
    }
    let mask = match order {
        1 => Some(at.u32()?),
        2 => {
            at.take(usize::from(count))?;
            None
        }
        _ => None,
    };
    Ok(PacketKind::Multichannel(Channels { count, mask }))
}

fn enhanced_codec(fourcc: FourCc) -> Result<CodecId> {
    match fourcc.codec() {
        Some(codec) if codec.kind() == MediaKind::Audio => Ok(codec),
        _ => Err(Error::Unsupported("an audio FourCC that is not known")),
    }
}
