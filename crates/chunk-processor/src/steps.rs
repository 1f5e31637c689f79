//! Judging the steps of the input's clock: regular, back, gap, jump, wrap, stand-still.

use std::time::Instant;

use core_frame::{EpochReason, MediaTime, Repair};

use crate::timeline::{LATEST_START, Timeline};
use crate::track::Track;

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

/// A track that has sent within this time is running.
const LIVE: MediaTime = MediaTime::from_secs(1);

/// What a step of the input's clock turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
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
    /// The first frame of a track under this publisher.
    pub(crate) fn start(&mut self, track: &mut Track, wire: MediaTime) -> Step {
        let end = self.end().max(track.end());
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
    pub(crate) fn step(&mut self, track: &mut Track, wire: MediaTime, now: Instant) -> Step {
        let limits = self.config;
        let delta = wire - track.last_in;
        let still = delta.abs().as_nanos() < track.tick.max(1);
        track.still = if still { track.still + 1 } else { 0 };
        if std::mem::take(&mut track.reopened) {
            return Step::Gap;
        }
        if track.slipping {
            return self.slip(track, wire, delta, still, now);
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
            track.closed = None;
            track.anchor(self.end_with(track), wire);
            return epoch;
        }
        if delta > MediaTime::ZERO && delta <= limits.gap {
            return Step::Regular;
        }
        if self.adopt(track, wire, delta, now) {
            return Step::Moved;
        }
        if delta < -limits.jump_back || delta > limits.jump_forward {
            if let Some(period) = wrapped(delta, limits.jump_back, limits.jump_forward) {
                track.shift += period;
                track.closed = None;
                self.remember(track.shift);
                self.repairs.add(Repair::Wrap);
                return Step::Moved;
            }
            if delta < MediaTime::ZERO || !self.is_silence(track, wire, delta, now) {
                self.repairs.add(Repair::Jump);
                // The clock that ran away is gone.
                track.drift.drop_slew();
                track.closed = None;
                let before = track.shift;
                track.anchor(self.place_of(track, now), wire);
                self.take_along(before, track.shift);
                self.remember(track.shift);
                return self.new_epoch(track);
            }
        } else if delta > MediaTime::ZERO && self.is_alone(track, wire, delta, now) {
            self.repairs.add(Repair::Jump);
            track.closed = Some((track.shift, track.at));
            let passed = passed(track, now).max(track.nominal());
            track.shift = track.shift - delta + passed;
            return Step::Moved;
        }
        if delta > MediaTime::ZERO {
            self.reopen(track.shift);
            Step::Gap
        } else {
            Step::Back
        }
    }

    /// A clock that stood still: does it stand on, go on, or come back to where it should be?
    fn slip(
        &mut self,
        track: &mut Track,
        wire: MediaTime,
        delta: MediaTime,
        still: bool,
        now: Instant,
    ) -> Step {
        if still {
            track.anchor(track.end().unwrap_or_default(), wire);
            return Step::Moved;
        }
        track.slipping = false;
        if self.adopt(track, wire, delta, now) {
            return Step::Moved;
        }
        if delta < MediaTime::ZERO || delta > self.config.gap {
            track.anchor(self.end_with(track), wire);
        }
        self.remember(track.shift);
        Step::Moved
    }

    /// Takes another track's mapping, or the one before a jump, when that puts the frame where it belongs: the other tracks of a source follow
    /// the one that jumped first, and a lone wild time stamp does no lasting harm.
    fn adopt(
        &mut self,
        track: &mut Track,
        wire: MediaTime,
        delta: MediaTime,
        now: Instant,
    ) -> bool {
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
        let slew = track.drift.slew();
        // How long nothing came; where it was long, what agrees with it best is believed.
        let silence = passed(track, now) - track.nominal();
        let own = (wire + track.shift + slew - next - silence).abs();
        let fits = |shift: Option<MediaTime>, slew: MediaTime| {
            shift.filter(|&shift| {
                let miss = wire + shift + slew - next;
                let agrees = silence > limits.gap
                    && silence <= limits.max_gap
                    && (miss - silence).abs() < own.min(limits.gap);
                let near = miss >= -limits.jump_back && miss <= ahead;
                shift != track.shift && (near || agrees)
            })
        };
        let [newest, before] = self.shared;
        if let Some(shift) = fits(newest, slew) {
            track.shift = shift;
        } else if let Some(shift) = fits(newest, MediaTime::ZERO) {
            // The sender's clocks start anew, in step.
            track.shift = shift;
            track.drift.drop_slew();
        } else if let Some(shift) =
            fits(before, slew).filter(|_| wild || !borne_out(track, delta, now))
        {
            track.shift = shift;
            self.shared.swap(0, 1);
            self.repairs.add(Repair::Jump);
        } else {
            return false;
        }
        track.closed = None;
        true
    }

    /// True when this track steps forward while another, on the same clock, goes on where it was, and no such time has passed here: media that
    /// is really missing leaves a silence of its own length.
    fn is_alone(&self, track: &Track, wire: MediaTime, delta: MediaTime, now: Instant) -> bool {
        let half = MediaTime::from_nanos(delta.as_nanos() / 2);
        let usual = MediaTime::from_nanos(track.nominal().as_nanos().saturating_mul(4));
        if delta <= usual || borne_out(track, delta, now) {
            return false;
        }
        let place = wire + track.shift;
        let mut live = self.tracks.iter().filter(|t| {
            t.is_continuous() && t.started && t.shift == track.shift && passed(t, now) <= LIVE
        });
        let behind = |t: &Track| t.last_out.is_some_and(|out| place - out >= half);
        live.next().is_some_and(behind) && live.all(behind)
    }

    /// Other tracks that just made a step back too small to be called a jump made the same one.
    fn take_along(&mut self, before: MediaTime, shift: MediaTime) {
        let most = self.config.jump_back + self.config.jump_back;
        let same_step = (MediaTime::ZERO..=most).contains(&(shift - before));
        for track in &mut self.tracks {
            if track.squeezed && track.shift == before && same_step {
                track.squeezed = false;
                track.shift = shift;
                track.break_grid();
            }
        }
    }

    /// A track makes the step that others were alone with: it was a gap of them all.
    fn reopen(&mut self, shift: MediaTime) {
        for track in &mut self.tracks {
            let soon =
                |(before, at): &(MediaTime, MediaTime)| *before == shift && track.at - *at <= LIVE;
            if track.closed.take_if(|c| soon(c)).is_some() {
                track.shift = shift;
                track.reopened = true;
            }
        }
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
        (passed(track, now) - delta).abs() <= MediaTime::from_secs(2)
    }

    /// Where a track whose clock jumped goes on: right after itself, or as much later as it was silent, but not further than the others are.
    fn place_of(&self, track: &Track, now: Instant) -> MediaTime {
        let (all, own) = (self.end_with(track), track.end().unwrap_or_default());
        let silence = passed(track, now) - track.nominal();
        let place = if silence > self.config.gap {
            (own + silence).min(all)
        } else {
            own
        };
        if all - place > self.config.gap {
            all
        } else {
            place
        }
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
}

/// The period of the wire clock that explains a step as a wrap.
fn wrapped(delta: MediaTime, back: MediaTime, ahead: MediaTime) -> Option<MediaTime> {
    WRAPS
        .into_iter()
        .map(MediaTime::from_nanos)
        .find(|&period| (-back..=ahead).contains(&(delta + period)))
}

/// Time since the track's last frame came.
fn passed(track: &Track, now: Instant) -> MediaTime {
    let since = |seen| MediaTime::from(now.saturating_duration_since(seen));
    track.last_seen.map_or(MediaTime::ZERO, since)
}

/// True when a step forward is about as long as nothing came.
pub(crate) fn borne_out(track: &Track, delta: MediaTime, now: Instant) -> bool {
    let half = MediaTime::from_nanos(delta.as_nanos() / 2);
    delta > MediaTime::ZERO && passed(track, now) >= half
}
