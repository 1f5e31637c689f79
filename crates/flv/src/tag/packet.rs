//! The packets of a tag body, and what audio and video share in reading them: modifiers and multitrack.

use bytes::Bytes;
use core_frame::CodecId;
use smallvec::SmallVec;

use super::{Cursor, FrameType};
use crate::{Error, FourCc, error::Result};

/// The packets of one body: one, unless the sender uses multitrack.
pub type Packets = SmallVec<[Packet; 1]>;

/// A parsed tag body.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The frame type of a video tag; key on audio, where every frame is one.
    pub frame_type: FrameType,
    /// Nanoseconds to add to the tag's time (ModEx `TimestampOffsetNano`), 0 to 999 999.
    pub nanos: u32,
    /// The packets, in wire order. Empty for bodies without media: an empty body (silence), a seek command.
    pub packets: Packets,
}

impl Tag {
    pub(super) fn empty(frame_type: FrameType) -> Self {
        Self {
            frame_type,
            nanos: 0,
            packets: Packets::new(),
        }
    }
}

/// One packet of one track.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The track's number on the wire; 0 outside multitrack.
    pub track: u8,
    /// Its codec.
    pub codec: CodecId,
    /// What it says.
    pub kind: PacketKind,
    /// The configuration record, the access unit, the AMF0 metadata or nothing, as `kind` says: a slice of the body.
    pub payload: Bytes,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketKind {
    /// A codec configuration record.
    SequenceStart,
    /// One access unit.
    Frame {
        /// Presentation minus decode time, in milliseconds.
        composition_ms: i32,
    },
    /// No more media on this track until the next [`PacketKind::SequenceStart`].
    SequenceEnd,
    /// AMF0 metadata of the pictures that follow: colour and HDR.
    Metadata,
    /// The layout of the channels.
    Multichannel(Channels),
    /// The first bytes of an MPEG-2 transport stream descriptor; only its arrival is told.
    Mpeg2TsStart,
    /// Legacy audio whose rate and layout stand in the tag header only.
    Raw {
        /// Samples a second; approximate for MP3, whose own headers are finer.
        sample_rate: u32,
        /// One or two.
        channels: u16,
    },
}

/// The layout of a multichannel track (E-RTMP v2, `MultichannelConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// How many.
    pub count: u8,
    /// The `AudioChannelMask` bits, when the channels are in native order.
    pub mask: Option<u32>,
}

/// `AvMultitrackType`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Multitrack {
    OneTrack,
    ManyTracks,
    ManyTracksManyCodecs,
}

impl Multitrack {
    fn parse(value: u8) -> Result<Self> {
        match value {
            0 => Ok(Self::OneTrack),
            1 => Ok(Self::ManyTracks),
            2 => Ok(Self::ManyTracksManyCodecs),
            _ => Err(Error::Unsupported("a reserved multitrack type")),
        }
    }
}

/// What differs between audio and video in an Enhanced body.
pub(super) struct Flavor {
    /// The packet type that opens multitrack.
    pub(super) multitrack: u8,
    /// Reads what lies between the track's header and its payload.
    pub(super) packet: fn(&mut Cursor<'_>, u8, CodecId) -> Result<PacketKind>,
    pub(super) codec: fn(FourCc) -> Result<CodecId>,
}

/// The packet type that announces a modifier, in audio and in video.
const MOD_EX: u8 = 7;
/// `TimestampOffsetNano`.
const MOD_EX_NANO: u8 = 0;

/// Reads modifiers (`ModEx`) up to the packet type they modify: that type, and the nanoseconds among them.
pub(super) fn modifiers(at: &mut Cursor<'_>, mut packet_type: u8) -> Result<(u8, u32)> {
    let mut nanos = 0;
    while packet_type == MOD_EX {
        let mut len = usize::from(at.u8()?) + 1;
        if len == 256 {
            len = usize::from(at.u16()?) + 1;
        }
        let data = at.take(len)?;
        let next = at.u8()?;
        packet_type = next & 0x0F;
        if next >> 4 == MOD_EX_NANO {
            let Some([a, b, c]) = data.first_chunk::<3>() else {
                return Err(Error::invalid(
                    "ModEx",
                    "a nanosecond offset has 3 bytes or more",
                ));
            };
            nanos = u32::from_be_bytes([0, *a, *b, *c]).min(999_999);
        }
    }
    Ok((packet_type, nanos))
}

/// Reads the FourCC, the multitrack header and the packets that follow the packet type.
pub(super) fn packets(
    at: &mut Cursor<'_>,
    mut packet_type: u8,
    flavor: &Flavor,
) -> Result<Packets> {
    let mut packets = Packets::new();
    if packet_type != flavor.multitrack {
        let codec = (flavor.codec)(at.fourcc()?)?;
        let kind = (flavor.packet)(at, packet_type, codec)?;
        let payload = at.rest();
        packets.push(Packet {
            track: 0,
            codec,
            kind,
            payload,
        });
        return Ok(packets);
    }
    let head = at.u8()?;
    let multitrack = Multitrack::parse(head >> 4)?;
    packet_type = head & 0x0F;
    if packet_type == flavor.multitrack {
        return Err(Error::invalid("multitrack", "multitrack inside multitrack"));
    }
    if packet_type == MOD_EX {
        return Err(Error::invalid("multitrack", "a modifier inside multitrack"));
    }
    let shared = match multitrack {
        Multitrack::ManyTracksManyCodecs => None,
        _ => Some((flavor.codec)(at.fourcc()?)?),
    };
    // A body without any track is as empty as no body at all.
    while !at.is_empty() {
        let codec = match shared {
            Some(codec) => codec,
            None => (flavor.codec)(at.fourcc()?)?,
        };
        let track = at.u8()?;
        let body = match multitrack {
            Multitrack::OneTrack => at.rest(),
            _ => {
                let len = at.u24()? as usize;
                at.take(len)?
            }
        };
        let mut inner = Cursor::new(&body, "track of a multitrack body");
        let kind = (flavor.packet)(&mut inner, packet_type, codec)?;
        let payload = inner.rest();
        packets.push(Packet {
            track,
            codec,
            kind,
            payload,
        });
    }
    Ok(packets)
}
