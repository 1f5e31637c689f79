//! One track of the stretch at hand: samples into chunks, chunks into parts, parts into the open segment.

use std::collections::VecDeque;
use std::sync::Arc;

use cmaf::{
    ChunkExtras, ChunkWriter, InitTrack, ProducerReference, Sample, TrackClock, TrackWriter,
};
use core_frame::{EpochInfo, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId, TrackInfo};

use crate::{Init, Location, Part, Segment};

/// A decision that segment `msn` begins at `time` on every track.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) msn: u64,
    pub(crate) time: MediaTime,
    pub(crate) discontinuity_before: bool,
    pub(crate) discontinuity: u64,
}

pub(crate) struct Feed {
    pub(crate) id: TrackId,
    pub(crate) kind: MediaKind,
    pub(crate) writer: TrackWriter,
    chunks: ChunkWriter,
    init: Arc<Init>,
    epoch: EpochInfo,
    producer_reference: bool,
    /// Samples with known durations that cannot be assigned to a segment yet.
    pub(crate) queue: VecDeque<Sample>,
    pub(crate) open: Option<Open>,
    /// Room of a part, in ticks.
    part_ticks: u64,
    /// Usual length of a frame.
    frame_ticks: u64,
    /// How much a run of frames may be longer than so many usual ones.
    jitter_ticks: u64,
    /// Media was lost: a video track goes on at its next sync point.
    pub(crate) need_key: bool,
    /// Time of the newest frame.
    pub(crate) newest: Option<MediaTime>,
    /// Samples left out because their time was already covered.
    pub(crate) late: u64,
}

/// The segment that is being filled.
pub(crate) struct Open {
    pub(crate) cut: Cut,
    start_ticks: u64,
    /// End of what the parts list.
    end_ticks: u64,
    parts: Vec<Arc<Part>>,
    pub(crate) len: u64,
    part: Vec<Sample>,
    part_start: u64,
    /// End of the last sample.
    media_end: u64,
}

/// The frame that is still to come.
pub(crate) struct NextFrame {
    pub(crate) tick: u64,
    pub(crate) middle: MediaTime,
}

pub(crate) struct FeedOptions {
    pub(crate) part_target: MediaTime,
    pub(crate) jitter: MediaTime,
    pub(crate) frame: MediaTime,
    pub(crate) zero: MediaTime,
    pub(crate) epoch: EpochInfo,
    pub(crate) producer_reference: bool,
}

impl Open {
    /// No frame and no gap yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.part.is_empty()
    }
}

impl Feed {
    pub(crate) fn new(
        info: &TrackInfo,
        track: &InitTrack,
        init: Arc<Init>,
        o: &FeedOptions,
    ) -> Self {
        let writer = TrackWriter::new(info, track, o.zero);
        let hz = i128::from(writer.clock().hz());
        // Rounded down, so that no part is longer than the target.
        let floor = |t: MediaTime| {
            let ticks = i128::from(t.as_nanos().max(0)) * hz / 1_000_000_000;
            u64::try_from(ticks).unwrap_or(u64::MAX)
        };
        let nearest = *writer.clock();
        let ticks = |t| u64::try_from(nearest.ticks(nearest.zero() + t)).unwrap_or(0);
        Self {
            id: info.id,
            kind: info.kind(),
            chunks: ChunkWriter::new(track),
            init,
            epoch: o.epoch,
            producer_reference: o.producer_reference,
            queue: VecDeque::new(),
            open: None,
            part_ticks: floor(o.part_target).max(1),
            frame_ticks: ticks(o.frame).max(1),
            jitter_ticks: ticks(o.jitter),
            need_key: false,
            newest: None,
            late: 0,
            writer,
        }
    }

    pub(crate) fn clock(&self) -> &TrackClock {
        self.writer.clock()
    }

    /// Presentation time of a sync point with this decode tick.
    pub(crate) fn time(&self, tick: u64) -> MediaTime {
        self.clock().time(tick) + self.writer.delay()
    }

    /// Decode tick of a sync point with this presentation time.
    pub(crate) fn ticks(&self, time: MediaTime) -> i64 {
        self.clock().ticks(time - self.writer.delay())
    }

    /// Takes a frame; the one before it is ready then.
    pub(crate) fn push(&mut self, frame: &MediaFrame) {
        if let Some(sample) = self.writer.push(frame) {
            self.queue.push_back(sample);
        }
        if let Some(start) = self.writer.pending_start() {
            self.newest = Some(self.time(start));
        }
    }

    /// The frame held back comes out with its usual duration.
    pub(crate) fn flush(&mut self) {
        if let Some(sample) = self.writer.flush() {
            self.queue.push_back(sample);
        }
    }

    /// Whether `sample` belongs behind a cut at `time`. The track that decides cuts does so at the very sample; the
    /// others follow to the nearest frame, other video tracks at their own next sync point.
    pub(crate) fn is_behind(
        &self,
        sample: &Sample,
        time: MediaTime,
        leads: bool,
        last_call: bool,
    ) -> bool {
        let cut = self.ticks(time);
        let start = i64::try_from(sample.start).unwrap_or(i64::MAX);
        if leads {
            return start >= cut;
        }
        let half = i64::try_from(u64::from(sample.duration).min(self.frame_ticks) / 2).unwrap_or(0);
        let near = start.saturating_add(half) >= cut;
        match self.kind {
            MediaKind::Video => {
                near && (last_call || sample.flags.contains(FrameFlags::KEY) || self.open.is_none())
            }
            _ => near,
        }
    }

    /// Middle of a sample on the stream's timeline: before it lies the frame's own segment for sure.
    pub(crate) fn middle(&self, sample: &Sample) -> MediaTime {
        let half = u64::from(sample.duration).min(self.frame_ticks) / 2;
        self.time(sample.start.saturating_add(half))
    }

    /// The frame after the last one taken, supposed that it is of the usual length.
    pub(crate) fn next_frame(&self) -> Option<NextFrame> {
        let tick = self.open.as_ref().filter(|o| !o.is_empty())?.media_end;
        Some(NextFrame {
            tick,
            middle: self.time(tick.saturating_add(self.frame_ticks / 2)),
        })
    }

    /// Like [`Feed::is_behind`], for the frame that is still to come.
    pub(crate) fn is_next_behind(&self, next: &NextFrame, time: MediaTime, leads: bool) -> bool {
        if leads {
            i64::try_from(next.tick).is_ok_and(|tick| tick >= self.ticks(time))
        } else {
            next.middle >= time
        }
    }

    /// The tick at which the listing goes over to the segment that begins at `time`, when the next frame begins at
    /// `start`: at that frame, unless it comes after a hole.
    pub(crate) fn boundary(&self, start: u64, time: MediaTime) -> u64 {
        let cut = u64::try_from(self.ticks(time)).unwrap_or(0);
        if start > cut.saturating_add(self.frame_ticks) {
            cut
        } else {
            start
        }
    }

    /// Starts the segment of `cut`; `at` is the tick its listing begins at.
    pub(crate) fn begin(&mut self, cut: Cut, at: u64) {
        self.open = Some(Open {
            cut,
            start_ticks: at,
            end_ticks: at,
            parts: Vec::new(),
            len: 0,
            part: Vec::new(),
            part_start: at,
            media_end: at,
        });
    }

    /// Adds a sample to the open segment. True when a part was finished.
    ///
    /// A hole before the sample, and what a sample lasts beyond one part (a source of few or irregular frames), are listed as gap
    /// parts: the list stays exact and no part exceeds the target. The sample itself keeps its full duration in the
    /// chunk, so players show it on.
    pub(crate) fn append(&mut self, sample: Sample) -> bool {
        let Some(open) = self.open.as_ref() else {
            return false;
        };
        if sample.start < open.end_ticks {
            self.late += 1;
            return false;
        }
        if self.need_key {
            if self.kind == MediaKind::Video && !sample.flags.contains(FrameFlags::KEY) {
                self.late += 1;
                return false;
            }
            self.need_key = false;
        }
        let mut changed = false;
        if sample.start > open.end_ticks {
            changed |= self.close_part();
            changed |= self.gap_until(sample.start);
        }
        let duration = u64::from(sample.duration);
        let used = self.open.as_ref().map_or(0, |o| o.end_ticks - o.part_start);
        let room = self.part_ticks.saturating_sub(used);
        let listed = if duration > self.part_ticks && room > 0 {
            room
        } else if duration > room {
            changed |= self.close_part();
            duration.min(self.part_ticks)
        } else {
            duration
        };
        if let Some(open) = &mut self.open {
            open.end_ticks = sample.start.saturating_add(listed);
            open.media_end = sample.end();
            open.part.push(sample);
        }
        changed
    }

    /// Closes the part at hand when no frame of the usual length fits any more. True when it did.
    pub(crate) fn close_full_part(&mut self) -> bool {
        let full = self.open.as_ref().is_some_and(|o| {
            let frames = o.part.len() as u64 + 1;
            let usual = frames * self.frame_ticks + self.jitter_ticks;
            let used = o.end_ticks - o.part_start;
            // Two ticks are rounding.
            !o.part.is_empty() && usual.max(used + self.frame_ticks) > self.part_ticks + 2
        });
        full && self.close_part()
    }

    /// End of the listing, in ticks.
    pub(crate) fn end_ticks(&self) -> Option<u64> {
        self.open.as_ref().map(|o| o.end_ticks)
    }

    /// Finishes the open segment. `until`: the tick at which the next one begins, when that is known.
    pub(crate) fn finish(&mut self, until: Option<u64>) -> Option<Segment> {
        self.close_part();
        if let Some(until) = until {
            self.gap_until(until);
        }
        let open = self.open.take()?;
        Some(self.segment(&open, true))
    }

    /// The open segment as it is now; `None` before its first part.
    pub(crate) fn view(&self) -> Option<Segment> {
        let open = self.open.as_ref().filter(|o| !o.parts.is_empty())?;
        Some(self.segment(open, false))
    }

    fn segment(&self, open: &Open, complete: bool) -> Segment {
        let start = self.time(open.start_ticks);
        // An unfinished part is not listed yet.
        let end = if complete {
            open.end_ticks
        } else {
            open.part_start
        };
        Segment {
            msn: open.cut.msn,
            start,
            duration: self.time(end) - start,
            start_ticks: open.start_ticks,
            duration_ticks: end - open.start_ticks,
            epoch: self.epoch.id,
            discontinuity_before: open.cut.discontinuity_before,
            discontinuity: open.cut.discontinuity,
            program_date_time: self.epoch.wall_at(start),
            init: Arc::clone(&self.init),
            gap: complete && open.parts.iter().all(|p| p.gap),
            independent: open
                .parts
                .iter()
                .find(|p| !p.gap)
                .is_some_and(|p| p.independent),
            parts: open.parts.clone(),
            complete,
            len: open.len,
            location: Location::Memory,
        }
    }

    fn close_part(&mut self) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let (start, end) = (open.part_start, open.end_ticks);
        open.part_start = end;
        let mut extras = ChunkExtras::default();
        if self.producer_reference && open.len == 0 {
            let shown = self.writer.clock().time(start) + self.writer.delay();
            let wall = self.epoch.wall_at(shown);
            extras.producer_reference = Some(ProducerReference {
                flags: 24,
                ntp: wall.to_ntp(),
                media_time: start,
            });
        }
        let Some(chunk) = self.chunks.chunk(&open.part, &extras) else {
            return false;
        };
        open.part.clear();
        let (clock, delay) = (self.writer.clock(), self.writer.delay());
        let (from, to) = (clock.time(start) + delay, clock.time(end) + delay);
        open.parts.push(Arc::new(Part {
            index: index(&open.parts),
            start: from,
            duration: to - from,
            independent: chunk.independent,
            gap: false,
            slices: Arc::from(chunk.slices.into_vec()),
            len: u64::from(chunk.len),
            offset: open.len,
        }));
        open.len += u64::from(chunk.len);
        true
    }

    fn gap_until(&mut self, until: u64) -> bool {
        let (clock, delay) = (*self.writer.clock(), self.writer.delay());
        let Some(open) = &mut self.open else {
            return false;
        };
        let mut changed = false;
        while open.end_ticks < until {
            let end = until.min(open.end_ticks.saturating_add(self.part_ticks));
            let (from, to) = (clock.time(open.end_ticks) + delay, clock.time(end) + delay);
            open.parts.push(Arc::new(Part {
                index: index(&open.parts),
                start: from,
                duration: to - from,
                independent: false,
                gap: true,
                slices: Arc::from([]),
                len: 0,
                offset: open.len,
            }));
            open.end_ticks = end;
            open.part_start = end;
            changed = true;
        }
        changed
    }
}

fn index(parts: &[Arc<Part>]) -> u32 {
    u32::try_from(parts.len()).unwrap_or(u32::MAX)
}
