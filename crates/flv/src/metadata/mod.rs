//! `onMetaData`: what a sender says about its stream, and what we say about ours.

mod claims;
mod tags;
mod write;

use bytes::Bytes;
use core_frame::{CodecId, TrackTable};

use crate::amf0::Value;
use crate::{FourCc, Layout};

pub use claims::TrackClaim;
pub(crate) use write::write;

/// What a sender claims about its stream. Claims only: nothing here is trusted for decoding.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Frames a second, as numerator and denominator.
    pub frame_rate: Option<(u32, u32)>,
    /// Video bits a second.
    pub video_bitrate_bps: Option<u64>,
    /// Video codec.
    pub video_codec: Option<CodecId>,
    /// Audio bits a second.
    pub audio_bitrate_bps: Option<u64>,
    /// Audio samples a second.
    pub audio_sample_rate: Option<u32>,
    /// Audio channels.
    pub audio_channels: Option<u16>,
    /// Audio codec.
    pub audio_codec: Option<CodecId>,
    /// The name of the encoder.
    pub encoder: Option<String>,
    /// What is said of single tracks: of those beyond the first of each kind, and of the first ones where senders list
    /// them too.
    pub tracks: Vec<TrackClaim>,
    /// Every member, in the order of the wire.
    pub members: Vec<(String, Value)>,
    /// The script body as it came, from the string `onMetaData` on.
    pub raw: Bytes,
}

impl Metadata {
    /// Reads the members of an `onMetaData` value; anything but an object or array has none.
    pub(crate) fn parse(value: &Value, raw: Bytes) -> Self {
        let members = value.members().unwrap_or_default();
        let number = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_f64)
                .filter(|n| n.is_finite() && *n > 0.0)
        };
        // `as` saturates: a hostile number becomes the largest one.
        let integer = |key: &str| number(key).map(|n| n.round() as u32).filter(|n| *n > 0);
        let kbps = |key: &str| number(key).map(|n| (n * 1_000.0).round() as u64);
        let stereo = value.get("stereo").and_then(Value::as_bool);
        Self {
            width: integer("width"),
            height: integer("height"),
            frame_rate: number("framerate")
                .or_else(|| number("fps"))
                .and_then(rational),
            video_bitrate_bps: kbps("videodatarate"),
            video_codec: value.get("videocodecid").and_then(video_codec),
            audio_bitrate_bps: kbps("audiodatarate"),
            audio_sample_rate: integer("audiosamplerate"),
            audio_channels: integer("audiochannels")
                .and_then(|n| u16::try_from(n).ok())
                .or(stereo.map(|s| if s { 2 } else { 1 })),
            audio_codec: value.get("audiocodecid").and_then(audio_codec),
            encoder: value
                .get("encoder")
                .and_then(Value::as_str)
                .map(str::to_owned),
            tracks: claims::read(value),
            members: members.to_vec(),
            raw,
        }
    }
}

/// A script body that describes the first video and the first audio track of a table, with its tags, without
/// `@setDataFrame`.
///
/// Codecs that only Enhanced RTMP carries are named by their FourCC as a number (E-RTMP v2, "Enhancing onMetaData").
#[must_use]
pub fn metadata(table: &TrackTable) -> Bytes {
    Layout::default().plan(table).metadata()
}

/// A frame rate as a fraction: the broadcast rates exactly, others to a thousandth.
fn rational(fps: f64) -> Option<(u32, u32)> {
    if !(0.001..=1_000.0).contains(&fps) {
        return None;
    }
    let whole = fps.round();
    if (fps - whole).abs() < 0.000_5 {
        return Some((whole as u32, 1));
    }
    for base in [24_000_u32, 30_000, 48_000, 60_000, 120_000] {
        if (fps - f64::from(base) / 1_001.0).abs() < 0.005 {
            return Some((base, 1_001));
        }
    }
    Some(((fps * 1_000.0).round() as u32, 1_000))
}

fn video_codec(value: &Value) -> Option<CodecId> {
    match named(value)? {
        Name::Number(7) => Some(CodecId::H264),
        Name::Number(12) => Some(CodecId::H265),
        Name::FourCc(code) => code.codec(),
        Name::Number(_) => None,
    }
}

fn audio_codec(value: &Value) -> Option<CodecId> {
    match named(value)? {
        Name::Number(10) => Some(CodecId::Aac),
        Name::Number(2 | 14) => Some(CodecId::Mp3),
        Name::Number(7) => Some(CodecId::Pcma),
        Name::Number(8) => Some(CodecId::Pcmu),
        Name::Number(3) => Some(CodecId::Pcm),
        Name::FourCc(code) => code.codec(),
        Name::Number(_) => None,
    }
}

enum Name {
    Number(u32),
    FourCc(FourCc),
}

/// A codec as a legacy number, a FourCC number, or the FourCC as text (OBS before 30 writes `avc1`, `mp4a`).
fn named(value: &Value) -> Option<Name> {
    if let Some(text) = value.as_str() {
        return Some(Name::FourCc(FourCc(text.as_bytes().try_into().ok()?)));
    }
    let number = value.as_f64().filter(|n| *n >= 0.0)? as u32;
    Some(match number {
        0..=255 => Name::Number(number),
        _ => Name::FourCc(FourCc(number.to_be_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_frame::{AudioInfo, Limits, TrackId, TrackInfo, VideoInfo};

    use crate::amf0;

    #[test]
    fn says_what_it_reads() {
        let mut video = TrackInfo::new(TrackId::VIDEO, CodecId::Av1);
        video.video = Some(VideoInfo {
            width: 1_280,
            height: 720,
            frame_rate: Some((30_000, 1_001)),
            ..VideoInfo::default()
        });
        video.bitrate_bps = Some(2_500_000);
        let mut audio = TrackInfo::new(TrackId::AUDIO, CodecId::Opus);
        audio.audio = Some(AudioInfo {
            sample_rate: 48_000,
            channels: 2,
            frame_samples: 960,
        });
        let body = metadata(&TrackTable::new([video, audio]));
        let values = amf0::read(&body, &Limits::default()).unwrap();
        assert_eq!(values[0].as_str(), Some("onMetaData"));
        assert_eq!(
            values[1].get("videocodecid").unwrap().as_f64(),
            Some(1_635_135_537.0)
        );
        let back = Metadata::parse(&values[1], body.clone());
        assert_eq!((back.width, back.height), (Some(1_280), Some(720)));
        assert_eq!(back.frame_rate, Some((30_000, 1_001)));
        assert_eq!(back.video_codec, Some(CodecId::Av1));
        assert_eq!(back.audio_codec, Some(CodecId::Opus));
        assert_eq!(back.video_bitrate_bps, Some(2_500_000));
        assert_eq!(back.audio_channels, Some(2));
        assert_eq!(back.encoder.as_deref(), Some("Millstream"));
    }

    #[test]
    fn bears_hostile_numbers() {
        let value = Value::object([
            ("width", f64::NAN),
            ("height", f64::INFINITY),
            ("framerate", -1.0),
            ("videodatarate", 1e300),
            ("audiosamplerate", 0.2),
            ("videocodecid", -7.0),
        ]);
        let read = Metadata::parse(&value, Bytes::new());
        assert_eq!(
            (read.width, read.height, read.frame_rate),
            (None, None, None)
        );
        assert_eq!(read.video_bitrate_bps, Some(u64::MAX));
        assert_eq!((read.audio_sample_rate, read.video_codec), (None, None));
    }

    #[test]
    fn names_frame_rates() {
        for (fps, want) in [
            (25.0, Some((25, 1))),
            (29.97, Some((30_000, 1_001))),
            (23.976_023_976, Some((24_000, 1_001))),
            (12.5, Some((12_500, 1_000))),
            (0.0, None),
            (5_000.0, None),
        ] {
            assert_eq!(rational(fps), want, "{fps}");
        }
    }
}
