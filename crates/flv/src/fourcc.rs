//! Codec identities on the wire: legacy numbers and Enhanced RTMP FourCCs.

use std::fmt;

use core_frame::CodecId;

/// A four-character code as Enhanced RTMP names codecs (E-RTMP v2, "Enhanced Video" and "Enhanced Audio").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

/// Every FourCC we read and write, with its codec.
const TABLE: [(FourCc, CodecId); 12] = [
    (FourCc(*b"avc1"), CodecId::H264),
    (FourCc(*b"hvc1"), CodecId::H265),
    (FourCc(*b"vvc1"), CodecId::H266),
    (FourCc(*b"av01"), CodecId::Av1),
    (FourCc(*b"vp08"), CodecId::Vp8),
    (FourCc(*b"vp09"), CodecId::Vp9),
    (FourCc(*b"mp4a"), CodecId::Aac),
    (FourCc(*b"Opus"), CodecId::Opus),
    (FourCc(*b".mp3"), CodecId::Mp3),
    (FourCc(*b"ac-3"), CodecId::Ac3),
    (FourCc(*b"ec-3"), CodecId::Eac3),
    (FourCc(*b"fLaC"), CodecId::Flac),
];

impl FourCc {
    /// All codes that this crate reads and writes; what a server lists in `fourCcList` of its `connect` answer.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(code, _)| *code)
    }

    /// The code of a codec; `None` for one that Enhanced RTMP does not name (G.711, PCM, data).
    #[must_use]
    pub fn of(codec: CodecId) -> Option<Self> {
        TABLE.iter().find(|(_, c)| *c == codec).map(|(f, _)| *f)
    }

    /// The codec of this code.
    #[must_use]
    pub fn codec(self) -> Option<CodecId> {
        TABLE.iter().find(|(f, _)| *f == self).map(|(_, c)| *c)
    }

    /// As the big-endian number that `videocodecid` and `audiocodecid` hold.
    #[must_use]
    pub const fn number(self) -> u32 {
        u32::from_be_bytes(self.0)
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of the codes that this crate reads and writes: what a receiver says it knows.
///
/// Written out it lists them in one order, joined by `+`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FourCcs(u16);

impl FourCcs {
    /// Every code: what `*` in a `fourCcList` means.
    pub const ALL: Self = Self((1 << TABLE.len()) - 1);

    fn bit(code: FourCc) -> u16 {
        let at = TABLE.iter().position(|(f, _)| *f == code);
        at.map_or(0, |at| 1 << at)
    }

    /// Adds a code; one that this crate does not know is nothing to it.
    pub fn insert(&mut self, code: FourCc) {
        self.0 |= Self::bit(code);
    }

    /// Takes a code out.
    pub fn remove(&mut self, code: FourCc) {
        self.0 &= !Self::bit(code);
    }

    /// True when the code is one of the set.
    #[must_use]
    pub fn contains(self, code: FourCc) -> bool {
        self.0 & Self::bit(code) != 0
    }

    /// True when the set has none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The codes, in the order of [`FourCc::all`].
    pub fn iter(self) -> impl Iterator<Item = FourCc> {
        FourCc::all().filter(move |code| self.contains(*code))
    }
}

impl FromIterator<FourCc> for FourCcs {
    fn from_iter<T: IntoIterator<Item = FourCc>>(codes: T) -> Self {
        let mut set = Self::default();
        codes.into_iter().for_each(|code| set.insert(code));
        set
    }
}

impl fmt::Display for FourCcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, code) in self.iter().enumerate() {
            f.write_str(if n > 0 { "+" } else { "" })?;
            code.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for FourCcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_in_one_order() {
        let codes = [b"Opus", b"av01", b"none", b"hvc1"].map(|c| FourCc(*c));
        let mut set: FourCcs = codes.into_iter().collect();
        assert_eq!(set.to_string(), "hvc1+av01+Opus");
        assert!(set.contains(codes[0]) && !set.contains(codes[2]));
        codes.into_iter().for_each(|c| set.remove(c));
        assert!(set.is_empty());
        assert_eq!(FourCcs::ALL.iter().count(), FourCc::all().count());
    }

    #[test]
    fn codes_and_codecs_are_one_to_one() {
        for code in FourCc::all() {
            assert_eq!(FourCc::of(code.codec().unwrap()), Some(code));
        }
        assert_eq!(FourCc::of(CodecId::Pcma), None);
        assert_eq!(FourCc(*b"Opus").number(), 1_332_770_163);
        assert_eq!(FourCc([0, b'a', 0xFF, b'b']).to_string(), "\\x00a\\xffb");
    }
}
