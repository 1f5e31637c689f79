//! `moov`: the tracks of a file, and the defaults for its fragments.

use core_frame::{CodecId, MediaKind, TrackId, TrackInfo};

use super::boxes::BoxRef;
use super::entry::{Entry, read_entry};
use super::table::SampleTable;
use crate::Error;

/// What a `moov` says.
#[derive(Clone, Debug, Default)]
pub struct Movie {
    /// The tracks in file order.
    pub tracks: Vec<MovieTrack>,
    /// Fragments follow (`mvex` is there).
    pub fragmented: bool,
}

/// One `trak`.
#[derive(Clone, Debug)]
pub struct MovieTrack {
    /// `track_ID`.
    pub mp4_id: u32,
    /// Handler type: `vide`, `soun`, `text`, ...
    pub handler: [u8; 4],
    /// Sample entry type; the original one behind `encv` and `enca`.
    pub fourcc: [u8; 4],
    /// The samples are encrypted (`encv`, `enca`).
    pub encrypted: bool,
    /// Bytes of a NAL unit length in the samples: 4 where the codec has none.
    pub length_size: u8,
    /// Ticks a second; never 0.
    pub timescale: u32,
    /// The track in our words; `None` where the codec is not known here.
    pub info: Option<TrackInfo>,
    /// What the edit list moves media time by, in ticks: presentation time on the movie timeline is composition time plus
    /// this.
    pub edit_shift: i64,
    /// Defaults of `trex`.
    pub defaults: SampleDefaults,
    /// The samples of a file that is not fragmented. Their bytes are for the caller to fetch.
    pub samples: Option<SampleTable>,
}

/// Defaults that a fragment may rely on (ISO/IEC 14496-12 §8.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleDefaults {
    /// In ticks.
    pub duration: u32,
    /// In bytes.
    pub size: u32,
    /// `sample_flags`.
    pub flags: u32,
}

/// Tracks a file may have.
const MAX_TRACKS: usize = 64;

impl Movie {
    /// Reads the body of a `moov`.
    ///
    /// A track that this crate does not understand is kept without [`MovieTrack::info`]; a broken one is an error.
    ///
    /// # Errors
    /// [`Error::Format`] and [`Error::Limit`].
    pub fn read(moov: &BoxRef<'_>) -> Result<Self, Error> {
        let mut movie = Self::default();
        let mut movie_timescale = 0;
        for found in moov.children(0) {
            let found = found?;
            match &found.kind {
                b"mvhd" => {
                    let (version, _, mut f) = found.full()?;
                    f.skip(if version == 0 { 8 } else { 16 })?;
                    movie_timescale = f.u32()?;
                }
                b"trak" => {
                    if movie.tracks.len() >= MAX_TRACKS {
                        return Err(Error::Limit {
                            offset: found.offset,
                            limit: "64 tracks",
                        });
                    }
                    movie.tracks.push(track(&found, movie_timescale)?);
                }
                _ => {}
            }
        }
        if let Some(mvex) = moov.children(0).find_kind(b"mvex")? {
            movie.fragmented = true;
            for found in mvex.children(0) {
                let found = found?;
                if &found.kind == b"trex" {
                    trex(&found, &mut movie.tracks)?;
                }
            }
        }
        Ok(movie)
    }

    /// The track with this `track_ID`.
    #[must_use]
    pub fn track(&self, mp4_id: u32) -> Option<&MovieTrack> {
        self.tracks.iter().find(|t| t.mp4_id == mp4_id)
    }
}

fn trex(found: &BoxRef<'_>, tracks: &mut [MovieTrack]) -> Result<(), Error> {
    let (_, _, mut f) = found.full()?;
    let id = f.u32()?;
    f.skip(4)?;
    let defaults = SampleDefaults {
        duration: f.u32()?,
        size: f.u32()?,
        flags: f.u32()?,
    };
    if let Some(track) = tracks.iter_mut().find(|t| t.mp4_id == id) {
        track.defaults = defaults;
    }
    Ok(())
}

fn track(trak: &BoxRef<'_>, movie_timescale: u32) -> Result<MovieTrack, Error> {
    let need = |kind, rule| {
        trak.children(0)
            .find_kind(kind)?
            .ok_or_else(|| trak.error(rule))
    };
    let tkhd = need(b"tkhd", "trak has no tkhd (14496-12 §8.3.2)")?;
    let (version, _, mut f) = tkhd.full()?;
    f.skip(if version == 0 { 8 } else { 16 })?;
    let mp4_id = f.u32()?;
    let mdia = need(b"mdia", "trak has no mdia (14496-12 §8.4)")?;
    let Some(mdhd) = mdia.children(0).find_kind(b"mdhd")? else {
        return Err(mdia.error("mdia has no mdhd (14496-12 §8.4.2)"));
    };
    let (version, _, mut f) = mdhd.full()?;
    f.skip(if version == 0 { 8 } else { 16 })?;
    let timescale = f.u32()?;
    if timescale == 0 {
        return Err(mdhd.error("timescale is 0 (14496-12 §8.4.2)"));
    }
    f.skip(if version == 0 { 4 } else { 8 })?;
    let language = language(f.u16()?);
    let handler = match mdia.children(0).find_kind(b"hdlr")? {
        Some(hdlr) => {
            let (_, _, mut f) = hdlr.full()?;
            f.skip(4)?;
            f.u32()?.to_be_bytes()
        }
        None => *b"    ",
    };
    let (mut entry, mut samples) = (None, None);
    if let Some(minf) = mdia.children(0).find_kind(b"minf")?
        && let Some(stbl) = minf.children(0).find_kind(b"stbl")?
    {
        if let Some(stsd) = stbl.children(0).find_kind(b"stsd")? {
            entry = read_entry(&stsd, handler)?;
        }
        samples = SampleTable::read(&stbl)?;
    }
    let entry = entry.unwrap_or_default();
    let mut edit_shift = 0;
    if let Some(edts) = trak.children(0).find_kind(b"edts")?
        && let Some(elst) = edts.children(0).find_kind(b"elst")?
    {
        edit_shift = edits(&elst, timescale, movie_timescale)?;
    }
    Ok(MovieTrack {
        mp4_id,
        handler,
        fourcc: entry.fourcc,
        encrypted: entry.encrypted,
        length_size: length_size(&entry),
        timescale,
        info: info(mp4_id, timescale, language, entry),
        edit_shift,
        defaults: SampleDefaults::default(),
        samples,
    })
}

/// `lengthSizeMinusOne` of the record (14496-15 §5.3.3.1, §8.3.3.1, §11.2.4.2).
fn length_size(entry: &Entry) -> u8 {
    let at = match entry.codec {
        Some(CodecId::H264) => 4,
        Some(CodecId::H265) => 21,
        _ => return 4,
    };
    entry.config.get(at).map_or(4, |b| (b & 3) + 1)
}

/// `elst` (§8.6.6): empty edits delay the track, the first real one tells which composition time is shown first.
fn edits(elst: &BoxRef<'_>, timescale: u32, movie_timescale: u32) -> Result<i64, Error> {
    let (version, _, mut f) = elst.full()?;
    let count = f.u32()?;
    let mut delay = 0i64;
    for _ in 0..count.min(64) {
        let duration = f.sized(version)?;
        let media_time = if version == 0 {
            i64::from(f.u32()?.cast_signed())
        } else {
            f.u64()?.cast_signed()
        };
        f.skip(4)?;
        if media_time >= 0 {
            return Ok(delay.saturating_sub(media_time));
        }
        if movie_timescale > 0 {
            let ticks = u128::from(duration) * u128::from(timescale) / u128::from(movie_timescale);
            delay = delay.saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX));
        }
    }
    Ok(delay)
}

fn info(mp4_id: u32, timescale: u32, language: Option<String>, entry: Entry) -> Option<TrackInfo> {
    let codec = entry.codec?;
    let id = TrackId(u16::try_from(mp4_id).unwrap_or(0));
    let mut config = entry.config;
    // Frames come out with 4-byte lengths (see `Reader`), and the record says so.
    let at = match codec {
        CodecId::H264 => 4,
        CodecId::H265 => 21,
        _ => usize::MAX,
    };
    if config.get(at).is_some_and(|b| b & 3 != 3) {
        let mut record = config.to_vec();
        if let Some(b) = record.get_mut(at) {
            *b |= 3;
        }
        config = record.into();
    }
    // A record that cannot be understood still leaves a track with its codec and record.
    let mut info = bitstream::describe(id, codec, config.clone()).unwrap_or_else(|_| {
        let mut info = TrackInfo::new(id, codec);
        info.config = config;
        info
    });
    info.timescale = timescale;
    info.language = language;
    info.bitrate_bps = entry.bitrate;
    match codec.kind() {
        MediaKind::Video => {
            let video = info.video.get_or_insert_default();
            if video.width == 0 || video.height == 0 {
                (video.width, video.height) = (entry.width, entry.height);
            }
            video.sample_aspect = video.sample_aspect.or(entry.pixel_aspect);
            video.color = video.color.or(entry.color);
        }
        MediaKind::Audio => {
            // What `describe` says of G.711 is only what it is by default.
            if matches!(codec, CodecId::Pcma | CodecId::Pcmu) {
                info.audio = None;
            }
            let audio = info.audio.get_or_insert_default();
            if audio.sample_rate == 0 {
                audio.sample_rate = entry.sample_rate;
            }
            if audio.channels == 0 {
                audio.channels = entry.channels;
            }
            if codec == CodecId::Mp3 && audio.sample_rate > 0 {
                // The rate tells the standard, and that the length of frames (layer III).
                let low = audio.sample_rate < 32_000;
                audio.frame_samples = if low { 576 } else { 1_152 };
                info.codec_string = Some(if low { "mp4a.69" } else { "mp4a.6B" }.to_owned());
            }
        }
        _ => {}
    }
    Some(info)
}

/// Three 5-bit letters (§8.4.2.3); `und` is no language.
fn language(code: u16) -> Option<String> {
    let letters: String = [code >> 10, code >> 5, code]
        .iter()
        .map(|c| char::from(((c & 0x1F) as u8).wrapping_add(0x60)))
        .collect();
    (letters != "und" && letters.bytes().all(|b| b.is_ascii_lowercase())).then_some(letters)
}
