//! Hashes of payloads, to see that what went in came out.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

/// A 64-bit hash of a payload; comparable within one process.
#[must_use]
pub fn payload_hash(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

/// How two runs of payloads relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Where in the longer run the first payload of the shorter one stands.
    pub offset: usize,
    /// Payloads compared.
    pub compared: usize,
    /// Of these, how many differ.
    pub different: usize,
}

/// Finds where `part` begins in `whole` and compares from there to the end of the shorter one: a reader joins later than the
/// publisher, and leaves earlier. `None` when the first payload of `part` is nowhere in `whole`.
#[must_use]
pub fn overlap(whole: &[u64], part: &[u64]) -> Option<Overlap> {
    let first = part.first()?;
    let mut starts: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, hash) in whole.iter().enumerate() {
        starts.entry(*hash).or_default().push(at);
    }
    let best = starts.get(first)?.iter().map(|&offset| {
        let rest = whole.get(offset..).unwrap_or_default();
        let pairs = rest.iter().zip(part);
        Overlap {
            offset,
            compared: rest.len().min(part.len()),
            different: pairs.filter(|(a, b)| a != b).count(),
        }
    });
    best.min_by_key(|o| o.different)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_reader_is_lined_up() {
        let hash = |n: u8| payload_hash(&[n % 7, n]);
        let whole: Vec<_> = (0..100).map(hash).collect();
        let part: Vec<_> = (30..120).map(hash).collect();
        let found = overlap(&whole, &part).unwrap();
        assert_eq!((found.offset, found.compared, found.different), (30, 70, 0));
        assert_eq!(overlap(&whole, &[1]), None);
        assert_eq!(overlap(&whole, &[]), None);
    }
}
