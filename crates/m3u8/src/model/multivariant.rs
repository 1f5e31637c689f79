//! The multivariant playlist.

use std::fmt;

use crate::{Attribute, Decimal, Define, Key, Start};

/// A multivariant (master) playlist (§4.4.6): what there is to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MultivariantPlaylist {
    /// `EXT-X-VERSION`; see [`MultivariantPlaylist::required_version`].
    pub version: Option<u32>,
    /// `EXT-X-INDEPENDENT-SEGMENTS`: holds for every media playlist.
    pub independent_segments: bool,
    /// `EXT-X-START`.
    pub start: Option<Start>,
    /// `EXT-X-DEFINE`, in order.
    pub defines: Vec<Define>,
    /// `EXT-X-CONTENT-STEERING`.
    pub content_steering: Option<ContentSteering>,
    /// `EXT-X-SESSION-DATA`.
    pub session_data: Vec<SessionData>,
    /// `EXT-X-SESSION-KEY`.
    pub session_keys: Vec<Key>,
    /// `EXT-X-MEDIA`: renditions.
    pub media: Vec<Media>,
    /// `EXT-X-STREAM-INF`: variants, in the sender's order of preference.
    pub variants: Vec<Variant>,
    /// `EXT-X-I-FRAME-STREAM-INF`; the fields for groups and frame rate are not used in them.
    pub i_frame_variants: Vec<Variant>,
    /// Tags the model has no field for, as whole lines.
    pub unknown: Vec<String>,
}

impl MultivariantPlaylist {
    /// The renditions of one group, in order.
    pub fn group<'a>(&'a self, kind: MediaType, id: &'a str) -> impl Iterator<Item = &'a Media> {
        self.media
            .iter()
            .filter(move |m| m.kind == kind && m.group_id == id)
    }
}

/// `EXT-X-STREAM-INF` or `EXT-X-I-FRAME-STREAM-INF` (§4.4.6.2, §4.4.6.3).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Variant {
    /// URI of the media playlist, as written.
    pub uri: String,
    /// BANDWIDTH: peak bits a second of the variant with its renditions; 0 when a sender left it out.
    pub bandwidth: u64,
    /// AVERAGE-BANDWIDTH.
    pub average_bandwidth: Option<u64>,
    /// SCORE.
    pub score: Option<Decimal>,
    /// CODECS, joined by commas.
    pub codecs: Option<String>,
    /// SUPPLEMENTAL-CODECS.
    pub supplemental_codecs: Option<String>,
    /// RESOLUTION.
    pub resolution: Option<Resolution>,
    /// FRAME-RATE.
    pub frame_rate: Option<Decimal>,
    /// HDCP-LEVEL.
    pub hdcp_level: Option<String>,
    /// ALLOWED-CPC.
    pub allowed_cpc: Option<String>,
    /// VIDEO-RANGE; SDR when absent.
    pub video_range: Option<String>,
    /// REQ-VIDEO-LAYOUT.
    pub req_video_layout: Option<String>,
    /// STABLE-VARIANT-ID.
    pub stable_variant_id: Option<String>,
    /// AUDIO: the group of audio renditions.
    pub audio: Option<String>,
    /// VIDEO: the group of video renditions.
    pub video: Option<String>,
    /// SUBTITLES: the group of subtitles.
    pub subtitles: Option<String>,
    /// CLOSED-CAPTIONS.
    pub closed_captions: Option<ClosedCaptions>,
    /// PATHWAY-ID.
    pub pathway_id: Option<String>,
    /// NAME, which many senders write though the standard does not have it here.
    pub name: Option<String>,
    /// Everything else.
    pub extra: Vec<Attribute>,
}

impl Variant {
    /// The codecs one by one, blanks cut.
    pub fn codec_list(&self) -> impl Iterator<Item = &str> {
        self.codecs
            .as_deref()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|c| !c.is_empty())
    }
}

/// RESOLUTION of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resolution {
    /// Luma samples across.
    pub width: u64,
    /// Luma samples down.
    pub height: u64,
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// CLOSED-CAPTIONS of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClosedCaptions {
    /// `NONE`: there are none in any variant.
    None,
    /// The group they are described in.
    Group(String),
}

/// `EXT-X-MEDIA` (§4.4.6.1): a rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// TYPE.
    pub kind: MediaType,
    /// URI of its playlist; absent when it lies in the variant itself.
    pub uri: Option<String>,
    /// GROUP-ID.
    pub group_id: String,
    /// LANGUAGE (BCP 47).
    pub language: Option<String>,
    /// ASSOC-LANGUAGE.
    pub assoc_language: Option<String>,
    /// NAME, for people.
    pub name: String,
    /// STABLE-RENDITION-ID.
    pub stable_rendition_id: Option<String>,
    /// DEFAULT.
    pub default: bool,
    /// AUTOSELECT.
    pub autoselect: bool,
    /// FORCED, of subtitles.
    pub forced: bool,
    /// INSTREAM-ID, of closed captions.
    pub instream_id: Option<String>,
    /// BIT-DEPTH of audio.
    pub bit_depth: Option<u64>,
    /// SAMPLE-RATE of audio in Hz.
    pub sample_rate: Option<u64>,
    /// CHARACTERISTICS, joined by commas.
    pub characteristics: Option<String>,
    /// CHANNELS.
    pub channels: Option<String>,
    /// Everything else.
    pub extra: Vec<Attribute>,
}

impl Media {
    /// A rendition with its three required attributes.
    #[must_use]
    pub fn new(kind: MediaType, group_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            uri: None,
            group_id: group_id.into(),
            language: None,
            assoc_language: None,
            name: name.into(),
            stable_rendition_id: None,
            default: false,
            autoselect: false,
            forced: false,
            instream_id: None,
            bit_depth: None,
            sample_rate: None,
            characteristics: None,
            channels: None,
            extra: Vec::new(),
        }
    }
}

/// TYPE of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Subtitles in their own playlist.
    Subtitles,
    /// Captions inside the video.
    ClosedCaptions,
}

impl MediaType {
    /// The word in the playlist.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "AUDIO",
            Self::Video => "VIDEO",
            Self::Subtitles => "SUBTITLES",
            Self::ClosedCaptions => "CLOSED-CAPTIONS",
        }
    }
}

/// `EXT-X-SESSION-DATA` (§4.4.6.4).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SessionData {
    /// DATA-ID.
    pub data_id: String,
    /// VALUE.
    pub value: Option<String>,
    /// URI of the value.
    pub uri: Option<String>,
    /// FORMAT of what the URI names; `JSON` when absent.
    pub format: Option<String>,
    /// LANGUAGE of the value.
    pub language: Option<String>,
}

/// `EXT-X-CONTENT-STEERING` (§4.4.6.6).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ContentSteering {
    /// SERVER-URI.
    pub server_uri: String,
    /// PATHWAY-ID to begin with.
    pub pathway_id: Option<String>,
}
