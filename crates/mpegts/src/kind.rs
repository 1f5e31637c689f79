//! What an elementary stream carries, as a program map tells it: stream types, registrations and descriptors.

use bitstream::opus;
use bytes::Bytes;
use core_frame::{CodecId, MediaKind};

/// How the payload of an elementary stream is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamKind {
    /// H.264 as a byte stream (0x1B).
    H264,
    /// H.265 as a byte stream (0x24, 0x25).
    H265,
    /// MPEG-1 or MPEG-2 video (0x01, 0x02).
    Mpeg2Video,
    /// AV1, registered as `AV01`.
    Av1,
    /// AAC with ADTS headers (0x0F).
    AacAdts,
    /// AAC in LATM and LOAS (0x11).
    AacLatm,
    /// MPEG audio of any layer (0x03, 0x04).
    MpegAudio,
    /// AC-3 (0x81 with ATSC and the industry, descriptor 0x6A with DVB).
    Ac3,
    /// E-AC-3 (0x87, descriptor 0x7A).
    Eac3,
    /// Opus, registered as `Opus`.
    Opus,
    /// SCTE 35 splice information sections (0x86).
    Scte35,
    /// KLV with a time: metadata access units (0x15 with format `KLVA`).
    KlvSync,
    /// KLV without (0x06 registered as `KLVA`).
    KlvAsync,
    /// Timed ID3 (0x15 with format `ID3 `).
    Id3,
    /// DVB subtitles (descriptor 0x59).
    DvbSubtitle,
    /// EBU teletext (descriptors 0x56 and 0x46).
    Teletext,
    /// PES packets of something else.
    Private,
    /// Nothing that is read here: sections and stream types without a known use.
    Unknown,
}

impl StreamKind {
    /// The codec of the frames that come out; `None` where packets are handed on as data.
    #[must_use]
    pub const fn codec(self) -> Option<CodecId> {
        Some(match self {
            Self::H264 => CodecId::H264,
            Self::H265 => CodecId::H265,
            Self::Mpeg2Video => CodecId::Mpeg2Video,
            Self::Av1 => CodecId::Av1,
            Self::AacAdts | Self::AacLatm => CodecId::Aac,
            Self::MpegAudio => CodecId::Mp3,
            Self::Ac3 => CodecId::Ac3,
            Self::Eac3 => CodecId::Eac3,
            Self::Opus => CodecId::Opus,
            Self::Scte35 => CodecId::Scte35,
            Self::KlvSync | Self::KlvAsync => CodecId::Klv,
            Self::Id3 => CodecId::Id3,
            Self::DvbSubtitle | Self::Teletext | Self::Private | Self::Unknown => return None,
        })
    }

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Mpeg2Video => "mpeg2video",
            Self::Av1 => "av1",
            Self::AacAdts => "aac",
            Self::AacLatm => "aac_latm",
            Self::MpegAudio => "mpeg_audio",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Opus => "opus",
            Self::Scte35 => "scte35",
            Self::KlvSync => "klv_sync",
            Self::KlvAsync => "klv",
            Self::Id3 => "id3",
            Self::DvbSubtitle => "dvb_subtitle",
            Self::Teletext => "teletext",
            Self::Private => "private",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn media(self) -> Option<MediaKind> {
        self.codec().map(CodecId::kind)
    }
}

/// What a stream of a program map is, told by its `stream_type` (ISO/IEC 13818-1 table 2-34, SCTE 35 §8, ATSC A/52
/// annex A) and its descriptors, given as `(tag, body)`. With it the configuration, where a descriptor holds one.
pub(crate) fn identify<'a>(
    stream_type: u8,
    descriptors: impl Iterator<Item = (u8, &'a [u8])> + Clone,
) -> (StreamKind, Bytes) {
    let kind = match stream_type {
        0x01 | 0x02 => StreamKind::Mpeg2Video,
        0x03 | 0x04 => StreamKind::MpegAudio,
        0x0F => StreamKind::AacAdts,
        0x11 => StreamKind::AacLatm,
        0x1B => StreamKind::H264,
        0x24 | 0x25 => StreamKind::H265,
        0x81 => StreamKind::Ac3,
        0x86 => StreamKind::Scte35,
        0x87 => StreamKind::Eac3,
        0x15 => metadata(descriptors),
        0x06 => return private(descriptors),
        _ => StreamKind::Unknown,
    };
    (kind, Bytes::new())
}

/// `metadata_format` and its identifier in a metadata descriptor (§2.6.60), else a registration.
fn metadata<'a>(descriptors: impl Iterator<Item = (u8, &'a [u8])>) -> StreamKind {
    for (tag, body) in descriptors {
        let format = match (tag, body) {
            // application_format FFFF has an identifier of its own; format FF always has one.
            (0x26, [0xFF, 0xFF, _, _, _, _, 0xFF, format @ ..]) => format,
            (0x26, [_, _, 0xFF, format @ ..]) => format,
            (0x05, format) => format,
            _ => continue,
        };
        if format.starts_with(b"ID3 ") {
            return StreamKind::Id3;
        }
        if format.starts_with(b"KLVA") {
            return StreamKind::KlvSync;
        }
    }
    StreamKind::Private
}

/// Streams of type 06 are told apart by their descriptors alone.
fn private<'a>(descriptors: impl Iterator<Item = (u8, &'a [u8])> + Clone) -> (StreamKind, Bytes) {
    for (tag, body) in descriptors.clone() {
        let kind = match (tag, body) {
            (0x05, [b'O', b'p', b'u', b's', ..]) => {
                let head = descriptors
                    .clone()
                    .find_map(|(tag, body)| match (tag, body) {
                        (0x7F, [0x80, code, ..]) => opus_head(*code),
                        _ => None,
                    });
                let head = head.or_else(|| opus_head(2));
                return (
                    StreamKind::Opus,
                    head.map(|h| h.write_dops()).unwrap_or_default(),
                );
            }
            (0x05, [b'A', b'V', b'0', b'1', ..]) => StreamKind::Av1,
            (0x05, [b'K', b'L', b'V', b'A', ..]) => StreamKind::KlvAsync,
            (0x05, [b'I', b'D', b'3', b' ', ..]) => StreamKind::Id3,
            (0x05, [b'A', b'C', b'-', b'3', ..]) | (0x6A, _) => StreamKind::Ac3,
            (0x05, [b'E', b'A', b'C', b'3', ..]) | (0x7A, _) => StreamKind::Eac3,
            (0x05, [b'H', b'E', b'V', b'C', ..]) => StreamKind::H265,
            (0x56 | 0x46, _) => StreamKind::Teletext,
            (0x59, _) => StreamKind::DvbSubtitle,
            (0x7C, _) => StreamKind::AacLatm,
            _ => continue,
        };
        return (kind, Bytes::new());
    }
    (StreamKind::Private, Bytes::new())
}

/// What encoders drop at the start unless they say otherwise: libopus at 48 kHz.
const PRE_SKIP: u16 = 312;

/// `channel_config_code` of the Opus audio descriptor (ETSI TS 103 491 is silent; "Opus in MPEG-TS" §3): channels in the
/// Vorbis order of RFC 7845 §5.1.1.2.
fn opus_head(code: u8) -> Option<opus::Head> {
    const TABLES: [&[u8]; 8] = [
        &[0],
        &[0, 1],
        &[0, 2, 1],
        &[0, 1, 2, 3],
        &[0, 4, 1, 2, 3],
        &[0, 4, 1, 2, 3, 5],
        &[0, 4, 1, 2, 3, 5, 6],
        &[0, 6, 1, 2, 3, 4, 5, 7],
    ];
    const STREAMS: [(u8, u8); 8] = [
        (1, 0),
        (1, 1),
        (2, 1),
        (2, 2),
        (3, 2),
        (4, 2),
        (4, 3),
        (5, 3),
    ];
    let mut head = opus::Head::new(code.clamp(1, 2), PRE_SKIP).ok()?;
    if code > 2 {
        let at = usize::from(code) - 1;
        let (&table, &(streams, coupled)) = TABLES.get(at).zip(STREAMS.get(at))?;
        head.channels = code;
        head.mapping = Some(opus::Mapping {
            family: 1,
            streams,
            coupled,
            table: Bytes::from_static(table),
        });
    }
    Some(head)
}

/// The code for a head, when there is one: mono, stereo and Vorbis order as [`opus_head`] reads them.
pub(crate) fn opus_code(head: &opus::Head) -> Option<u8> {
    let like = opus_head(head.channels).filter(|_| head.channels > 0)?;
    (like.mapping == head.mapping).then_some(head.channels)
}

/// A BCP 47 tag of an ISO 639-2 code: the two-letter form where the language has one (RFC 5646 §2.2.1), for those that
/// broadcasters use; any other code as it is.
pub(crate) fn language(code: &[u8]) -> Option<String> {
    const SHORT: [(&[u8; 3], &str); 48] = [
        (b"ara", "ar"),
        (b"bul", "bg"),
        (b"cat", "ca"),
        (b"ces", "cs"),
        (b"chi", "zh"),
        (b"cym", "cy"),
        (b"cze", "cs"),
        (b"dan", "da"),
        (b"deu", "de"),
        (b"dut", "nl"),
        (b"ell", "el"),
        (b"eng", "en"),
        (b"est", "et"),
        (b"eus", "eu"),
        (b"fin", "fi"),
        (b"fra", "fr"),
        (b"fre", "fr"),
        (b"ger", "de"),
        (b"gle", "ga"),
        (b"glg", "gl"),
        (b"gre", "el"),
        (b"heb", "he"),
        (b"hin", "hi"),
        (b"hrv", "hr"),
        (b"hun", "hu"),
        (b"ice", "is"),
        (b"isl", "is"),
        (b"ita", "it"),
        (b"jpn", "ja"),
        (b"kor", "ko"),
        (b"lav", "lv"),
        (b"lit", "lt"),
        (b"nld", "nl"),
        (b"nor", "no"),
        (b"pol", "pl"),
        (b"por", "pt"),
        (b"ron", "ro"),
        (b"rum", "ro"),
        (b"rus", "ru"),
        (b"slk", "sk"),
        (b"slo", "sk"),
        (b"slv", "sl"),
        (b"spa", "es"),
        (b"srp", "sr"),
        (b"swe", "sv"),
        (b"tur", "tr"),
        (b"ukr", "uk"),
        (b"zho", "zh"),
    ];
    let code = code.get(..3)?;
    let lower: Vec<u8> = code.iter().map(u8::to_ascii_lowercase).collect();
    if !lower.iter().all(u8::is_ascii_lowercase) || lower == b"und" {
        return None;
    }
    let short = SHORT.iter().find(|(long, _)| long[..] == lower[..]);
    match short {
        Some((_, short)) => Some((*short).to_owned()),
        None => String::from_utf8(lower).ok(),
    }
}

/// The ISO 639-2 code (terminology form) of a BCP 47 tag; `None` for languages without one that is known here.
pub(crate) fn language_code(tag: &str) -> Option<[u8; 3]> {
    const LONG: [(&str, &[u8; 3]); 40] = [
        ("ar", b"ara"),
        ("bg", b"bul"),
        ("ca", b"cat"),
        ("cs", b"ces"),
        ("cy", b"cym"),
        ("da", b"dan"),
        ("de", b"deu"),
        ("el", b"ell"),
        ("en", b"eng"),
        ("es", b"spa"),
        ("et", b"est"),
        ("eu", b"eus"),
        ("fi", b"fin"),
        ("fr", b"fra"),
        ("ga", b"gle"),
        ("gl", b"glg"),
        ("he", b"heb"),
        ("hi", b"hin"),
        ("hr", b"hrv"),
        ("hu", b"hun"),
        ("is", b"isl"),
        ("it", b"ita"),
        ("ja", b"jpn"),
        ("ko", b"kor"),
        ("lt", b"lit"),
        ("lv", b"lav"),
        ("nl", b"nld"),
        ("no", b"nor"),
        ("pl", b"pol"),
        ("pt", b"por"),
        ("ro", b"ron"),
        ("ru", b"rus"),
        ("sk", b"slk"),
        ("sl", b"slv"),
        ("sr", b"srp"),
        ("sv", b"swe"),
        ("tr", b"tur"),
        ("uk", b"ukr"),
        ("zh", b"zho"),
        ("und", b"und"),
    ];
    let base = tag
        .split('-')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if let Some((_, code)) = LONG.iter().find(|(short, _)| *short == base) {
        return Some(**code);
    }
    let code: [u8; 3] = base.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_lowercase).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stream_type: u8, descriptors: &[(u8, &[u8])]) -> StreamKind {
        identify(stream_type, descriptors.iter().copied()).0
    }

    #[test]
    fn types_and_descriptors() {
        assert_eq!(of(0x1B, &[]), StreamKind::H264);
        assert_eq!(of(0x06, &[]), StreamKind::Private);
        assert_eq!(of(0x06, &[(0x0A, b"eng\0"), (0x6A, &[0])]), StreamKind::Ac3);
        assert_eq!(of(0x06, &[(0x7A, &[])]), StreamKind::Eac3);
        assert_eq!(of(0x06, &[(5, b"KLVA")]), StreamKind::KlvAsync);
        assert_eq!(
            of(0x15, &[(0x26, b"\xFF\xFFID3 \xFFID3 \0\x0F")]),
            StreamKind::Id3
        );
        assert_eq!(
            of(0x15, &[(0x26, b"\x01\0\xFFKLVA\0\x0F")]),
            StreamKind::KlvSync
        );
        assert_eq!(of(0x15, &[(0x26, b"\xFF")]), StreamKind::Private);
        assert_eq!(of(0x06, &[(0x59, b"")]), StreamKind::DvbSubtitle);
        assert_eq!(of(0xA7, &[]), StreamKind::Unknown);
    }

    #[test]
    fn opus_layouts_survive() {
        for code in 1..=8 {
            let head = opus_head(code).unwrap();
            assert_eq!(head.channels, code);
            assert_eq!(opus_code(&head), Some(code));
            assert!(opus::Head::parse(&head.write_dops()).is_ok());
        }
        assert_eq!(opus_head(200), None);
    }

    #[test]
    fn languages() {
        assert_eq!(language(b"ger\0").as_deref(), Some("de"));
        assert_eq!(language(b"QAA").as_deref(), Some("qaa"));
        assert_eq!(language(b"und"), None);
        assert_eq!(language(b"e\0g"), None);
        assert_eq!(language_code("de-AT"), Some(*b"deu"));
        assert_eq!(language_code("nds"), Some(*b"nds"));
        assert_eq!(language_code("x"), None);
    }
}
