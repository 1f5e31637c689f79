//! ISO 8601 dates of `EXT-X-PROGRAM-DATE-TIME` and `EXT-X-DATERANGE` (§4.4.4.6, §4.4.5.1).

use core_frame::WallTime;

use crate::decimal::integer;

/// A date that was read, and whether it named its time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) time: WallTime,
    pub(crate) has_zone: bool,
}

/// Reads `YYYY-MM-DDThh:mm:ss[.fraction][Z|±hh[:]mm|±hh]`. Without a zone UTC is assumed. A leap second (`:60`) is the
/// second after. `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    let mut s = Scanner(text.as_bytes());
    let year = s.number(4)?;
    s.expect(b"-")?;
    let month = s.number(2).filter(|m| (1..=12).contains(m))?;
    s.expect(b"-")?;
    let day = s
        .number(2)
        .filter(|d| (1..=days_in(year, month)).contains(d))?;
    s.expect(b"Tt ")?;
    let hour = s.number(2).filter(|h| *h < 24)?;
    s.expect(b":")?;
    let minute = s.number(2).filter(|m| *m < 60)?;
    s.expect(b":")?;
    let second = s.number(2).filter(|x| *x <= 60)?;
    let nanos = if s.expect(b".,").is_some() {
        s.fraction()?
    } else {
        0
    };
    let zone = match s.next() {
        None => None,
        Some(b'Z' | b'z') => Some(0),
        Some(sign @ (b'+' | b'-')) => {
            let hours = s.number(2).filter(|h| *h < 24)?;
            let _ = s.expect(b":");
            let minutes = if s.0.is_empty() {
                0
            } else {
                s.number(2).filter(|m| *m < 60)?
            };
            let offset = hours * 3_600 + minutes * 60;
            Some(if sign == b'-' { -offset } else { offset })
        }
        Some(_) => return None,
    };
    if !s.0.is_empty() {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
        - zone.unwrap_or(0);
    Some(Parsed {
        time: WallTime::from_unix_nanos(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)),
        has_zone: zone.is_some(),
    })
}

/// Writes UTC with milliseconds, and with nanoseconds where milliseconds would lose something. Years outside 0 to 9999
/// are brought to the nearest that can be written.
pub(crate) fn write(out: &mut String, time: WallTime) {
    let min = i128::from(days_from_civil(0, 1, 1)) * 86_400_000_000_000;
    let max = i128::from(days_from_civil(10_000, 1, 1)) * 86_400_000_000_000 - 1;
    let time = WallTime::from_unix_nanos(time.unix_nanos().clamp(min, max));
    let nanos = time.unix_nanos();
    let text = time_text(nanos.div_euclid(1_000_000_000) as i64);
    for b in text {
        out.push(char::from(b));
    }
    let mut fraction = nanos.rem_euclid(1_000_000_000) as u32;
    out.push('.');
    let mut unit = 100_000_000;
    let digits = if fraction.is_multiple_of(1_000_000) {
        3
    } else {
        9
    };
    for _ in 0..digits {
        integer(out, u64::from(fraction / unit));
        fraction %= unit;
        unit = (unit / 10).max(1);
    }
    out.push('Z');
}

/// `YYYY-MM-DDThh:mm:ss` of seconds since 1970, for years 0 to 9999.
fn time_text(seconds: i64) -> [u8; 19] {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let in_day = seconds.rem_euclid(86_400);
    let mut text = *b"0000-00-00T00:00:00";
    let fields = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, in_day / 3_600),
        (14, 2, in_day / 60 % 60),
        (17, 2, in_day % 60),
    ];
    for (at, len, mut value) in fields {
        for slot in text.iter_mut().skip(at).take(len).rev() {
            *slot = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn expect(&mut self, any_of: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        any_of.contains(first).then(|| self.0 = rest)
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let mut value = 0;
        for _ in 0..digits {
            let b = self.next().filter(u8::is_ascii_digit)?;
            value = value * 10 + i64::from(b - b'0');
        }
        Some(value)
    }

    /// Digits behind the point as nanoseconds; at least one, those past the ninth are dropped.
    fn fraction(&mut self) -> Option<i64> {
        let (mut nanos, mut unit, mut any) = (0, 100_000_000, false);
        while let Some(b) = self.0.first().filter(|b| b.is_ascii_digit()) {
            nanos += i64::from(b - b'0') * unit;
            unit /= 10;
            any = true;
            self.next();
        }
        any.then_some(nanos)
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar; years counted from March, in eras of 400.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

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
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_forms_seen_in_the_wild() {
        let utc = WallTime::from_unix_nanos(1_550_110_440_106_000_000);
        for text in [
            "2019-02-14T02:14:00.106Z",
            "2019-02-14T03:14:00.106+01:00",
            "2019-02-14T03:14:00.106+0100",
            "2019-02-14T03:14:00.106+01",
            "2019-02-13T20:44:00.106-05:30",
            "2019-02-14 02:14:00.106z",
            "2019-02-14T02:14:00,106Z",
            "2019-02-14T02:14:00.1060000001Z",
        ] {
            let parsed = parse(text).unwrap();
            assert_eq!(parsed.time, utc, "{text}");
            assert!(parsed.has_zone);
        }
        let local = parse("2019-02-14T02:14:00.106").unwrap();
        assert!(!local.has_zone && local.time == utc);
        assert!(parse("2016-12-31T23:59:60Z").is_some());
        for bad in [
            "",
            "2019",
            "2019-02-29T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "2019-02-14T24:00:00Z",
            "2019-02-14T02:14:00.Z",
            "2019-02-14T02:14:00Zx",
            "2019-02-14T02:14:00+1",
            "٢٠١٩",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn writes_utc() {
        let mut out = String::new();
        write(
            &mut out,
            WallTime::from_unix_nanos(1_550_110_440_106_000_000),
        );
        out.push(' ');
        write(&mut out, WallTime::from_unix_nanos(-1));
        out.push(' ');
        write(&mut out, WallTime::new(i64::MAX, 0));
        assert_eq!(
            out,
            "2019-02-14T02:14:00.106Z 1969-12-31T23:59:59.999999999Z 9999-12-31T23:59:59.999999999Z"
        );
    }

    proptest! {
        #[test]
        fn survives_the_trip(nanos in -62_000_000_000_000_000_000i128..250_000_000_000_000_000_000) {
            let time = WallTime::from_unix_nanos(nanos);
            let mut text = String::new();
            write(&mut text, time);
            prop_assert_eq!(parse(&text).map(|p| p.time), Some(time), "{}", text);
        }

        #[test]
        fn agrees_with_the_calendar_of_core_frame(millis in -60_000_000_000_000i64..200_000_000_000_000) {
            let time = WallTime::from_unix_nanos(i128::from(millis) * 1_000_000);
            let mut text = String::new();
            write(&mut text, time);
            prop_assert_eq!(text, time.to_rfc3339());
        }
    }
}
