//! Figures of many sessions in few numbers: percentiles, samples of bounded size, sizes for people.

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
    /// 90 % are no greater.
    pub p90: f64,
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
            p90: rank(0.90),
            p95: rank(0.95),
            p99: rank(0.99),
            max,
        })
    }
}

/// Values of one measurement, as many as there are, in bounded memory: of long series each 2nd, 4th, 8th, … is kept, and
/// the count and both ends of all.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    kept: Vec<f64>,
    /// One of so many is kept.
    every: u64,
    seen: u64,
    min: f64,
    max: f64,
    most: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self::with_room(32_768)
    }
}

impl Series {
    /// Keeps at most so many values.
    pub(crate) fn with_room(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            every: 1,
            seen: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            most: most.max(2),
        }
    }

    pub(crate) fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        if self.seen.is_multiple_of(self.every) {
            if self.kept.len() == self.most {
                let mut at = 0_usize;
                self.kept.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.kept.push(value);
            }
        }
        self.seen += 1;
    }

    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        values.into_iter().for_each(|v| self.push(v));
    }

    /// Takes the values of another one over.
    pub(crate) fn add(&mut self, other: &Self) {
        self.extend(other.kept.iter().copied());
        // What the other one had left out counts all the same.
        self.seen += other.seen - other.kept.len() as u64;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values there were.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let mut all = Percentiles::of(self.kept.clone())?;
        all.count = usize::try_from(self.seen).unwrap_or(usize::MAX);
        (all.min, all.max) = (self.min, self.max);
        Some(all)
    }
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
        assert_eq!((p.p50, p.p90, p.p95, p.p99), (100.0, 180.0, 190.0, 198.0));
        let one = Percentiles::of(vec![7.0]).unwrap();
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn long_series_take_bounded_memory() {
        let mut series = Series::with_room(1_000);
        assert_eq!(series.percentiles(), None);
        for n in 0..100_000 {
            series.push(f64::from(n % 1_000));
        }
        series.push(f64::NAN);
        assert!(series.kept.len() <= 1_000);
        let p = series.percentiles().unwrap();
        assert_eq!((p.count, p.min, p.max), (100_000, 0.0, 999.0));
        assert!(
            (p.p50 - 500.0).abs() < 25.0 && (p.p90 - 900.0).abs() < 25.0,
            "{p:?}"
        );
        let mut sum = Series::default();
        sum.push(-1.0);
        sum.add(&series);
        let p = sum.percentiles().unwrap();
        assert_eq!((p.count, p.min, p.max), (100_001, -1.0, 999.0));
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(rate(4_200_000.0), "4.20 Mb/s");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(2_500_000_000_000), "2.50 TB");
    }
}
