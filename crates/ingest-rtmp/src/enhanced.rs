//! What the two ends of a connection say about Enhanced RTMP in `connect` and its answer (E-RTMP v2, "Enhancing
//! NetConnection connect Command"), and what a player gets for it.
//!
//! The policy towards players, where the query of the play URL does not say otherwise (`video=`, `audio=`, see
//! [`core_frame::TrackChoice`]; `form=legacy` or `form=enhanced`):
//!
//! * **Who announces nothing** gets the first video and the first audio track, codecs beyond H.264, AAC, MP3 and G.711 by
//!   their FourCC: ffmpeg and VLC read that without announcing it.
//! * **Who lists codecs** gets those by their FourCC. Others take the legacy form where there is one (HEVC as codec
//!   number 12), and are left out where there is none, so that the other track plays. A list that names no codec of a
//!   kind (pictures, sound) says nothing about that kind.
//! * **Who announces multitrack** gets every track; so does who asks by `video=all` or `audio=all`: FFmpeg 9 knows
//!   multitrack and announces nothing, older players make streams of it that they cannot play. All others get one track
//!   of a kind.
//! * **Who announces nanoseconds** gets them in Enhanced bodies.

use core_frame::{CodecId, MediaKind, Pick, TrackChoice};
use flv::amf0::Value;
use flv::{CodecForm, FourCc, FourCcs, Layout};

/// `capsEx`: the sender follows reconnect requests, or makes them.
pub const RECONNECT: u32 = 1;
/// `capsEx`: multitrack.
pub const MULTITRACK: u32 = 2;
/// `capsEx`: the ModEx packet modifier.
pub const MOD_EX: u32 = 4;
/// `capsEx`: nanosecond offsets of time stamps.
pub const NANOSECONDS: u32 = 8;

/// Ability mask of a FourCC: decode.
pub const CAN_DECODE: u32 = 1;
/// Ability mask of a FourCC: encode.
pub const CAN_ENCODE: u32 = 2;
/// Ability mask of a FourCC: forward as it is.
pub const CAN_FORWARD: u32 = 4;

/// Everything that is read and written here.
pub(crate) const CAPS: u32 = RECONNECT | MULTITRACK | MOD_EX | NANOSECONDS;

/// Most FourCCs kept of one list.
const LISTED: usize = 64;

/// What a peer said about Enhanced RTMP. Only `*` and codes of four visible characters are kept, at most 64 a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enhanced {
    /// FourCCs of v1 (`fourCcList`); `*` is any.
    pub four_ccs: Vec<String>,
    /// FourCCs of video with their ability mask ([`CAN_DECODE`], [`CAN_ENCODE`], [`CAN_FORWARD`]).
    pub video: Vec<(String, u32)>,
    /// The same for audio.
    pub audio: Vec<(String, u32)>,
    /// `capsEx`: [`RECONNECT`], [`MULTITRACK`], [`MOD_EX`], [`NANOSECONDS`].
    pub caps: u32,
}

impl Enhanced {
    /// Reads the object of a `connect`, or the objects of its answer; `None` where it says nothing.
    pub(crate) fn parse(object: &Value) -> Option<Self> {
        let map = |key| {
            let members = object.get(key).and_then(Value::members);
            let pairs = members.unwrap_or_default().iter();
            pairs
                .filter(|(code, _)| is_code(code))
                .map(|(code, mask)| (code.clone(), mask.as_f64().unwrap_or(0.0) as u32))
                .take(LISTED)
                .collect::<Vec<_>>()
        };
        let list = object.get("fourCcList").and_then(Value::items);
        let caps = object.get("capsEx").and_then(Value::as_f64);
        let (video, audio) = (map("videoFourCcInfoMap"), map("audioFourCcInfoMap"));
        if list.is_none() && caps.is_none() && video.is_empty() && audio.is_empty() {
            return None;
        }
        let texts = list.unwrap_or_default().iter().filter_map(Value::as_str);
        Some(Self {
            four_ccs: texts
                .filter(|code| is_code(code))
                .map(str::to_owned)
                .take(LISTED)
                .collect(),
            video,
            audio,
            caps: caps.unwrap_or(0.0) as u32,
        })
    }

    /// True where all bits of `caps` were announced.
    #[must_use]
    pub const fn has(&self, caps: u32) -> bool {
        self.caps & caps == caps
    }

    /// True where this codec may be sent by its FourCC: it is listed as one to decode or to forward, or no codec of its
    /// kind is listed at all (lists of v1 name pictures only).
    #[must_use]
    pub fn takes(&self, codec: CodecId) -> bool {
        let Some(four_cc) = FourCc::of(codec) else {
            return false;
        };
        let is = |code: &str| code == "*" || code.as_bytes() == four_cc.0;
        let map = match codec.kind() {
            MediaKind::Video => &self.video,
            _ => &self.audio,
        };
        let of_kind = |code: &str| code == "*" || kind_of(code) == Some(codec.kind());
        let listed = self.four_ccs.iter().any(|code| is(code));
        let mapped = map
            .iter()
            .any(|(code, mask)| is(code) && mask & (CAN_DECODE | CAN_FORWARD) != 0);
        let says_nothing = map.is_empty() && !self.four_ccs.iter().any(|code| of_kind(code));
        listed || mapped || says_nothing
    }

    /// The members by which the other side is told the same: `codes` are listed with `mask`.
    pub(crate) fn members(codes: &[&str], mask: u32) -> Vec<(String, Value)> {
        let of = |kind| {
            let codes = codes
                .iter()
                .filter(move |code| **code == "*" || kind_of(code) == Some(kind));
            Value::object(codes.map(|code| (*code, mask)))
        };
        let list = codes.iter().map(|code| Value::from(*code)).collect();
        vec![
            ("fourCcList".to_owned(), Value::StrictArray(list)),
            ("videoFourCcInfoMap".to_owned(), of(MediaKind::Video)),
            ("audioFourCcInfoMap".to_owned(), of(MediaKind::Audio)),
            ("capsEx".to_owned(), Value::from(CAPS)),
        ]
    }
}

/// The layout of the other side's media, by the policy of this module. `query` is that of the play URL.
///
/// # Errors
/// What is wrong with the query, for people.
pub fn layout(query: &str, enhanced: Option<&Enhanced>) -> Result<Layout, String> {
    let mut layout = Layout::of(TrackChoice::from_query(query).map_err(|e| e.to_string())?);
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    layout.codecs = match (value("form"), enhanced) {
        (Some("legacy"), _) => CodecForm::Legacy,
        (Some("enhanced"), _) | (None | Some(""), None) => CodecForm::Enhanced,
        (None | Some(""), Some(enhanced)) => {
            let taken = |code: &FourCc| code.codec().is_some_and(|codec| enhanced.takes(codec));
            CodecForm::Only(FourCc::all().filter(taken).collect::<FourCcs>())
        }
        (Some(_), _) => return Err("form= takes legacy or enhanced".to_owned()),
    };
    if layout.codecs == CodecForm::Legacy {
        return Ok(layout);
    }
    let has = |caps| enhanced.is_some_and(|e| e.has(caps));
    for (name, pick) in [
        ("video", &mut layout.choice.video),
        ("audio", &mut layout.choice.audio),
    ] {
        if has(MULTITRACK) && value(name).is_none() {
            *pick = Pick::All;
        }
        layout.multitrack |= *pick == Pick::All;
    }
    layout.nanos = has(NANOSECONDS | MOD_EX);
    Ok(layout)
}

fn is_code(text: &str) -> bool {
    text == "*" || (text.len() == 4 && text.bytes().all(|b| (b' '..=b'~').contains(&b)))
}

fn kind_of(code: &str) -> Option<MediaKind> {
    let four_cc = FourCc(code.as_bytes().try_into().ok()?);
    four_cc.codec().map(CodecId::kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(members: Vec<(&str, Value)>) -> Option<Enhanced> {
        Enhanced::parse(&Value::object(members))
    }

    fn list(codes: &[&str]) -> Value {
        Value::StrictArray(codes.iter().map(|c| Value::from(*c)).collect())
    }

    #[test]
    fn who_takes_which_codec() {
        use CodecId::*;
        assert_eq!(parsed(vec![("app", "live".into())]), None);
        let taken = |enhanced: &Enhanced| -> Vec<CodecId> {
            let all = [H265, Av1, Vp9, Opus, Flac, Pcma];
            all.into_iter().filter(|c| enhanced.takes(*c)).collect()
        };
        let any = parsed(vec![("fourCcList", list(&["*"]))]).unwrap();
        assert_eq!(taken(&any), [H265, Av1, Vp9, Opus, Flac]);
        // Nothing is said about sound.
        let v1 = parsed(vec![("fourCcList", list(&["hvc1", "av01"]))]).unwrap();
        assert_eq!(taken(&v1), [H265, Av1, Opus, Flac]);
        let ffmpeg = parsed(vec![("fourCcList", list(&["hvc1", "Opus"]))]).unwrap();
        assert_eq!(taken(&ffmpeg), [H265, Opus]);
        let v2 = parsed(vec![
            (
                "videoFourCcInfoMap",
                Value::object([("av01", 1.0), ("vp09", 2.0)]),
            ),
            ("audioFourCcInfoMap", Value::object([("*", 4.0)])),
            ("capsEx", 3.0.into()),
        ])
        .unwrap();
        assert_eq!(taken(&v2), [Av1, Opus, Flac], "to encode is not to decode");
        assert!(v2.has(RECONNECT | MULTITRACK) && !v2.has(MOD_EX));
        let caps_only = parsed(vec![("capsEx", 2.0.into())]).unwrap();
        assert_eq!(taken(&caps_only), [H265, Av1, Vp9, Opus, Flac]);
    }

    #[test]
    fn what_a_player_gets() {
        let get = |query: &str, enhanced: Option<Vec<(&str, Value)>>| {
            let enhanced = enhanced.and_then(parsed);
            layout(query, enhanced.as_ref()).map(|l| l.to_string())
        };
        let ok = |text: &str| Ok(text.to_owned());
        let caps = |caps: u32| Some(vec![("capsEx", Value::from(caps))]);
        let codes = |codes: &[&str]| Some(vec![("fourCcList", list(codes))]);
        let usual = ok("video=main&audio=main&codecs=enhanced");
        assert_eq!(get("token=x", None), usual);
        assert_eq!(get("", codes(&["*"])), usual);
        assert_eq!(get("form=enhanced", codes(&["hvc1"])), usual);
        let legacy = ok("video=main&audio=main&codecs=legacy");
        assert_eq!(get("form=legacy", None), legacy);
        assert_eq!(get("form=legacy", caps(15)), legacy);
        assert_eq!(get("", codes(&["avc1", "mp4a"])), legacy);
        let ffmpeg = codes(&["hvc1", "Opus"]);
        let list = "video=main&audio=main&codecs=hvc1+Opus";
        assert_eq!(get("", ffmpeg), ok(list));
        let all = "video=all&audio=all&codecs=enhanced&multitrack=yes";
        assert_eq!(get("", caps(MULTITRACK)), ok(all));
        assert_eq!(get("video=all&audio=all", None), ok(all));
        assert_eq!(get("", caps(15)), ok(&format!("{all}&nanos=yes")));
        let german = "video=main&audio=de&codecs=enhanced";
        assert_eq!(get("audio=de&video=main", caps(MULTITRACK)), ok(german));
        for bad in ["video=-1", "audio=%00", "form=flv"] {
            assert!(get(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_goes_to_logs_is_short_and_visible() {
        let long = "x".repeat(60_000);
        let many: Vec<String> = (0..1_000).map(|n| format!("{n:04}")).collect();
        let mut codes: Vec<&str> = vec![&long, "a\nbc", "é"];
        codes.extend(many.iter().map(String::as_str));
        let enhanced = parsed(vec![("fourCcList", list(&codes))]).unwrap();
        assert_eq!(
            (enhanced.four_ccs.len(), enhanced.four_ccs[0].as_str()),
            (64, "0000")
        );
        let hostile = parsed(vec![("capsEx", f64::NAN.into())]).unwrap();
        assert_eq!(hostile.caps, 0);
    }

    #[test]
    fn what_is_said_is_read_again() {
        let said = Enhanced::members(&["av01", "Opus"], CAN_FORWARD);
        let read = Enhanced::parse(&Value::Object(said)).unwrap();
        assert_eq!(read.video, [("av01".to_owned(), CAN_FORWARD)]);
        assert_eq!(read.audio, [("Opus".to_owned(), CAN_FORWARD)]);
        assert_eq!((read.four_ccs.len(), read.caps), (2, CAPS));
    }
}
