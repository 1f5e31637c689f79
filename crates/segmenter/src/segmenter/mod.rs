//! The pure core: decides where parts and segments end, and publishes the window.

mod assign;
mod cutting;
mod gather;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use cmaf::{InitSegment, needs_new_init};
use core_frame::{EpochInfo, MediaFrame, MediaKind, MediaTime, TrackInfo, TrackTable};

use self::assign::next_cut;
use crate::feed::{Cut, Feed};
use crate::lane::Lane;
use crate::{Config, Snapshot, Window};

/// Frames in, snapshots out. No clock, no task, no IO: `now` is an argument, storage is asked for by
/// [`Segmenter::take_spills`] and [`Segmenter::take_deletes`].
///
/// **Drive it like this:** [`Segmenter::tracks`] before the first frame and at each new table, [`Segmenter::frame`] for every
/// frame in decode order, [`Segmenter::end`] once.
pub struct Segmenter {
    pub(crate) config: Config,
    pub(crate) window: Arc<Window>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) now: Option<Instant>,
    pub(crate) deletes: Vec<Arc<str>>,
    tracks: Vec<(Arc<TrackInfo>, InitSegment)>,
    epoch: EpochInfo,
    stretch: Stretch,
    version: u64,
    dirty: bool,
    part_target: MediaTime,
    pub(crate) target_duration_s: u32,
    independent_segments: bool,
    ready: bool,
    next_msn: u64,
    discontinuity: u64,
    /// A segment was begun at some time: the next stretch begins with a discontinuity.
    begun: bool,
    pub(crate) ended: bool,
    stats: Stats,
}

/// What the segmenter left out or had to force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Frames of tracks that fragmented MP4 cannot carry, or whose configuration had not come.
    pub unusable: u64,
    /// Samples that came after their time was already listed, or before a sync point that is needed.
    pub late: u64,
    /// Cuts made without a sync point.
    pub forced_cuts: u64,
    /// Discontinuities opened because nothing came for longer than a segment may last.
    pub stalls: u64,
}

/// A stretch of the stream without a discontinuity.
enum Stretch {
    /// Which tracks are alive, and how long their frames are, is not known yet: frames are kept.
    Gathering(Vec<MediaFrame>),
    Running(Box<Run>),
}

/// The state of a running stretch.
struct Run {
    feeds: Vec<Feed>,
    /// Index of the feed that decides the cuts: the first video track, or else the first audio track.
    lead: usize,
    /// Cuts that not every feed has made yet.
    cuts: VecDeque<Cut>,
    /// Beginning of the newest segment.
    start: Option<MediaTime>,
    /// Where the newest segment should end.
    ideal: MediaTime,
    /// Time of the newest frame of the lead: no cut to come lies before it.
    frontier: MediaTime,
    /// First frame of the lead, and its newest sync point.
    waiting_since: Option<MediaTime>,
    last_sync: Option<MediaTime>,
    /// The lead has gone quiet and the others go on without it.
    lead_stalled: bool,
}

impl Segmenter {
    /// A segmenter that publishes into `window`.
    #[must_use]
    pub fn new(config: Config, window: Arc<Window>) -> Self {
        Self {
            config,
            window,
            lanes: Vec::new(),
            now: None,
            deletes: Vec::new(),
            tracks: Vec::new(),
            epoch: TrackTable::default().epoch,
            stretch: Stretch::Gathering(Vec::new()),
            version: 0,
            dirty: false,
            part_target: MediaTime::ZERO,
            target_duration_s: 0,
            independent_segments: true,
            ready: false,
            next_msn: 0,
            discontinuity: 0,
            begun: false,
            ended: false,
            stats: Stats::default(),
        }
    }

    /// The window it publishes into.
    #[must_use]
    pub fn window(&self) -> &Arc<Window> {
        &self.window
    }

    /// What was left out or forced so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        if let Stretch::Running(run) = &self.stretch {
            stats.late += run.feeds.iter().map(|f| f.late).sum::<u64>();
        }
        stats
    }

    /// The following frames belong to `table`. A new epoch, another codec configuration or the loss of a track ends all
    /// segments; what follows begins with a discontinuity. A track that is only added does so when its first frame comes.
    pub fn tracks(&mut self, table: &Arc<TrackTable>) {
        let mut usable = Vec::new();
        for info in &table.tracks {
            if matches!(info.kind(), MediaKind::Video | MediaKind::Audio)
                && info.is_ready()
                && let Ok(init) = InitSegment::build(&[info])
            {
                usable.push((Arc::clone(info), init));
            }
        }
        let same_epoch = table.epoch.id == self.epoch.id;
        let kept = self.tracks.iter().all(|(old, _)| {
            usable
                .iter()
                .any(|(new, _)| new.id == old.id && !needs_new_init(old, new))
        });
        if !(same_epoch && kept) {
            self.end_stretch();
        }
        self.epoch = table.epoch;
        for (info, _) in &usable {
            // A description that changes without its media (a language, a rate) is shown at once; anything else with the
            // segments it belongs to.
            let lane = self.lanes.iter_mut().find(|l| l.id == info.id);
            if let Some(lane) = lane.filter(|l| l.info != *info && !needs_new_init(&l.info, info)) {
                lane.info = Arc::clone(info);
                self.dirty = true;
            }
        }
        self.tracks = usable;
        self.publish();
    }

    /// One frame, in decode order. Publishes when a part or segment was finished.
    pub fn frame(&mut self, now: Instant, frame: &MediaFrame) {
        self.now = Some(now);
        if self.ended || frame.is_config() {
            return;
        }
        if !self.tracks.iter().any(|(info, _)| info.id == frame.track) {
            self.stats.unusable += 1;
            return;
        }
        self.take(frame);
        self.publish();
    }

    /// The stream ended: everything held back is published, all segments are complete.
    pub fn end(&mut self, now: Instant) {
        if self.ended {
            return;
        }
        self.now = Some(now);
        self.end_stretch();
        self.ended = true;
        self.dirty = true;
        self.publish();
    }

    fn take(&mut self, frame: &MediaFrame) {
        match &mut self.stretch {
            Stretch::Gathering(frames) => {
                frames.push(frame.clone());
                if self.gathered() {
                    self.start_stretch();
                }
            }
            Stretch::Running(run) => {
                if run.feeds.iter().any(|f| f.id == frame.track) {
                    self.run_frame(frame);
                } else {
                    // A track that had been silent: the set of tracks changes.
                    self.end_stretch();
                    self.take(frame);
                }
            }
        }
    }

    /// Puts a new snapshot into the window if anything changed.
    pub(crate) fn publish(&mut self) {
        if !self.dirty {
            return;
        }
        self.dirty = false;
        self.version += 1;
        let run = match &self.stretch {
            Stretch::Running(run) => Some(run),
            Stretch::Gathering(_) => None,
        };
        self.ready |= self.target_duration_s > 0
            && !self.lanes.is_empty()
            && self.lanes.iter().all(|l| !l.closed.is_empty());
        let mut tracks = Vec::with_capacity(self.lanes.len());
        for lane in &mut self.lanes {
            // A track that joins a running window is shown from its first complete segment on.
            if self.ready && lane.closed.is_empty() && lane.retained.is_empty() {
                continue;
            }
            let feed = run.and_then(|r| r.feeds.iter().find(|f| f.id == lane.id));
            let open = feed.and_then(Feed::view);
            // What the next segment will be, where none is in the list.
            let cut = feed.zip(run).and_then(|(f, r)| match &f.open {
                Some(open) => Some(open.cut),
                None => next_cut(&r.cuts, f).0,
            });
            let next = cut.map_or((self.next_msn, self.discontinuity), |c| {
                (c.msn, c.discontinuity - u64::from(c.discontinuity_before))
            });
            tracks.push(lane.snapshot(open, next));
        }
        self.window.publish(Snapshot {
            version: self.version,
            tracks,
            part_target: self.part_target,
            target_duration_s: self.target_duration_s,
            independent_segments: self.independent_segments,
            ready: self.ready,
            ended: self.ended,
        });
    }

    pub(crate) fn mark_changed(&mut self) {
        self.dirty = true;
    }
}
