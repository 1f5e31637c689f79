//! Playlists read from text: the way in, and which kind a text is.

mod attributes;
mod common;
mod context;
mod media;
mod multivariant;

use context::Context;

use crate::{
    Error, MediaPlaylist, Mode, MultivariantPlaylist, ParseOptions, Playlist, Result, Warning,
};

/// A playlist and what was wrong with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T = Playlist> {
    /// The playlist.
    pub playlist: T,
    /// Rules the sender broke, in order; at most [`Limits::warnings`](crate::Limits).
    pub warnings: Vec<Warning>,
}

/// Reads a playlist of either kind (rfc8216bis §4).
///
/// Lenient by default: a byte order mark, CR LF, blanks, missing commas, unquoted or misplaced values are repaired and
/// reported as warnings.
///
/// # Errors
/// [`Error::NotAPlaylist`] for what has no playlist tag, [`Error::Limit`] over a bound, and in
/// [`Mode::Strict`] [`Error::Broken`] at the first rule broken.
pub fn parse(bytes: &[u8], options: &ParseOptions) -> Result<Parsed> {
    let text = Text::new(bytes, options)?;
    let mut context = Context::new(options);
    text.check_start(&mut context)?;
    let playlist = match text.kind() {
        Kind::Media => Playlist::Media(media::parse(&text, &mut context)?),
        Kind::Multivariant => Playlist::Multivariant(multivariant::parse(&text, &mut context)?),
    };
    Ok(Parsed {
        playlist,
        warnings: context.into_warnings(),
    })
}

/// Reads a media playlist.
///
/// # Errors
/// As [`parse`], and [`Error::WrongKind`] for a multivariant playlist.
pub fn parse_media(bytes: &[u8], options: &ParseOptions) -> Result<Parsed<MediaPlaylist>> {
    let parsed = parse(bytes, options)?;
    match parsed.playlist {
        Playlist::Media(playlist) => Ok(Parsed {
            playlist,
            warnings: parsed.warnings,
        }),
        Playlist::Multivariant(_) => Err(Error::WrongKind {
            wanted: "media",
            found: "multivariant",
        }),
    }
}

/// Reads a multivariant playlist.
///
/// # Errors
/// As [`parse`], and [`Error::WrongKind`] for a media playlist.
pub fn parse_multivariant(
    bytes: &[u8],
    options: &ParseOptions,
) -> Result<Parsed<MultivariantPlaylist>> {
    let parsed = parse(bytes, options)?;
    match parsed.playlist {
        Playlist::Multivariant(playlist) => Ok(Parsed {
            playlist,
            warnings: parsed.warnings,
        }),
        Playlist::Media(_) => Err(Error::WrongKind {
            wanted: "multivariant",
            found: "media",
        }),
    }
}

/// One line that is not blank and no comment.
enum Line<'a> {
    /// `#EXT...`: the name behind the `#`, and what stands behind the colon.
    Tag {
        name: &'a str,
        value: Option<&'a str>,
        /// The whole line.
        line: &'a str,
    },
    /// A URI.
    Uri(&'a str),
}

/// The bytes of a playlist, within the limits.
struct Text<'a> {
    bytes: &'a [u8],
    had_bom: bool,
}

enum Kind {
    Media,
    Multivariant,
}

impl<'a> Text<'a> {
    fn new(bytes: &'a [u8], options: &ParseOptions) -> Result<Self> {
        if bytes.len() > options.limits.bytes {
            return Err(Error::Limit {
                what: "bytes",
                max: options.limits.bytes,
            });
        }
        let stripped = bytes.strip_prefix(b"\xEF\xBB\xBF");
        Ok(Self {
            bytes: stripped.unwrap_or(bytes),
            had_bom: stripped.is_some(),
        })
    }

    fn raw_lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes
            .split(|b| *b == b'\n')
            .map(|l| l.strip_suffix(b"\r").unwrap_or(l))
    }

    fn check_start(&self, context: &mut Context<'_>) -> Result<()> {
        context.at_line(1);
        if self.had_bom {
            context.broken("a playlist has no byte order mark (§4)")?;
        }
        let first = self.raw_lines().next().unwrap_or(&[]);
        if first == b"#EXTM3U" {
            return Ok(());
        }
        if !self
            .raw_lines()
            .any(|l| l.trim_ascii_start().starts_with(b"#EXT"))
        {
            return Err(Error::NotAPlaylist(match self.bytes.trim_ascii_start() {
                b"" => "it is empty",
                [b'<', ..] => "it looks like a web page",
                _ => "it has no #EXTM3U",
            }));
        }
        context.broken("the first line is #EXTM3U (§4.4.1.1)")
    }

    /// The first tag that only one kind has decides; segments and variants before all others.
    fn kind(&self) -> Kind {
        let has = |names: &[&[u8]]| {
            self.raw_lines().find_map(|l| {
                let name = l.trim_ascii_start().strip_prefix(b"#")?;
                let name = name.split(|b| *b == b':').next()?.trim_ascii_end();
                names.iter().position(|n| *n == name)
            })
        };
        match has(&[b"EXTINF", b"EXT-X-STREAM-INF"]) {
            Some(0) => return Kind::Media,
            Some(_) => return Kind::Multivariant,
            None => {}
        }
        let decided = has(&[
            b"EXT-X-MEDIA",
            b"EXT-X-I-FRAME-STREAM-INF",
            b"EXT-X-SESSION-DATA",
            b"EXT-X-SESSION-KEY",
            b"EXT-X-CONTENT-STEERING",
            b"EXT-X-TARGETDURATION",
            b"EXT-X-PART-INF",
            b"EXT-X-PART",
        ]);
        match decided {
            Some(0..=4) => Kind::Multivariant,
            _ => Kind::Media,
        }
    }

    /// Hands each line that says something to `each`, with the context at its number.
    fn for_each<'o>(
        &self,
        context: &mut Context<'o>,
        mut each: impl FnMut(&mut Context<'o>, Line<'_>) -> Result<()>,
    ) -> Result<()> {
        for (index, raw) in self.raw_lines().enumerate() {
            context.at_line(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1));
            if raw.len() > context.options.limits.line_bytes {
                return Err(Error::Limit {
                    what: "bytes in a line",
                    max: context.options.limits.line_bytes,
                });
            }
            let text = String::from_utf8_lossy(raw);
            if matches!(text, std::borrow::Cow::Owned(_)) {
                context.broken("a playlist is UTF-8 (§4)")?;
            }
            let line = text.trim();
            if line.is_empty() {
                continue;
            }
            if line.len() != text.len() && context.options.mode == Mode::Strict {
                context.broken("no blanks around a line (§4.1)")?;
            }
            let Some(tag) = line.strip_prefix('#') else {
                each(context, Line::Uri(line))?;
                continue;
            };
            if !tag.starts_with("EXT") || tag == "EXTM3U" {
                continue; // a comment, or the line that was checked already
            }
            let (name, value) = match tag.split_once(':') {
                Some((name, value)) => (name.trim_end(), Some(value)),
                None => (tag, None),
            };
            each(context, Line::Tag { name, value, line })?;
        }
        Ok(())
    }
}
