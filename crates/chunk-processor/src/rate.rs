//! Learning the frame rate of a video track whose sender does not tell it, or tells a wrong one.

use core_frame::MediaTime;

use crate::grid::Period;

/// Rates that cameras and encoders use.
const RATES: [(u32, u32); 24] = [
    (1_001, 24_000),
    (1, 24),
    (1, 25),
    (1_001, 30_000),
    (1, 30),
    (1, 50),
    (1_001, 60_000),
    (1, 60),
    (1, 5),
    (1, 8),
    (1_001, 15_000),
    (1, 10),
    (1, 12),
    (1_001, 12_000),
    (1, 15),
    (1, 20),
    (1, 40),
    (1, 48),
    (1_001, 48_000),
    (1, 90),
    (1, 100),
    (1_001, 120_000),
    (1, 120),
    (1, 144),
];

/// Frames that are counted, and time that passes, before a rate is believed: in 3.2 s the NTSC rates differ from the whole ones by 3 ms.
const WINDOW: i64 = 96;
const SPAN: i64 = 3_200_000_000;

/// Counts frames over a stretch of regular steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learner {
    start: Option<MediaTime>,
    count: i64,
}

impl Learner {
    /// One more frame; a rate when the stretch is long enough and a known rate explains it within a tick.
    pub(crate) fn see(&mut self, wire: MediaTime, tick: i64) -> Option<Period> {
        let Some(start) = self.start else {
            self.start = Some(wire);
            self.count = 0;
            return None;
        };
        self.count += 1;
        let (span, count) = ((wire - start).as_nanos(), self.count);
        if count < WINDOW || span < SPAN {
            return None;
        }
        self.start = Some(wire);
        self.count = 0;
        RATES
            .iter()
            .filter_map(|&(ticks, hz)| Period::new(ticks, hz))
            .map(|period| (period.times(count).as_nanos().abs_diff(span), period))
            .min_by_key(|&(error, _)| error)
            .filter(|&(error, _)| error <= tick.unsigned_abs() + tick.unsigned_abs() / 4)
            .map(|(_, period)| period)
    }

    /// The stretch is over.
    pub(crate) fn reset(&mut self) {
        self.start = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_is_told_from_the_others_in_milliseconds() {
        for (ticks, hz) in RATES {
            for phase in [0, 300_000, 700_000] {
                let period = Period::new(ticks, hz).unwrap();
                let mut learner = Learner::default();
                let learnt = (0..=500).find_map(|n| {
                    let exact = period.times(n).as_nanos() + phase;
                    learner.see(MediaTime::from_millis(exact / 1_000_000), 1_000_000)
                });
                assert_eq!(learnt, Some(period), "{ticks}/{hz} phase {phase}");
            }
        }
    }

    #[test]
    fn an_odd_rate_is_not_forced() {
        let mut learner = Learner::default();
        let learnt =
            (0..=WINDOW).find_map(|n| learner.see(MediaTime::from_micros(n * 37_300), 1_000_000));
        assert_eq!(learnt, None);
    }
}
