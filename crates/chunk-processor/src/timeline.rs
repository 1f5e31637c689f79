//! The timeline: one per stream, between its publishers and its log.

use std::time::{Duration, Instant};

use core_frame::{
    EpochReason, FilterOut, FrameFilter, FrameFlags, MediaFrame, MediaKind, MediaTime, Repair,
    Repairs, TrackTable,
};
use smallvec::SmallVec;

use crate::TimelineConfig;
use crate::grid::Fit;
use crate::track::Track;

/// Puts whatever arrives on one timeline per stream: decode times monotonic per track, coarse clocks exact, jumps and restarts
/// re-anchored, audio and video in step. Never fails for a time stamp; every repair is counted.
///
/// The first publisher's times pass as they are (moved only if they are negative or beyond 2^60 ns); a later publisher's go on where the
/// stream stood.
#[derive(Clone, Debug)]
pub struct Timeline {
    config: Thresholds,
    tracks: SmallVec<[Track; 4]>,
    /// The mapping that new and irregular tracks try first, and the one before it.
    shared: [Option<MediaTime>; 2],
    /// Where the last epoch opened here began.
    epoch_origin: Option<MediaTime>,
    repairs: Repairs,
}

/// [`TimelineConfig`] in media time.
#[derive(Clone, Copy, Debug)]
struct Thresholds {
    gap: MediaTime,
    jump_forward: MediaTime,
    jump_back: MediaTime,
    max_gap: MediaTime,
    still: MediaTime,
    start_skew: MediaTime,
    max_composition: MediaTime,
    max_lead: MediaTime,
    min_epoch: MediaTime,
    min_step: MediaTime,
}

/// Tracks a timeline remembers; beyond it the oldest is forgotten.
const MAX_TRACKS: usize = 64;
/// A first time stamp beyond this (36 years) is not a time.
const LATEST_START: MediaTime = MediaTime::from_nanos(1 << 60);
/// Wire clocks that wrap, as period in nanoseconds: 32-bit milliseconds (RTMP), 31-bit ones (senders with a signed clock), 24-bit ones (senders
/// that forget the extension), 33 and 32 bits at 90 kHz (TS, RTP), 32-bit microseconds (SRT).
const WRAPS: [i64; 6] = [
    (1 << 32) * 1_000_000,
    (1 << 31) * 1_000_000,
    (1 << 24) * 1_000_000,
    (1 << 33) * 100_000 / 9,
    (1 << 32) * 100_000 / 9,
    (1 << 32) * 1_000,
];

/// What a step of the input's clock turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Regular,
    /// The clock stands or goes back a little.
    Back,
    /// Time is missing.
    Gap,
    /// The mapping changed.
    Moved,
    /// Moved, and an epoch begins.
    Epoch(EpochReason),
}

impl Timeline {
    /// A timeline with these thresholds.
    #[must_use]
    pub fn new(config: TimelineConfig) -> Self {
        Self {
            config: Thresholds::from(&config),
            tracks: SmallVec::new(),
            shared: [None; 2],
            epoch_origin: None,
            repairs: Repairs::default(),
        }
    }

    /// Where the next frame goes if its clock says nothing: right after all video and audio put out so far.
    fn end(&self) -> Option<MediaTime> {
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

    /// The first frame of a track under this publisher.
    fn start(&mut self, track: &mut Track, wire: MediaTime) -> Step {
        let end = self.end();
        let Some(shared) = self.shared[0] else {
            let sane = (MediaTime::ZERO..LATEST_START).contains(&wire);
            track.shift = match end {
                Some(end) => end - wire,
                None if sane => MediaTime::ZERO,
                None => -wire,
            };
            self.shared = [Some(track.shift), None];
            return match end {
                Some(_) => Step::Epoch(EpochReason::Publisher),
                None => Step::Moved,
            };
        };
        track.shift = shared;
        let skew = end.map_or(MediaTime::ZERO, |end| wire + shared - end);
        if skew.abs() > self.config.start_skew {
            track.shift = end.unwrap_or_default() - wire;
            self.repairs.add(Repair::Jump);
        }
        Step::Moved
    }

    /// A frame of a continuous track after its first.
    fn step(&mut self, track: &mut Track, wire: MediaTime, now: Instant) -> Step {
        let limits = self.config;
        let delta = wire - track.last_in;
        let still = delta.abs().as_nanos() < track.tick.max(1);
        track.still = if still { track.still + 1 } else { 0 };
        if track.slipping {
            return self.slip(track, wire, delta, still);
        }
        if still {
            let stood = track
                .nominal()
                .as_nanos()
                .saturating_mul(i64::from(track.still));
            if stood < limits.still.as_nanos() {
                return Step::Back;
            }
            self.repairs.add(Repair::Jump);
            let epoch = self.new_epoch(track);
            track.slipping = true;
            track.shift = self.end_with(track) + track.lead - wire;
            return epoch;
        }
        if delta > MediaTime::ZERO && delta <= limits.gap {
            return Step::Regular;
        }
        if self.adopt(track, wire, delta) {
            return Step::Moved;
        }
        if delta < -limits.jump_back || delta > limits.jump_forward {
            if let Some(period) = wrapped(delta, limits.jump_back, limits.jump_forward) {
                track.shift += period;
                self.remember(track.shift);
                self.repairs.add(Repair::Wrap);
                return Step::Moved;
            }
            if delta < MediaTime::ZERO || !self.is_silence(track, wire, delta, now) {
                self.repairs.add(Repair::Jump);
                track.shift = self.end_with(track) + track.lead - wire;
                self.remember(track.shift);
                return self.new_epoch(track);
            }
        }
        if delta > MediaTime::ZERO {
            Step::Gap
        } else {
            Step::Back
        }
    }

    /// A clock that stood still: does it stand on, go on, or come back to where it should be?
    fn slip(&mut self, track: &mut Track, wire: MediaTime, delta: MediaTime, still: bool) -> Step {
        if still {
            track.shift = track.end().unwrap_or_default() + track.lead - wire;
            return Step::Moved;
        }
        track.slipping = false;
        if self.adopt(track, wire, delta) {
            return Step::Moved;
        }
        if delta < MediaTime::ZERO || delta > self.config.gap {
            track.shift = self.end_with(track) + track.lead - wire;
        }
        self.remember(track.shift);
        Step::Moved
    }

    /// Takes another track's mapping, or the one before a jump, when that puts the frame where it belongs: the other tracks of a source follow
    /// the one that jumped first, and a lone wild time stamp does no lasting harm.
    fn adopt(&mut self, track: &mut Track, wire: MediaTime, delta: MediaTime) -> bool {
        let limits = self.config;
        let Some(next) = track.end() else {
            return false;
        };
        let wild = delta < -limits.jump_back || delta > limits.jump_forward;
        let ahead = if wild {
            limits.jump_forward
        } else {
            limits.gap
        };
        let fits = |shift: Option<MediaTime>| {
            shift.filter(|&shift| {
                let miss = wire + shift - next;
                shift != track.shift && miss >= -limits.jump_back && miss <= ahead
            })
        };
        if let Some(shift) = fits(self.shared[0]) {
            track.shift = shift;
        } else if let Some(shift) = fits(self.shared[1]) {
            track.shift = shift;
            self.shared.swap(0, 1);
            self.repairs.add(Repair::Jump);
        } else {
            return false;
        }
        true
    }

    /// True when a long step forward is a silence of the sender and not a jump of its clock: another track stands there already, or as much time has
    /// passed here.
    fn is_silence(&self, track: &Track, wire: MediaTime, delta: MediaTime, now: Instant) -> bool {
        if delta > self.config.max_gap {
            return false;
        }
        let place = wire + track.shift;
        let near = |out: MediaTime| (place - out).abs() <= self.config.jump_forward;
        let mut others = self.tracks.iter().filter(|t| t.is_continuous());
        if others.any(|t| t.shift == track.shift && t.last_out.is_some_and(near)) {
            return true;
        }
        let passed = track.last_seen.map_or(MediaTime::ZERO, |seen| {
            MediaTime::from(now.saturating_duration_since(seen))
        });
        (passed - delta).abs() <= MediaTime::from_secs(2)
    }

    /// The end of everything, with `track` (which is out of the list while it is worked on).
    fn end_with(&self, track: &Track) -> MediaTime {
        let own = track.end().unwrap_or_default();
        self.end().map_or(own, |end| end.max(own))
    }

    fn remember(&mut self, shift: MediaTime) {
        self.shared = [Some(shift), self.shared[0]];
    }

    fn new_epoch(&self, track: &Track) -> Step {
        let since = |origin| self.end_with(track) - origin;
        if self
            .epoch_origin
            .is_some_and(|origin| since(origin) < self.config.min_epoch)
        {
            return Step::Moved;
        }
        Step::Epoch(EpochReason::Jump)
    }

    /// Video and audio.
    fn continuous(
        &mut self,
        now: Instant,
        track: &mut Track,
        mut frame: MediaFrame,
        out: &mut FilterOut,
    ) {
        let wire = frame.dts;
        let step = if track.started {
            self.step(track, wire, now)
        } else {
            self.start(track, wire)
        };
        if matches!(step, Step::Moved | Step::Epoch(_)) {
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
        let place = exact + track.shift;
        let dts = self.monotonic(track, place - track.lead, step);
        frame.pts = self.presentation(track, &frame, place, dts, step);
        frame.dts = dts;
        if frame.duration <= MediaTime::ZERO {
            frame.duration = track.exact_duration().unwrap_or_default();
        }
        track.started = true;
        track.last_in = wire;
        track.last_out = Some(dts);
        track.last_seen = Some(now);
        if let Step::Epoch(reason) = step {
            self.epoch_origin = Some(dts);
            out.epoch(dts, reason);
        }
        out.frame(frame);
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
        // Where the input itself puts decoding after presentation, decode times run ahead of it from here on.
        if offset.as_nanos() < -track.tick || step == Step::Back {
            self.repairs.add(Repair::Reorder);
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
        for track in &mut self.tracks {
            track.restart();
        }
    }

    fn frame(&mut self, now: Instant, frame: MediaFrame, out: &mut FilterOut) {
        if frame.is_config() {
            out.frame(frame);
            return;
        }
        let at = self.index_of(&frame);
        // The track is taken out while it is worked on, so that the others can be looked at.
        let mut track = self.tracks.swap_remove(at);
        if track.is_continuous() {
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

/// The period of the wire clock that explains a step as a wrap.
fn wrapped(delta: MediaTime, back: MediaTime, ahead: MediaTime) -> Option<MediaTime> {
    WRAPS
        .into_iter()
        .map(MediaTime::from_nanos)
        .find(|&period| (-back..=ahead).contains(&(delta + period)))
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
        }
    }
}
