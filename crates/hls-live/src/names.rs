//! The names of things below a stream: how they are written into playlists, and read from requests.

use std::fmt::Write;

use core_frame::{MediaKind, TrackId};
use segmenter::{Init, TrackWindow};

/// Name of the multivariant playlist and, in a track's folder, of its media playlist.
pub(crate) const INDEX: &str = "index.m3u8";

/// Something below a stream that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `index.m3u8`
    Multivariant,
    /// `v1/...`
    Track(char, TrackId, File),
}

/// Something in a track's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    /// `index.m3u8`
    Playlist,
    /// `init.<id>.<hash>.mp4`
    Init { id: u32, hash: u32 },
    /// `<msn>.m4s`
    Segment { msn: u64 },
    /// `<msn>.<part>.m4s`
    Part { msn: u64, part: u32 },
}

impl Name {
    /// Reads a path below the stream. Only the one spelling that playlists use is taken, so that a resource has one URL.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        if path == INDEX {
            return Some(Self::Multivariant);
        }
        let (folder, file) = path.split_once('/')?;
        let mut letters = folder.chars();
        let letter = letters.next().filter(|l| matches!(l, 'v' | 'a'))?;
        let id = TrackId(number(letters.as_str())?.try_into().ok()?);
        Some(Self::Track(letter, id, File::parse(file)?))
    }
}

impl File {
    fn parse(name: &str) -> Option<Self> {
        if name == INDEX {
            return Some(Self::Playlist);
        }
        if let Some(middle) = name
            .strip_prefix("init.")
            .and_then(|n| n.strip_suffix(".mp4"))
        {
            let (id, hash) = middle.split_once('.')?;
            let lower = hash
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            return Some(Self::Init {
                id: number(id)?.try_into().ok()?,
                hash: u32::from_str_radix(hash, 16)
                    .ok()
                    .filter(|_| lower && hash.len() == 8)?,
            });
        }
        let stem = name.strip_suffix(".m4s")?;
        match stem.split_once('.') {
            None => Some(Self::Segment { msn: number(stem)? }),
            Some((msn, part)) => Some(Self::Part {
                msn: number(msn)?,
                part: number(part)?.try_into().ok()?,
            }),
        }
    }
}

/// Decimal digits without leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Folder letter of a kind of track; `None` for kinds that are not served.
pub(crate) const fn letter(kind: MediaKind) -> Option<char> {
    match kind {
        MediaKind::Video => Some('v'),
        MediaKind::Audio => Some('a'),
        _ => None,
    }
}

/// Appends `v1/index.m3u8`.
pub(crate) fn push_playlist(out: &mut String, track: &TrackWindow) {
    push_folder(out, track);
    out.push('/');
    out.push_str(INDEX);
}

/// Appends `v1`.
pub(crate) fn push_folder(out: &mut String, track: &TrackWindow) {
    out.extend(letter(track.info.kind()));
    push_number(out, u64::from(track.id.0));
}

/// Appends `init.<id>.<hash>.mp4`.
pub(crate) fn push_init(out: &mut String, init: &Init) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "init.{}.{:08x}.mp4", init.id, hash(&init.bytes));
}

/// Appends `<msn>.m4s`.
pub(crate) fn push_segment(out: &mut String, msn: u64) {
    push_number(out, msn);
    out.push_str(".m4s");
}

/// Appends `<msn>.<part>.m4s`.
pub(crate) fn push_part(out: &mut String, msn: u64, part: u32) {
    push_number(out, msn);
    out.push('.');
    push_number(out, u64::from(part));
    out.push_str(".m4s");
}

fn push_number(out: &mut String, n: u64) {
    let _ = write!(out, "{n}");
}

/// FNV-1a: the same content has the same URL after a restart too, and other content another.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |h, b| {
        (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_playlists_name() {
        let track = |file| Some(Name::Track('v', TrackId(1), file));
        assert_eq!(Name::parse("index.m3u8"), Some(Name::Multivariant));
        assert_eq!(Name::parse("v1/index.m3u8"), track(File::Playlist));
        assert_eq!(Name::parse("v1/0.m4s"), track(File::Segment { msn: 0 }));
        assert_eq!(
            Name::parse("v1/12.3.m4s"),
            track(File::Part { msn: 12, part: 3 })
        );
        assert_eq!(
            Name::parse("v1/init.2.00ab12cd.mp4"),
            track(File::Init {
                id: 2,
                hash: 0x00ab_12cd
            })
        );
    }

    #[test]
    fn takes_no_other_spelling() {
        for path in [
            "",
            "/",
            "index",
            "INDEX.M3U8",
            "v1",
            "v1/",
            "v1//index.m3u8",
            "v1/index.m3u8/",
            "../v1/index.m3u8",
            "v01/index.m3u8",
            "v1/01.m4s",
            "v1/+1.m4s",
            "v1/-1.m4s",
            "v1/.m4s",
            "v1/1..m4s",
            "v1/1.2.3.m4s",
            "v1/99999999999999999999.m4s",
            "v1/1.4294967296.m4s",
            "v65536/index.m3u8",
            "x1/index.m3u8",
            "v1/init.0.ABCDEF01.mp4",
            "v1/init.0.abc.mp4",
            "v1/init..mp4",
            "v1/1.m4s?x",
            "vé/index.m3u8",
        ] {
            assert_eq!(Name::parse(path), None, "{path}");
        }
    }
}
