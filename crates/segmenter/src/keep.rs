//! What stays in the window, what is spilled to the storage, and what goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use core_frame::{MediaTime, TrackId};

use crate::lane::Lane;
use crate::{Location, Segment, Segmenter};

/// A complete segment that should go to the storage.
#[derive(Clone, Debug)]
pub struct Spill {
    /// Its track.
    pub track: TrackId,
    /// Its number.
    pub msn: u64,
    /// The key to store it under, as one object of all its parts.
    pub key: Arc<str>,
    /// The segment, with its bytes.
    pub segment: Arc<Segment>,
}

/// Segments listed at least, however little memory there is (rfc8216bis §6.2.2 asks for three target durations, Apple for
/// six segments).
const LEAST_LISTED: usize = 6;

impl Segmenter {
    /// Segments to be written to the storage now, oldest first and `most` at a time; answer each with
    /// [`Segmenter::spilled`].
    pub fn take_spills(&mut self, most: usize) -> Vec<Spill> {
        let mut out = Vec::new();
        if !self.config.spill {
            return out;
        }
        // What is on its way already counts as gone.
        let on_the_way = |l: &Lane| l.spilling.iter().map(|(_, len)| len).sum::<u64>();
        let mut held: u64 = self
            .lanes
            .iter()
            .map(|l| l.memory.saturating_sub(on_the_way(l)))
            .sum();
        while held > self.config.memory_bytes && out.len() < most {
            let oldest = self
                .lanes
                .iter()
                .enumerate()
                .filter_map(|(at, l)| Some((at, Arc::clone(l.oldest_in_memory()?))))
                .min_by_key(|(_, s)| s.msn);
            let Some((at, segment)) = oldest else { break };
            let Some(lane) = self.lanes.get_mut(at) else {
                break;
            };
            held = held.saturating_sub(segment.len);
            lane.spilling.push_back((segment.msn, segment.len));
            let key = key(&self.config.storage_prefix, lane.id, segment.msn);
            out.push(Spill {
                track: lane.id,
                msn: segment.msn,
                key,
                segment,
            });
        }
        out
    }

    /// The storage has (`written`) or has not taken a spilled segment. Without it the segment stays in memory and is
    /// offered again.
    pub fn spilled(&mut self, spill: &Spill, written: bool) {
        let lane = self.lanes.iter_mut().find(|l| l.id == spill.track);
        let Some(lane) = lane else {
            if written {
                self.deletes.push(Arc::clone(&spill.key));
            }
            return;
        };
        lane.spilling.retain(|&(msn, _)| msn != spill.msn);
        if written && !lane.stored(spill.msn, &spill.key) {
            // It left the window while it was being written.
            self.deletes.push(Arc::clone(&spill.key));
        }
        if written && self.ended {
            self.republish();
        }
    }

    /// Keys that nothing refers to any more.
    pub fn take_deletes(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.deletes)
    }

    /// Lets go of what was retained long enough; to be called now and then when no frames come.
    pub fn expire(&mut self, now: Instant) {
        self.now = Some(now);
        if self.let_go(now) {
            self.republish();
        }
    }

    /// Empties the window after the end: lists, retained segments and all.
    pub fn clear(&mut self) {
        for lane in std::mem::take(&mut self.lanes) {
            self.forget(lane);
        }
        self.republish();
    }

    /// Bytes of complete segments in memory.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.lanes.iter().map(|l| l.memory).sum()
    }

    /// Moves segments out of the list that are older than the window (or than memory allows where there is no storage), on
    /// all tracks alike, and lets go of retained ones.
    pub(crate) fn trim(&mut self) {
        let Some(now) = self.now else { return };
        while let Some(msn) = self.droppable() {
            for lane in &mut self.lanes {
                let Some(oldest) = lane.closed.front().filter(|s| s.msn == msn) else {
                    continue;
                };
                // A removed segment stays for its own duration and that of the list it was in (rfc8216bis §6.2.2).
                let stay = (oldest.duration + lane.listed).to_duration();
                lane.unlist(now + stay + Duration::from_secs(1));
            }
        }
        self.let_go(now);
    }

    /// The number of the oldest segment, if it may leave the list.
    fn droppable(&self) -> Option<u64> {
        let msn = self
            .lanes
            .iter()
            .filter_map(|l| l.closed.front().map(|s| s.msn))
            .min()?;
        let having = || {
            self.lanes
                .iter()
                .filter(move |l| l.closed.front().is_some_and(|s| s.msn == msn))
        };
        // By time: its end is further back than the window is deep, on every track.
        let window = MediaTime::from(self.config.window);
        let old = having().all(|l| {
            let first = l.closed.front().map_or(MediaTime::ZERO, |s| s.duration);
            l.listed - first >= window
        });
        if old {
            return Some(msn);
        }
        // By memory: half of it is for the list and half for what left the list. A storage that does not keep up
        // counts like none, at four times the memory.
        let held: u64 = self
            .lanes
            .iter()
            .flat_map(|l| &l.closed)
            .filter(|s| s.location == Location::Memory)
            .map(|s| s.len)
            .sum();
        let allowed = if self.config.spill {
            self.config.memory_bytes.saturating_mul(4)
        } else {
            self.config.memory_bytes / 2
        };
        let floor = MediaTime::from_secs(3 * i64::from(self.target_duration_s));
        let enough = having().all(|l| {
            let first = l.closed.front().map_or(MediaTime::ZERO, |s| s.duration);
            l.closed.len() > LEAST_LISTED && l.listed - first >= floor
        });
        (held > allowed && enough).then_some(msn)
    }

    /// Lets go of retained segments whose time is over, and of more when memory is short.
    fn let_go(&mut self, now: Instant) -> bool {
        let mut changed = false;
        let hard = self
            .config
            .memory_bytes
            .saturating_mul(if self.config.spill { 4 } else { 2 });
        let mut held: u64 = self.memory();
        for lane in &mut self.lanes {
            while let Some((deadline, segment)) = lane.retained.front() {
                let crowded =
                    held > hard && segment.location == Location::Memory && segment.len > 0;
                if *deadline > now && !crowded {
                    break;
                }
                if segment.location == Location::Memory {
                    held = held.saturating_sub(segment.len);
                }
                if let Some(gone) = lane.release()
                    && let Location::Stored(key) = &gone.location
                {
                    self.deletes.push(Arc::clone(key));
                }
                changed = true;
            }
        }
        changed
    }

    /// The objects of a lane that goes away are deleted.
    pub(crate) fn forget(&mut self, lane: Lane) {
        let all = lane
            .closed
            .iter()
            .chain(lane.retained.iter().map(|(_, s)| s));
        for segment in all {
            if let Location::Stored(key) = &segment.location {
                self.deletes.push(Arc::clone(key));
            }
        }
    }

    fn republish(&mut self) {
        self.mark_changed();
        self.publish();
    }
}

fn key(prefix: &str, track: TrackId, msn: u64) -> Arc<str> {
    Arc::from(format!("{prefix}/{track}/{msn}.m4s"))
}
