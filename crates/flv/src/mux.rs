//! Frames to message bodies: the few bytes before a payload, configuration messages, the wire clock.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{CodecId, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackInfo};

use crate::amf0::{self, Value};
use crate::plan::split_nanos;
use crate::{CodecForm, Error, FourCc, config, error::Result};

/// What stands before the payload in a tag or message body: at most [`Head::MAX`] bytes, inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Head {
    /// The longest head in bytes.
    pub const MAX: usize = 16;

    pub(crate) const EMPTY: Self = Self {
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

/// How a codec is named on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// By its number: Video File Format v10.1, annex E.4, and what grew beside it.
    Legacy,
    /// By its FourCC: Enhanced RTMP.
    Enhanced(FourCc),
}

/// How a track is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) coding: Coding,
    /// Its number: 0 is written plainly, others as the one track of a multitrack body.
    pub(crate) index: u8,
}

/// `VideoPacketType` and `AudioPacketType`.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const MOD_EX: u8 = 7;

impl Wire {
    /// A track alone of its kind.
    ///
    /// # Errors
    /// The legacy form has no way to say this codec or its rate.
    pub(crate) fn plain(coding: Coding, track: &TrackInfo) -> Result<Self> {
        if coding == Coding::Legacy && !matches!(track.codec, CodecId::H264 | CodecId::H265) {
            legacy_audio(track)?;
        }
        Ok(Self { coding, index: 0 })
    }

    /// As everyone knows it.
    fn default(track: &TrackInfo) -> Result<Self> {
        let coding = CodecForm::Enhanced.coding(track.codec);
        let coding = coding.ok_or(Error::Unsupported("a codec that FLV cannot carry"))?;
        Self::plain(coding, track)
    }

    /// What stands before the payload of a frame.
    pub(crate) fn head(self, frame: &MediaFrame, track: &TrackInfo) -> Result<Head> {
        self.head_at(frame, track, composition_ms(frame), 0)
    }

    /// As [`Wire::head`], with the nanoseconds of the presentation time; and the time that these are counted from, which
    /// the message is to be stamped with.
    pub(crate) fn head_with_nanos(
        self,
        frame: &MediaFrame,
        track: &TrackInfo,
    ) -> Result<(MediaTime, Head)> {
        let (pts, nanos) = split_nanos(frame.pts);
        let (base, composition) = if track.codec.is_nal() {
            let offset = pts.as_millis().saturating_sub(frame.dts.as_millis());
            (
                frame.dts,
                offset.clamp(COMPOSITION_MIN, COMPOSITION_MAX) as i32,
            )
        } else {
            (pts, 0)
        };
        Ok((base, self.head_at(frame, track, composition, nanos)?))
    }

    fn head_at(
        self,
        frame: &MediaFrame,
        track: &TrackInfo,
        composition: i32,
        nanos: u32,
    ) -> Result<Head> {
        let frame_type = frame_type(frame.flags);
        let [_, a, b, c] = composition.to_be_bytes();
        let Coding::Enhanced(fourcc) = self.coding else {
            return Ok(match track.codec {
                CodecId::H264 => Head::EMPTY.put(&[frame_type << 4 | 7, 1, a, b, c]),
                CodecId::H265 => Head::EMPTY.put(&[frame_type << 4 | HEVC, 1, a, b, c]),
                CodecId::Aac => Head::EMPTY.put(&[0xAF, 1]),
                _ => Head::EMPTY.put(&[legacy_audio(track)?]),
            });
        };
        // CodedFramesX: the composition time is zero and left out.
        Ok(if !track.codec.is_nal() {
            self.enhanced(track.kind(), frame_type, CODED_FRAMES, nanos, fourcc)
        } else if composition == 0 {
            self.enhanced(track.kind(), frame_type, CODED_FRAMES_X, nanos, fourcc)
        } else {
            self.enhanced(track.kind(), frame_type, CODED_FRAMES, nanos, fourcc)
                .put(&[a, b, c])
        })
    }

    /// `ExVideoTagHeader` or `ExAudioTagHeader` (E-RTMP v2): `1 | frame type 3 | packet type 4` or `9 | packet type 4`,
    /// then a `ModEx` where there are nanoseconds, `OneTrack` where the track has a number, and the FourCC.
    fn enhanced(
        self,
        kind: MediaKind,
        frame_type: u8,
        packet_type: u8,
        nanos: u32,
        fourcc: FourCc,
    ) -> Head {
        let (first, multitrack) = match kind {
            MediaKind::Video => (0x80 | frame_type << 4, VIDEO_MULTITRACK),
            _ => (0x90, AUDIO_MULTITRACK),
        };
        let outer = match self.index {
            0 => packet_type,
            _ => multitrack,
        };
        let mut head = match nanos.to_be_bytes() {
            [_, 0, 0, 0] => Head::EMPTY.put(&[first | outer]),
            // The length less one; the upper half of the last byte is TimestampOffsetNano, 0.
            [_, a, b, c] => Head::EMPTY.put(&[first | MOD_EX, 2, a, b, c, outer]),
        };
        if self.index > 0 {
            head = head.put(&[packet_type]);
        }
        head = head.put(&fourcc.0);
        match self.index {
            0 => head,
            index => head.put(&[index]),
        }
    }

    /// The body that announces the track's configuration; nothing where there is none to announce.
    pub(crate) fn sequence_header(self, track: &TrackInfo) -> Option<Bytes> {
        let config = &track.config;
        let mut out = BytesMut::with_capacity(config.len() + 32);
        let Coding::Enhanced(fourcc) = self.coding else {
            match track.codec {
                _ if config.is_empty() => return None,
                CodecId::H264 => out.put_slice(&[0x17, 0, 0, 0, 0]),
                CodecId::H265 => out.put_slice(&[0x10 | HEVC, 0, 0, 0, 0]),
                CodecId::Aac => out.put_slice(&[0xAF, 0]),
                _ => return None,
            }
            out.put_slice(config);
            return Some(out.freeze());
        };
        let is_needed = track.kind() == MediaKind::Video || track.codec == CodecId::Aac;
        if is_needed && config.is_empty() {
            return None;
        }
        let head = self.enhanced(track.kind(), 1, SEQUENCE_START, 0, fourcc);
        out.put_slice(head.as_ref());
        config::put_wire(track.codec, config, &mut out);
        Some(out.freeze())
    }
}

/// The bytes before `frame`'s payload in its tag or message body.
///
/// H.264, AAC, MP3, G.711 and PCM take the legacy form that every player knows, all others the Enhanced one; for another
/// form see [`crate::Layout`]. The frame is written as the track number 0 of its kind. Frame type 1 marks key frames and
/// recovery points: players that read the type alone could not start elsewhere.
///
/// # Errors
/// [`Error::Unsupported`] for codecs or sample rates that FLV cannot carry.
pub fn body_head(frame: &MediaFrame, track: &TrackInfo) -> Result<Head> {
    Wire::default(track)?.head(frame, track)
}

/// The whole body of the message that announces a track's codec configuration; `None` where there is none to announce.
#[must_use]
pub fn sequence_header(track: &TrackInfo) -> Option<Bytes> {
    Wire::default(track).ok()?.sequence_header(track)
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

/// What 24 bits with sign hold.
const COMPOSITION_MIN: i64 = -0x80_0000;
const COMPOSITION_MAX: i64 = 0x7F_FFFF;
/// The codec number that cameras, drones and players use for HEVC where there is no Enhanced RTMP.
pub(crate) const HEVC: u8 = 12;

/// Presentation minus decode time in whole milliseconds of the wire clock: both are rounded as absolute times, so that
/// the sum is the presentation time a reader expects. Held to the 24 bits there are.
fn composition_ms(frame: &MediaFrame) -> i32 {
    let offset = frame
        .pts
        .as_millis()
        .saturating_sub(frame.dts.as_millis())
        .clamp(COMPOSITION_MIN, COMPOSITION_MAX);
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
        // 44 kHz stereo whatever it is (annex E.4.2.1): the configuration tells.
        CodecId::Aac => return Ok(0xAF),
        CodecId::Mp3 if audio.sample_rate == 8_000 => (14, rate),
        // MP3 frames tell their own rate; the field has no name for 32 or 48 kHz.
        CodecId::Mp3 => (2, rate),
        // These are of 8 kHz by themselves; FFmpeg leaves the field at 0.
        CodecId::Pcma if audio.sample_rate == 8_000 => (7, 0),
        CodecId::Pcmu if audio.sample_rate == 8_000 => (8, 0),
        CodecId::Pcm if matches!(audio.sample_rate, 5_512 | 11_025 | 22_050 | 44_100) => (3, rate),
        CodecId::Pcma | CodecId::Pcmu | CodecId::Pcm => {
            return Err(Error::Unsupported("an audio rate that FLV cannot carry"));
        }
        _ => return Err(Error::Unsupported("a codec that FLV cannot carry")),
    };
    Ok(format << 4 | rate << 2 | 1 << 1 | stereo)
}
