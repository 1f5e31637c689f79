//! What a timeline remembers of one track.

use std::time::Instant;

use core_frame::bytes::Bytes;
use core_frame::{CodecId, MediaFrame, MediaKind, MediaTime, SideData, TrackId, TrackInfo};

use crate::decode::Reorder;
use crate::drift::Drift;
use crate::grid::{Fit, Grid, Manner, Period};
use crate::rate::Learner;

/// One track: its clock, its grid, and how its input maps to the stream's timeline.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) kind: MediaKind,
    /// Tick of the wire, nanoseconds.
    pub(crate) tick: i64,
    /// Length of a frame, as told by the sender.
    told: Option<Period>,
    /// Out = in + shift + slew.
    pub(crate) shift: MediaTime,
    /// How far it runs away from the stream's clock.
    pub(crate) drift: Drift,
    /// Decode times where the sender's are missing or wrong; video only.
    pub(crate) reorder: Reorder,
    /// Where the last frame stands on the timeline, before it was made to rise.
    pub(crate) at: MediaTime,
    /// Input time less the wall-clock time the sender told with it, nanoseconds.
    wall: Option<i128>,
    /// It stepped back and is squeezed until it has caught up with itself.
    pub(crate) squeezed: bool,
    /// The payload of the last frame: the same again at the same time is a duplicate.
    last_payload: Bytes,
    /// The last frame was such a duplicate.
    repeated: bool,
    /// The sender gives one time stamp to several frames.
    bundles: bool,
    /// The mapping before a step forward that no other track made and no time of arrival bore out, and where that was.
    pub(crate) closed: Option<(MediaTime, MediaTime)>,
    /// The other tracks made that step too: it is a gap after all, and comes with the next frame.
    pub(crate) reopened: bool,
    /// False until its first frame under the present publisher.
    pub(crate) started: bool,
    pub(crate) last_in: MediaTime,
    /// Decode time of the last frame as the sender gave it.
    last_wire: MediaTime,
    /// Decode time of the last frame put out; survives a change of publisher.
    pub(crate) last_out: Option<MediaTime>,
    pub(crate) last_seen: Option<Instant>,
    /// Frames in a row whose clock stood.
    pub(crate) still: u32,
    /// The clock stands: frames advance by the nominal step.
    pub(crate) slipping: bool,
    /// Decode times go out this much earlier than they came, so that presentation never precedes them.
    pub(crate) lead: MediaTime,
    /// Decode time of the last frame as it would be without `lead`.
    pub(crate) unled: MediaTime,
    grid: Option<Grid>,
    learner: Learner,
    /// Frames until a refuted grid is tried again.
    cooldown: u32,
    /// Mean step of a track without a grid.
    mean_step: i64,
}

/// Frames a track goes without its grid after it was refuted.
const COOLDOWN: u32 = 256;
/// Wall-clock times of two tracks that put them further apart than 10 s are not of one clock.
const SANE_WALL: u64 = 10_000_000_000;
/// Step taken for a track of unknown rate: 25 a second.
const UNKNOWN_STEP: i64 = 40_000_000;

impl Track {
    /// For a frame whose track nobody announced.
    pub(crate) fn unannounced(frame: &MediaFrame) -> Self {
        Self::with(frame.track, frame.codec, 1_000, None)
    }

    pub(crate) fn new(info: &TrackInfo) -> Self {
        let mut track = Self::with(info.id, info.codec, info.timescale, period_of(info));
        track.reorder = Reorder::told(info.video.and_then(|v| v.reorder_depth));
        track
    }

    fn with(id: TrackId, codec: CodecId, timescale: u32, told: Option<Period>) -> Self {
        let mut track = Self {
            id,
            kind: codec.kind(),
            tick: 1_000_000_000 / i64::from(timescale.max(1)),
            told,
            shift: MediaTime::ZERO,
            drift: Drift::default(),
            reorder: Reorder::default(),
            at: MediaTime::ZERO,
            wall: None,
            squeezed: false,
            last_payload: Bytes::new(),
            repeated: false,
            bundles: false,
            closed: None,
            reopened: false,
            started: false,
            last_in: MediaTime::ZERO,
            last_wire: MediaTime::ZERO,
            last_out: None,
            last_seen: None,
            still: 0,
            slipping: false,
            lead: MediaTime::ZERO,
            unled: MediaTime::MIN,
            grid: None,
            learner: Learner::default(),
            cooldown: 0,
            mean_step: UNKNOWN_STEP,
        };
        track.install_grid();
        track
    }

    /// The sender describes the track again; what has been put out stays.
    pub(crate) fn update(&mut self, info: &TrackInfo) {
        let fresh = Self::new(info);
        self.reorder.tell(info.video.and_then(|v| v.reorder_depth));
        if (fresh.kind, fresh.tick, fresh.told) != (self.kind, self.tick, self.told) {
            self.kind = fresh.kind;
            self.tick = fresh.tick;
            self.told = fresh.told;
            self.mean_step = UNKNOWN_STEP;
            self.cooldown = 0;
            self.install_grid();
        }
    }

    /// Another publisher: what was learnt of the old one's clock is void.
    pub(crate) fn restart(&mut self) {
        self.started = false;
        self.slipping = false;
        self.still = 0;
        self.lead = MediaTime::ZERO;
        self.cooldown = 0;
        self.mean_step = UNKNOWN_STEP;
        self.drift.restart();
        self.reorder.restart();
        self.wall = None;
        self.squeezed = false;
        self.last_payload = Bytes::new();
        self.repeated = false;
        self.bundles = false;
        self.closed = None;
        self.reopened = false;
        self.install_grid();
    }

    /// True for a frame that came just before, byte for byte and with the same times. Sound of a sender that gives one time to several frames may
    /// well repeat itself: silence does.
    pub(crate) fn is_duplicate(&mut self, frame: &MediaFrame) -> bool {
        let again = self.started && frame.dts == self.last_wire;
        let same = again && frame.payload == self.last_payload;
        // A second repetition is no accident either.
        self.bundles |= again && (!same || self.repeated);
        self.repeated = same && !self.bundles;
        if self.repeated {
            return true;
        }
        self.last_wire = frame.dts;
        self.last_payload = frame.payload.clone();
        false
    }

    /// Maps the input so that `wire` is put out at `at`.
    pub(crate) fn anchor(&mut self, at: MediaTime, wire: MediaTime) {
        self.shift = at + self.lead - wire - self.drift.slew();
    }

    /// Takes note of the wall-clock time that came with a frame at `exact` of the input.
    pub(crate) fn note_wall(&mut self, frame: &MediaFrame, exact: MediaTime) {
        for side in frame.side.iter().flat_map(|side| side.iter()) {
            if let SideData::WallClock(wall) = side {
                self.wall = Some(i128::from(exact.as_nanos()) - wall.unix_nanos());
            }
        }
    }

    /// How far ahead of `reference` this track stands by the wall-clock times of both, where they tell them and the answer makes sense.
    pub(crate) fn ahead_by_wall(&self, reference: &Self) -> Option<MediaTime> {
        let place = |t: &Self| {
            let mapped = (t.shift + t.drift.slew()).as_nanos();
            Some(t.wall? + i128::from(mapped))
        };
        let ahead = i64::try_from(place(self)?.checked_sub(place(reference)?)?).ok()?;
        (ahead.unsigned_abs() <= SANE_WALL).then_some(MediaTime::from_nanos(ahead))
    }

    /// The input's clock went elsewhere; the rate holds.
    pub(crate) fn break_grid(&mut self) {
        self.unled = MediaTime::MIN;
        self.wall = None;
        if let Some(grid) = &mut self.grid {
            grid.reset();
        }
        self.learner.reset();
    }

    /// True for tracks that are clocked by their frames, and not only now and then.
    pub(crate) const fn is_continuous(&self) -> bool {
        matches!(self.kind, MediaKind::Video | MediaKind::Audio)
    }

    /// Length of a frame: exact, told, or the mean so far.
    pub(crate) fn nominal(&self) -> MediaTime {
        match (&self.grid, self.told) {
            (Some(grid), _) => grid.period().times(1),
            (None, Some(told)) if self.kind == MediaKind::Video => told.times(1),
            _ => MediaTime::from_nanos(self.mean_step),
        }
    }

    /// The exact length of the next frame, where it is known.
    pub(crate) fn exact_duration(&self) -> Option<MediaTime> {
        self.grid.as_ref().map(|grid| grid.period().times(1))
    }

    /// Where the track's next frame would be put out.
    pub(crate) fn end(&self) -> Option<MediaTime> {
        self.last_out.map(|out| out + self.nominal())
    }

    /// A frame's exact time on the input's clock.
    pub(crate) fn place(&mut self, wire: MediaTime, regular: bool) -> (MediaTime, Option<Fit>) {
        if regular && self.started {
            let step = (wire - self.last_in).as_nanos();
            self.mean_step += (step - self.mean_step) / 16;
        }
        if let Some(grid) = &mut self.grid {
            let (time, fit) = grid.place(wire);
            if grid.refuted() {
                self.grid = None;
                self.learner.reset();
                self.cooldown = COOLDOWN;
                return (wire, None);
            }
            return (time, Some(fit));
        }
        self.look_for_grid(wire, regular);
        (wire, None)
    }

    /// A composition offset without the rounding of the wire.
    pub(crate) fn exact_composition(&self, offset: MediaTime) -> MediaTime {
        self.grid.as_ref().map_or(offset, |grid| grid.snap(offset))
    }

    fn look_for_grid(&mut self, wire: MediaTime, regular: bool) {
        if !regular {
            self.learner.reset();
        }
        self.cooldown = self.cooldown.saturating_sub(1);
        match self.kind {
            MediaKind::Video => {
                if let Some(period) = self.learner.see(wire, self.tick) {
                    self.start_grid(period, Manner::Frames, wire);
                }
            }
            MediaKind::Audio if self.cooldown == 0 => {
                if let Some(period) = self.told {
                    self.start_grid(period, Manner::Samples, wire);
                }
            }
            _ => {}
        }
    }

    fn start_grid(&mut self, period: Period, manner: Manner, wire: MediaTime) {
        let mut grid = Grid::new(period, self.tick, manner);
        grid.place(wire);
        self.grid = Some(grid);
    }

    fn install_grid(&mut self) {
        self.learner.reset();
        let manner = match self.kind {
            MediaKind::Video => Manner::Frames,
            _ => Manner::Samples,
        };
        self.grid = self
            .told
            .filter(|_| self.is_continuous())
            .map(|period| Grid::new(period, self.tick, manner));
    }
}

fn period_of(info: &TrackInfo) -> Option<Period> {
    if let Some((frames, seconds)) = info.video.and_then(|v| v.frame_rate) {
        return Period::new(seconds, frames);
    }
    let audio = info.audio?;
    Period::new(audio.frame_samples, audio.sample_rate)
}
