//! The object key: parsed once, safe to join to a path from then on.

use std::fmt;

use crate::{Error, Result};

/// Longest key in bytes, as in S3.
const MAX_BYTES: usize = 1024;
/// Longest segment in bytes, as in common file systems.
const MAX_SEGMENT_BYTES: usize = 255;

/// The key of an object: segments joined by `/`, e.g. `live/cam/video/12.m4s`.
///
/// Characters are those of a stream key (letters and digits of any script and `-_.~+=@:,!`), so a stream key is a key.
/// There is no empty, `.` or `..` segment, no leading `/`, no control character, backslash, percent sign or blank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// Parses a key.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] with the rule it breaks.
    pub fn parse(text: &'a str) -> Result<Self> {
        let rule = if text.is_empty() {
            "is empty"
        } else if text.len() > MAX_BYTES {
            "is longer than 1024 bytes"
        } else if text.chars().any(|c| !allowed(c)) {
            "has a character that is not allowed"
        } else if text.split('/').any(str::is_empty) {
            "has an empty segment"
        } else if text.split('/').any(|s| s == "." || s == "..") {
            "has a . or .. segment"
        } else if text.split('/').any(|s| s.len() > MAX_SEGMENT_BYTES) {
            "has a segment longer than 255 bytes"
        } else {
            return Ok(Self(text));
        };
        Err(Error::InvalidKey { rule })
    }

    /// The key as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The proper prefixes that would be folders: `a/b/c` has `a` and `a/b`.
    pub(crate) fn parents(self) -> impl Iterator<Item = &'a str> {
        self.0
            .match_indices('/')
            .filter_map(|(at, _)| self.0.get(..at))
    }
}

/// Checks a prefix for `list`: the beginning of a key, so it may be empty or end anywhere.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() {
        return Ok(());
    }
    let whole = prefix.strip_suffix('/').unwrap_or(prefix);
    // A prefix may stop inside a segment, where `.` or `..` can still become a name; as a folder they cannot.
    let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", ""));
    if !folder.is_empty() {
        Key::parse(folder)?;
    }
    match whole {
        "." | ".." => Ok(()),
        _ if whole.ends_with("/.") || whole.ends_with("/..") => Ok(()),
        _ => Key::parse(whole).map(|_| ()),
    }
}

fn allowed(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(
            c,
            '/' | '-' | '_' | '.' | '~' | '+' | '=' | '@' | ':' | ',' | '!'
        )
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_leave_the_root_or_break_a_log() {
        let long = "x".repeat(256);
        let huge = "x/".repeat(600);
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a\\b",
            "a\0b",
            "a\nb",
            "a b",
            "a%2f",
            "a\u{202e}b",
            "a?b",
            "a*b",
            &long,
            &huge,
        ] {
            assert!(
                matches!(Key::parse(bad), Err(Error::InvalidKey { .. })),
                "{bad:?}"
            );
        }
        for good in [
            "a",
            "a/b.m4s",
            "live/Käm_1-2.x/...",
            "a/.hidden",
            "C:,!=@+~",
        ] {
            assert_eq!(Key::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn prefixes_may_stop_anywhere() {
        for good in ["", "a", "a/", "a/b", "a/.", "a/..", ".."] {
            check_prefix(good).unwrap();
        }
        for bad in ["/", "/a", "a//", "../", "../a", "a/../", "a/../b", "a\0"] {
            assert!(check_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
