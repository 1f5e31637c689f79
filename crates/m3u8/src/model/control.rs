//! What a playlist says about itself: how to reload it, where to start, what comes next.

use core_frame::MediaTime;

/// `EXT-X-PLAYLIST-TYPE` (§4.4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaylistType {
    /// Segments are only added.
    Event,
    /// Nothing changes.
    Vod,
}

/// `EXT-X-SERVER-CONTROL` (§4.4.3.8). Times are seconds on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ServerControl {
    /// CAN-SKIP-UNTIL: the Skip Boundary of delta updates.
    pub can_skip_until: Option<MediaTime>,
    /// CAN-SKIP-DATERANGES: delta updates may leave out older date ranges.
    pub can_skip_date_ranges: bool,
    /// HOLD-BACK: least distance from the end at which to play.
    pub hold_back: Option<MediaTime>,
    /// PART-HOLD-BACK: the same at low latency.
    pub part_hold_back: Option<MediaTime>,
    /// CAN-BLOCK-RELOAD: `_HLS_msn` and `_HLS_part` are honoured.
    pub can_block_reload: bool,
}

/// `EXT-X-SKIP` (§4.4.5.2): this playlist is a delta update, and these segments stand where they stood.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Skip {
    /// Segments left out, from the playlist's first on.
    pub skipped_segments: u64,
    /// IDs of the date ranges that went since the last updates.
    pub recently_removed_date_ranges: Vec<String>,
    /// How many listed segments come before the first `EXT-X-KEY`: they have the keys of the last one skipped.
    pub inherit_keys: usize,
    /// How many listed segments come before the first `EXT-X-MAP`: they have the map of the last one skipped.
    pub inherit_map: usize,
    /// How many listed segments come before the first `EXT-X-BITRATE`.
    pub inherit_bitrate: usize,
}

/// `EXT-X-PRELOAD-HINT` (§4.4.5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreloadHint {
    /// TYPE.
    pub kind: HintKind,
    /// URI the resource will have.
    pub uri: String,
    /// BYTERANGE-START; 0 when not told.
    pub start: u64,
    /// BYTERANGE-LENGTH; up to the end when not told.
    pub length: Option<u64>,
}

/// TYPE of a preload hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HintKind {
    /// The next partial segment.
    Part,
    /// The next initialisation section.
    Map,
}

/// `EXT-X-RENDITION-REPORT` (§4.4.5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenditionReport {
    /// URI of the other rendition's playlist.
    pub uri: String,
    /// LAST-MSN: its newest media sequence number, finished or not.
    pub last_msn: Option<u64>,
    /// LAST-PART: the newest part of that segment.
    pub last_part: Option<u64>,
}

/// `EXT-X-START` (§4.4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Start {
    /// From the beginning, or back from the end when negative.
    pub time_offset: MediaTime,
    /// Do not show samples before that point.
    pub precise: bool,
}

/// `EXT-X-DEFINE` (§4.4.2.3). References to it are replaced while parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Define {
    /// A name and its value.
    Value {
        /// NAME.
        name: String,
        /// VALUE.
        value: String,
    },
    /// A name that the multivariant playlist defines.
    Import(String),
    /// A name that a query parameter of the playlist's URI defines.
    QueryParam(String),
}
