//! What the origins read: immutable snapshots of the window, one list of segments a track.

use std::sync::Arc;

use bytes::Bytes;
use core_frame::{Epoch, MediaKind, MediaTime, TrackId, TrackInfo, WallTime};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The shared window of one stream: the segmenter publishes snapshots into it, any number of readers take them out.
///
/// Taking a snapshot is one short lock and one reference count. Readers that wait subscribe to the version first, then
/// look at the snapshot, then wait for the version to change.
#[derive(Debug)]
pub struct Window {
    current: Mutex<Arc<Snapshot>>,
    version: watch::Sender<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            current: Mutex::new(Arc::new(Snapshot::default())),
            version: watch::Sender::new(0),
        }
    }
}

impl Window {
    /// An empty window, version 0.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.lock())
    }

    /// Sees every change of the version. A value is sent after the snapshot it belongs to is in place.
    #[must_use]
    pub fn version_watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Puts the next snapshot in place. Its version must be greater than that of the one before.
    pub fn publish(&self, snapshot: Snapshot) {
        let version = snapshot.version;
        let old = std::mem::replace(&mut *self.current.lock(), Arc::new(snapshot));
        self.version.send_replace(version);
        // A snapshot that nobody else holds is taken apart here, outside the lock.
        drop(old);
    }
}

/// One version of the window. Immutable; everything in it is shared with the versions before and after.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts up with every change.
    pub version: u64,
    /// The tracks, in the order of their ids. All cut at the same media times, under the same media sequence numbers.
    pub tracks: Vec<Arc<TrackWindow>>,
    /// PART-TARGET: no part is longer. Zero until the frame durations were learned; then fixed for the life of the window.
    pub part_target: MediaTime,
    /// EXT-X-TARGETDURATION in seconds: no segment, rounded to the nearest second, is longer. Zero until the first segment
    /// is complete; then fixed for the life of the window. No playlist may be served before.
    pub target_duration_s: u32,
    /// True while every segment ever published began with an independently decodable frame. False forever after a cut
    /// that had to be made without one.
    pub independent_segments: bool,
    /// Playlists can be served: at some time every track had a complete segment. Never false again. From then on a track is
    /// in `tracks` only once it has a complete segment of its own.
    pub ready: bool,
    /// The stream ended: every segment is complete and no more will come.
    pub ended: bool,
}

impl Snapshot {
    /// The track with this id.
    #[must_use]
    pub fn track(&self, id: TrackId) -> Option<&Arc<TrackWindow>> {
        self.tracks.iter().find(|t| t.id == id)
    }

    /// The first track of a kind.
    #[must_use]
    pub fn primary(&self, kind: MediaKind) -> Option<&Arc<TrackWindow>> {
        self.tracks.iter().find(|t| t.info.kind() == kind)
    }
}

/// The window of one track.
#[derive(Clone, Debug)]
pub struct TrackWindow {
    /// The track.
    pub id: TrackId,
    /// Its newest description.
    pub info: Arc<TrackInfo>,
    /// Its newest init segment.
    pub init: Arc<Init>,
    /// Ticks a second in the init segment and chunks.
    pub timescale: u32,
    /// Listed segments that are complete, oldest first, without a hole in the numbers.
    pub closed: Arc<[Arc<Segment>]>,
    /// The segment that is being written, once it has a part.
    pub open: Option<Arc<Segment>>,
    /// Segments that left the list and can still be fetched, oldest first.
    pub retained: Arc<[Arc<Segment>]>,
    /// Measured over whole segments; `None` until the first is complete.
    pub bandwidth: Option<Bandwidth>,
    /// The number the next segment will have when there is no segment in the list.
    pub next_msn: u64,
    /// The discontinuity number of the next segment when there is no segment in the list.
    pub next_discontinuity: u64,
}

impl TrackWindow {
    /// Listed segments, oldest first; the open one last.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> {
        self.closed.iter().chain(self.open.as_ref())
    }

    /// EXT-X-MEDIA-SEQUENCE: the number of the first listed segment.
    #[must_use]
    pub fn first_msn(&self) -> u64 {
        self.segments().next().map_or(self.next_msn, |s| s.msn)
    }

    /// EXT-X-DISCONTINUITY-SEQUENCE: discontinuities that went before the first listed segment (its own not counted).
    #[must_use]
    pub fn discontinuity_sequence(&self) -> u64 {
        self.segments().next().map_or(self.next_discontinuity, |s| {
            s.discontinuity - u64::from(s.discontinuity_before)
        })
    }

    /// The newest segment, open or complete.
    #[must_use]
    pub fn last(&self) -> Option<&Arc<Segment>> {
        self.open.as_ref().or_else(|| self.closed.last())
    }

    /// The segment with this number, whether listed or only retained.
    #[must_use]
    pub fn segment(&self, msn: u64) -> Option<&Arc<Segment>> {
        let find = |list: &'_ [Arc<Segment>]| list.binary_search_by_key(&msn, |s| s.msn).ok();
        if let Some(open) = self.open.as_ref().filter(|s| s.msn == msn) {
            return Some(open);
        }
        if let Some(at) = find(&self.closed) {
            return self.closed.get(at);
        }
        find(&self.retained).and_then(|at| self.retained.get(at))
    }

    /// The init segment with this id, while a listed or retained segment needs it.
    #[must_use]
    pub fn init(&self, id: u32) -> Option<&Arc<Init>> {
        if self.init.id == id {
            return Some(&self.init);
        }
        self.segments()
            .rev()
            .chain(self.retained.iter().rev())
            .map(|s| &s.init)
            .find(|i| i.id == id)
    }

    /// Number and part index that the next part will have, as far as that is known now. While a segment is open this is
    /// its next part; a segment is only ever closed together with its last part, so that after each version the pair is
    /// the one that comes true, except at a cut that comes without warning (jump, end, forced cut).
    #[must_use]
    pub fn next_part(&self) -> (u64, u32) {
        match &self.open {
            Some(open) => (
                open.msn,
                u32::try_from(open.parts.len()).unwrap_or(u32::MAX),
            ),
            None => (self.closed.last().map_or(self.next_msn, |s| s.msn + 1), 0),
        }
    }

    /// Sum of the listed durations.
    #[must_use]
    pub fn duration(&self) -> MediaTime {
        self.segments()
            .fold(MediaTime::ZERO, |sum, s| sum + s.duration)
    }
}

/// Bits a second over whole segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Of the segment with the most, over the life of the window.
    pub peak_bps: u64,
    /// Of all complete segments together, over the life of the window.
    pub average_bps: u64,
}

/// An init segment, with a number that makes a URL of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// Counts up per track with every change of the bytes, from 0.
    pub id: u32,
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
    /// The RFC 6381 string, when known.
    pub codecs: String,
}

/// One segment of one track.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Media sequence number, equal on all tracks.
    pub msn: u64,
    /// Presentation time of its first frame on the stream's timeline.
    pub start: MediaTime,
    /// Its length: the sum of its parts.
    pub duration: MediaTime,
    /// `tfdt` of its first chunk, in the track's timescale: decode time, which is the reorder delay before `start` on video
    /// with B-frames.
    pub start_ticks: u64,
    /// Sum of its sample (and gap) durations, in the track's timescale.
    pub duration_ticks: u64,
    /// The stretch of the stream it belongs to; a segment never spans two.
    pub epoch: Epoch,
    /// EXT-X-DISCONTINUITY goes before it.
    pub discontinuity_before: bool,
    /// Discontinuities up to here since the window began, its own included; equal on all tracks.
    pub discontinuity: u64,
    /// Wall-clock time of `start`, by the one mapping of its epoch.
    pub program_date_time: WallTime,
    /// The init segment it needs.
    pub init: Arc<Init>,
    /// Its parts in order. They lie one after another in the segment without a byte between.
    pub parts: Vec<Arc<Part>>,
    /// No more parts will come.
    pub complete: bool,
    /// No media at all: EXT-X-GAP.
    pub gap: bool,
    /// Its first media (gaps left out) begins with an independently decodable frame.
    pub independent: bool,
    /// Bytes in all.
    pub len: u64,
    /// Where the bytes are.
    pub location: Location,
}

impl Segment {
    /// The bytes in order, when they are in memory.
    #[must_use]
    pub fn slices(&self) -> Option<Vec<Bytes>> {
        match self.location {
            Location::Memory => Some(
                self.parts
                    .iter()
                    .flat_map(|p| p.slices.iter().cloned())
                    .collect(),
            ),
            Location::Stored(_) => None,
        }
    }
}

/// Where the bytes of a segment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In its parts.
    Memory,
    /// In the storage, as one object under this key; the parts keep offsets and lengths and hold no bytes.
    Stored(Arc<str>),
}

/// One part of a segment: one CMAF chunk, or a gap.
#[derive(Clone, Debug)]
pub struct Part {
    /// From 0 within its segment.
    pub index: u32,
    /// Presentation time of its first frame on the stream's timeline.
    pub start: MediaTime,
    /// Never more than [`Snapshot::part_target`].
    pub duration: MediaTime,
    /// Begins with an independently decodable frame.
    pub independent: bool,
    /// Nothing to fetch: either media is missing, or the last frame before it is shown on.
    pub gap: bool,
    /// The chunk, header first; empty for a gap and when the segment is in the storage.
    pub slices: Arc<[Bytes]>,
    /// Bytes in all, also when they are in the storage.
    pub len: u64,
    /// Byte offset in the segment.
    pub offset: u64,
}
