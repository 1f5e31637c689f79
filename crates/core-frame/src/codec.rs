//! Codec identities and media kinds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Text shown with the picture.
    Subtitle,
    /// Timed data: SCTE-35, KLV, ID3.
    Data,
}

impl MediaKind {
    /// The lower-case name used by the API and in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Subtitle => "subtitle",
            Self::Data => "data",
        }
    }
}

/// A codec, independent of container and protocol.
///
/// Payload form on the bus: H.264/H.265/H.266 are access units of 4-byte length-prefixed NAL units, AV1 is a temporal
/// unit of low-overhead OBUs, AAC is one raw access unit, everything else one raw packet or frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CodecId {
    /// ITU-T H.264 (AVC).
    H264,
    /// ITU-T H.265 (HEVC).
    H265,
    /// ITU-T H.266 (VVC).
    H266,
    /// AOMedia AV1.
    Av1,
    /// VP8 (RFC 6386).
    Vp8,
    /// VP9.
    Vp9,
    /// MPEG-2 video.
    Mpeg2Video,
    /// Motion JPEG.
    Mjpeg,
    /// MPEG-4 AAC in every profile.
    Aac,
    /// Opus (RFC 6716).
    Opus,
    /// MPEG audio layer III.
    Mp3,
    /// Dolby AC-3.
    Ac3,
    /// Dolby E-AC-3.
    Eac3,
    /// FLAC.
    Flac,
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// Linear PCM, 16-bit little-endian.
    Pcm,
    /// SCTE 35 splice information sections.
    Scte35,
    /// SMPTE 336 KLV.
    Klv,
    /// Timed ID3v2.
    Id3,
    /// WebVTT cues.
    Webvtt,
    /// A script message of FLV and RTMP as it came (`onCuePoint`, `onTextData`): AMF0 values, the name first.
    Script,
}

impl CodecId {
    /// What this codec codes.
    #[must_use]
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::H264
            | Self::H265
            | Self::H266
            | Self::Av1
            | Self::Vp8
            | Self::Vp9
            | Self::Mpeg2Video
            | Self::Mjpeg => MediaKind::Video,
            Self::Aac
            | Self::Opus
            | Self::Mp3
            | Self::Ac3
            | Self::Eac3
            | Self::Flac
            | Self::Pcma
            | Self::Pcmu
            | Self::Pcm => MediaKind::Audio,
            Self::Scte35 | Self::Klv | Self::Id3 | Self::Script => MediaKind::Data,
            Self::Webvtt => MediaKind::Subtitle,
        }
    }

    /// The lower-case name used by the API, in logs and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::H266 => "h266",
            Self::Av1 => "av1",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Mpeg2Video => "mpeg2video",
            Self::Mjpeg => "mjpeg",
            Self::Aac => "aac",
            Self::Opus => "opus",
            Self::Mp3 => "mp3",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Flac => "flac",
            Self::Pcma => "pcma",
            Self::Pcmu => "pcmu",
            Self::Pcm => "pcm",
            Self::Scte35 => "scte35",
            Self::Klv => "klv",
            Self::Id3 => "id3",
            Self::Webvtt => "webvtt",
            Self::Script => "script",
        }
    }

    /// True for the codecs whose payload is a list of 4-byte length-prefixed NAL units.
    #[must_use]
    pub const fn is_nal(self) -> bool {
        matches!(self, Self::H264 | Self::H265 | Self::H266)
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
