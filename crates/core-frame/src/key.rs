//! The stream key: parsed once, safe in paths, logs and metrics from then on.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Longest key in bytes (`app/name` together).
const MAX_BYTES: usize = 255;

/// Last segments that HTTP routes use below a stream.
const RESERVED_LAST: [&str; 8] = [
    "whip",
    "whep",
    "ts",
    "publish",
    "publisher",
    "index.m3u8",
    "manifest.mpd",
    "snapshot.jpg",
];
/// Name endings that HTTP routes use for a container.
const RESERVED_ENDINGS: [&str; 3] = [".flv", ".ts", ".mp4"];
/// First segments that belong to the server itself.
const RESERVED_FIRST: [&str; 5] = ["api", "metrics", "healthz", "readyz", "time"];

/// The identity of a stream: `app/name`, where the app may have several segments (`live/eu/cam` is app `live/eu`,
/// name `cam`).
///
/// A value of this type contains no control character, backslash, percent sign, quote, blank, or empty, `.` or `..`
/// segment, and none of the segments that HTTP routes reserve. So it may be joined to a path and written to a log or
/// a metric as it is. Cloning is one reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    text: Arc<str>,
    /// Byte position of the last `/`.
    slash: u8,
}

/// Why a name is no stream key. The message names the rule and never repeats the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing there, or an empty segment (`//`, a leading or trailing `/`).
    #[error("stream name has an empty segment")]
    EmptySegment,
    /// No `/`: a key needs an app and a name.
    #[error("stream name needs the form app/name")]
    NoApp,
    /// Over 255 bytes.
    #[error("stream name is longer than 255 bytes")]
    TooLong,
    /// `.` or `..` as a segment.
    #[error("stream name has a . or .. segment")]
    DotSegment,
    /// A character that is not allowed.
    #[error("stream name has a character that is not allowed")]
    BadCharacter,
    /// A segment or ending that names an HTTP route.
    #[error("stream name uses a reserved segment or ending")]
    Reserved,
}

impl StreamKey {
    /// Parses `app/name`, as it comes from a peer.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_BYTES {
            return Err(KeyError::TooLong);
        }
        if text.is_empty() || text.split('/').any(str::is_empty) {
            return Err(KeyError::EmptySegment);
        }
        if text.chars().any(|c| !allowed(c)) {
            return Err(KeyError::BadCharacter);
        }
        if text.split('/').any(|s| s == "." || s == "..") {
            return Err(KeyError::DotSegment);
        }
        let (app, name) = text.rsplit_once('/').ok_or(KeyError::NoApp)?;
        let first = app.split('/').next().unwrap_or(app);
        if RESERVED_FIRST.contains(&first)
            || RESERVED_LAST.contains(&name)
            || RESERVED_ENDINGS.iter().any(|e| name.ends_with(e))
        {
            return Err(KeyError::Reserved);
        }
        Ok(Self {
            slash: app.len() as u8,
            text: text.into(),
        })
    }

    /// Parses an app and a name that came apart (RTMP `connect` and `publish`).
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn from_parts(app: &str, name: &str) -> Result<Self, KeyError> {
        if app.len().saturating_add(name.len()) >= MAX_BYTES {
            return Err(KeyError::TooLong);
        }
        Self::parse(&format!("{app}/{name}"))
    }

    /// For literals in code and tests.
    ///
    /// # Panics
    /// When the literal breaks a rule of [`StreamKey::parse`]; use that for anything a peer can choose.
    #[must_use]
    #[expect(clippy::panic, reason = "documented constructor for literals")]
    pub fn new(app: &str, name: &str) -> Self {
        match Self::from_parts(app, name) {
            Ok(key) => key,
            Err(e) => panic!("StreamKey::new is for valid literals: {e}"),
        }
    }

    /// The whole key, `app/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The application: everything before the last `/`.
    #[must_use]
    pub fn app(&self) -> &str {
        self.text.get(..usize::from(self.slash)).unwrap_or("")
    }

    /// The name: the last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(usize::from(self.slash) + 1..).unwrap_or("")
    }
}

/// Letters and digits of any script, and the punctuation that neither a path, a log line, a query, a header nor a
/// label can misread.
fn allowed(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(
            c,
            '/' | '-' | '_' | '.' | '~' | '+' | '=' | '@' | ':' | ',' | '!'
        )
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for StreamKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl std::str::FromStr for StreamKey {
    type Err = KeyError;
    fn from_str(s: &str) -> Result<Self, KeyError> {
        Self::parse(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_last_slash() {
        let key = StreamKey::parse("live/eu/cam").unwrap();
        assert_eq!((key.app(), key.name()), ("live/eu", "cam"));
        assert_eq!(key, StreamKey::new("live/eu", "cam"));
        assert_eq!(key.to_string(), "live/eu/cam");
    }

    #[test]
    fn refuses_what_a_path_or_a_log_could_misread() {
        use KeyError::*;
        let long = format!("live/{}", "x".repeat(60_000));
        for (text, why) in [
            ("", EmptySegment),
            ("cam", NoApp),
            ("/live/cam", EmptySegment),
            ("live//cam", EmptySegment),
            ("live/cam/", EmptySegment),
            ("../../../../tmp/x", DotSegment),
            ("live/../../x", DotSegment),
            ("live/.", DotSegment),
            ("live/a%2f..%2fb", BadCharacter),
            ("live/%2e%2e", BadCharacter),
            ("live/a\nb", BadCharacter),
            ("live/a\u{1b}[31m", BadCharacter),
            ("live/a\0", BadCharacter),
            ("live/a\\b", BadCharacter),
            ("live/a b", BadCharacter),
            ("live/a\"b", BadCharacter),
            ("live/a\u{202e}b", BadCharacter),
            ("live/whip", Reserved),
            ("live/cam.flv", Reserved),
            ("live/index.m3u8", Reserved),
            ("api/cam", Reserved),
            ("time/cam", Reserved),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(StreamKey::parse(text), Err(why), "{text:?}");
        }
        StreamKey::parse("live/Käm_1-2.x").unwrap();
        StreamKey::parse("apiary/cam").unwrap();
    }
}
