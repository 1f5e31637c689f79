//! How far a track runs away from the stream's clock, and the slow way back.

use core_frame::MediaTime;

/// Least length of a stretch over which offsets are averaged, and least number of them.
const WINDOW: i64 = 1_000_000_000;
const WINDOW_SAMPLES: u32 = 8;
/// Stretches from which the normal offset is taken.
const BASELINE: usize = 4;
/// Offsets within this, and a quarter of their scatter, of the normal one are normal.
const BAND: f64 = 8e6;
/// A correction ends within this of the normal offset.
const HOME: f64 = 2e6;
/// Stretches in a row that must be off before anything is corrected.
const PATIENCE: u32 = 3;
/// Offset above which the correction is quick.
const FAR: f64 = 25e6;
/// Scatter that a stretch has beyond one and a half times the usual only where something changes inside it.
const MORE: f64 = 10e6;
/// A change that no drift explains, even one that is being corrected.
const ABRUPT: f64 = 100e6;
/// A change above this from one stretch to the next, and beyond half of the scatter, is a step, unless it goes on for more than
/// [`PATIENCE`] stretches: then it is a clock that is plainly wrong.
const STEP: f64 = 12e6;
/// A change beyond this is another arrangement of the sender, whatever came before it.
const OTHER: f64 = 1e9;
/// Drift that is told from the first stretches at once, as a fraction.
const PLAIN: f64 = 5e-3;
/// The fastest correction: a tenth of the time that passes.
const FASTEST: f64 = 0.1;
/// Stretches after a step of the input's clock during which a change of offset is taken for its doing.
const AFTERMATH: u32 = 3;

/// How strongly an offset is answered.
struct Gain {
    /// Per second of offset, as a fraction; no more than `most`.
    now: f64,
    most: f64,
    /// Change of the lasting rate, per second of offset and second; 0 where it follows the trend instead.
    lasting: f64,
}

/// Not to be heard or seen: 1 000 parts in a million.
const SLOW: Gain = Gain {
    now: 0.05,
    most: 1e-3,
    lasting: 5e-4,
};
/// For clocks that are plainly wrong, and after a step.
const QUICK: Gain = Gain {
    now: 0.25,
    most: FASTEST,
    lasting: 0.0,
};

/// Follows one track against the stream's clock.
///
/// What is watched is where the track stands each time a frame of the reference track arrives: in a stream without drift that offset scatters
/// within one frame of the track for ever, however bursty the network is, because bursts change the time of arrival but not its order.
/// Where senders tell wall-clock time on both tracks, their difference is watched instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    window: Window,
    first: [f64; BASELINE],
    collected: usize,
    /// The normal offset, nanoseconds; `None` until it is known.
    normal: Option<f64>,
    /// Mean of the last stretch without what is corrected here.
    last_raw: Option<f64>,
    usual_scatter: f64,
    /// How fast the track ran away over each of the last stretches, as a fraction.
    recent: [f64; 3],
    off: u32,
    off_sign: f64,
    active: bool,
    /// Part of the rate that stays when the offset is normal.
    lasting: f64,
    rate: f64,
    /// Nanoseconds due and not yet a whole tick.
    due: f64,
    /// Corrected so far, whole ticks.
    slew: MediaTime,
    aftermath: u32,
    /// What the steps of the last stretches come to, nanoseconds: two frames that changed places come to nothing.
    jolted: f64,
    /// Steps in a row, and what they moved the normal offset by.
    steps: u32,
    moved: f64,
    /// What is corrected is a step and says nothing of the rate.
    stepped: bool,
    by_wall: bool,
}

#[derive(Clone, Debug, Default)]
struct Window {
    start: Option<MediaTime>,
    sum: f64,
    raw: f64,
    least: f64,
    most: f64,
    count: u32,
}

impl Drift {
    /// What is added to the track's times.
    pub(crate) fn slew(&self) -> MediaTime {
        self.slew
    }

    /// Nothing is known of the track's clock any more.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Offsets mean something else from now on; what is corrected stays.
    pub(crate) fn relearn(&mut self) {
        if !self.by_wall {
            *self = Self {
                slew: self.slew,
                lasting: self.lasting,
                rate: self.lasting,
                due: self.due,
                ..Self::default()
            };
        }
    }

    /// The track's clock was replaced by one that is in step; what is normal stays.
    pub(crate) fn drop_slew(&mut self) {
        self.slew = MediaTime::ZERO;
        self.due = 0.0;
        self.step();
    }

    /// The clock of this track or of the reference jumped: the stretch at hand says nothing, and a change that follows is its doing.
    pub(crate) fn step(&mut self) {
        self.window = Window::default();
        self.jolt(MediaTime::MAX, true);
    }

    /// The clock of this track or of the reference made a step of this size; where it was `odd`, a change that follows is its doing.
    pub(crate) fn jolt(&mut self, size: MediaTime, odd: bool) {
        if odd {
            self.aftermath = AFTERMATH;
        }
        self.jolted += size.as_nanos() as f64;
    }

    /// The track stands at `offset` from the reference, whose frame at `reference` arrives now.
    pub(crate) fn sample(&mut self, reference: MediaTime, offset: MediaTime, by_wall: bool) {
        if by_wall && !self.by_wall {
            let slew = self.slew;
            *self = Self {
                by_wall,
                slew,
                normal: Some(0.0),
                ..Self::default()
            };
        } else if by_wall != self.by_wall {
            return;
        }
        let nanos = offset.as_nanos() as f64;
        let window = &mut self.window;
        let start = *window.start.get_or_insert(reference);
        if window.count == 0 {
            (window.least, window.most) = (nanos, nanos);
        }
        window.sum += nanos;
        window.raw += nanos - self.slew.as_nanos() as f64;
        window.least = window.least.min(nanos);
        window.most = window.most.max(nanos);
        window.count += 1;
        let span = (reference - start).as_nanos();
        if span >= WINDOW && window.count >= WINDOW_SAMPLES {
            let done = std::mem::take(&mut self.window);
            self.close(&done, span as f64 / 1e9);
        } else if span < 0 {
            self.window = Window::default();
        }
    }

    /// The track moves on by `step`: whole ticks of correction that are due with it, in nanoseconds.
    pub(crate) fn advance(&mut self, step: MediaTime, tick: i64) -> MediaTime {
        if self.rate == 0.0 || step <= MediaTime::ZERO || step.as_nanos() > WINDOW {
            return MediaTime::ZERO;
        }
        self.due += step.as_nanos() as f64 * self.rate;
        let tick = tick.max(1);
        let ticks = (self.due / tick as f64) as i64;
        let whole = MediaTime::from_nanos(ticks.saturating_mul(tick));
        self.due -= whole.as_nanos() as f64;
        self.slew += whole;
        whole
    }

    fn close(&mut self, window: &Window, seconds: f64) {
        let count = f64::from(window.count);
        let (mean, raw) = (window.sum / count, window.raw / count);
        let scatter = window.most - window.least;
        let usual = self.last_raw.map_or(scatter, |_| self.usual_scatter);
        self.usual_scatter = (usual + scatter) / 2.0;
        if self.normal.is_some() && scatter > 1.5 * usual + MORE {
            // The change lies inside this stretch.
            return;
        }
        let change = raw - self.last_raw.unwrap_or(raw);
        self.last_raw = Some(raw);
        let band = BAND + scatter.max(usual) / 4.0;
        self.aftermath = self.aftermath.saturating_sub(1);
        if self.aftermath == 0 {
            self.jolted = 0.0;
        }
        let trend = change / (seconds * 1e9);
        let change = change + self.lasting * seconds * 1e9;
        let least = if self.active && !self.stepped && self.steps == 0 {
            ABRUPT
        } else {
            STEP
        };
        let step = change.abs() > least * seconds + scatter / 2.0 && !self.by_wall;
        let Some(normal) = self.normal else {
            if change.abs() > (ABRUPT * seconds).max(scatter) {
                self.collected = 0;
            }
            self.collect(raw, seconds);
            return;
        };
        let normal = self.settle(normal, change, step);
        self.recent = [self.recent[1], self.recent[2], trend];
        self.normal = Some(normal);
        self.answer(mean - normal, band, seconds);
    }

    /// What is normal after a change from one stretch to the next. The sender, or the way here, may deliver otherwise from now on; no clock
    /// does that. But a step of the input's own clock is to be mended, and a change that goes on is drift.
    fn settle(&mut self, normal: f64, change: f64, step: bool) -> f64 {
        let onward = step && change * self.moved >= 0.0;
        if !onward {
            self.steps = 0;
            self.moved = 0.0;
        }
        if !step {
            return normal;
        }
        let jolted = self.aftermath > 0 && self.jolted.abs() > STEP;
        if (jolted || self.stepped) && change.abs() <= OTHER {
            self.active = true;
            self.stepped = true;
            return normal;
        }
        self.steps += 1;
        if self.steps >= PATIENCE {
            // What was taken for steps was drift.
            self.active = true;
            return normal - std::mem::take(&mut self.moved);
        }
        self.moved += change;
        normal + change
    }

    fn collect(&mut self, raw: f64, seconds: f64) {
        if let Some(slot) = self.first.get_mut(self.collected) {
            *slot = raw;
            self.collected += 1;
        }
        let [a, b, c, d] = self.first;
        if self.collected < BASELINE {
            return;
        }
        let slope = (3.0 * (d - a) + (c - b)) / 10.0;
        let mean = (a + b + c + d) / 4.0;
        let steady = [b - a, c - b, d - c]
            .iter()
            .all(|step| (step - slope).abs() < slope.abs() / 2.0);
        if steady && slope.abs() > PLAIN * seconds * 1e9 {
            // It ran away from the first frame on; there it was in step.
            self.normal = Some(mean - slope * BASELINE as f64 / 2.0);
            let trend = slope / (seconds * 1e9);
            self.recent = [trend; 3];
            self.lasting = -trend.clamp(-FASTEST, FASTEST);
            self.rate = self.lasting;
            self.active = true;
        } else {
            self.normal = Some(mean);
        }
    }

    /// The middle one of the last three: one step is no trend.
    fn trend(&self) -> f64 {
        let [a, b, c] = self.recent;
        a.min(b).max(a.max(b).min(c))
    }

    fn answer(&mut self, error: f64, band: f64, seconds: f64) {
        if !self.active {
            let off = error.abs() > band;
            let same = error.signum() == self.off_sign;
            self.off = match (off, same) {
                (true, true) => self.off + 1,
                (true, false) => 1,
                (false, _) => 0,
            };
            self.off_sign = error.signum();
            self.active = self.off >= PATIENCE;
        }
        self.rate = self.lasting;
        if !self.active {
            return;
        }
        let gain = if error.abs() > FAR { QUICK } else { SLOW };
        let error = error / 1e9;
        if !self.stepped {
            let trend = self.trend();
            let plain = gain.lasting == 0.0 && trend.abs() > PLAIN;
            let lasting = self.lasting - gain.lasting * error * seconds;
            self.lasting = if plain { -trend } else { lasting }.clamp(-FASTEST, FASTEST);
        }
        let now = (-gain.now * error).clamp(-gain.most, gain.most);
        self.rate = (self.lasting + now).clamp(-FASTEST, FASTEST);
        if error.abs() * 1e9 < HOME {
            self.active = false;
            self.stepped = false;
            self.off = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: i64 = 1_000_000;

    /// A track against a reference at 25 frames a second, with an offset (ns) of its own at each time (s); the offsets that came out, one a
    /// second.
    fn follow(drift: &mut Drift, seconds: i64, offset: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut out = Vec::new();
        for n in 0..seconds * 25 {
            let t = n as f64 / 25.0;
            // One frame of scatter, as an interleaved stream has.
            let raw = offset(t) - (n * 40 % 21) as f64 * 1e6;
            let now = MediaTime::from_nanos(raw as i64) + drift.slew();
            drift.sample(MediaTime::from_millis(n * 40), now, false);
            drift.advance(MediaTime::from_millis(40), TICK);
            if n % 25 == 24 {
                out.push(offset(t) + drift.slew().as_nanos() as f64);
            }
        }
        out
    }

    #[test]
    fn a_steady_offset_is_left_alone() {
        for offset in [0.0, -5e9, 300e6] {
            let mut drift = Drift::default();
            follow(&mut drift, 3_600, |_| offset);
            assert_eq!(drift.slew(), MediaTime::ZERO);
        }
    }

    #[test]
    fn drift_stays_under_20_ms_and_is_corrected_without_haste() {
        for ppm in [-900.0, -200.0, 20.0, 200.0, 500.0] {
            let mut drift = Drift::default();
            let out = follow(&mut drift, 20_000, |t| t * ppm * 1e3);
            let worst = out.iter().fold(0.0_f64, |w, o| w.max(o.abs())) / 1e6;
            assert!(worst < 20.0, "{ppm} ppm: {worst} ms");
            let fastest = out
                .windows(2)
                .map(|w| (w[1] - w[0]).abs() / 1e3)
                .fold(0.0, f64::max);
            assert!(fastest < 3_000.0, "{ppm} ppm: {fastest} us a second");
        }
    }

    #[test]
    fn a_clock_that_is_plainly_wrong_is_caught() {
        for rate in [-0.05, 0.05, 0.02] {
            for begin in [0.0, 30.0] {
                let mut drift = Drift::default();
                let out = follow(&mut drift, 120, |t| (t - begin).max(0.0) * rate * 1e9);
                let end = out[60..].iter().fold(0.0_f64, |w, o| w.max(o.abs())) / 1e6;
                assert!(end < 40.0, "{rate} from {begin}: {end} ms");
            }
        }
    }

    #[test]
    fn other_delivery_is_no_drift_but_a_step_is_mended() {
        let mut drift = Drift::default();
        follow(&mut drift, 60, |t| if t < 30.0 { 0.0 } else { -5e9 });
        assert_eq!(drift.slew(), MediaTime::ZERO);
        for step in [-300e6, 450e6, 60e6] {
            let mut drift = Drift::default();
            follow(&mut drift, 10, |_| 0.0);
            drift.jolt(MediaTime::from_nanos(step as i64), true);
            let out = follow(&mut drift, 30, |_| step);
            assert!(out[20].abs() < 40e6, "{step}: {}", out[20]);
        }
    }

    #[test]
    fn no_value_panics() {
        let mut drift = Drift::default();
        for n in [i64::MIN, i64::MAX, 0, -1, 1, i64::MAX, i64::MIN] {
            for _ in 0..20 {
                drift.sample(MediaTime::from_nanos(n), MediaTime::from_nanos(n), n > 0);
                drift.advance(MediaTime::from_nanos(n), n);
            }
        }
    }
}
