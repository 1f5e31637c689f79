//! What is kept of one track: listed and retained segments, bandwidth, and its part of the snapshot.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use core_frame::{MediaTime, TrackId, TrackInfo};

use crate::{Bandwidth, Init, Location, Part, Segment, TrackWindow};

pub(crate) struct Lane {
    pub(crate) id: TrackId,
    pub(crate) info: Arc<TrackInfo>,
    pub(crate) init: Arc<Init>,
    pub(crate) timescale: u32,
    pub(crate) closed: VecDeque<Arc<Segment>>,
    pub(crate) retained: VecDeque<(Instant, Arc<Segment>)>,
    /// Sum of the durations of `closed`.
    pub(crate) listed: MediaTime,
    /// Bytes of all segments in memory, the open one left out.
    pub(crate) memory: u64,
    peak_bps: u64,
    total_bits: u128,
    total_nanos: u128,
    /// Numbers and bytes of segments that were handed out for the storage and are not there yet.
    pub(crate) spilling: VecDeque<(u64, u64)>,
    lists_dirty: bool,
    published: Option<Arc<TrackWindow>>,
}

impl Lane {
    pub(crate) fn new(info: Arc<TrackInfo>, init: Arc<Init>, timescale: u32) -> Self {
        Self {
            id: info.id,
            info,
            init,
            timescale,
            closed: VecDeque::new(),
            retained: VecDeque::new(),
            listed: MediaTime::ZERO,
            memory: 0,
            peak_bps: 0,
            total_bits: 0,
            total_nanos: 0,
            spilling: VecDeque::new(),
            lists_dirty: true,
            published: None,
        }
    }

    /// Takes the description and init segment of a new stretch.
    pub(crate) fn renew(&mut self, info: Arc<TrackInfo>, init: Arc<Init>, timescale: u32) {
        self.info = info;
        self.init = init;
        self.timescale = timescale;
    }

    pub(crate) fn push(&mut self, segment: Segment) {
        self.listed += segment.duration;
        self.memory += segment.len;
        let nanos = u128::from(segment.duration.as_nanos().unsigned_abs());
        // A scrap at the end of a stretch says nothing about the rate.
        if nanos > 0 && !segment.gap {
            let bits = u128::from(segment.len) * 8;
            self.total_bits += bits;
            self.total_nanos += nanos;
            if nanos >= 500_000_000 || self.peak_bps == 0 {
                let bps = u64::try_from(bits * 1_000_000_000 / nanos).unwrap_or(u64::MAX);
                self.peak_bps = self.peak_bps.max(bps);
            }
        }
        self.closed.push_back(Arc::new(segment));
        self.lists_dirty = true;
    }

    /// The oldest listed segment leaves the list; it can be fetched until `deadline`.
    pub(crate) fn unlist(&mut self, deadline: Instant) {
        if let Some(segment) = self.closed.pop_front() {
            self.listed -= segment.duration;
            self.retained.push_back((deadline, segment));
            self.lists_dirty = true;
        }
    }

    /// The oldest retained segment is let go.
    pub(crate) fn release(&mut self) -> Option<Arc<Segment>> {
        let (_, segment) = self.retained.pop_front()?;
        if segment.location == Location::Memory {
            self.memory = self.memory.saturating_sub(segment.len);
        }
        self.lists_dirty = true;
        Some(segment)
    }

    /// The oldest segment in memory that is not on its way to the storage.
    pub(crate) fn oldest_in_memory(&self) -> Option<&Arc<Segment>> {
        self.retained
            .iter()
            .map(|(_, s)| s)
            .chain(&self.closed)
            .find(|s| {
                s.location == Location::Memory
                    && s.len > 0
                    && !self.spilling.iter().any(|(msn, _)| *msn == s.msn)
            })
    }

    /// The segment is in the storage now: its bytes leave memory. False when it is not kept any more.
    pub(crate) fn stored(&mut self, msn: u64, key: &Arc<str>) -> bool {
        let slot = self
            .retained
            .iter_mut()
            .map(|(_, s)| s)
            .chain(&mut self.closed)
            .find(|s| s.msn == msn && s.location == Location::Memory);
        let Some(slot) = slot else {
            return false;
        };
        let mut segment = Segment::clone(slot);
        for part in &mut segment.parts {
            *part = Arc::new(Part {
                slices: Arc::from([]),
                ..Part::clone(part)
            });
        }
        segment.location = Location::Stored(Arc::clone(key));
        self.memory = self.memory.saturating_sub(segment.len);
        *slot = Arc::new(segment);
        self.lists_dirty = true;
        true
    }

    pub(crate) fn bandwidth(&self) -> Option<Bandwidth> {
        if self.total_nanos == 0 {
            return None;
        }
        let average = self.total_bits * 1_000_000_000 / self.total_nanos;
        Some(Bandwidth {
            peak_bps: self.peak_bps,
            average_bps: u64::try_from(average).unwrap_or(u64::MAX),
        })
    }

    /// The track's part of the next snapshot; the lists are shared with the one before unless they changed.
    pub(crate) fn snapshot(
        &mut self,
        open: Option<Segment>,
        (next_msn, next_discontinuity): (u64, u64),
    ) -> Arc<TrackWindow> {
        let (closed, retained) = match (&self.published, self.lists_dirty) {
            (Some(p), false) => (Arc::clone(&p.closed), Arc::clone(&p.retained)),
            _ => (
                self.closed.iter().cloned().collect(),
                self.retained.iter().map(|(_, s)| Arc::clone(s)).collect(),
            ),
        };
        self.lists_dirty = false;
        let window = Arc::new(TrackWindow {
            id: self.id,
            info: Arc::clone(&self.info),
            init: Arc::clone(&self.init),
            timescale: self.timescale,
            closed,
            open: open.map(Arc::new),
            retained,
            bandwidth: self.bandwidth(),
            next_msn,
            next_discontinuity,
        });
        self.published = Some(Arc::clone(&window));
        window
    }
}
