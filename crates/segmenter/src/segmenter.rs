//! The pure core: decides where parts and segments end, and publishes the window.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use cmaf::{InitSegment, needs_new_init};
use core_frame::{EpochInfo, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackInfo, TrackTable};

use crate::feed::{Cut, Feed, FeedOptions, Open};
use crate::lane::Lane;
use crate::plan::{FrameTiming, part_target, target_duration};
use crate::{Config, Init, Snapshot, Window};

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

/// How long frames are gathered at most before the tracks that came are taken for all there are.
const GATHER: MediaTime = MediaTime::from_secs(1);
/// Frames of a track that tell its timing.
const ENOUGH_FRAMES: usize = 6;

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

    /// Whether the frames at hand tell which tracks are alive and what their timing is.
    fn gathered(&self) -> bool {
        let Stretch::Gathering(frames) = &self.stretch else {
            return false;
        };
        let wanted = MediaTime::from(self.config.part_target);
        let mut all_there = true;
        let mut longest = MediaTime::ZERO;
        for (info, _) in &self.tracks {
            let mut of_track = frames.iter().filter(|f| f.track == info.id).map(|f| f.dts);
            let Some(first) = of_track.next() else {
                all_there = false;
                continue;
            };
            let (count, last) = of_track.fold((1usize, first), |(n, _), t| (n + 1, t));
            let span = last - first;
            longest = longest.max(span);
            // With the target fixed already, being there is enough.
            if self.part_target == MediaTime::ZERO && (count < ENOUGH_FRAMES || span < wanted) {
                all_there = false;
            }
        }
        all_there || longest >= GATHER || frames.len() >= 1_000
    }

    /// Sets up the tracks that have frames and lets the gathered ones run.
    fn start_stretch(&mut self) {
        let Stretch::Gathering(frames) = &mut self.stretch else {
            return;
        };
        let frames = std::mem::take(frames);
        let mut timings = Vec::new();
        let mut earliest = MediaTime::MAX;
        for f in &frames {
            earliest = earliest.min(f.dts).min(f.pts);
        }
        // Ticks in the file cannot be negative.
        let zero = earliest.min(MediaTime::ZERO);
        let alive: Vec<_> = self
            .tracks
            .iter()
            .filter(|(info, _)| frames.iter().any(|f| f.track == info.id))
            .cloned()
            .collect();
        for (info, _) in &alive {
            let times: Vec<_> = frames
                .iter()
                .filter(|f| f.track == info.id)
                .map(|f| f.dts)
                .collect();
            timings.push(timing_of(info, &times));
        }
        if self.part_target == MediaTime::ZERO {
            self.part_target = part_target(self.config.part_target.into(), &timings);
        }
        if !self.begun {
            self.number_from_wall();
        }
        let mut feeds = Vec::new();
        let mut lanes = Vec::new();
        for ((info, segment), timing) in alive.iter().zip(&timings) {
            let Some(track) = segment.tracks.first() else {
                continue;
            };
            let at = self.lanes.iter().position(|l| l.id == info.id);
            let old = at.map(|at| self.lanes.swap_remove(at));
            let init = match &old {
                Some(lane) if lane.init.bytes == segment.bytes => Arc::clone(&lane.init),
                old => Arc::new(Init {
                    id: old.as_ref().map_or(0, |l| l.init.id + 1),
                    bytes: segment.bytes.clone(),
                    codecs: segment.codecs.clone(),
                }),
            };
            feeds.push(Feed::new(
                info,
                track,
                Arc::clone(&init),
                &FeedOptions {
                    part_target: self.part_target,
                    jitter: timing.jitter,
                    frame: timing.duration,
                    zero,
                    epoch: self.epoch,
                    producer_reference: self.config.producer_reference,
                },
            ));
            let lane = match old {
                Some(mut lane) => {
                    lane.renew(Arc::clone(info), init, track.timescale);
                    lane
                }
                None => Lane::new(Arc::clone(info), init, track.timescale),
            };
            lanes.push(lane);
        }
        // Tracks that are gone leave with their segments.
        for lane in std::mem::replace(&mut self.lanes, lanes) {
            self.forget(lane);
        }
        let lead = feeds
            .iter()
            .position(|f| f.kind == MediaKind::Video)
            .unwrap_or(0);
        self.stretch = Stretch::Running(Box::new(Run {
            feeds,
            lead,
            cuts: VecDeque::new(),
            start: None,
            ideal: MediaTime::ZERO,
            frontier: MediaTime::MIN,
            waiting_since: None,
            last_sync: None,
            lead_stalled: false,
        }));
        self.dirty = true;
        for frame in &frames {
            self.take(frame);
        }
    }

    /// Numbers that a restart under the same URL does not take back: see [`Config::first_msn`].
    fn number_from_wall(&mut self) {
        const BEGIN_2026: u128 = 1_767_225_600;
        let nanos = self.epoch.wall.unix_nanos().max(0).unsigned_abs();
        let step = self.config.segment_target.as_nanos().max(1);
        let minutes = (nanos / 1_000_000_000).saturating_sub(BEGIN_2026) / 60;
        let narrow = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        self.next_msn = self.config.first_msn.unwrap_or(narrow(nanos / step));
        self.discontinuity = self.config.first_discontinuity.unwrap_or(narrow(minutes));
    }

    fn run_frame(&mut self, frame: &MediaFrame) {
        let limit = self.segment_limit();
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let Some(at) = run.feeds.iter().position(|f| f.id == frame.track) else {
            return;
        };
        if at == run.lead {
            let Some(feed) = run.feeds.get(at) else {
                return;
            };
            let time = feed.writer.time_of(frame);
            let last = feed.newest.into_iter().chain(run.start).max();
            if run.start.is_some() && last.is_some_and(|last| time - last > limit) {
                // Nothing came for longer than a segment may last: what follows cannot be the same stretch.
                self.stats.stalls += 1;
                self.end_stretch();
                self.take(frame);
                return;
            }
        }
        let Some(feed) = run.feeds.get_mut(at) else {
            return;
        };
        feed.push(frame);
        let Some(time) = feed.newest else { return };
        if at == run.lead {
            self.lead_frame(time, frame.flags, limit);
        }
        self.advance();
    }

    /// The longest a segment may become.
    fn segment_limit(&self) -> MediaTime {
        match self.target_duration_s {
            0 => self.config.gop_limit.into(),
            // What rounds down to the target is within it.
            s => MediaTime::from_secs(i64::from(s)) + MediaTime::from_millis(250),
        }
    }

    /// The lead's newest frame begins at `time`: is it the first of a segment?
    fn lead_frame(&mut self, time: MediaTime, flags: FrameFlags, limit: MediaTime) {
        let segment_bytes = self.config.segment_bytes;
        let gop_limit = MediaTime::from(self.config.gop_limit);
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        run.frontier = time;
        let Some(feed) = run.feeds.get(run.lead) else {
            return;
        };
        let audio = feed.kind != MediaKind::Video;
        let frame_time = feed.clock().span(u64::from(feed.writer.frame_duration()));
        let half = MediaTime::from_nanos(frame_time.as_nanos() / 2);
        let since = *run.waiting_since.get_or_insert(time);
        let quiet = time - run.last_sync.unwrap_or(since);
        let key = audio || flags.contains(FrameFlags::KEY);
        // Where no key frame comes any more (intra refresh), recovery points are the next best.
        let sync = key
            || (flags.contains(FrameFlags::RECOVERY_POINT)
                && quiet > MediaTime::from_nanos(limit.as_nanos() / 2));
        if key {
            run.last_sync = Some(time);
        }
        let cut = match run.start {
            None => sync || quiet > gop_limit,
            Some(start) => {
                let full = feed.open.as_ref().is_some_and(|o| o.len > segment_bytes);
                (sync && time + half >= run.ideal) || time + frame_time > start + limit || full
            }
        };
        if cut {
            self.cut(time, key);
        }
    }

    /// Decides that a segment begins at `time` on all tracks.
    fn cut(&mut self, time: MediaTime, independent: bool) {
        let target = MediaTime::from(self.config.segment_target);
        let half = MediaTime::from_nanos(target.as_nanos() / 2);
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let discontinuity_before = run.start.is_none() && self.begun;
        match run.start {
            None => run.ideal = time + target,
            Some(start) => {
                if self.target_duration_s == 0 {
                    let video = run.feeds.iter().any(|f| f.kind == MediaKind::Video);
                    self.target_duration_s = target_duration(target, time - start, video);
                }
                // Cuts follow the grid of whole targets, so that their error never adds up; a grid that the sync points cannot hold is
                // moved along.
                run.ideal = (run.ideal + target).max(time + half);
            }
        }
        if !independent {
            self.stats.forced_cuts += 1;
            self.independent_segments = false;
        }
        if discontinuity_before {
            self.discontinuity += 1;
        }
        self.begun = true;
        run.start = Some(time);
        run.cuts.push_back(Cut {
            msn: self.next_msn,
            time,
            discontinuity_before,
            discontinuity: self.discontinuity,
        });
        self.next_msn += 1;
    }

    /// Assigns every sample that can be assigned.
    fn advance(&mut self) {
        let patience = MediaTime::from(self.config.patience);
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let newest = run.feeds.iter().filter_map(|f| f.newest).max();
        let lead_newest = run.feeds.get(run.lead).and_then(|f| f.newest);
        run.lead_stalled =
            matches!((newest, lead_newest), (Some(all), Some(lead)) if all - lead > patience);
        let (feeds, lead) = (run.feeds.len(), run.lead);
        // The lead first: the others follow its cuts.
        self.advance_feed(lead);
        for at in (0..feeds).filter(|&at| at != lead) {
            self.advance_feed(at);
        }
        if let Some(newest) = newest {
            for at in 0..feeds {
                self.leave_behind(at, newest - patience);
            }
        }
        self.drop_passed_cuts();
    }

    fn advance_feed(&mut self, at: usize) {
        loop {
            let Stretch::Running(run) = &mut self.stretch else {
                return;
            };
            let Some(feed) = run.feeds.get_mut(at) else {
                return;
            };
            let leads = at == run.lead;
            let (cut, last_call) = next_cut(&run.cuts, feed);
            let Some(front) = feed.queue.front() else {
                break;
            };
            match cut {
                Some(cut) if feed.is_behind(front, cut.time, leads, last_call) => {
                    let until = feed.boundary(front.start, cut.time);
                    self.switch(at, cut, until);
                    continue;
                }
                Some(_) if feed.open.is_none() => {
                    // Before the first segment.
                    feed.queue.pop_front();
                    feed.late += 1;
                    continue;
                }
                Some(_) => {}
                None if !leads && run.lead_stalled => {
                    let time = feed.time(front.start);
                    if run.start.is_none() || time >= run.ideal {
                        self.cut(time, true);
                        continue;
                    }
                }
                None if feed.open.is_none() => break,
                None if leads || feed.middle(front) < run.frontier => {}
                None => break,
            }
            if let Some(sample) = feed.queue.pop_front() {
                self.dirty |= feed.append(sample);
                // A part is only announced as finished when the place of the next one is known, so that what a hint names is what
                // comes.
                if leads || run.lead_stalled {
                    self.dirty |= feed.close_full_part();
                }
            }
        }
        if self.settle(at) {
            self.advance_feed(at);
        }
    }

    /// The place of a feed's next frame may be known before the frame itself is ready. True when that frame begins the next
    /// segment; the one before is complete then.
    fn settle(&mut self, at: usize) -> bool {
        let Stretch::Running(run) = &mut self.stretch else {
            return false;
        };
        let leads = at == run.lead;
        let Some(feed) = run.feeds.get_mut(at).filter(|f| f.queue.is_empty()) else {
            return false;
        };
        let Some(next) = feed.next_frame() else {
            return false;
        };
        let (cut, _) = next_cut(&run.cuts, feed);
        match cut {
            // Another video track goes on to its own sync point.
            Some(_) if !leads && feed.kind == MediaKind::Video => {}
            Some(cut) if feed.is_next_behind(&next, cut.time, leads) => {
                let until = feed.boundary(next.tick, cut.time);
                self.switch(at, cut, until);
                return true;
            }
            Some(_) => self.dirty |= feed.close_full_part(),
            None if next.middle < run.frontier => self.dirty |= feed.close_full_part(),
            None => {}
        }
        false
    }

    /// A track that has fallen silent is cut without its samples, so that the others need not wait.
    fn leave_behind(&mut self, at: usize, before: MediaTime) {
        loop {
            let Stretch::Running(run) = &mut self.stretch else {
                return;
            };
            let Some(feed) = run.feeds.get_mut(at) else {
                return;
            };
            let silent = feed.newest.is_none_or(|t| t < before);
            let (cut, _) = next_cut(&run.cuts, feed);
            let Some(cut) = cut.filter(|c| silent && c.time < before) else {
                return;
            };
            feed.flush();
            while let Some(sample) = feed.queue.pop_front() {
                if feed.open.is_some() {
                    self.dirty |= feed.append(sample);
                }
            }
            feed.need_key = true;
            let until = u64::try_from(feed.ticks(cut.time)).unwrap_or(0);
            self.switch(at, cut, until);
        }
    }

    /// Ends the open segment of a feed and begins that of `cut`.
    fn switch(&mut self, at: usize, cut: Cut, until: u64) {
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let Some(feed) = run.feeds.get_mut(at) else {
            return;
        };
        let begin = feed.end_ticks().unwrap_or(0).max(until);
        let finished = feed.finish(Some(until));
        feed.begin(cut, begin);
        if let (Some(segment), Some(lane)) = (finished, self.lanes.get_mut(at)) {
            lane.push(segment);
            self.trim();
        }
        self.dirty = true;
    }

    fn drop_passed_cuts(&mut self) {
        if let Stretch::Running(run) = &mut self.stretch {
            // A feed that has no segment yet has made no cut.
            let done = run
                .feeds
                .iter()
                .map(|f| f.open.as_ref().map(|o| o.cut.msn))
                .min()
                .flatten();
            while run.cuts.front().is_some_and(|c| Some(c.msn) <= done) {
                run.cuts.pop_front();
            }
        }
    }

    /// Ends all segments. The next frame begins a new stretch, with a discontinuity if anything was begun.
    fn end_stretch(&mut self) {
        // What was gathered runs first; a stall inside it can leave a rest that is gathered again, ever shorter.
        while let Stretch::Gathering(frames) = &self.stretch {
            if frames.is_empty() {
                return;
            }
            self.start_stretch();
        }
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        // With the frontier at the end of time and the last samples out, everything finds its place.
        for feed in &mut run.feeds {
            feed.flush();
        }
        run.frontier = MediaTime::MAX;
        run.lead_stalled = false;
        let (feeds, lead) = (run.feeds.len(), run.lead);
        self.advance_feed(lead);
        for at in (0..feeds).filter(|&at| at != lead) {
            self.advance_feed(at);
        }
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let end = run
            .feeds
            .iter()
            .filter_map(|f| Some(f.time(f.end_ticks()?)))
            .max();
        for at in 0..feeds {
            self.close_feed(at, end);
        }
        if let Stretch::Running(run) = &self.stretch {
            self.stats.late += run.feeds.iter().map(|f| f.late).sum::<u64>();
        }
        self.stretch = Stretch::Gathering(Vec::new());
        self.dirty = true;
        self.trim();
    }

    /// Makes the cuts a feed has not made yet, and ends its last segment.
    fn close_feed(&mut self, at: usize, end: Option<MediaTime>) {
        loop {
            let Stretch::Running(run) = &mut self.stretch else {
                return;
            };
            let Some(feed) = run.feeds.get_mut(at) else {
                return;
            };
            let (cut, _) = next_cut(&run.cuts, feed);
            if let Some(cut) = cut {
                let until = u64::try_from(feed.ticks(cut.time)).unwrap_or(0);
                self.switch(at, cut, until);
                continue;
            }
            // A track without a frame in the last segment still has the segment, as a gap.
            let empty = feed.open.as_ref().is_some_and(Open::is_empty);
            let until = end
                .filter(|_| empty)
                .and_then(|end| u64::try_from(feed.ticks(end)).ok());
            if let Some(segment) = feed.finish(until) {
                if self.target_duration_s == 0 {
                    let video = run.feeds.iter().any(|f| f.kind == MediaKind::Video);
                    self.target_duration_s =
                        target_duration(self.config.segment_target.into(), segment.duration, video);
                }
                if let Some(lane) = self.lanes.get_mut(at) {
                    lane.push(segment);
                }
            }
            return;
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

/// The next cut a feed has to make, and whether yet another waits behind it.
fn next_cut(cuts: &VecDeque<Cut>, feed: &Feed) -> (Option<Cut>, bool) {
    let msn = feed.open.as_ref().map(|o| o.cut.msn);
    let mut ahead = cuts.iter().filter(|c| msn.is_none_or(|m| c.msn > m));
    (ahead.next().copied(), ahead.next().is_some())
}

/// Timing of a track from what was gathered; the codec's own frame length where it has one.
fn timing_of(info: &TrackInfo, times: &[MediaTime]) -> FrameTiming {
    let exact = info
        .audio
        .filter(|a| a.frame_samples > 0 && a.sample_rate > 0)
        .and_then(|a| MediaTime::from_ticks(i64::from(a.frame_samples), a.sample_rate));
    let guess = exact.unwrap_or(MediaTime::from_millis(match info.kind() {
        MediaKind::Video => 33,
        _ => 20,
    }));
    let timing = FrameTiming::measure(times, exact).unwrap_or(FrameTiming {
        duration: guess,
        jitter: MediaTime::ZERO,
        longest: guess,
    });
    timing.in_ticks_of(cmaf::timescale_of(info))
}
