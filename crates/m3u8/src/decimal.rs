//! Decimal numbers of playlists, held exactly as a count of 10^-9.

use std::fmt;

use core_frame::MediaTime;

/// A decimal number with up to nine digits behind the point, e.g. FRAME-RATE `29.97` or SCORE. Exact, ordered, no NaN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i64);

impl Decimal {
    /// From a count of 10^-9.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The count of 10^-9.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// From a fraction, rounded to 10^-3 as FRAME-RATE wants (§4.4.6.2); `None` when the divisor is 0 or the value
    /// does not fit.
    #[must_use]
    pub fn from_ratio_3(numerator: u32, denominator: u32) -> Option<Self> {
        let thousandths = (u64::from(numerator) * 1_000 + u64::from(denominator) / 2)
            .checked_div(u64::from(denominator))?;
        i64::try_from(thousandths)
            .ok()?
            .checked_mul(1_000_000)
            .map(Self)
    }

    /// As a float, for arithmetic that need not be exact.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write(&mut text, self.0, 0);
        f.write_str(&text)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Seconds as `MediaTime`.
pub(crate) fn parse_time(text: &str) -> Option<MediaTime> {
    parse(text).map(MediaTime::from_nanos)
}

/// Reads `-12.345` into a count of 10^-9; further digits are rounded. `None` for anything else and for what does not
/// fit (about ±9.2e9).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut nanos: i64 = 0;
    for b in whole.bytes() {
        nanos = nanos.checked_mul(10)?.checked_add(digit(b)?)?;
    }
    nanos = nanos.checked_mul(1_000_000_000)?;
    let mut unit: i64 = 1_000_000_000;
    let mut rounded = false;
    for b in fraction.bytes() {
        let digit = digit(b)?;
        if unit > 1 {
            unit /= 10;
            nanos = nanos.checked_add(digit * unit)?;
        } else if !rounded {
            rounded = true;
            nanos = nanos.checked_add(i64::from(digit >= 5))?;
        }
    }
    Some(if negative { -nanos } else { nanos })
}

/// Writes a count of 10^-9 without trailing zeros, but with at least `min_digits` (0 to 9) behind the point.
pub(crate) fn write(out: &mut String, nanos: i64, min_digits: usize) {
    if nanos < 0 {
        out.push('-');
    }
    let abs = nanos.unsigned_abs();
    integer(out, abs / 1_000_000_000);
    let mut fraction = abs % 1_000_000_000;
    let mut written = 0;
    if fraction > 0 || min_digits > 0 {
        out.push('.');
    }
    let mut unit = 100_000_000;
    while fraction > 0 || written < min_digits.min(9) {
        out.push(char::from(b'0' + (fraction / unit) as u8));
        fraction %= unit;
        unit = (unit / 10).max(1);
        written += 1;
    }
}

/// Writes a number without going through the formatting machinery, which costs more than the rest of a tag.
pub(crate) fn integer(out: &mut String, mut n: u64) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (n % 10) as u8;
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    for b in digits.iter().skip(digits.len() - used) {
        out.push(char::from(*b));
    }
}

fn digit(b: u8) -> Option<i64> {
    b.is_ascii_digit().then(|| i64::from(b - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes() {
        for (text, nanos) in [
            ("0", 0),
            ("10", 10_000_000_000),
            ("9.97667", 9_976_670_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("-30.25", -30_250_000_000),
            ("0.0000000015", 2),
            ("0.00000000149", 1),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
        for bad in [
            "",
            ".",
            "-",
            "1e3",
            "NaN",
            "inf",
            "1,0",
            "+1",
            "1.2.3",
            "10000000000",
            " 1",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let mut out = String::new();
        for (nanos, min) in [
            (2_000_000_000, 3),
            (2_002_000_000, 0),
            (-1, 0),
            (7, 9),
            (0, 0),
        ] {
            write(&mut out, nanos, min);
            out.push(' ');
        }
        assert_eq!(out, "2.000 2.002 -0.000000001 0.000000007 0 ");
        let mut out = String::new();
        write(&mut out, i64::MIN, 0);
        assert_eq!(out, "-9223372036.854775808");
        assert_eq!(
            Decimal::from_ratio_3(30_000, 1_001).unwrap().to_string(),
            "29.97"
        );
        assert_eq!(Decimal::from_ratio_3(1, 0), None);
    }

    proptest! {
        #[test]
        fn survives_the_trip(nanos in -9_000_000_000_000_000_000i64..9_000_000_000_000_000_000, min in 0usize..12) {
            let mut text = String::new();
            write(&mut text, nanos, min);
            prop_assert_eq!(parse(&text), Some(nanos), "{}", text);
        }

        #[test]
        fn integers_are_those_of_display(n: u64) {
            let mut text = String::new();
            integer(&mut text, n);
            prop_assert_eq!(text, n.to_string());
        }
    }
}
