//! Values of options: durations, rates, sizes.

use std::time::Duration;

use super::relay::Retries;

/// Seconds, with a fraction if need be.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>();
    number
        .ok()
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .filter(|d| *d <= Duration::from_secs(30 * 86_400))
        .ok_or_else(|| "seconds are wanted, e.g. 10 or 0.5".to_owned())
}

/// Bits a second with `k`, `M` or `G`.
pub(super) fn bits(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        Some((at, 'g' | 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(n) if n.is_finite() && (0.0..=1e11).contains(&(n * unit)) => Ok((n * unit) as u64),
        _ => Err("bits a second are wanted, e.g. 4.2M or 500k".to_owned()),
    }
}

/// `WIDTHxHEIGHT`.
pub(super) fn size(text: &str) -> Result<(u32, u32), String> {
    text.split_once('x')
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)))
        .filter(|(w, h): &(u32, u32)| [w, h].iter().all(|n| **n > 0 && **n % 16 == 0))
        .ok_or_else(|| "a size is wanted whose sides are multiples of 16, e.g. 1280x720".to_owned())
}

/// A share above nothing and at most the whole.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("a share above 0 and at most 1 is wanted, e.g. 0.5".to_owned()),
    }
}

/// So many a second; or a minute or second, if that stands behind it.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let (number, seconds) = match text.split_once('/') {
        None => (text, 1.0),
        Some((number, "s")) => (number, 1.0),
        Some((number, "min" | "m")) => (number, 60.0),
        Some(_) => ("", 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n > 0.0 && n / seconds <= 100_000.0 => Ok(n / seconds),
        _ => Err("a rate is wanted, e.g. 2000/min or 30/s, at most 100000/s".to_owned()),
    }
}

/// A number, or `forever`.
pub(super) fn retries(text: &str) -> Result<Retries, String> {
    match (text, text.parse()) {
        ("forever", _) => Ok(Retries { limit: None }),
        (_, Ok(n)) => Ok(Retries { limit: Some(n) }),
        _ => Err("a number is wanted, or forever".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_retries() {
        assert_eq!(retries("forever"), Ok(Retries { limit: None }));
        assert_eq!(retries("0"), Ok(Retries { limit: Some(0) }));
        assert!(retries("-1").is_err() && retries("never").is_err());
    }

    #[test]
    fn reads_figures() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("10s"), Ok(Duration::from_secs(10)));
        assert!(seconds("-1").is_err() && seconds("NaN").is_err() && seconds("1e30").is_err());
        assert_eq!(
            (bits("4.2M"), bits("500k"), bits("96000")),
            (Ok(4_200_000), Ok(500_000), Ok(96_000))
        );
        assert!(bits("x").is_err() && bits("").is_err() && bits("-1").is_err());
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        assert!(size("1280x7").is_err() && size("0x0").is_err() && size("16").is_err());
    }

    #[test]
    fn reads_shares_and_rates() {
        assert_eq!((fraction("0.5"), fraction("1")), (Ok(0.5), Ok(1.0)));
        assert!(fraction("0").is_err() && fraction("1.1").is_err() && fraction("NaN").is_err());
        assert_eq!((rate("1800/min"), rate("30/s")), (Ok(30.0), Ok(30.0)));
        assert_eq!(rate("2.5"), Ok(2.5));
        for bad in ["0", "-1/s", "10/h", "x", "1e9", "NaN", ""] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
