//! Sample tables of files that are not fragmented: where each sample lies and when it is decoded, read on the fly.

use super::boxes::BoxRef;
use crate::Error;

/// The tables of one track (ISO/IEC 14496-12 §8.6, §8.7), run-length coded as they are in the file: memory is bounded by
/// the boxes' bytes, whatever counts they declare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleTable {
    /// `stts`: run length and duration.
    durations: Vec<(u32, u32)>,
    /// `ctts`: run length and composition offset.
    offsets: Vec<(u32, i32)>,
    /// `stsc`: first chunk (from 1) and samples a chunk.
    per_chunk: Vec<(u32, u32)>,
    /// `stsz`: one size for all, or 0 and each in `sizes`.
    same_size: u32,
    sizes: Vec<u32>,
    count: u32,
    /// `stco` or `co64`.
    chunks: Vec<u64>,
    /// `stss`; `None` means that every sample is one.
    sync: Option<Vec<u32>>,
}

/// One sample of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSample {
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// In ticks.
    pub decode_time: u64,
    /// In ticks.
    pub duration: u32,
    /// Presentation minus decode time, in ticks.
    pub composition_offset: i32,
    /// Independently decodable.
    pub sync: bool,
}

/// Samples of one track: four days of 30 ms frames. A count costs a file nothing, so it is bounded.
const MAX_SAMPLES: u32 = 12_000_000;

impl SampleTable {
    /// Reads the tables of an `stbl`; `None` when there are no samples in it (fragmented files).
    ///
    /// # Errors
    /// [`Error::Format`] when a table is shorter than its count, [`Error::Limit`] above 12 million samples.
    pub fn read(stbl: &BoxRef<'_>) -> Result<Option<Self>, Error> {
        let mut table = Self::default();
        for found in stbl.children(0) {
            let found = found?;
            match &found.kind {
                b"stts" => table.durations = pairs(&found)?,
                b"ctts" => {
                    // Version 0 is unsigned by the letter, but writers put negative offsets into it.
                    let signed = |(n, v): (u32, u32)| (n, v.cast_signed());
                    table.offsets = pairs(&found)?.into_iter().map(signed).collect();
                }
                b"stsc" => {
                    table.per_chunk = entries::<12>(&found, 4)?
                        .map(|e| (word(e, 0), word(e, 4)))
                        .collect();
                }
                b"stsz" => {
                    let (_, _, mut f) = found.full()?;
                    table.same_size = f.u32()?;
                    table.count = f.u32()?;
                    if table.same_size == 0 {
                        table.sizes = entries::<4>(&found, 8)?.map(|e| word(e, 0)).collect();
                    }
                }
                b"stco" => {
                    table.chunks = entries::<4>(&found, 4)?
                        .map(|e| u64::from(word(e, 0)))
                        .collect();
                }
                b"co64" => {
                    table.chunks = entries::<8>(&found, 4)?
                        .map(|e| u64::from(word(e, 0)) << 32 | u64::from(word(e, 4)))
                        .collect();
                }
                b"stss" => {
                    let list = entries::<4>(&found, 4)?.map(|e| word(e, 0)).collect();
                    table.sync = Some(list);
                }
                _ => {}
            }
        }
        if table.count > MAX_SAMPLES {
            return Err(Error::Limit {
                offset: stbl.offset,
                limit: "12 million samples in a track",
            });
        }
        Ok((table.count > 0).then_some(table))
    }

    /// Samples in the track.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// No sample at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The samples in decode order. Ends early where a table does.
    pub fn samples(&self) -> impl Iterator<Item = TableSample> + '_ {
        let mut durations = Runs::new(&self.durations);
        let mut offsets = Runs::new(&self.offsets);
        let mut sync = self.sync.as_deref().unwrap_or_default().iter().peekable();
        let (mut chunk, mut group, mut left, mut at) = (0u32, 0usize, 0u32, 0u64);
        let mut time = 0u64;
        let mut n = 0u32;
        std::iter::from_fn(move || {
            if n >= self.count {
                return None;
            }
            // The next chunk that has samples; runs of chunks without any are bounded by the chunk list.
            while left == 0 {
                at = *self.chunks.get(chunk as usize)?;
                chunk += 1;
                while self.per_chunk.get(group + 1).is_some_and(|g| g.0 <= chunk) {
                    group += 1;
                }
                left = self.per_chunk.get(group)?.1;
            }
            left -= 1;
            let size = match self.same_size {
                0 => *self.sizes.get(n as usize)?,
                size => size,
            };
            n += 1;
            while sync.peek().is_some_and(|&&s| s < n) {
                sync.next();
            }
            let duration = durations.next()?;
            let sample = TableSample {
                offset: at,
                size,
                decode_time: time,
                duration,
                composition_offset: offsets.next().unwrap_or(0),
                sync: self.sync.is_none() || sync.peek() == Some(&&n),
            };
            at = at.saturating_add(u64::from(size));
            time = time.saturating_add(u64::from(duration));
            Some(sample)
        })
    }
}

/// Walks a run-length coded list.
struct Runs<'a, T> {
    list: std::slice::Iter<'a, (u32, T)>,
    value: Option<T>,
    left: u32,
}

impl<'a, T: Copy> Runs<'a, T> {
    fn new(list: &'a [(u32, T)]) -> Self {
        Self {
            list: list.iter(),
            value: None,
            left: 0,
        }
    }

    fn next(&mut self) -> Option<T> {
        while self.left == 0 {
            let (n, value) = self.list.next()?;
            (self.left, self.value) = (*n, Some(*value));
        }
        self.left -= 1;
        self.value
    }
}

/// The entries of `N` bytes of a table whose count lies `skip - 4` bytes behind version and flags. The count must fit in the
/// box.
fn entries<'a, const N: usize>(
    found: &BoxRef<'a>,
    skip: usize,
) -> Result<impl Iterator<Item = &'a [u8; N]>, Error> {
    let (_, _, mut f) = found.full()?;
    f.skip(skip - 4)?;
    let count = f.u32()? as usize;
    let (all, _) = f.rest.as_chunks::<N>();
    if count > all.len() {
        return Err(found.error("a table is shorter than its count (14496-12 §8.6)"));
    }
    Ok(all.iter().take(count))
}

fn pairs(found: &BoxRef<'_>) -> Result<Vec<(u32, u32)>, Error> {
    Ok(entries::<8>(found, 4)?
        .map(|e| (word(e, 0), word(e, 4)))
        .collect())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|b| b.first_chunk::<4>())
        .map_or(0, |b| u32::from_be_bytes(*b))
}
