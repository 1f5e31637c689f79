//! `moof`: where the samples of a fragment lie, and when they are decoded.

use super::boxes::BoxRef;
use super::movie::{Movie, SampleDefaults};
use crate::Error;

/// What a `moof` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// `mfhd` sequence number.
    pub sequence: u32,
    /// Its track fragments in file order.
    pub tracks: Vec<TrackFragment>,
}

/// One `traf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackFragment {
    /// `track_ID`.
    pub mp4_id: u32,
    /// `tfdt`: decode time of the first sample; `None` when the box is missing.
    pub decode_time: Option<u64>,
    /// The samples in decode order.
    pub samples: Vec<FragmentSample>,
}

/// One sample of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentSample {
    /// Where its bytes begin, counted from the first byte of the file.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// Distance to the next sample, in ticks.
    pub duration: u32,
    /// Presentation minus decode time, in ticks.
    pub composition_offset: i64,
    /// `sample_flags` (ISO/IEC 14496-12 §8.8.3.1).
    pub flags: u32,
}

impl FragmentSample {
    /// Not marked as a non-sync sample.
    #[must_use]
    pub const fn is_sync(&self) -> bool {
        self.flags & 0x1_0000 == 0
    }

    /// `sample_is_depended_on` says that no other sample depends on this one.
    #[must_use]
    pub const fn is_disposable(&self) -> bool {
        (self.flags >> 22) & 3 == 2
    }
}

/// Samples in one `trun`, and in all of a `moof` (samples may take no bytes of the box, so the box does not bound them).
const MAX_RUN: u32 = 19_200;
const MAX_SAMPLES: usize = 4 * MAX_RUN as usize;

impl Fragment {
    /// Reads a `moof` whose first byte lies at the `offset` of its [`BoxRef`].
    ///
    /// # Errors
    /// [`Error::Format`] and [`Error::Limit`].
    pub fn read(moof: &BoxRef<'_>, movie: &Movie) -> Result<Self, Error> {
        let mut fragment = Self::default();
        let mut total = 0usize;
        // Without a base, data of a traf follows that of the one before (§8.8.7.1).
        let mut follows = moof.offset;
        for found in moof.children(0) {
            let found = found?;
            match &found.kind {
                b"mfhd" => {
                    let (_, _, mut f) = found.full()?;
                    fragment.sequence = f.u32()?;
                }
                b"traf" => {
                    let track = traf(&found, movie, moof.offset, &mut follows, &mut total)?;
                    fragment.tracks.push(track);
                }
                _ => {}
            }
        }
        Ok(fragment)
    }
}

fn traf(
    traf: &BoxRef<'_>,
    movie: &Movie,
    moof: u64,
    follows: &mut u64,
    total: &mut usize,
) -> Result<TrackFragment, Error> {
    let Some(tfhd) = traf.children(0).find_kind(b"tfhd")? else {
        return Err(traf.error("traf has no tfhd (14496-12 §8.8.7)"));
    };
    let (_, flags, mut f) = tfhd.full()?;
    let mut out = TrackFragment {
        mp4_id: f.u32()?,
        ..TrackFragment::default()
    };
    let mut defaults = movie
        .track(out.mp4_id)
        .map_or(SampleDefaults::default(), |t| t.defaults);
    let base = if flags & 0x1 != 0 {
        f.u64()?
    } else if flags & 0x2_0000 != 0 {
        moof
    } else {
        *follows
    };
    if flags & 0x2 != 0 {
        f.skip(4)?;
    }
    if flags & 0x8 != 0 {
        defaults.duration = f.u32()?;
    }
    if flags & 0x10 != 0 {
        defaults.size = f.u32()?;
    }
    if flags & 0x20 != 0 {
        defaults.flags = f.u32()?;
    }
    let mut at = base;
    for found in traf.children(0) {
        let found = found?;
        match &found.kind {
            b"tfdt" => {
                let (version, _, mut f) = found.full()?;
                out.decode_time = Some(f.sized(version)?);
            }
            b"trun" => trun(&found, base, &mut at, defaults, &mut out.samples, total)?,
            _ => {}
        }
    }
    *follows = at;
    Ok(out)
}

/// §8.8.8.
fn trun(
    found: &BoxRef<'_>,
    base: u64,
    at: &mut u64,
    defaults: SampleDefaults,
    samples: &mut Vec<FragmentSample>,
    total: &mut usize,
) -> Result<(), Error> {
    let (version, flags, mut f) = found.full()?;
    let count = f.u32()?;
    *total = total.saturating_add(count as usize);
    if count > MAX_RUN || *total > MAX_SAMPLES {
        return Err(Error::Limit {
            offset: found.offset,
            limit: "19200 samples in a trun",
        });
    }
    if flags & 0x1 != 0 {
        let offset = i64::from(f.u32()?.cast_signed());
        *at = base
            .checked_add_signed(offset)
            .ok_or_else(|| found.error("data offset before the file (14496-12 §8.8.8)"))?;
    }
    let first_flags = if flags & 0x4 != 0 {
        Some(f.u32()?)
    } else {
        None
    };
    for i in 0..count {
        let duration = if flags & 0x100 != 0 {
            f.u32()?
        } else {
            defaults.duration
        };
        let size = if flags & 0x200 != 0 {
            f.u32()?
        } else {
            defaults.size
        };
        let own = if flags & 0x400 != 0 {
            f.u32()?
        } else {
            defaults.flags
        };
        let offset = if flags & 0x800 == 0 {
            0
        } else if version == 0 {
            i64::from(f.u32()?)
        } else {
            i64::from(f.u32()?.cast_signed())
        };
        samples.push(FragmentSample {
            offset: *at,
            size,
            duration,
            composition_offset: offset,
            flags: first_flags.filter(|_| i == 0).unwrap_or(own),
        });
        *at = at.saturating_add(u64::from(size));
    }
    Ok(())
}
