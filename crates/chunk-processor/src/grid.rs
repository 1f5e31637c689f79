//! The exact times behind a coarse clock: anchor + n · period, while the wire agrees.

use core_frame::MediaTime;

/// Length of a frame as a fraction of a second, kept exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// Ticks a frame.
    pub(crate) ticks: u32,
    /// Ticks a second.
    pub(crate) hz: u32,
}

impl Period {
    /// `None` when either is 0 or a frame is shorter than 0.1 ms or longer than 10 s.
    pub(crate) fn new(ticks: u32, hz: u32) -> Option<Self> {
        let sane = ticks > 0
            && hz > 0
            && u64::from(ticks) * 10_000 >= u64::from(hz)
            && u64::from(ticks) <= u64::from(hz) * 10;
        sane.then_some(Self { ticks, hz })
    }

    /// Length of `n` frames.
    pub(crate) fn times(self, n: i64) -> MediaTime {
        MediaTime::from_ticks(n.saturating_mul(i64::from(self.ticks)), self.hz)
            .unwrap_or(MediaTime::MAX)
    }

    pub(crate) fn nanos(self) -> i64 {
        self.times(1).as_nanos()
    }
}

/// How a frame stands to the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The wire agrees within 1.5 of its ticks.
    Exact,
    /// The wire runs away; the grid followed, by one tick, or by a quarter of the way where that is more.
    Drift,
    /// Frames are missing before this one.
    Gap,
    /// The wire is behind, as when a sender puts several frames under one time stamp.
    Behind,
    /// The wire went elsewhere; the grid starts anew there.
    Moved,
}

/// How strictly the grid is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Audio: the sample count rules, jitter of the wire is smoothed.
    Samples,
    /// Video: the rate is a guess that jitter disproves; whole missing frames do not.
    Frames,
}

/// The grid of one track, in the input's time.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    period: Period,
    /// Tick of the wire, nanoseconds.
    tick: i64,
    manner: Manner,
    anchor: Option<MediaTime>,
    n: i64,
    behind: u32,
    /// Rises with each misfit, falls with each fit.
    doubt: u32,
}

/// Frames in a row that may stand behind the grid before it gives in.
const BEHIND_LIMIT: u32 = 32;
const DOUBT_STEP: u32 = 40;
const DOUBT_LIMIT: u32 = 110;

impl Grid {
    pub(crate) fn new(period: Period, tick: i64, manner: Manner) -> Self {
        Self {
            period,
            tick: tick.max(1),
            manner,
            anchor: None,
            n: 0,
            behind: 0,
            doubt: 0,
        }
    }

    pub(crate) fn period(&self) -> Period {
        self.period
    }

    /// Forgets where it was: the next frame is the new anchor.
    pub(crate) fn reset(&mut self) {
        self.anchor = None;
        self.behind = 0;
    }

    /// True when the period has proved wrong and the grid should be given up.
    pub(crate) fn refuted(&self) -> bool {
        self.doubt >= DOUBT_LIMIT
    }

    /// The exact time of the next frame, which the wire puts at `wire`.
    pub(crate) fn place(&mut self, wire: MediaTime) -> (MediaTime, Fit) {
        let Some(anchor) = self.anchor else {
            self.anchor_at(wire);
            return (wire, Fit::Exact);
        };
        let error = (wire - (anchor + self.period.times(self.n + 1))).as_nanos();
        let fit = self.judge(error);
        match fit {
            Fit::Exact | Fit::Behind => self.n += 1,
            Fit::Drift => {
                self.n += 1;
                let ticks = (error / 4 / self.tick).abs().max(1) * error.signum();
                self.anchor = Some(anchor + MediaTime::from_nanos(self.tick * ticks));
            }
            Fit::Gap => self.n += 1 + self.missing(error),
            Fit::Moved => self.anchor_at(wire),
        }
        self.weigh(fit);
        (self.here().unwrap_or(wire), fit)
    }

    /// Whole periods nearest to a distance.
    pub(crate) fn snap(&self, distance: MediaTime) -> MediaTime {
        let whole = self.period.times(self.missing(distance.as_nanos()));
        if (distance - whole).abs().as_nanos() <= self.tolerance() {
            whole
        } else {
            distance
        }
    }

    fn here(&self) -> Option<MediaTime> {
        self.anchor.map(|a| a + self.period.times(self.n))
    }

    fn anchor_at(&mut self, wire: MediaTime) {
        self.anchor = Some(wire);
        self.n = 0;
    }

    fn judge(&self, error: i64) -> Fit {
        let (period, tolerance) = (self.period.nanos(), self.tolerance());
        let size = error.saturating_abs();
        if size <= tolerance {
            return Fit::Exact;
        }
        if size < period / 2 {
            return Fit::Drift;
        }
        if error < 0 {
            let patient = self.manner == Manner::Samples && self.behind < BEHIND_LIMIT;
            return if patient { Fit::Behind } else { Fit::Moved };
        }
        let rest = error.saturating_sub(self.period.times(self.missing(error)).as_nanos());
        if rest.saturating_abs() <= tolerance {
            Fit::Gap
        } else {
            Fit::Moved
        }
    }

    fn weigh(&mut self, fit: Fit) {
        self.behind = if fit == Fit::Behind {
            self.behind + 1
        } else {
            0
        };
        let held = match fit {
            Fit::Exact | Fit::Behind => true,
            Fit::Gap => self.manner == Manner::Frames,
            Fit::Drift => self.manner == Manner::Samples,
            Fit::Moved => false,
        };
        self.doubt = if held {
            self.doubt.saturating_sub(1)
        } else {
            self.doubt + DOUBT_STEP
        };
    }

    fn missing(&self, nanos: i64) -> i64 {
        let period = self.period.nanos().max(1);
        nanos.saturating_add(period / 2 * nanos.signum()) / period
    }

    fn tolerance(&self) -> i64 {
        self.tick + self.tick / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn aac() -> Grid {
        let period = Period::new(1_024, 44_100).unwrap();
        Grid::new(period, MS, Manner::Samples)
    }

    fn ms(t: i64) -> MediaTime {
        MediaTime::from_millis(t)
    }

    #[test]
    fn whole_milliseconds_become_sample_times() {
        let mut grid = aac();
        for n in 0..10_000_i64 {
            let exact = MediaTime::from_ticks(n * 1_024, 44_100).unwrap();
            let floor = ms(exact.as_nanos() / MS);
            assert_eq!(grid.place(floor), (exact, Fit::Exact), "{n}");
        }
    }

    #[test]
    fn a_missing_frame_keeps_the_phase() {
        let mut grid = aac();
        for n in [0, 1, 2, 5, 6] {
            let exact = MediaTime::from_ticks(n * 1_024, 44_100).unwrap();
            let (time, fit) = grid.place(ms(exact.as_millis()));
            assert_eq!(time, exact);
            assert_eq!(fit == Fit::Gap, n == 5);
        }
    }

    #[test]
    fn drift_is_followed_by_whole_ticks() {
        let mut grid = aac();
        // 1000 ppm fast.
        let mut drifts = 0;
        for n in 0..20_000_i64 {
            let wire = ms(n * 1_024 * 1_001 / 44_100);
            let (time, fit) = grid.place(wire);
            assert!((time - wire).abs() <= MediaTime::from_micros(2_500), "{n}");
            drifts += u32::from(fit == Fit::Drift);
        }
        assert!((440..=480).contains(&drifts), "{drifts}");
        assert!(!grid.refuted());
    }

    #[test]
    fn frames_under_one_stamp_are_spread() {
        let mut grid = aac();
        for n in 0..400_i64 {
            let bundle = n - n % 4;
            let exact = MediaTime::from_ticks(n * 1_024, 44_100).unwrap();
            let first = MediaTime::from_ticks(bundle * 1_024, 44_100).unwrap();
            assert_eq!(grid.place(ms(first.as_millis())).0, exact, "{n}");
        }
    }

    #[test]
    fn a_wrong_rate_is_refuted() {
        let mut grid = Grid::new(Period::new(1, 30).unwrap(), MS, Manner::Frames);
        let mut wire = 0;
        for n in 0..20 {
            wire += [17, 45, 28, 71][n % 4];
            grid.place(ms(wire));
        }
        assert!(grid.refuted());
        let mut grid = Grid::new(Period::new(1, 30).unwrap(), MS, Manner::Frames);
        let held = (0..3_000).all(|n| {
            grid.place(ms(n * 1001 / 30));
            !grid.refuted()
        });
        assert!(!held, "29.97 is not 30");
    }

    #[test]
    fn no_value_panics() {
        let mut grid = aac();
        for wire in [0, i64::MAX, i64::MIN, -1, i64::MAX, 1] {
            grid.place(MediaTime::from_nanos(wire));
            grid.snap(MediaTime::from_nanos(wire));
        }
    }
}
