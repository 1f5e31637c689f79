//! Which tracks of a stream a reader wants.

use std::fmt;

use crate::{MediaKind, TrackId, TrackInfo, TrackTable};

/// What a reader wants of one kind of track.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Pick {
    /// The first one: what players without a wish get.
    #[default]
    Main,
    /// None.
    None,
    /// All of them, for receivers that can take several.
    All,
    /// The nth of its kind, counted from 1. The first one where there are not so many.
    Nth(u8),
    /// The first one in this language (BCP 47, compared by primary subtag). The first one where there is none.
    Language(String),
}

/// The tracks a reader wants, written `video=` and `audio=` in the query of any play URL: `main` (or nothing), `none`,
/// `all`, a number from 1 on, or a language.
///
/// ```
/// use millstream_core_frame::{Pick, TrackChoice};
///
/// let choice = TrackChoice::from_query("token=x&audio=de&video=2")?;
/// assert_eq!((choice.video, choice.audio), (Pick::Nth(2), Pick::Language("de".to_owned())));
/// # Ok::<(), millstream_core_frame::BadChoice>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct TrackChoice {
    /// Pictures.
    pub video: Pick,
    /// Sound.
    pub audio: Pick,
}

/// A value of `video=` or `audio=` that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadChoice(&'static str);

impl fmt::Display for BadChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}= takes main, none, all, a number from 1 to 255 or a language",
            self.0
        )
    }
}

impl std::error::Error for BadChoice {}

/// Longest language tag taken (RFC 5646 §4.4.1 asks for 35).
const LANGUAGE: usize = 35;

impl TrackChoice {
    /// Every track.
    pub const ALL: Self = Self {
        video: Pick::All,
        audio: Pick::All,
    };

    /// Reads the query of a URL, without its `?`. Other parameters are passed over.
    ///
    /// # Errors
    /// [`BadChoice`] for a value that is none of those listed.
    pub fn from_query(query: &str) -> Result<Self, BadChoice> {
        let mut choice = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("video", value)) => choice.video = pick("video", value)?,
                Some(("audio", value)) => choice.audio = pick("audio", value)?,
                _ => {}
            }
        }
        Ok(choice)
    }

    /// True when this track of the table is wanted. Tracks that are neither pictures nor sound always are.
    #[must_use]
    pub fn wants(&self, table: &TrackTable, id: TrackId) -> bool {
        let Some(track) = table.track(id) else {
            return false;
        };
        let pick = match track.kind() {
            MediaKind::Video => &self.video,
            MediaKind::Audio => &self.audio,
            _ => return true,
        };
        match pick {
            Pick::All => true,
            Pick::None => false,
            pick => chosen(table, track.kind(), pick).is_some_and(|t| t.id == id),
        }
    }

    /// The tracks of the table that are wanted, in its order.
    pub fn of<'a>(&'a self, table: &'a TrackTable) -> impl Iterator<Item = &'a TrackInfo> {
        table
            .tracks
            .iter()
            .filter(|t| self.wants(table, t.id))
            .map(AsRef::as_ref)
    }
}

/// Written as in a query, each choice in one way only, so that it can name a view.
impl fmt::Display for TrackChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "video={}&audio={}", self.video, self.audio)
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => f.write_str("main"),
            Self::None => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Nth(n) => write!(f, "{n}"),
            Self::Language(tag) => f.write_str(tag),
        }
    }
}

/// The languages of a publisher's audio tracks in their order, written `lang=en,de` in the query of a publish URL, for
/// senders that cannot say them in their own protocol. An entry that is no language tag leaves its track without one; at
/// most 16 are read.
///
/// ```
/// let languages = millstream_core_frame::languages_of("token=x&lang=en,,DE-at");
/// assert_eq!(languages, [Some("en".to_owned()), None, Some("de-at".to_owned())]);
/// ```
#[must_use]
pub fn languages_of(query: &str) -> Vec<Option<String>> {
    const MOST: usize = 16;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("lang="));
    let one = |tag: &str| is_language(tag).then(|| tag.to_ascii_lowercase());
    value
        .map(|list| list.split(',').take(MOST).map(one).collect())
        .unwrap_or_default()
}

/// The shape of a BCP 47 language tag.
fn is_language(tag: &str) -> bool {
    tag.len() <= LANGUAGE
        && tag.starts_with(|c: char| c.is_ascii_alphabetic())
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && primary(tag).len() >= 2
}

fn pick(name: &'static str, value: &str) -> Result<Pick, BadChoice> {
    match value {
        "" | "main" => Ok(Pick::Main),
        "none" => Ok(Pick::None),
        "all" => Ok(Pick::All),
        value => match value.parse::<u8>() {
            Ok(n) if n > 0 => Ok(Pick::Nth(n)),
            Err(_) if is_language(value) => Ok(Pick::Language(value.to_ascii_lowercase())),
            _ => Err(BadChoice(name)),
        },
    }
}

fn chosen<'a>(table: &'a TrackTable, kind: MediaKind, pick: &Pick) -> Option<&'a TrackInfo> {
    let mut of_kind = table.tracks.iter().filter(|t| t.kind() == kind);
    let found = match pick {
        Pick::Nth(n) => of_kind.nth(usize::from(*n).saturating_sub(1)),
        Pick::Language(tag) => of_kind.find(|t| {
            let own = t.language.as_deref().unwrap_or_default();
            primary(own).eq_ignore_ascii_case(primary(tag))
        }),
        _ => None,
    };
    found.or_else(|| table.primary(kind)).map(AsRef::as_ref)
}

/// The primary subtag: `pt` of `pt-BR`.
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CodecId;

    fn table() -> TrackTable {
        let audio = |id, language: &str| TrackInfo {
            language: Some(language.to_owned()),
            ..TrackInfo::new(TrackId(id), CodecId::Aac)
        };
        TrackTable::new([
            TrackInfo::new(TrackId(1), CodecId::H264),
            audio(2, "en"),
            TrackInfo::new(TrackId(12), CodecId::H265),
            audio(13, "de-AT"),
            TrackInfo::new(TrackId(3), CodecId::Scte35),
        ])
    }

    fn ids(query: &str) -> Vec<u16> {
        let choice = TrackChoice::from_query(query).unwrap();
        choice.of(&table()).map(|t| t.id.0).collect()
    }

    #[test]
    fn a_reader_gets_what_it_asks_for() {
        assert_eq!(ids(""), [1, 2, 3]);
        assert_eq!(ids("video=2"), [2, 3, 12]);
        assert_eq!(ids("video=9&audio=none"), [1, 3]);
        assert_eq!(ids("audio=de"), [1, 3, 13]);
        assert_eq!(ids("audio=fr&video=none"), [2, 3]);
        assert_eq!(ids("audio=all&video=all"), [1, 2, 3, 12, 13]);
    }

    #[test]
    fn nonsense_is_told() {
        for bad in ["audio=0", "audio=256", "video=-1", "audio=<x>", "audio=d"] {
            assert!(TrackChoice::from_query(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_choice_is_written_in_one_way() {
        let choice = TrackChoice::from_query("audio=DE&video=main").unwrap();
        assert_eq!(choice.to_string(), "video=main&audio=de");
        assert_eq!(TrackChoice::from_query(&choice.to_string()), Ok(choice));
    }
}
