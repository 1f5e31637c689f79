//! The clock of a program: 33 bits of 90 kHz, made wide once for everything that belongs together.

use core_frame::{MediaTime, Unwrapper};

use crate::pes::PTS_HZ;

/// A step further than this needs a second value to bear it out: a flipped high bit must not move the timeline.
const PLAUSIBLE: i64 = 60 * PTS_HZ as i64;

/// Widens the times of one program. Clock references, presentation and decode times of all its streams share one, so
/// that they wrap together.
#[derive(Clone, Debug)]
pub(super) struct ProgramClock {
    unwrapper: Unwrapper,
    last: Option<i64>,
    stray: Option<i64>,
}

impl ProgramClock {
    pub(super) const fn new() -> Self {
        Self {
            unwrapper: Unwrapper::new(33),
            last: None,
            stray: None,
        }
    }

    /// The wide value of `ticks`, in ticks of 90 kHz.
    pub(super) fn widen(&mut self, ticks: u64) -> i64 {
        let mut next = self.unwrapper.clone();
        let wide = next.unwrap(ticks);
        let near = |other: Option<i64>| other.is_some_and(|o| (wide - o).abs() <= PLAUSIBLE);
        if self.last.is_none() || near(self.last) || near(self.stray) {
            self.unwrapper = next;
            self.last = Some(wide);
            self.stray = None;
        } else {
            self.stray = Some(wide);
        }
        wide
    }

    /// The last time that was told.
    pub(super) fn now(&self) -> Option<MediaTime> {
        self.last.map(media_time)
    }
}

pub(super) fn media_time(ticks: i64) -> MediaTime {
    MediaTime::from_ticks(ticks, PTS_HZ).unwrap_or(MediaTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stray_value_moves_nothing() {
        let mut clock = ProgramClock::new();
        assert_eq!(clock.widen(1_000), 1_000);
        for bit in 23..33 {
            clock.widen(2_000 ^ (1 << bit));
            assert_eq!(clock.widen(2_000), 2_000, "bit {bit}");
        }
    }

    #[test]
    fn wraps_and_jumps() {
        let top = (1 << 33) - 10;
        let mut clock = ProgramClock::new();
        assert_eq!(clock.widen(top), top as i64);
        assert_eq!(clock.widen(90_000 - 10), top as i64 + 90_000);
        // An hour on: the second value counts.
        let hour = 3_600 * 90_000;
        let wide = clock.widen(hour);
        assert_eq!(clock.now(), Some(media_time(top as i64 + 90_000)));
        clock.widen(hour + 3_000);
        assert_eq!(clock.now(), Some(media_time(wide + 3_000)));
    }
}
