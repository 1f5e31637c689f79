//! The media playlist.

use core_frame::{MediaTime, WallTime};

use crate::{
    DateRange, Define, PlaylistType, PreloadHint, RenditionReport, Segment, ServerControl, Skip,
    Start,
};

/// A media playlist (§4.4.3): segments in order, and how to follow them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MediaPlaylist {
    /// `EXT-X-VERSION`; see [`MediaPlaylist::required_version`].
    pub version: Option<u32>,
    /// `EXT-X-INDEPENDENT-SEGMENTS`.
    pub independent_segments: bool,
    /// `EXT-X-START`.
    pub start: Option<Start>,
    /// `EXT-X-DEFINE`, in order.
    pub defines: Vec<Define>,
    /// `EXT-X-TARGETDURATION` in seconds. When a sender left it out: the longest segment, rounded.
    pub target_duration: u64,
    /// Media sequence number of the first segment, skipped ones included.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE` of the first segment, skipped ones included; 0 when absent.
    pub discontinuity_sequence: Option<u64>,
    /// `EXT-X-PLAYLIST-TYPE`.
    pub playlist_type: Option<PlaylistType>,
    /// `EXT-X-I-FRAMES-ONLY`.
    pub i_frames_only: bool,
    /// `EXT-X-SERVER-CONTROL`.
    pub server_control: Option<ServerControl>,
    /// PART-TARGET of `EXT-X-PART-INF`.
    pub part_target: Option<MediaTime>,
    /// Tags before the first segment that the model has no field for, as whole lines.
    pub unknown: Vec<String>,
    /// `EXT-X-SKIP`: this is a delta update, see [`MediaPlaylist::apply_delta`].
    pub skip: Option<Skip>,
    /// `EXT-X-DATERANGE`, in order of appearance.
    pub date_ranges: Vec<DateRange>,
    /// The segments listed.
    pub segments: Vec<Segment>,
    /// The segment that is being made: its parts and marks so far, no URI and no duration yet.
    pub open: Option<Box<Segment>>,
    /// `EXT-X-PRELOAD-HINT`.
    pub preload_hints: Vec<PreloadHint>,
    /// `EXT-X-RENDITION-REPORT`.
    pub rendition_reports: Vec<RenditionReport>,
    /// `EXT-X-ENDLIST`: nothing will be added.
    pub end_list: bool,
}

impl MediaPlaylist {
    /// Media sequence number of the first segment that is listed.
    #[must_use]
    pub fn first_listed(&self) -> u64 {
        let skipped = self.skip.as_ref().map_or(0, |s| s.skipped_segments);
        self.media_sequence.saturating_add(skipped)
    }

    /// The listed segments with their media sequence numbers.
    pub fn sequenced(&self) -> impl Iterator<Item = (u64, &Segment)> {
        let first = self.first_listed();
        self.segments
            .iter()
            .enumerate()
            .map(move |(i, s)| (first.saturating_add(i as u64), s))
    }

    /// The listed segment with this media sequence number.
    #[must_use]
    pub fn segment(&self, media_sequence: u64) -> Option<&Segment> {
        let index = media_sequence.checked_sub(self.first_listed())?;
        self.segments.get(usize::try_from(index).ok()?)
    }

    /// Media sequence number the next finished segment will have, which is that of [`MediaPlaylist::open`].
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.first_listed()
            .saturating_add(self.segments.len() as u64)
    }

    /// The newest segment and part there is, as `_HLS_msn` and `_HLS_part` count them; the part is `None` where the
    /// newest segment is finished. `None` for a playlist without media.
    #[must_use]
    pub fn edge(&self) -> Option<(u64, Option<u64>)> {
        match self.open.as_ref().map(|o| o.parts.len() as u64) {
            Some(n) if n > 0 => Some((self.next_sequence(), Some(n - 1))),
            _ => Some((self.next_sequence().checked_sub(1)?, None))
                .filter(|_| !self.segments.is_empty()),
        }
    }

    /// Sum of the listed segments' durations.
    #[must_use]
    pub fn duration(&self) -> MediaTime {
        self.segments
            .iter()
            .fold(MediaTime::ZERO, |sum, s| sum + s.duration)
    }

    /// Discontinuity sequence number of each listed segment, in order. Not exact for a delta update, whose skipped
    /// segments may hold discontinuities.
    pub fn discontinuity_sequences(&self) -> impl Iterator<Item = u64> {
        self.segments
            .iter()
            .scan(self.discontinuity_sequence.unwrap_or(0), |at, s| {
                *at = at.saturating_add(u64::from(s.discontinuity));
                Some(*at)
            })
    }

    /// Wall-clock time of each listed segment's first sample: its own `EXT-X-PROGRAM-DATE-TIME`, or the one before it
    /// plus the durations between (§6.3.3). `None` before the first one told and after a discontinuity without one.
    pub fn program_date_times(&self) -> impl Iterator<Item = Option<WallTime>> {
        let mut next = None;
        self.segments.iter().map(move |s| {
            if s.discontinuity {
                next = None;
            }
            let at = s.program_date_time.or(next);
            next = at.map(|t| t.offset(s.duration));
            at
        })
    }
}
