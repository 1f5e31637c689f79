//! The timeline: one per stream, between its publishers and its log.

use std::time::{Duration, Instant};

use core_frame::{
    FilterOut, FrameFilter, FrameFlags, MediaFrame, MediaKind, MediaTime, Repair, Repairs, TrackId,
    TrackTable,
};
use smallvec::SmallVec;

use crate::TimelineConfig;
use crate::decode::Times;
use crate::drift::Drift;
use crate::grid::Fit;
use crate::steps::{Step, borne_out};
use crate::track::Track;

/// Puts whatever arrives on one timeline per stream: decode times monotonic per track, coarse clocks exact, jumps and restarts
/// re-anchored, audio and video in step. Never fails for a time stamp; every repair is counted.
///
/// The first publisher's times pass as they are (moved only if they are negative or beyond 2^60 ns); a later publisher's go on where the
/// stream stood.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub(crate) config: Thresholds,
    /// All but the one that is worked on.
    pub(crate) tracks: SmallVec<[Track; 4]>,
    /// The mapping that new and irregular tracks try first, and the one before it.
    pub(crate) shared: [Option<MediaTime>; 2],
    /// Where the last epoch opened here began.
    pub(crate) epoch_origin: Option<MediaTime>,
    /// The track whose clock is the stream's: its first video.
    reference: Option<TrackId>,
    pub(crate) repairs: Repairs,
    duplicates: u64,
}

/// [`TimelineConfig`] in media time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    pub(crate) gap: MediaTime,
    pub(crate) jump_forward: MediaTime,
    pub(crate) jump_back: MediaTime,
    pub(crate) max_gap: MediaTime,
    pub(crate) still: MediaTime,
    pub(crate) start_skew: MediaTime,
    pub(crate) max_composition: MediaTime,
    pub(crate) max_lead: MediaTime,
    pub(crate) min_epoch: MediaTime,
    pub(crate) min_step: MediaTime,
    follow_drift: bool,
}

/// A step of a clock that is this far from the length of a frame is more than rounding and jitter of the wire.
const NOTABLE: MediaTime = MediaTime::from_millis(30);
/// Steps of this size are added up, so that those which cancel each other are known to.
const FELT: MediaTime = MediaTime::from_millis(10);
/// A track that has sent within this time is running.
const LIVE: Duration = Duration::from_secs(1);
/// Tracks a timeline remembers; beyond it the oldest is forgotten.
const MAX_TRACKS: usize = 64;
/// Time stamps beyond this (146 years) are cut to it, so that sums and differences of a few do not overflow.
const WIDEST: MediaTime = MediaTime::from_nanos(1 << 62);
/// A first time stamp beyond this (36 years) is not a time.
pub(crate) const LATEST_START: MediaTime = MediaTime::from_nanos(1 << 60);
impl Timeline {
    /// A timeline with these thresholds.
    #[must_use]
    pub fn new(config: TimelineConfig) -> Self {
        Self {
            config: Thresholds::from(&config),
            tracks: SmallVec::new(),
            shared: [None; 2],
            epoch_origin: None,
            reference: None,
            repairs: Repairs::default(),
            duplicates: 0,
        }
    }

    /// Frames left out because the same came just before, byte for byte and with the same times: a decoder that got a reference frame twice
    /// would smash the picture. Every other frame comes out. Counted as [`Repair::Reorder`] too.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Where the next frame goes if its clock says nothing: right after all video and audio put out so far.
    pub(crate) fn end(&self) -> Option<MediaTime> {
        let continuous = self.tracks.iter().filter(|t| t.is_continuous());
        continuous.filter_map(Track::end).max()
    }

    /// Index of a frame's track; the first frame of an unknown track adds it.
    fn index_of(&mut self, frame: &MediaFrame) -> usize {
        if let Some(at) = self.tracks.iter().position(|t| t.id == frame.track) {
            return at;
        }
        if self.tracks.len() >= MAX_TRACKS {
            self.tracks.remove(0);
        }
        self.tracks.push(Track::unannounced(frame));
        self.tracks.len() - 1
    }

    /// Video and audio.
    fn continuous(
        &mut self,
        now: Instant,
        track: &mut Track,
        mut frame: MediaFrame,
        out: &mut FilterOut,
    ) {
        let redone = self.decode_order(track, &mut frame);
        let wire = frame.dts;
        let step = if track.started {
            self.step(track, wire, now)
        } else {
            self.start(track, wire)
        };
        // A clock that goes back further than a swap on the way is no bundle of frames under one time stamp.
        let two = track.nominal() + track.nominal();
        let went_back = step == Step::Back && wire - track.last_in < -two;
        if redone || went_back || matches!(step, Step::Moved | Step::Epoch(_)) {
            track.break_grid();
        }
        let (exact, fit) = track.place(wire, step == Step::Regular);
        let gap = self.judge_gap(track, step, fit);
        frame.flags.set(
            FrameFlags::AFTER_GAP,
            gap || frame.flags.contains(FrameFlags::AFTER_GAP),
        );
        if fit == Some(Fit::Drift) {
            self.repairs.add(Repair::Drift);
        }
        if exact != wire {
            self.repairs.add(Repair::Quantise);
        }
        track.note_wall(&frame, exact);
        self.keep_in_step(track, wire, step, fit, now);
        let place = exact + track.shift + track.drift.slew();
        let dts = self.monotonic(track, place - track.lead, step);
        track.squeezed = (went_back || track.squeezed) && dts > place - track.lead;
        frame.pts = self.presentation(track, &frame, place, dts, step);
        frame.dts = dts;
        if frame.duration <= MediaTime::ZERO {
            frame.duration = track.exact_duration().unwrap_or_default();
        }
        track.started = true;
        track.at = place;
        self.watch_drift(track, now);
        track.last_in = wire;
        track.last_out = Some(dts);
        track.last_seen = Some(now);
        if let Step::Epoch(reason) = step {
            self.epoch_origin = Some(dts);
            out.epoch(dts, reason);
        }
        out.frame(frame);
    }

    /// Gives video whose decode times are missing or wrong the ones that its presentation times demand; true where that begins or ends.
    fn decode_order(&mut self, track: &mut Track, frame: &mut MediaFrame) -> bool {
        if track.kind != MediaKind::Video {
            return false;
        }
        let (dts, turned) = track.reorder.place(Times {
            dts: frame.dts,
            pts: frame.pts,
            period: track.nominal(),
            told_rate: track.exact_duration().is_some(),
            back: self.config.jump_back,
            ahead: self.config.jump_forward,
        });
        if turned {
            self.repairs.add(Repair::Reorder);
            track.lead = MediaTime::ZERO;
            if self.reference == Some(track.id) {
                // The reference is measured by decode times, which now mean something else.
                self.tracks.iter_mut().for_each(|t| t.drift.relearn());
            }
        }
        frame.dts = dts;
        turned
    }

    /// What is due of the track's correction; a step of its clock is told to whom it concerns.
    fn keep_in_step(
        &mut self,
        track: &mut Track,
        wire: MediaTime,
        step: Step,
        fit: Option<Fit>,
        now: Instant,
    ) {
        if !track.started {
            return;
        }
        let delta = wire - track.last_in;
        let moved = matches!(step, Step::Moved | Step::Epoch(_));
        let odd = step != Step::Regular || matches!(fit, Some(Fit::Gap | Fit::Moved));
        let off = delta - track.nominal();
        let odd = odd && off.abs() >= NOTABLE && !borne_out(track, delta, now);
        if moved || off.abs() >= FELT {
            let tell = |drift: &mut Drift| {
                if moved {
                    drift.step();
                } else {
                    drift.jolt(off, odd);
                }
            };
            tell(&mut track.drift);
            if self.reference == Some(track.id) {
                self.tracks.iter_mut().for_each(|t| tell(&mut t.drift));
            }
        }
        if !moved && !odd && track.drift.advance(delta, track.tick) != MediaTime::ZERO {
            self.repairs.add(Repair::Drift);
        }
    }

    /// A frame of the reference track arrived: where do the others stand?
    fn watch_drift(&mut self, reference: &Track, now: Instant) {
        if !self.config.follow_drift || reference.kind != MediaKind::Video {
            return;
        }
        if *self.reference.get_or_insert(reference.id) != reference.id {
            return;
        }
        for track in &mut self.tracks {
            let seen = track.last_seen.filter(|_| track.started);
            let live = seen.is_some_and(|seen| now.saturating_duration_since(seen) < LIVE);
            if !live || !track.is_continuous() {
                continue;
            }
            let by_wall = track.ahead_by_wall(reference);
            let ahead = by_wall.unwrap_or(track.at - reference.at);
            track.drift.sample(reference.at, ahead, by_wall.is_some());
        }
    }

    fn judge_gap(&mut self, track: &Track, step: Step, fit: Option<Fit>) -> bool {
        let missing = match fit {
            Some(Fit::Gap) if track.kind == MediaKind::Audio => true,
            Some(Fit::Moved) if track.kind == MediaKind::Audio => step != Step::Back,
            _ => step == Step::Gap,
        };
        if missing {
            self.repairs.add(Repair::Gap);
        }
        missing
    }

    /// Never before the frame before it, nor before the stream's own beginning; a new epoch never before the end of the last.
    fn monotonic(&mut self, track: &Track, dts: MediaTime, step: Step) -> MediaTime {
        let mut floor = match track.last_out {
            Some(last) => last + self.min_step(track),
            None => MediaTime::ZERO,
        };
        if matches!(step, Step::Epoch(_)) {
            floor = floor.max(self.end().unwrap_or(floor));
        }
        if dts >= floor {
            return dts;
        }
        if step == Step::Back || (floor - dts).as_nanos() > track.tick {
            self.repairs.add(Repair::Reorder);
        }
        floor
    }

    fn min_step(&self, track: &Track) -> MediaTime {
        let half = MediaTime::from_nanos(track.nominal().as_nanos() / 2);
        self.config.min_step.min(half)
    }

    /// Presentation time on the timeline; not before `dts`.
    fn presentation(
        &mut self,
        track: &mut Track,
        frame: &MediaFrame,
        place: MediaTime,
        dts: MediaTime,
        step: Step,
    ) -> MediaTime {
        let limits = self.config;
        let offset = frame.pts - frame.dts;
        if track.kind == MediaKind::Audio || offset.abs() > limits.max_composition {
            if offset.abs() > limits.max_composition {
                self.repairs.add(Repair::Reorder);
            }
            return dts;
        }
        let pts = place + track.exact_composition(offset);
        track.unled = place.max(track.unled + self.min_step(track));
        if dts <= pts {
            return pts;
        }
        if offset.as_nanos() < -track.tick || step == Step::Back {
            self.repairs.add(Repair::Reorder);
        }
        // Where the input itself puts decoding after presentation, decode times run ahead of it from here on.
        if offset.as_nanos() < -track.tick && !track.reorder.is_on() {
            let lead = track.unled - pts;
            if lead <= limits.max_lead {
                track.lead = track.lead.max(lead);
            }
        }
        dts
    }

    /// Data and subtitles: they come when they come, on the clock of the others. Many senders stamp them with 0, which is no jump.
    fn sparse(&mut self, track: &mut Track, mut frame: MediaFrame, out: &mut FilterOut) {
        let end = self.end();
        let shift = self.shared[0].unwrap_or_default();
        let mut dts = frame.dts + shift;
        match end {
            Some(end) if (dts - end).abs() > self.config.jump_forward => dts = end,
            None if !(MediaTime::ZERO..LATEST_START).contains(&dts) => dts = MediaTime::ZERO,
            _ => {}
        }
        if let Some(last) = track.last_out
            && dts < last
        {
            dts = last;
            self.repairs.add(Repair::Reorder);
        }
        let offset = frame.pts - frame.dts;
        let sane = (MediaTime::ZERO..self.config.max_composition).contains(&offset);
        frame.pts = if sane { dts + offset } else { dts };
        frame.dts = dts;
        track.last_out = Some(dts);
        out.frame(frame);
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new(TimelineConfig::default())
    }
}

impl FrameFilter for Timeline {
    fn tracks(&mut self, table: &TrackTable) {
        for info in &table.tracks {
            if let Some(track) = self.tracks.iter_mut().find(|t| t.id == info.id) {
                track.update(info);
            } else if self.tracks.len() < MAX_TRACKS {
                self.tracks.push(Track::new(info));
            }
        }
    }

    fn publisher_changed(&mut self, _now: Instant) {
        self.shared = [None; 2];
        self.reference = None;
        for track in &mut self.tracks {
            track.restart();
        }
    }

    fn frame(&mut self, now: Instant, mut frame: MediaFrame, out: &mut FilterOut) {
        if frame.is_config() {
            out.frame(frame);
            return;
        }
        frame.dts = frame.dts.clamp(-WIDEST, WIDEST);
        frame.pts = frame.pts.clamp(-WIDEST, WIDEST);
        let at = self.index_of(&frame);
        // The track is taken out while it is worked on, so that the others can be looked at.
        let mut track = self.tracks.swap_remove(at);
        if track.is_continuous() && track.is_duplicate(&frame) {
            self.repairs.add(Repair::Reorder);
            self.duplicates += 1;
        } else if track.is_continuous() {
            self.continuous(now, &mut track, frame, out);
        } else {
            self.sparse(&mut track, frame, out);
        }
        self.tracks.push(track);
    }

    fn flush(&mut self, _now: Instant, _out: &mut FilterOut) {
        // Nothing is ever held back.
    }

    fn repairs(&self) -> Repairs {
        self.repairs
    }
}

impl From<&TimelineConfig> for Thresholds {
    fn from(config: &TimelineConfig) -> Self {
        let time = |d: Duration| MediaTime::from(d);
        Self {
            gap: time(config.gap),
            jump_forward: time(config.jump_forward),
            jump_back: time(config.jump_back),
            max_gap: time(config.max_gap),
            still: time(config.still),
            start_skew: time(config.start_skew),
            max_composition: time(config.max_composition),
            max_lead: time(config.max_lead),
            min_epoch: time(config.min_epoch),
            min_step: time(config.min_step),
            follow_drift: config.follow_drift,
        }
    }
}
