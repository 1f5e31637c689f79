//! Delta updates put back together (§6.2.5.1).

use std::sync::Arc;

use crate::{ByteRange, DeltaError, MediaPlaylist, Segment};

impl MediaPlaylist {
    /// The whole playlist that this delta update stands for, given the one it updates. A playlist that is no delta
    /// update comes back as it is.
    ///
    /// Skipped segments come from `previous`, with their keys, maps and bit rates; so do date ranges that the update
    /// leaves out and does not name as removed.
    ///
    /// # Errors
    /// When `previous` does not have all skipped segments: load the full playlist then.
    pub fn apply_delta(mut self, previous: &Self) -> Result<Self, DeltaError> {
        let Some(skip) = self.skip.take() else {
            return Ok(self);
        };
        if previous.skip.is_some() {
            return Err(DeltaError::PreviousIsDelta);
        }
        let first = self.media_sequence;
        let missing = |sequence| DeltaError::Missing { sequence };
        let from = first
            .checked_sub(previous.media_sequence)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(missing(first))?;
        let count = usize::try_from(skip.skipped_segments).unwrap_or(usize::MAX);
        let have = previous.segments.get(from..).unwrap_or(&[]);
        let Some(skipped) = have.get(..count) else {
            return Err(missing(first.saturating_add(have.len() as u64)));
        };
        let last = skipped.last();
        for (i, segment) in self
            .segments
            .iter_mut()
            .chain(self.open.as_deref_mut())
            .enumerate()
        {
            let Some(last) = last else { break };
            if i < skip.inherit_keys {
                segment.keys = Arc::clone(&last.keys);
            }
            if i < skip.inherit_map {
                segment.map.clone_from(&last.map);
            }
            if i < skip.inherit_bitrate {
                segment.bitrate_kbps = last.bitrate_kbps;
            }
        }
        let mut before = last.map(|s| (s.uri.clone(), s.byte_range.and_then(|r| r.end())));
        for segment in &mut self.segments {
            continue_range(segment, before.as_ref());
            before = segment.byte_range.map(|r| (segment.uri.clone(), r.end()));
        }
        // Parts of segments this old are not to be loaded any more.
        let older = skipped.iter().map(|s| Segment {
            parts: Vec::new(),
            ..s.clone()
        });
        self.segments.splice(0..0, older);
        let kept: Vec<_> = previous
            .date_ranges
            .iter()
            .filter(|old| {
                !skip.recently_removed_date_ranges.contains(&old.id)
                    && !self.date_ranges.contains(old)
            })
            .cloned()
            .collect();
        self.date_ranges.splice(0..0, kept);
        Ok(self)
    }
}

/// A byte range without an offset begins where the one before it ended, when both are of one resource.
fn continue_range(segment: &mut Segment, before: Option<&(String, Option<u64>)>) {
    if let (
        Some(ByteRange {
            offset: offset @ None,
            ..
        }),
        Some((uri, end)),
    ) = (&mut segment.byte_range, before)
        && *uri == segment.uri
    {
        *offset = *end;
    }
}
