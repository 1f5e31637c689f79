//! Tag headers, and how likely they are ones.

use crate::TagKind;
use crate::write::TAG_HEADER;

/// A tag header (annex E.4.1).
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) body_len: usize,
    pub(super) timestamp_ms: u32,
    stream: u32,
    /// First byte of the body, where it has come.
    body: Option<u8>,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, body) = bytes.split_first_chunk::<TAG_HEADER>()?;
        let [kind, l2, l1, l0, t2, t1, t0, t3, s2, s1, s0] = *head;
        let body_len = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        // With a body its first byte is part of what makes a header likely.
        if body_len > 0 && body.is_empty() {
            return None;
        }
        Some(Self {
            kind,
            body_len,
            timestamp_ms: u32::from_be_bytes([t3, t2, t1, t0]),
            stream: u32::from_be_bytes([0, s2, s1, s0]),
            body: body.first().copied().filter(|_| body_len > 0),
        })
    }

    /// Header and body.
    pub(super) fn whole(&self) -> usize {
        TAG_HEADER.saturating_add(self.body_len)
    }

    /// True when this could be the header of a tag that we read.
    pub(super) fn is_plausible(&self, body_max: usize) -> bool {
        let Some(kind) = TagKind::from_number(self.kind) else {
            return false;
        };
        let body = match (kind, self.body) {
            (_, None) => true,
            // An AMF0 string; in type 15 behind a selector of 0 (E-RTMP v2, "Enabling AMF3 in FLV").
            (TagKind::Script, Some(first)) => {
                first == 2 || first == 0 && self.kind != TagKind::Script.number()
            }
            // A frame type of 1 to 5, legacy or Enhanced; metadata frames ignore the type.
            (TagKind::Video, Some(first)) => {
                first & 0x80 != 0 || matches!(first >> 4, 1..=5) && first & 0x0F != 0
            }
            (TagKind::Audio, Some(_)) => true,
        };
        self.stream == 0 && self.body_len <= body_max && body
    }

    /// True when this could be the header of a tag of another type, or of an encrypted one.
    pub(super) fn is_foreign(&self, body_max: usize) -> bool {
        self.stream == 0
            && self.kind & 0xC0 == 0
            && self.kind != 0
            && TagKind::from_number(self.kind).is_none()
            && self.body_len <= body_max
    }
}

pub(super) enum Trailer {
    NotYet,
    Right,
    Wrong,
}

impl Trailer {
    /// `PreviousTagSize` behind the tag at the front of `bytes`.
    pub(super) fn of(bytes: &[u8], head: &Header) -> Self {
        let behind = bytes.get(head.whole()..).and_then(|b| b.first_chunk::<4>());
        match behind {
            None => Self::NotYet,
            Some(size) if u32::from_be_bytes(*size) as usize == head.whole() => Self::Right,
            Some(_) => Self::Wrong,
        }
    }
}
