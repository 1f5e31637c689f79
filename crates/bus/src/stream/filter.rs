//! The stream's filter and what it is fed: one lock before the log's, taken only where a filter is installed.

use std::sync::Arc;
use std::time::Instant;

use core_frame::{FilterOut, FilterStep, FrameFilter, MediaFrame, TrackInfo, TrackTable};

use super::{FrameLog, Intake};
use crate::log::State;

/// A filter with its out-tray.
pub(crate) struct Filter {
    filter: Box<dyn FrameFilter>,
    out: FilterOut,
    /// The tracks it was told last.
    table: Arc<TrackTable>,
    /// When the last frame came.
    pub(crate) last_frame: Instant,
}

impl Filter {
    pub(crate) fn new(filter: Box<dyn FrameFilter>, now: Instant) -> Self {
        Self {
            filter,
            out: FilterOut::new(),
            table: Arc::default(),
            last_frame: now,
        }
    }

    /// Feeds frames of the current publisher and writes what comes out, in one round; true when there is news to tell.
    pub(crate) fn publish(
        &mut self,
        log: &FrameLog,
        frames: impl IntoIterator<Item = MediaFrame>,
    ) -> bool {
        let now = Instant::now();
        self.last_frame = now;
        let (mut count, mut bytes) = (0, 0);
        for frame in frames {
            if frame.is_config() {
                self.change(log, now, |intake| intake.with_config(frame));
                continue;
            }
            if self.table.track(frame.track).is_none() {
                let info = TrackInfo::new(frame.track, frame.codec);
                self.change(log, now, |intake| intake.with_track(info));
            }
            count += 1;
            bytes += frame.payload.len() as u64;
            self.filter.frame(now, frame, &mut self.out);
        }
        let repairs = self.filter.repairs();
        log.write(|state| {
            state.intake.frames_in += count;
            state.intake.bytes_in += bytes;
            state.intake.repairs = repairs;
            drain(&mut self.out, state);
            state.intake.news.any()
        })
    }

    /// Changes the tracks. What the filter still holds belongs to the tracks before, so it comes out first.
    pub(crate) fn change(
        &mut self,
        log: &FrameLog,
        now: Instant,
        change: impl FnOnce(&Intake) -> Option<TrackTable>,
    ) {
        let Some(table) = change(&log.lock().intake) else {
            return;
        };
        if !self.table.tracks.is_empty() {
            self.flush(log, now);
        }
        self.table = {
            let mut state = log.lock();
            state.intake.put_table(table);
            Arc::clone(&state.intake.table)
        };
        self.filter.tracks(&self.table);
    }

    /// The publisher is gone: whatever is held back comes out.
    pub(crate) fn flush(&mut self, log: &FrameLog, now: Instant) {
        self.filter.flush(now, &mut self.out);
        log.write(|state| drain(&mut self.out, state));
    }

    /// Another publisher follows.
    pub(crate) fn publisher_changed(&mut self, now: Instant) {
        self.filter.publisher_changed(now);
        self.table = Arc::default();
        self.last_frame = now;
    }
}

fn drain(out: &mut FilterOut, state: &mut State<MediaFrame, TrackTable>) {
    for step in out.drain() {
        match step {
            FilterStep::Epoch { reason, .. } => state.intake.open_epoch(reason),
            FilterStep::Frame(frame) => state.accept(frame),
        }
    }
}
