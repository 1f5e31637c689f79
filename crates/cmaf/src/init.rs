//! Init segments: `ftyp` and a `moov` without samples, for one track (CMAF) or several (endless MP4).

use bytes::{Bytes, BytesMut};
use core_frame::{MediaKind, TrackId, TrackInfo};

use crate::clock::timescale_of;
use crate::entry::{Use, sample_entry};
use crate::write::BoxWriter;
use crate::{Error, TrackClock};

/// An init segment and what a chunk writer must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitSegment {
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
    /// The tracks, in the order of the `trak` boxes.
    pub tracks: Vec<InitTrack>,
    /// RFC 6381 strings of the tracks, comma separated, as far as the tracks know theirs.
    pub codecs: String,
}

/// One track of an init segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitTrack {
    /// The track of the stream.
    pub id: TrackId,
    /// `track_ID` in the file; the same number, except that 0 is not allowed there.
    pub mp4_id: u32,
    /// What it carries.
    pub kind: MediaKind,
    /// Its timescale in the file; see [`TrackClock`].
    pub timescale: u32,
}

impl InitTrack {
    /// The clock of the track, with tick 0 at `zero` (a whole second).
    #[must_use]
    pub fn clock(&self, zero: core_frame::MediaTime) -> TrackClock {
        TrackClock::new(self.timescale, zero)
    }
}

impl InitSegment {
    /// Builds the init segment of these tracks, for players of streams: HLS, DASH, Media Source.
    ///
    /// Parameter sets live in the sample entry (`avc1`, `hvc1`, ...); there is no edit list, because chunks carry
    /// signed composition offsets (`trun` version 1) instead.
    ///
    /// # Errors
    /// [`Error::NoTracks`], [`Error::Unsupported`] or [`Error::BadConfig`].
    pub fn build(tracks: &[&TrackInfo]) -> Result<Self, Error> {
        Self::build_for(tracks, Use::Stream)
    }

    /// The same for a file, which may hold more: G.711 and linear PCM too, in QuickTime's sample entries (`alaw`, `ulaw`,
    /// `sowt`). Players of files read these; HLS, DASH and Media Source do not, and one track they do not know costs them the
    /// others.
    ///
    /// # Errors
    /// As [`InitSegment::build`].
    pub fn build_file(tracks: &[&TrackInfo]) -> Result<Self, Error> {
        Self::build_for(tracks, Use::File)
    }

    fn build_for(tracks: &[&TrackInfo], reader: Use) -> Result<Self, Error> {
        if tracks.is_empty() {
            return Err(Error::NoTracks);
        }
        let entries = tracks
            .iter()
            .map(|t| sample_entry(t, reader))
            .collect::<Result<Vec<_>, _>>()?;
        let list: Vec<InitTrack> = tracks
            .iter()
            .map(|t| InitTrack {
                id: t.id,
                mp4_id: mp4_id(t.id),
                kind: t.kind(),
                timescale: timescale_of(t),
            })
            .collect();
        let mut buf = BytesMut::with_capacity(2_048);
        let mut w = BoxWriter { buf: &mut buf };
        w.put(b"ftyp", |w| {
            w.bytes(b"iso6\0\0\0\0iso6mp41");
            if tracks.len() == 1 {
                w.bytes(b"cmfc");
            }
        });
        w.put(b"moov", |w| {
            movie_header(w, &list);
            for ((info, track), entry) in tracks.iter().zip(&list).zip(&entries) {
                track_box(w, info, track, entry);
            }
            w.put(b"mvex", |w| {
                for track in &list {
                    w.full(b"trex", 0, 0, |w| {
                        w.u32(track.mp4_id);
                        w.u32(1); // default_sample_description_index
                        w.zeros(12); // default duration, size, flags
                    });
                }
            });
        });
        let codecs: Vec<&str> = tracks
            .iter()
            .filter_map(|t| t.codec_string.as_deref())
            .collect();
        Ok(Self {
            bytes: buf.freeze(),
            tracks: list,
            codecs: codecs.join(","),
        })
    }

    /// The track with this id.
    #[must_use]
    pub fn track(&self, id: TrackId) -> Option<&InitTrack> {
        self.tracks.iter().find(|t| t.id == id)
    }
}

/// True when frames of `new` cannot be decoded with the init segment of `old`. What only describes (nominal rates, language,
/// role) makes no difference.
#[must_use]
pub fn needs_new_init(old: &TrackInfo, new: &TrackInfo) -> bool {
    let picture = |t: &TrackInfo| {
        t.video
            .map(|v| (v.width, v.height, v.sample_aspect, v.color))
    };
    let sound = |t: &TrackInfo| t.audio.map(|a| (a.sample_rate, a.channels));
    old.id != new.id
        || old.codec != new.codec
        || old.config != new.config
        || picture(old) != picture(new)
        || sound(old) != sound(new)
}

/// Track ids in a file must not be 0 (ISO/IEC 14496-12 §8.3.2).
fn mp4_id(id: TrackId) -> u32 {
    match id.0 {
        0 => 0x1_0000,
        n => u32::from(n),
    }
}

/// Unity transformation matrix (§8.2.2.2).
fn matrix(w: &mut BoxWriter<'_>) {
    for v in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000u32] {
        w.u32(v);
    }
}

fn movie_header(w: &mut BoxWriter<'_>, tracks: &[InitTrack]) {
    w.full(b"mvhd", 0, 0, |w| {
        w.zeros(8); // creation and modification time: unknown
        w.u32(1_000);
        w.u32(0); // duration: in the fragments
        w.u32(0x1_0000); // rate 1.0
        w.u16(0x0100); // volume 1.0
        w.zeros(10);
        matrix(w);
        w.zeros(24);
        let max = tracks.iter().map(|t| t.mp4_id).max().unwrap_or(0);
        w.u32(max.saturating_add(1));
    });
}

fn track_box(w: &mut BoxWriter<'_>, info: &TrackInfo, track: &InitTrack, entry: &[u8]) {
    let video = info.video.unwrap_or_default();
    let (par_w, par_h) = video
        .sample_aspect
        .filter(|a| a.0 > 0 && a.1 > 0)
        .unwrap_or((1, 1));
    w.put(b"trak", |w| {
        // Flags: enabled, in movie, in preview.
        w.full(b"tkhd", 0, 7, |w| {
            w.zeros(8);
            w.u32(track.mp4_id);
            w.zeros(4);
            w.u32(0); // duration
            w.zeros(8);
            w.u16(0); // layer
            // Tracks of one kind are alternatives of each other (§8.3.2.3).
            w.u16(match track.kind {
                MediaKind::Video => 1,
                MediaKind::Audio => 2,
                MediaKind::Subtitle => 3,
                MediaKind::Data => 4,
            });
            w.u16(if track.kind == MediaKind::Audio {
                0x0100
            } else {
                0
            });
            w.u16(0);
            matrix(w);
            // Displayed size: coded size with square pixels, 16.16.
            let shown = u64::from(video.width) * u64::from(par_w) / u64::from(par_h);
            let fixed = |n: u64| u32::try_from(n.min(0xFFFF) << 16).unwrap_or(0);
            w.u32(fixed(shown));
            w.u32(fixed(u64::from(video.height)));
        });
        w.put(b"mdia", |w| {
            w.full(b"mdhd", 0, 0, |w| {
                w.zeros(8);
                w.u32(track.timescale);
                w.u32(0);
                w.u16(language_code(info.language.as_deref()));
                w.u16(0);
            });
            let (handler, name): (&[u8; 4], &str) = match track.kind {
                MediaKind::Video => (b"vide", "Video"),
                MediaKind::Audio => (b"soun", "Audio"),
                MediaKind::Subtitle => (b"text", "Text"),
                MediaKind::Data => (b"meta", "Data"),
            };
            w.full(b"hdlr", 0, 0, |w| {
                w.u32(0);
                w.bytes(handler);
                w.zeros(12);
                w.bytes(name.as_bytes());
                w.u8(0);
            });
            if let Some(lang) = info.language.as_deref().filter(|l| !l.is_empty()) {
                w.full(b"elng", 0, 0, |w| {
                    w.bytes(lang.as_bytes());
                    w.u8(0);
                });
            }
            w.put(b"minf", |w| {
                match track.kind {
                    MediaKind::Video => w.full(b"vmhd", 0, 1, |w| w.zeros(8)),
                    MediaKind::Audio => w.full(b"smhd", 0, 0, |w| w.zeros(4)),
                    MediaKind::Subtitle | MediaKind::Data => w.full(b"nmhd", 0, 0, |_| {}),
                }
                w.put(b"dinf", |w| {
                    w.full(b"dref", 0, 0, |w| {
                        w.u32(1);
                        w.full(b"url ", 0, 1, |_| {});
                    });
                });
                w.put(b"stbl", |w| {
                    w.full(b"stsd", 0, 0, |w| {
                        w.u32(1);
                        w.bytes(entry);
                    });
                    w.full(b"stts", 0, 0, |w| w.u32(0));
                    w.full(b"stsc", 0, 0, |w| w.u32(0));
                    w.full(b"stsz", 0, 0, |w| w.zeros(8));
                    w.full(b"stco", 0, 0, |w| w.u32(0));
                });
            });
        });
    });
}

/// ISO 639-2/T in three 5-bit letters (§8.4.2.3). A two-letter BCP 47 subtag of a common language is widened; anything
/// else is `und`, and the full tag stands in `elng`.
fn language_code(tag: Option<&str>) -> u16 {
    let primary = tag.and_then(|t| t.split('-').next()).unwrap_or("und");
    let three = match primary {
        "en" => "eng",
        "de" => "deu",
        "fr" => "fra",
        "es" => "spa",
        "it" => "ita",
        "pt" => "por",
        "nl" => "nld",
        "pl" => "pol",
        "ru" => "rus",
        "uk" => "ukr",
        "tr" => "tur",
        "ar" => "ara",
        "he" => "heb",
        "hi" => "hin",
        "zh" => "zho",
        "ja" => "jpn",
        "ko" => "kor",
        "sv" => "swe",
        "da" => "dan",
        "no" => "nor",
        "fi" => "fin",
        "cs" => "ces",
        "hu" => "hun",
        "el" => "ell",
        "ro" => "ron",
        "vi" => "vie",
        "th" => "tha",
        "id" => "ind",
        other => other,
    };
    let three = if three.len() == 3 && three.bytes().all(|b| b.is_ascii_lowercase()) {
        three
    } else {
        "und"
    };
    three.bytes().fold(0, |acc, b| {
        (acc << 5) | u16::from(b.wrapping_sub(0x60) & 0x1F)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_pack_into_fifteen_bits() {
        assert_eq!(language_code(None), 0x55C4);
        assert_eq!(language_code(Some("en-GB")), 0x15C7);
        assert_eq!(language_code(Some("x-klingon")), 0x55C4);
    }
}
