//! Frames to message bodies: the few bytes before a payload, configuration messages, the wire clock.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{CodecId, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackInfo};

use crate::amf0::{self, Value};
use crate::{Error, FourCc, config, error::Result};

/// What stands before the payload in a tag or message body: at most [`Head::MAX`] bytes, inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Head {
    /// The longest head in bytes.
    pub const MAX: usize = 12;

    const EMPTY: Self = Self {
        bytes: [0; Self::MAX],
        len: 0,
    };

    fn put(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
                *slot = *byte;
                self.len += 1;
            }
        }
        self
    }
}

impl AsRef<[u8]> for Head {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?}", self.as_ref())
    }
}

/// The bytes before `frame`'s payload in its tag or message body.
///
/// H.264, AAC, MP3, G.711 and PCM take the legacy form that every player knows, all others the Enhanced one. The frame
/// is written as the track number 0 of its kind. Frame type 1 marks key frames and recovery points: players that read
/// the type alone could not start elsewhere.
///
/// # Errors
/// [`Error::Unsupported`] for codecs or sample rates that FLV cannot carry.
pub fn body_head(frame: &MediaFrame, track: &TrackInfo) -> Result<Head> {
    let frame_type = frame_type(frame.flags);
    match track.codec {
        CodecId::H264 => {
            let [_, a, b, c] = composition_ms(frame).to_be_bytes();
            Ok(Head::EMPTY.put(&[frame_type << 4 | 7, 1, a, b, c]))
        }
        codec @ (CodecId::H265 | CodecId::H266) => {
            let fourcc = fourcc(codec)?;
            Ok(match composition_ms(frame).to_be_bytes() {
                // CodedFramesX: the composition time is zero and left out.
                [_, 0, 0, 0] => Head::EMPTY.put(&[0x83 | frame_type << 4]).put(&fourcc.0),
                [_, a, b, c] => Head::EMPTY
                    .put(&[0x81 | frame_type << 4])
                    .put(&fourcc.0)
                    .put(&[a, b, c]),
            })
        }
        codec @ (CodecId::Av1 | CodecId::Vp8 | CodecId::Vp9) => Ok(Head::EMPTY
            .put(&[0x81 | frame_type << 4])
            .put(&fourcc(codec)?.0)),
        CodecId::Aac => Ok(Head::EMPTY.put(&[0xAF, 1])),
        CodecId::Mp3 | CodecId::Pcma | CodecId::Pcmu | CodecId::Pcm => {
            Ok(Head::EMPTY.put(&[legacy_audio(track)?]))
        }
        codec => Ok(Head::EMPTY.put(&[0x91]).put(&fourcc(codec)?.0)),
    }
}

/// The whole body of the message that announces a track's codec configuration; `None` where there is none to announce.
#[must_use]
pub fn sequence_header(track: &TrackInfo) -> Option<Bytes> {
    let config = &track.config;
    let mut out = BytesMut::with_capacity(config.len() + 24);
    match track.codec {
        CodecId::H264 if !config.is_empty() => {
            out.put_slice(&[0x17, 0, 0, 0, 0]);
            out.put_slice(config);
        }
        CodecId::Aac if !config.is_empty() => {
            out.put_slice(&[0xAF, 0]);
            out.put_slice(config);
        }
        codec @ (CodecId::H265 | CodecId::H266 | CodecId::Av1 | CodecId::Vp8 | CodecId::Vp9)
            if !config.is_empty() =>
        {
            out.put_u8(0x90);
            out.put_slice(&FourCc::of(codec)?.0);
            out.put_slice(config);
        }
        codec @ (CodecId::Opus | CodecId::Ac3 | CodecId::Eac3 | CodecId::Flac) => {
            out.put_u8(0x90);
            out.put_slice(&FourCc::of(codec)?.0);
            config::put_wire(codec, config, &mut out);
        }
        _ => return None,
    }
    Some(out.freeze())
}

/// As [`body_head`], for track `index` of a multitrack stream: the Enhanced form with one track in a body (E-RTMP v2,
/// `AvMultitrackType.OneTrack`), for receivers that said they know multitrack.
///
/// # Errors
/// [`Error::Unsupported`] for codecs without a FourCC.
pub fn multitrack_head(frame: &MediaFrame, track: &TrackInfo, index: u8) -> Result<Head> {
    let fourcc = fourcc(track.codec)?;
    let one_track = |first: u8, packet_type: u8| {
        let head = Head::EMPTY.put(&[first, packet_type]).put(&fourcc.0);
        head.put(&[index])
    };
    if track.kind() != MediaKind::Video {
        return Ok(one_track(0x95, 1));
    }
    let first = 0x86 | frame_type(frame.flags) << 4;
    if !track.codec.is_nal() {
        return Ok(one_track(first, 1));
    }
    Ok(match composition_ms(frame).to_be_bytes() {
        [_, 0, 0, 0] => one_track(first, 3),
        [_, a, b, c] => one_track(first, 1).put(&[a, b, c]),
    })
}

/// As [`sequence_header`], for track `index` of a multitrack stream.
#[must_use]
pub fn multitrack_sequence_header(track: &TrackInfo, index: u8) -> Option<Bytes> {
    let fourcc = FourCc::of(track.codec)?;
    let needs_config = track.kind() == MediaKind::Video || track.codec == CodecId::Aac;
    if needs_config && track.config.is_empty() {
        return None;
    }
    let mut out = BytesMut::with_capacity(track.config.len() + 32);
    out.put_u8(match track.kind() {
        MediaKind::Video => 0x96,
        _ => 0x95,
    });
    out.put_u8(0);
    out.put_slice(&fourcc.0);
    out.put_u8(index);
    config::put_wire(track.codec, &track.config, &mut out);
    Some(out.freeze())
}

/// The body that tells the colour of a track's pictures (E-RTMP v2, "Metadata Frame"); `None` where the colour is not
/// known, and for H.264, whose legacy form has no room for it. Receivers of Enhanced RTMP v1 know it.
#[must_use]
pub fn color_metadata(track: &TrackInfo) -> Option<Bytes> {
    let color = track.video?.color?;
    let fourcc = FourCc::of(track.codec).filter(|_| track.codec != CodecId::H264)?;
    let config = Value::object([
        ("colorPrimaries", u32::from(color.primaries)),
        ("transferCharacteristics", u32::from(color.transfer)),
        ("matrixCoefficients", u32::from(color.matrix)),
    ]);
    let info = Value::object([("colorConfig", config)]);
    let mut out = BytesMut::with_capacity(128);
    // The frame type of a metadata frame is to be ignored; 5, "command", is what senders write.
    out.put_u8(0xD4);
    out.put_slice(&fourcc.0);
    out.put_slice(&amf0::write(&["colorInfo".into(), info]));
    Some(out.freeze())
}

/// The wire clock: whole milliseconds in 32 bits, wrapping after 49.7 days.
#[must_use]
pub fn timestamp_ms(time: MediaTime) -> u32 {
    time.as_millis() as u32
}

/// Presentation minus decode time in whole milliseconds of the wire clock: both are rounded as absolute times, so that
/// the sum is the presentation time a reader expects. Held to the 24 bits there are.
fn composition_ms(frame: &MediaFrame) -> i32 {
    let offset = frame
        .pts
        .as_millis()
        .saturating_sub(frame.dts.as_millis())
        .clamp(-0x80_0000, 0x7F_FFFF);
    offset as i32
}

fn frame_type(flags: FrameFlags) -> u8 {
    if flags.intersects(FrameFlags::KEY | FrameFlags::RECOVERY_POINT) {
        1
    } else {
        // 3, "disposable", is for H.263 only.
        2
    }
}

fn fourcc(codec: CodecId) -> Result<FourCc> {
    FourCc::of(codec).ok_or(Error::Unsupported("a codec that FLV cannot carry"))
}

/// `format 4 | rate 2 | size 1 | type 1`.
fn legacy_audio(track: &TrackInfo) -> Result<u8> {
    let audio = track.audio.unwrap_or_default();
    let stereo = u8::from(audio.channels >= 2);
    let rate = match audio.sample_rate {
        5_512 => 0,
        11_025 => 1,
        22_050 => 2,
        _ => 3,
    };
    let (format, rate) = match track.codec {
        CodecId::Mp3 if audio.sample_rate == 8_000 => (14, rate),
        // MP3 frames tell their own rate; the field has no name for 32 or 48 kHz.
        CodecId::Mp3 => (2, rate),
        CodecId::Pcma if audio.sample_rate == 8_000 => (7, rate),
        CodecId::Pcmu if audio.sample_rate == 8_000 => (8, rate),
        CodecId::Pcm if matches!(audio.sample_rate, 5_512 | 11_025 | 22_050 | 44_100) => (3, rate),
        _ => return Err(Error::Unsupported("an audio rate that FLV cannot carry")),
    };
    Ok(format << 4 | rate << 2 | 1 << 1 | stereo)
}
