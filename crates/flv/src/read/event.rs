//! What a file reader tells: headers, tags, damage.

use bytes::Bytes;

use crate::TagKind;

/// What a reader found, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileEvent {
    /// A file header. More than one where files or connections were joined.
    Header {
        /// It announces audio. Many senders announce what they do not send, and the reverse.
        audio: bool,
        /// It announces video.
        video: bool,
    },
    /// A tag.
    Tag {
        /// What it carries.
        kind: TagKind,
        /// Its time: the 32-bit wire clock.
        timestamp_ms: u32,
        /// Its body; no copy of its own.
        body: Bytes,
        /// Where it begins, in bytes from the start of the input.
        offset: u64,
    },
    /// Something was wrong. The reader has gone on.
    Damage(Damage),
}

/// Damage that a reader met and got over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where, in bytes from the start of the input.
    pub offset: u64,
    /// What.
    pub kind: DamageKind,
    /// Bytes that were passed over.
    pub skipped: u64,
}

/// The kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DamageKind {
    /// The input does not begin with a file header: a recording that was cut, a stream joined in the middle.
    NoHeader,
    /// The data offset is below 9 or absurdly large; taken for 9.
    DataOffset,
    /// `PreviousTagSize` does not match the tag before it, but a tag follows: the size is wrong, the tag is kept.
    PreviousTagSize,
    /// Bytes that are no tag, or a tag whose length leads nowhere.
    Garbage,
    /// A tag of a type that is not known, or an encrypted one; passed over.
    UnknownTag,
    /// The input ends inside a tag.
    Truncated,
}

impl DamageKind {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoHeader => "no_header",
            Self::DataOffset => "data_offset",
            Self::PreviousTagSize => "previous_tag_size",
            Self::Garbage => "garbage",
            Self::UnknownTag => "unknown_tag",
            Self::Truncated => "truncated",
        }
    }
}
