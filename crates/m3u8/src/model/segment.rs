//! Segments and their parts.

use std::sync::Arc;

use core_frame::{MediaTime, WallTime};

use crate::Key;

/// A media segment with everything that applies to it. Tags that apply "from here on" (`EXT-X-KEY`, `EXT-X-MAP`,
/// `EXT-X-BITRATE`) are resolved: each segment holds what is in force for it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Segment {
    /// URI as written; empty for the segment that is being made.
    pub uri: String,
    /// EXTINF duration.
    pub duration: MediaTime,
    /// EXTINF title.
    pub title: String,
    /// Which bytes of the resource; all when absent.
    pub byte_range: Option<ByteRange>,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
    /// Wall-clock time of its first sample.
    pub program_date_time: Option<WallTime>,
    /// The keys in force, at most one of each KEYFORMAT; none when it is in the clear.
    pub keys: Arc<[Key]>,
    /// The initialisation section in force.
    pub map: Option<Arc<Map>>,
    /// `EXT-X-GAP`: it is missing and must not be loaded.
    pub gap: bool,
    /// `EXT-X-BITRATE` in force, in thousand bits a second.
    pub bitrate_kbps: Option<u64>,
    /// Its parts, in order.
    pub parts: Vec<Part>,
    /// Tags the model has no field for, as whole lines with their `#`.
    pub unknown: Vec<String>,
}

/// `EXT-X-PART` (§4.4.4.9).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Part {
    /// URI as written.
    pub uri: String,
    /// DURATION.
    pub duration: MediaTime,
    /// INDEPENDENT: holds an independent frame.
    pub independent: bool,
    /// Which bytes of the resource; all when absent.
    pub byte_range: Option<ByteRange>,
    /// GAP: it is missing.
    pub gap: bool,
}

/// `EXT-X-MAP` (§4.4.4.5).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Map {
    /// URI as written.
    pub uri: String,
    /// Which bytes of the resource; all when absent.
    pub byte_range: Option<ByteRange>,
}

/// A byte range of a resource (§4.4.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ByteRange {
    /// Bytes in the range.
    pub length: u64,
    /// Where it begins. A parser fills in what follows from the range before it; `None` is left only where that range
    /// is not known, e.g. at the start of a delta update.
    pub offset: Option<u64>,
}

impl ByteRange {
    /// `length` bytes from `offset` on.
    #[must_use]
    pub const fn new(offset: u64, length: u64) -> Self {
        Self {
            length,
            offset: Some(offset),
        }
    }

    /// The first byte behind the range, when that is known and fits.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.offset?.checked_add(self.length)
    }
}
