//! What a request gets.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use core_frame::TrackId;
use segmenter::{Snapshot, TrackWindow};

/// The answer to a [`Request`](crate::Request).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// 200 with a playlist.
    Playlist {
        /// The body, compressed where `gzip` says so.
        body: Bytes,
        /// `Content-Encoding: gzip`.
        gzip: bool,
        /// `ETag`, with its quotes.
        etag: String,
        /// `Cache-Control`.
        cache_control: Cow<'static, str>,
        /// `Content-Type`.
        content_type: &'static str,
    },
    /// 304: the client has it.
    NotModified {
        /// `ETag`, with its quotes.
        etag: String,
        /// `Cache-Control`.
        cache_control: Cow<'static, str>,
    },
    /// 200 with media from memory.
    Media {
        /// The body in pieces, in order.
        slices: Vec<Bytes>,
        /// Bytes in all.
        len: u64,
        /// `Content-Type`.
        content_type: &'static str,
        /// `Cache-Control`.
        cache_control: Cow<'static, str>,
        /// `ETag`, with its quotes.
        etag: String,
    },
    /// 200 with media from the storage.
    Stored {
        /// The object's key.
        key: Arc<str>,
        /// Which bytes of the object.
        range: Range<u64>,
        /// `Content-Type`.
        content_type: &'static str,
        /// `Cache-Control`.
        cache_control: Cow<'static, str>,
        /// `ETag`, with its quotes.
        etag: String,
    },
    /// Not yet: ask again when `until` is met, and at `deadline` at the latest.
    Wait {
        /// What is waited for.
        until: Condition,
        /// When the wait ends in any case.
        deadline: Instant,
    },
    /// Any other status.
    Refused(Refusal),
}

/// An answer without content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status: 400, 404, 410 or 503.
    pub status: u16,
    /// Why, for people.
    pub reason: &'static str,
    /// `Cache-Control`.
    pub cache_control: &'static str,
    /// `Retry-After` in seconds.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    pub(crate) const fn new(status: u16, reason: &'static str) -> Self {
        Self {
            status,
            reason,
            // A miss may turn into a hit with the next part.
            cache_control: "no-store",
            retry_after_s: None,
        }
    }

    pub(crate) const fn retry(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// What a blocked request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The first segments of every track.
    Ready,
    /// A complete segment of this number.
    Segment {
        /// The track.
        track: TrackId,
        /// Its media sequence number.
        msn: u64,
    },
    /// This part or a later one.
    Part {
        /// The track.
        track: TrackId,
        /// Media sequence number of its segment.
        msn: u64,
        /// Its index, from 0.
        part: u32,
    },
}

impl Condition {
    /// True when it is worth asking again: the awaited is there, or will never be.
    #[must_use]
    pub fn is_met(&self, snapshot: &Snapshot) -> bool {
        if snapshot.ended {
            return true;
        }
        let (track, msn, part) = match *self {
            Self::Ready => return snapshot.ready,
            Self::Segment { track, msn } => (track, msn, None),
            Self::Part { track, msn, part } => (track, msn, Some(part)),
        };
        snapshot.track(track).is_none_or(|t| reached(t, msn, part))
    }
}

/// True when segment `msn` is complete, or with `part` given, when that part of it or anything later is there. A part
/// behind the last one of a complete segment stands for the first of the next (rfc8216bis §6.2.5.2).
pub(crate) fn reached(track: &TrackWindow, msn: u64, part: Option<u32>) -> bool {
    let Some(last) = track.last() else {
        return false;
    };
    match part {
        None => track.closed.last().is_some_and(|s| s.msn >= msn),
        Some(part) => {
            last.msn > msn || (last.msn == msn && last.parts.len() as u64 > u64::from(part))
        }
    }
}
