//! Figures of many sessions in few numbers: percentiles, CPU time of this process, sizes for people.

use serde::{Deserialize, Serialize};

/// Percentiles of a set of measurements, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many there were.
    pub count: usize,
    /// The least.
    pub min: f64,
    /// Half are no greater.
    pub p50: f64,
    /// 95 % are no greater.
    pub p95: f64,
    /// 99 % are no greater.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

impl Percentiles {
    /// Of these values; `None` when there are none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        // Nearest rank: the smallest value that at least this share of all does not exceed.
        let rank = |share: f64| {
            let at = (share * values.len() as f64).ceil() as usize;
            values.get(at.saturating_sub(1)).copied().unwrap_or(max)
        };
        Some(Self {
            count: values.len(),
            min,
            p50: rank(0.50),
            p95: rank(0.95),
            p99: rank(0.99),
            max,
        })
    }
}

/// CPU seconds this process has used, user and system, in steps of 10 ms; 0 where the system does not tell.
#[must_use]
pub fn own_cpu_seconds() -> f64 {
    /// `USER_HZ`, which Linux fixes at 100 towards programs.
    const TICKS: f64 = 100.0;
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // The second field is the program's name in brackets, which may hold anything.
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return 0.0;
    };
    let field = |at: usize| {
        let ticks = rest.split_whitespace().nth(at)?.parse::<f64>().ok()?;
        Some(ticks / TICKS)
    };
    // utime and stime are fields 14 and 15 of the file, 12 and 13 behind the name.
    field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0)
}

/// `4.20 Mb/s`.
pub(crate) fn rate(bits_per_second: f64) -> String {
    scaled(bits_per_second, "b/s")
}

/// `12.30 MB`.
pub(crate) fn size(bytes: u64) -> String {
    scaled(bytes as f64, "B")
}

fn scaled(mut value: f64, unit: &str) -> String {
    for prefix in ["", "k", "M", "G"] {
        if value < 1_000.0 {
            return match prefix {
                "" => format!("{value:.0} {unit}"),
                _ => format!("{value:.2} {prefix}{unit}"),
            };
        }
        value /= 1_000.0;
    }
    format!("{value:.2} T{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        assert_eq!(Percentiles::of(vec![]), None);
        assert_eq!(Percentiles::of(vec![f64::NAN]), None);
        let p = Percentiles::of((1..=200).rev().map(f64::from).collect()).unwrap();
        assert_eq!((p.count, p.min, p.max), (200, 1.0, 200.0));
        assert_eq!((p.p50, p.p95, p.p99), (100.0, 190.0, 198.0));
        let one = Percentiles::of(vec![7.0]).unwrap();
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = own_cpu_seconds();
        let start = std::time::Instant::now();
        let mut x = 1_u64;
        while start.elapsed() < std::time::Duration::from_millis(120) {
            x = std::hint::black_box(x.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        }
        assert!(own_cpu_seconds() > before);
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(rate(4_200_000.0), "4.20 Mb/s");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(2_500_000_000_000), "2.50 TB");
    }
}
