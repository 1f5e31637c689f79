//! The clocks: media time on a stream's own timeline, and wall-clock time.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// A point on (or a signed distance along) a stream's own timeline, in nanoseconds.
///
/// Any wire clock below 1 GHz converts to nanoseconds and back without loss, because the rounding error of one
/// conversion is at most half a nanosecond, which is less than half a tick. Convert *absolute* times and subtract;
/// never add up rounded durations.
///
/// Plain arithmetic saturates, so that hostile 64-bit values cannot panic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The zero of the timeline.
    pub const ZERO: Self = Self(0);
    /// The earliest representable time.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable time.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From microseconds; saturates.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// From milliseconds (RTMP and FLV clocks); saturates.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From whole seconds; saturates.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// From `ticks` of a clock of `hz` ticks a second, rounded to the nearest nanosecond.
    ///
    /// `None` when `hz` is 0 or the time does not fit (about ±292 years).
    #[must_use]
    pub fn from_ticks(ticks: i64, hz: u32) -> Option<Self> {
        let hz = i128::from(hz);
        if hz == 0 {
            return None;
        }
        let nanos = div_round(i128::from(ticks) * i128::from(NANOS_PER_SEC), hz);
        i64::try_from(nanos).ok().map(Self)
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// In whole milliseconds, rounded to the nearest.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.to_ticks(1_000)
    }

    /// In seconds, for display and statistics.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SEC as f64
    }

    /// In ticks of a clock of `hz` ticks a second, rounded to the nearest tick; saturates for clocks above 1 GHz.
    #[must_use]
    pub fn to_ticks(self, hz: u32) -> i64 {
        let ticks = div_round(
            i128::from(self.0) * i128::from(hz),
            i128::from(NANOS_PER_SEC),
        );
        i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
    }

    /// `self + other`, or `None` when it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// `self - other`, or `None` when it does not fit.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The distance from zero; saturates.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// As a [`Duration`]; negative times give zero.
    #[must_use]
    pub fn to_duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

/// Rounds half away from zero.
fn div_round(n: i128, d: i128) -> i128 {
    let half = d / 2;
    if n >= 0 {
        (n + half) / d
    } else {
        (n - half) / d
    }
}

impl From<Duration> for MediaTime {
    /// Saturates at about 292 years.
    fn from(d: Duration) -> Self {
        Self(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MediaTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for MediaTime {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for MediaTime {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MediaTime {
    /// Seconds with nanosecond digits, trailing zeros cut: `12.34s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        let (secs, nanos) = (abs / 1_000_000_000, abs % 1_000_000_000);
        let digits = format!("{nanos:09}");
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            write!(f, "{sign}{secs}s")
        } else {
            write!(f, "{sign}{secs}.{digits}s")
        }
    }
}

/// Wall-clock time (UTC), as an NTP-style fixed-point number counted from the Unix epoch: whole seconds and
/// 2^-32 second fractions. Finer than a nanosecond, so an NTP or RTCP time stamp survives the trip.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime {
    secs: i64,
    frac: u32,
}

/// Seconds between the NTP epoch (1900) and the Unix epoch (1970).
const NTP_UNIX_OFFSET: i64 = 2_208_988_800;

impl WallTime {
    /// The Unix epoch.
    pub const UNIX_EPOCH: Self = Self { secs: 0, frac: 0 };

    /// From whole seconds since the Unix epoch and a fraction in units of 2^-32 s.
    #[must_use]
    pub const fn new(secs: i64, frac: u32) -> Self {
        Self { secs, frac }
    }

    /// From an NTP 32.32 time stamp of era 0 (RFC 5905 §6).
    #[must_use]
    pub const fn from_ntp(ntp: u64) -> Self {
        Self {
            secs: (ntp >> 32) as i64 - NTP_UNIX_OFFSET,
            frac: ntp as u32,
        }
    }

    /// As an NTP 32.32 time stamp (wraps at the end of an era, as NTP does).
    #[must_use]
    pub const fn to_ntp(self) -> u64 {
        (((self.secs.wrapping_add(NTP_UNIX_OFFSET)) as u64) << 32) | self.frac as u64
    }

    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub fn from_unix_nanos(nanos: i128) -> Self {
        let secs = nanos.div_euclid(1_000_000_000);
        let rem = nanos.rem_euclid(1_000_000_000) as u64;
        Self {
            secs: i64::try_from(secs).unwrap_or(if secs < 0 { i64::MIN } else { i64::MAX }),
            frac: ((rem << 32) / 1_000_000_000) as u32,
        }
    }

    /// In nanoseconds since the Unix epoch, rounded.
    #[must_use]
    pub fn unix_nanos(self) -> i128 {
        let frac = (u64::from(self.frac) * 1_000_000_000 + (1 << 31)) >> 32;
        i128::from(self.secs) * 1_000_000_000 + i128::from(frac)
    }

    /// In milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.unix_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }

    /// This time moved by a media distance.
    #[must_use]
    pub fn offset(self, by: MediaTime) -> Self {
        Self::from_unix_nanos(self.unix_nanos() + i128::from(by.as_nanos()))
    }

    /// RFC 3339 with milliseconds and `Z`, e.g. `2026-11-21T06:12:04.250Z`: what PROGRAM-DATE-TIME,
    /// `xs:dateTime` and JSON want. The calendar is the proleptic Gregorian one.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let millis = self.unix_millis();
        let (days, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        let (y, m, d) = civil_from_days(days);
        let (h, min) = (in_day / 3_600_000, in_day / 60_000 % 60);
        let (s, ms) = (in_day / 1_000 % 60, in_day % 1_000);
        format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{ms:03}Z")
    }
}

/// Days since 1970-01-01 to (year, month, day): 400-year eras of 146 097 days, years counted from March.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl From<SystemTime> for WallTime {
    fn from(t: SystemTime) -> Self {
        match t.duration_since(UNIX_EPOCH) {
            Ok(d) => Self::from_unix_nanos(d.as_nanos() as i128),
            Err(e) => Self::from_unix_nanos(-(e.duration().as_nanos() as i128)),
        }
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Serialize for WallTime {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_rfc3339())
    }
}

/// Widens a wire clock of fewer than 64 bits that wraps, by taking each value as the one nearest to the last.
///
/// One per clock, at the edge where the wire is read; behind it times stay wide.
///
/// ```
/// use millstream_core_frame::Unwrapper;
/// let mut clock = Unwrapper::new(32);
/// assert_eq!(clock.unwrap(0xFFFF_FFF0), 0xFFFF_FFF0);
/// assert_eq!(clock.unwrap(0x10), 0x1_0000_0010); // wrapped
/// assert_eq!(clock.unwrap(0xFFFF_FFFF), 0xFFFF_FFFF); // a little late
/// assert_eq!(clock.wraps(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Unwrapper {
    bits: u32,
    last: Option<i64>,
    wraps: u64,
}

impl Unwrapper {
    /// For a clock of `bits` bits (1 to 62; other values are brought into that range).
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        let bits = if bits < 1 {
            1
        } else if bits > 62 {
            62
        } else {
            bits
        };
        Self {
            bits,
            last: None,
            wraps: 0,
        }
    }

    /// The wide value nearest to the last one; the first value is taken as it is.
    pub fn unwrap(&mut self, wire: u64) -> i64 {
        let modulus = 1_i64 << self.bits;
        let wire = (wire & (modulus as u64 - 1)) as i64;
        let wide = match self.last {
            None => wire,
            Some(last) => {
                let mut delta = wire.wrapping_sub(last).rem_euclid(modulus);
                if delta >= modulus / 2 {
                    delta -= modulus;
                }
                // A clock that has run to the end of 64 bits starts again rather than overflow.
                last.checked_add(delta).unwrap_or(wire)
            }
        };
        if self
            .last
            .is_some_and(|last| wide.div_euclid(modulus) > last.div_euclid(modulus))
        {
            self.wraps = self.wraps.saturating_add(1);
        }
        self.last = Some(wide);
        wide
    }

    /// How often the clock wrapped forward.
    #[must_use]
    pub const fn wraps(&self) -> u64 {
        self.wraps
    }

    /// Forgets the past: the next value is taken as it is.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shows_seconds() {
        assert_eq!(MediaTime::from_millis(12_340).to_string(), "12.34s");
        assert_eq!(MediaTime::from_millis(-500).to_string(), "-0.5s");
        assert_eq!(MediaTime::ZERO.to_string(), "0s");
    }

    #[test]
    fn calendar_knows_leap_years() {
        let at = |secs| WallTime::new(secs, 0).to_rfc3339();
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(1_795_241_524), "2026-11-21T06:12:04.000Z");
        assert_eq!(at(-1), "1969-12-31T23:59:59.000Z");
    }

    #[test]
    fn ntp_keeps_every_bit() {
        let ntp = 0xE8F0_1234_8000_0001;
        assert_eq!(WallTime::from_ntp(ntp).to_ntp(), ntp);
    }

    proptest! {
        #[test]
        fn unwrapping_follows_small_steps(start: u32, steps in proptest::collection::vec(-1_000_000i64..1_000_000_000, 1..100)) {
            let mut clock = Unwrapper::new(32);
            let mut wide = i64::from(start);
            let base = clock.unwrap(u64::from(start));
            for step in steps {
                wide += step;
                prop_assert_eq!(clock.unwrap(wide as u64), base + (wide - i64::from(start)));
            }
        }

        #[test]
        fn ticks_survive_the_trip(ticks in -(1i64 << 40)..(1i64 << 40), hz in 1u32..1_000_000_000) {
            if let Some(t) = MediaTime::from_ticks(ticks, hz) {
                prop_assert_eq!(t.to_ticks(hz), ticks);
            }
        }

        #[test]
        fn no_value_panics(a: i64, b: i64, hz: u32) {
            let (x, y) = (MediaTime::from_nanos(a), MediaTime::from_nanos(b));
            let _ = (x + y, x - y, -x, x.to_ticks(hz), MediaTime::from_ticks(a, hz), x.to_duration());
            let _ = WallTime::new(a, 1).to_ntp();
        }

        #[test]
        fn wall_nanos_survive(nanos in -1_000_000_000_000_000_000i128..4_000_000_000_000_000_000) {
            let back = WallTime::from_unix_nanos(nanos).unix_nanos();
            prop_assert!((back - nanos).abs() <= 1);
        }
    }
}
