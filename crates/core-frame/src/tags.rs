//! What a sender says about its stream beside its tracks: title, encoder, anything of its own.

/// Most tags a stream has; what comes above it is left out.
const MAX_TAGS: usize = 64;
/// Longest name of a tag in bytes.
const MAX_NAME: usize = 256;
/// Longest text of a tag in bytes.
const MAX_TEXT: usize = 4_096;

/// The value of a tag.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TagValue {
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(String),
}

impl PartialEq for TagValue {
    /// Numbers are equal when their bits are, so that a table of tags can be compared as a whole.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.to_bits() == b.to_bits(),
            (Self::Flag(a), Self::Flag(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for TagValue {}

/// Named values that a sender attached to its stream (the members of `onMetaData` that describe no track, the metadata
/// of a file), in the sender's order. Bounded: 64 tags, 256 bytes a name, 4096 bytes a text.
///
/// ```
/// use millstream_core_frame::{TagValue, Tags};
///
/// let mut tags = Tags::default();
/// assert!(tags.set("title", TagValue::Text("Evening news".to_owned())));
/// assert_eq!(tags.text("title"), Some("Evening news"));
/// assert!(!tags.set("x".repeat(300), TagValue::Flag(true)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, TagValue)>);

impl Tags {
    /// Sets a tag; false when it is too long or there are too many.
    pub fn set(&mut self, name: impl Into<String>, value: TagValue) -> bool {
        let name = name.into();
        let long = matches!(&value, TagValue::Text(text) if text.len() > MAX_TEXT);
        if name.is_empty() || name.len() > MAX_NAME || long {
            return false;
        }
        if let Some((_, old)) = self.0.iter_mut().find(|(n, _)| *n == name) {
            *old = value;
            return true;
        }
        let room = self.0.len() < MAX_TAGS;
        if room {
            self.0.push((name, value));
        }
        room
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TagValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The value of a tag that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(TagValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Every tag, in the sender's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TagValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_cannot_grow_them_without_end() {
        let mut tags = Tags::default();
        let taken = (0..1_000)
            .filter(|n| tags.set(format!("tag{n}"), TagValue::Number(f64::NAN)))
            .count();
        assert_eq!(taken, MAX_TAGS);
        assert!(
            tags.set("tag3", TagValue::Flag(true)),
            "a known one may change"
        );
        assert!(!tags.set("tag3", TagValue::Text("x".repeat(MAX_TEXT + 1))));
        assert_eq!(tags.get("tag3"), Some(&TagValue::Flag(true)));
        assert_eq!(tags, tags.clone(), "not-a-number equals itself here");
    }
}
