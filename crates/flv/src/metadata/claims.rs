//! What `onMetaData` says of single tracks (E-RTMP v2, "Enhancing onMetaData": the two track maps).

use core_frame::{CodecId, MediaKind, Role, TrackId};

use super::{audio_codec, rational, video_codec};
use crate::amf0::Value;
use crate::track_id;

/// Longest language tag that is kept (RFC 5646 §4.4.1 asks for 35).
const LANGUAGE_MAX: usize = 35;

/// Roles by their names in the ISO/IEC 23009-1 scheme. The specification names no member for it; `role` is ours.
const ROLES: [(&str, Role); 7] = [
    ("main", Role::Main),
    ("alternate", Role::Alternate),
    ("commentary", Role::Commentary),
    ("dub", Role::Dub),
    ("description", Role::Description),
    ("caption", Role::Caption),
    ("subtitle", Role::Subtitle),
];

/// What a sender claims about one track. Claims only, and often only what differs from the first track.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrackClaim {
    /// The track ([`track_id`]).
    pub id: TrackId,
    /// Its codec.
    pub codec: Option<CodecId>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Frames a second, as numerator and denominator.
    pub frame_rate: Option<(u32, u32)>,
    /// Samples a second.
    pub sample_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u16>,
    /// Bits a second.
    pub bitrate_bps: Option<u64>,
    /// BCP 47 language.
    pub language: Option<String>,
    /// What it is for.
    pub role: Option<Role>,
}

/// The entries of both maps, each track once.
pub(super) fn read(metadata: &Value) -> Vec<TrackClaim> {
    let mut claims: Vec<TrackClaim> = Vec::new();
    for (map, kind) in [
        ("videoTrackIdInfoMap", MediaKind::Video),
        ("audioTrackIdInfoMap", MediaKind::Audio),
    ] {
        let entries = metadata.get(map).and_then(Value::members);
        for (key, value) in entries.unwrap_or_default() {
            let Ok(index) = key.parse::<u8>() else {
                continue;
            };
            let claim = claim(track_id(kind, index), kind, value);
            if value.members().is_some() && !claims.iter().any(|c| c.id == claim.id) {
                claims.push(claim);
            }
        }
    }
    claims
}

fn claim(id: TrackId, kind: MediaKind, value: &Value) -> TrackClaim {
    let number = |keys: &[&str]| {
        let mut found = keys.iter().filter_map(|key| value.get(key)?.as_f64());
        found.find(|n| n.is_finite() && *n > 0.0)
    };
    // `as` saturates: a hostile number becomes the largest one.
    let integer = |keys: &[&str]| number(keys).map(|n| n.round() as u32).filter(|n| *n > 0);
    let is_video = kind == MediaKind::Video;
    let (rate, codec) = if is_video {
        let codec = value.get("videocodecid").and_then(video_codec);
        ("videodatarate", codec)
    } else {
        let codec = value.get("audiocodecid").and_then(audio_codec);
        ("audiodatarate", codec)
    };
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    TrackClaim {
        id,
        codec: codec.filter(|c| c.kind() == kind),
        size: integer(&["width"]).zip(integer(&["height"])),
        frame_rate: number(&["framerate"])
            .filter(|_| is_video)
            .and_then(rational),
        sample_rate: integer(&["samplerate", "audiosamplerate"]),
        channels: integer(&["channels", "audiochannels"]).and_then(|n| u16::try_from(n).ok()),
        bitrate_bps: number(&[rate]).map(|n| (n * 1_000.0).round() as u64),
        language: text("language")
            .filter(|tag| is_language(tag))
            .map(str::to_owned),
        role: text("role").and_then(role),
    }
}

fn is_language(tag: &str) -> bool {
    let is_subtag = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (2..=LANGUAGE_MAX).contains(&tag.len()) && tag.chars().all(is_subtag) && tag != "und"
}

fn role(name: &str) -> Option<Role> {
    ROLES
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, role)| *role)
}

pub(super) fn role_name(role: Role) -> Option<&'static str> {
    ROLES
        .iter()
        .find(|(_, r)| *r == role)
        .map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_with_what_they_leave_out() {
        let value = Value::object([
            (
                "videoTrackIdInfoMap",
                Value::object([
                    (
                        "1",
                        Value::object([
                            ("width", Value::from(1_024.0)),
                            ("height", 768.0.into()),
                            ("videodatarate", 2_000.0.into()),
                            ("videocodecid", 1_635_135_537.0.into()),
                        ]),
                    ),
                    ("x", Value::object([("width", 1.0)])),
                    ("2", Value::Null),
                ]),
            ),
            (
                "audioTrackIdInfoMap",
                Value::object([(
                    "1",
                    Value::object([
                        ("channels", Value::from(2.0)),
                        ("samplerate", 44_100.0.into()),
                        ("language", "de-AT".into()),
                        ("role", "commentary".into()),
                        ("audiocodecid", "mp4a".into()),
                    ]),
                )]),
            ),
        ]);
        let claims = read(&value);
        let [video, audio] = &claims[..] else {
            panic!("{claims:?}");
        };
        assert_eq!((video.id.0, video.codec), (12, Some(CodecId::Av1)));
        assert_eq!(video.size, Some((1_024, 768)));
        assert_eq!(video.bitrate_bps, Some(2_000_000));
        assert_eq!((audio.id.0, audio.codec), (13, Some(CodecId::Aac)));
        assert_eq!((audio.channels, audio.sample_rate), (Some(2), Some(44_100)));
        assert_eq!(audio.language.as_deref(), Some("de-AT"));
        assert_eq!(audio.role, Some(Role::Commentary));
    }

    #[test]
    fn bears_hostile_claims() {
        for language in ["", "x", "und", "<b>", &"x".repeat(36)] {
            assert!(!is_language(language), "{language}");
        }
        let track = Value::object([("width", f64::NAN), ("channels", 1e300), ("height", -1.0)]);
        let map = Value::object([("255", track), ("256", Value::object([("width", 1.0)]))]);
        let claims = read(&Value::object([("audioTrackIdInfoMap", map)]));
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].size, claims[0].channels), (None, None));
    }
}
