//! Date ranges: spans of wall-clock time with metadata, SCTE 35 among it.

use bytes::Bytes;
use core_frame::{MediaTime, WallTime};

use crate::Attribute;

/// `EXT-X-DATERANGE` (§4.4.5.1). A playlist may hold several with one ID; together they describe one range.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DateRange {
    /// ID.
    pub id: String,
    /// CLASS.
    pub class: Option<String>,
    /// START-DATE. The standard wants it on at least one tag of an ID.
    pub start_date: Option<WallTime>,
    /// CUE: `PRE`, `POST`, `ONCE`, joined by commas.
    pub cue: Option<String>,
    /// END-DATE.
    pub end_date: Option<WallTime>,
    /// DURATION.
    pub duration: Option<MediaTime>,
    /// PLANNED-DURATION.
    pub planned_duration: Option<MediaTime>,
    /// SCTE35-CMD: a splice information section.
    pub scte35_cmd: Option<Bytes>,
    /// SCTE35-OUT.
    pub scte35_out: Option<Bytes>,
    /// SCTE35-IN.
    pub scte35_in: Option<Bytes>,
    /// END-ON-NEXT: ends where the next range of its CLASS starts.
    pub end_on_next: bool,
    /// Client-defined `X-` attributes and everything else.
    pub extra: Vec<Attribute>,
}
