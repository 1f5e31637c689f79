//! HLS playlists, read and written: one model for origins, downloaders and probes (rfc8216bis, LL-HLS included).
//!
//! ```text
//!   bytes ──parse──▶ Playlist { Media(MediaPlaylist) | Multivariant(MultivariantPlaylist) } ──write──▶ text
//!            │            segments with keys, map, dates resolved      ▲
//!            └▶ warnings  open segment, hints, reports, unknown tags   │
//!                         apply_delta(previous) ── a whole list again ─┘
//!   live origin ── Writer: tag by tag into a kept buffer, nothing allocated ──▶ text
//! ```
//!
//! ```
//! use millstream_m3u8::{ParseOptions, Playlist, parse};
//!
//! let text = b"#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXTINF:4\r\n1.ts\r\n";
//! let parsed = parse(text, &ParseOptions::default())?;
//! let Playlist::Media(list) = parsed.playlist else { return Ok(()) };
//! assert_eq!(list.segments[0].uri, "1.ts");
//! assert_eq!(parsed.warnings[0].rule, "EXTINF has a comma behind the duration (§4.4.4.1)");
//! assert!(parse(text, &ParseOptions::strict()).is_err());
//! # Ok::<(), millstream_m3u8::Error>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * Times are [`MediaTime`](core_frame::MediaTime): decimals of a playlist are exact in nanoseconds, so a list that
//!   is read and written again says the same, and sums do not drift.
//! * What applies "from here on" in the text is resolved: each [`Segment`] holds its own keys, map and bit rate. Whoever
//!   downloads a segment looks at that segment only.
//! * The tags behind the last segment (parts of the one being made, hints, reports) are first-class, and tags nobody
//!   knows are kept where they stood.
//! * A sender's mistake is a warning with a line and a rule, unless [`Mode::Strict`] was asked for. Nothing a sender
//!   writes can panic, and nothing it declares reserves memory.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod attribute;
mod datetime;
mod decimal;
mod delta;
mod error;
mod model;
mod options;
mod parse;
mod version;
mod write;

pub use attribute::{Attribute, AttributeValue};
pub use decimal::Decimal;
pub use error::{DeltaError, Error, Result, Warning};
pub use model::*;
pub use options::{Limits, Mode, ParseOptions};
pub use parse::{Parsed, parse, parse_media, parse_multivariant};
pub use write::{AttributeWriter, Writer};
