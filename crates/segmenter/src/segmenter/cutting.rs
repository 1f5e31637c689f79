//! Where segments end: the frames of the lead track decide.

use core_frame::{FrameFlags, MediaFrame, MediaKind, MediaTime};

use super::{Segmenter, Stretch};
use crate::feed::Cut;
use crate::plan::target_duration;

impl Segmenter {
    pub(super) fn run_frame(&mut self, frame: &MediaFrame) {
        let limit = self.segment_limit();
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let Some(at) = run.feeds.iter().position(|f| f.id == frame.track) else {
            return;
        };
        if at == run.lead {
            let Some(feed) = run.feeds.get(at) else {
                return;
            };
            let time = feed.writer.time_of(frame);
            let last = feed.newest.into_iter().chain(run.start).max();
            if run.start.is_some() && last.is_some_and(|last| time - last > limit) {
                // Nothing came for longer than a segment may last: what follows cannot be the same stretch.
                self.stats.stalls += 1;
                self.end_stretch();
                self.take(frame);
                return;
            }
        }
        let Some(feed) = run.feeds.get_mut(at) else {
            return;
        };
        feed.push(frame);
        let Some(time) = feed.newest else { return };
        if at == run.lead {
            self.lead_frame(time, frame.flags, limit);
        }
        self.advance();
    }

    /// The longest a segment may become.
    fn segment_limit(&self) -> MediaTime {
        match self.target_duration_s {
            0 => self.config.gop_limit.into(),
            // What rounds down to the target is within it.
            s => MediaTime::from_secs(i64::from(s)) + MediaTime::from_millis(250),
        }
    }

    /// The lead's newest frame begins at `time`: is it the first of a segment?
    fn lead_frame(&mut self, time: MediaTime, flags: FrameFlags, limit: MediaTime) {
        let segment_bytes = self.config.segment_bytes;
        let gop_limit = MediaTime::from(self.config.gop_limit);
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        run.frontier = time;
        let Some(feed) = run.feeds.get(run.lead) else {
            return;
        };
        let audio = feed.kind != MediaKind::Video;
        let frame_time = feed.clock().span(u64::from(feed.writer.frame_duration()));
        let half = MediaTime::from_nanos(frame_time.as_nanos() / 2);
        let since = *run.waiting_since.get_or_insert(time);
        let quiet = time - run.last_sync.unwrap_or(since);
        let key = audio || flags.contains(FrameFlags::KEY);
        // Where no key frame comes any more (intra refresh), recovery points are the next best.
        let sync = key
            || (flags.contains(FrameFlags::RECOVERY_POINT)
                && quiet > MediaTime::from_nanos(limit.as_nanos() / 2));
        if key {
            run.last_sync = Some(time);
        }
        let cut = match run.start {
            None => sync || quiet > gop_limit,
            Some(start) => {
                let full = feed.open.as_ref().is_some_and(|o| o.len > segment_bytes);
                (sync && time + half >= run.ideal) || time + frame_time > start + limit || full
            }
        };
        if cut {
            self.cut(time, key);
        }
    }

    /// Decides that a segment begins at `time` on all tracks.
    pub(super) fn cut(&mut self, time: MediaTime, independent: bool) {
        let target = MediaTime::from(self.config.segment_target);
        let half = MediaTime::from_nanos(target.as_nanos() / 2);
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let discontinuity_before = run.start.is_none() && self.begun;
        match run.start {
            None => run.ideal = time + target,
            Some(start) => {
                if self.target_duration_s == 0 {
                    let video = run.feeds.iter().any(|f| f.kind == MediaKind::Video);
                    self.target_duration_s = target_duration(target, time - start, video);
                }
                // Cuts follow the grid of whole targets, so that their error never adds up; a grid that the sync points cannot hold is
                // moved along.
                run.ideal = (run.ideal + target).max(time + half);
            }
        }
        if !independent {
            self.stats.forced_cuts += 1;
            self.independent_segments = false;
        }
        if discontinuity_before {
            self.discontinuity += 1;
        }
        self.begun = true;
        run.start = Some(time);
        run.cuts.push_back(Cut {
            msn: self.next_msn,
            time,
            discontinuity_before,
            discontinuity: self.discontinuity,
        });
        self.next_msn += 1;
    }
}
