//! The clock of a track inside the file: its timescale, and exact conversion between media time and ticks.

use core_frame::{MediaKind, MediaTime, TrackInfo};

const NANOS: i64 = 1_000_000_000;

/// The timescale a track gets in our files, and where tick 0 lies on the stream's timeline.
///
/// Video runs at 90 000 ticks a second (exact for every integer rate, for the NTSC rates up to 59.94 and for every
/// millisecond), audio at its sample rate (so that a frame of n samples lasts n ticks), anything else at 1 000.
/// Conversion is of absolute times, rounded to the nearest tick; durations are differences of converted times, so
/// errors never add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackClock {
    hz: u32,
    /// Whole seconds, so that every clock agrees on it exactly.
    zero: MediaTime,
    /// `hz / NANOS` in lowest terms.
    num: i64,
    den: i64,
}

impl TrackClock {
    /// The clock of `info`, with tick 0 at `zero`, which is brought down to a whole second so that all tracks of a
    /// stream agree on it.
    #[must_use]
    pub fn of(info: &TrackInfo, zero: MediaTime) -> Self {
        Self::new(timescale_of(info), zero)
    }

    /// A clock of `hz` ticks a second (0 is taken as 1).
    #[must_use]
    pub fn new(hz: u32, zero: MediaTime) -> Self {
        let hz = hz.max(1);
        let g = gcd(i64::from(hz), NANOS);
        let whole = zero.as_nanos().div_euclid(NANOS).saturating_mul(NANOS);
        Self {
            hz,
            zero: MediaTime::from_nanos(whole),
            num: i64::from(hz) / g,
            den: NANOS / g,
        }
    }

    /// Ticks a second.
    #[must_use]
    pub const fn hz(&self) -> u32 {
        self.hz
    }

    /// The media time of tick 0.
    #[must_use]
    pub const fn zero(&self) -> MediaTime {
        self.zero
    }

    /// The tick nearest to `time`; may be negative before [`TrackClock::zero`].
    #[must_use]
    pub fn ticks(&self, time: MediaTime) -> i64 {
        let nanos = (time - self.zero).as_nanos();
        // The lowest terms keep the product inside 64 bits for years of media; beyond that the slow path is exact too.
        match nanos.checked_mul(self.num) {
            Some(product) => {
                let half = self.den / 2;
                let biased = if product >= 0 {
                    product.saturating_add(half)
                } else {
                    product.saturating_sub(half)
                };
                biased / self.den
            }
            None => MediaTime::from_nanos(nanos).to_ticks(self.hz),
        }
    }

    /// The media time of a tick.
    #[must_use]
    pub fn time(&self, ticks: u64) -> MediaTime {
        self.zero + self.span(ticks)
    }

    /// A number of ticks as a distance.
    #[must_use]
    pub fn span(&self, ticks: u64) -> MediaTime {
        let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
        MediaTime::from_ticks(ticks, self.hz).unwrap_or(MediaTime::MAX)
    }
}

/// Ticks a second of this track in our files; see [`TrackClock`].
#[must_use]
pub fn timescale_of(info: &TrackInfo) -> u32 {
    match info.kind() {
        MediaKind::Video => 90_000,
        MediaKind::Audio => match info.audio {
            Some(audio) if audio.sample_rate > 0 => audio.sample_rate,
            _ => 48_000,
        },
        MediaKind::Subtitle | MediaKind::Data => 1_000,
    }
}

const fn gcd(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ticks_agree_with_media_time(nanos in -(1i64 << 62)..(1i64 << 62), hz in 1u32..1_000_000) {
            let clock = TrackClock::new(hz, MediaTime::ZERO);
            prop_assert_eq!(clock.ticks(MediaTime::from_nanos(nanos)), MediaTime::from_nanos(nanos).to_ticks(hz));
        }

        #[test]
        fn ticks_survive_the_trip(ticks in 0u64..(1 << 40), hz in 1u32..1_000_000, zero in -1_000_000_000_000i64..1_000_000_000_000) {
            // Media time ends after 292 years.
            prop_assume!(ticks / u64::from(hz) < 9_000_000_000);
            let clock = TrackClock::new(hz, MediaTime::from_nanos(zero));
            prop_assert_eq!(clock.ticks(clock.time(ticks)), ticks as i64);
        }
    }

    #[test]
    fn zero_is_a_whole_second() {
        let clock = TrackClock::new(44_100, MediaTime::from_millis(-40));
        assert_eq!(clock.zero(), MediaTime::from_secs(-1));
        assert_eq!(clock.ticks(MediaTime::ZERO), 44_100);
    }
}
