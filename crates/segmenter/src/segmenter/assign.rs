//! Which segment and part each sample belongs to, once that can be known.

use std::collections::VecDeque;

use core_frame::{MediaKind, MediaTime};

use super::{Segmenter, Stretch};
use crate::feed::{Cut, Feed, Open};
use crate::plan::target_duration;

impl Segmenter {
    /// Assigns every sample that can be assigned.
    pub(super) fn advance(&mut self) {
        let patience = MediaTime::from(self.config.patience);
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let newest = run.feeds.iter().filter_map(|f| f.newest).max();
        let lead_newest = run.feeds.get(run.lead).and_then(|f| f.newest);
        run.lead_stalled =
            matches!((newest, lead_newest), (Some(all), Some(lead)) if all - lead > patience);
        let (feeds, lead) = (run.feeds.len(), run.lead);
        // The lead first: the others follow its cuts.
        self.advance_feed(lead);
        for at in (0..feeds).filter(|&at| at != lead) {
            self.advance_feed(at);
        }
        if let Some(newest) = newest {
            for at in 0..feeds {
                self.leave_behind(at, newest - patience);
            }
        }
        self.drop_passed_cuts();
    }

    fn advance_feed(&mut self, at: usize) {
        loop {
            let Stretch::Running(run) = &mut self.stretch else {
                return;
            };
            let Some(feed) = run.feeds.get_mut(at) else {
                return;
            };
            let leads = at == run.lead;
            let (cut, last_call) = next_cut(&run.cuts, feed);
            let Some(front) = feed.queue.front() else {
                break;
            };
            match cut {
                Some(cut) if feed.is_behind(front, cut.time, leads, last_call) => {
                    let until = feed.boundary(front.start, cut.time);
                    self.switch(at, cut, until);
                    continue;
                }
                Some(_) if feed.open.is_none() => {
                    // Before the first segment.
                    feed.queue.pop_front();
                    feed.late += 1;
                    continue;
                }
                Some(_) => {}
                None if !leads && run.lead_stalled => {
                    let time = feed.time(front.start);
                    if run.start.is_none() || time >= run.ideal {
                        self.cut(time, true);
                        continue;
                    }
                }
                None if feed.open.is_none() => break,
                None if leads || feed.middle(front) < run.frontier => {}
                None => break,
            }
            if let Some(sample) = feed.queue.pop_front() {
                self.dirty |= feed.append(sample);
                // A part is only announced as finished when the place of the next one is known, so that what a hint names is what
                // comes.
                if leads || run.lead_stalled {
                    self.dirty |= feed.close_full_part();
                }
            }
        }
        if self.settle(at) {
            self.advance_feed(at);
        }
    }

    /// The place of a feed's next frame may be known before the frame itself is ready. True when that frame begins the next
    /// segment; the one before is complete then.
    fn settle(&mut self, at: usize) -> bool {
        let Stretch::Running(run) = &mut self.stretch else {
            return false;
        };
        let leads = at == run.lead;
        let Some(feed) = run.feeds.get_mut(at).filter(|f| f.queue.is_empty()) else {
            return false;
        };
        let Some(next) = feed.next_frame() else {
            return false;
        };
        let (cut, _) = next_cut(&run.cuts, feed);
        match cut {
            // Another video track goes on to its own sync point.
            Some(_) if !leads && feed.kind == MediaKind::Video => {}
            Some(cut) if feed.is_next_behind(&next, cut.time, leads) => {
                let until = feed.boundary(next.tick, cut.time);
                self.switch(at, cut, until);
                return true;
            }
            Some(_) => self.dirty |= feed.close_full_part(),
            None if next.middle < run.frontier => self.dirty |= feed.close_full_part(),
            None => {}
        }
        false
    }

    /// A track that has fallen silent is cut without its samples, so that the others need not wait.
    fn leave_behind(&mut self, at: usize, before: MediaTime) {
        loop {
            let Stretch::Running(run) = &mut self.stretch else {
                return;
            };
            let Some(feed) = run.feeds.get_mut(at) else {
                return;
            };
            let silent = feed.newest.is_none_or(|t| t < before);
            let (cut, _) = next_cut(&run.cuts, feed);
            let Some(cut) = cut.filter(|c| silent && c.time < before) else {
                return;
            };
            feed.flush();
            while let Some(sample) = feed.queue.pop_front() {
                if feed.open.is_some() {
                    self.dirty |= feed.append(sample);
                }
            }
            feed.need_key = true;
            let until = u64::try_from(feed.ticks(cut.time)).unwrap_or(0);
            self.switch(at, cut, until);
        }
    }

    /// Ends the open segment of a feed and begins that of `cut`.
    fn switch(&mut self, at: usize, cut: Cut, until: u64) {
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let Some(feed) = run.feeds.get_mut(at) else {
            return;
        };
        let begin = feed.end_ticks().unwrap_or(0).max(until);
        let finished = feed.finish(Some(until));
        feed.begin(cut, begin);
        if let (Some(segment), Some(lane)) = (finished, self.lanes.get_mut(at)) {
            lane.push(segment);
            self.trim();
        }
        self.dirty = true;
    }

    fn drop_passed_cuts(&mut self) {
        if let Stretch::Running(run) = &mut self.stretch {
            // A feed that has no segment yet has made no cut.
            let done = run
                .feeds
                .iter()
                .map(|f| f.open.as_ref().map(|o| o.cut.msn))
                .min()
                .flatten();
            while run.cuts.front().is_some_and(|c| Some(c.msn) <= done) {
                run.cuts.pop_front();
            }
        }
    }

    /// Ends all segments. The next frame begins a new stretch, with a discontinuity if anything was begun.
    pub(super) fn end_stretch(&mut self) {
        // What was gathered runs first; a stall inside it can leave a rest that is gathered again, ever shorter.
        while let Stretch::Gathering(frames) = &self.stretch {
            if frames.is_empty() {
                return;
            }
            self.start_stretch();
        }
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        // With the frontier at the end of time and the last samples out, everything finds its place.
        for feed in &mut run.feeds {
            feed.flush();
        }
        run.frontier = MediaTime::MAX;
        run.lead_stalled = false;
        let (feeds, lead) = (run.feeds.len(), run.lead);
        self.advance_feed(lead);
        for at in (0..feeds).filter(|&at| at != lead) {
            self.advance_feed(at);
        }
        let Stretch::Running(run) = &mut self.stretch else {
            return;
        };
        let end = run
            .feeds
            .iter()
            .filter_map(|f| Some(f.time(f.end_ticks()?)))
            .max();
        for at in 0..feeds {
            self.close_feed(at, end);
        }
        if let Stretch::Running(run) = &self.stretch {
            self.stats.late += run.feeds.iter().map(|f| f.late).sum::<u64>();
        }
        self.stretch = Stretch::Gathering(Vec::new());
        self.dirty = true;
        self.trim();
    }

    /// Makes the cuts a feed has not made yet, and ends its last segment.
    fn close_feed(&mut self, at: usize, end: Option<MediaTime>) {
        loop {
            let Stretch::Running(run) = &mut self.stretch else {
                return;
            };
            let Some(feed) = run.feeds.get_mut(at) else {
                return;
            };
            let (cut, _) = next_cut(&run.cuts, feed);
            if let Some(cut) = cut {
                let until = u64::try_from(feed.ticks(cut.time)).unwrap_or(0);
                self.switch(at, cut, until);
                continue;
            }
            // A track without a frame in the last segment still has the segment, as a gap.
            let empty = feed.open.as_ref().is_some_and(Open::is_empty);
            let until = end
                .filter(|_| empty)
                .and_then(|end| u64::try_from(feed.ticks(end)).ok());
            if let Some(segment) = feed.finish(until) {
                if self.target_duration_s == 0 {
                    let video = run.feeds.iter().any(|f| f.kind == MediaKind::Video);
                    self.target_duration_s =
                        target_duration(self.config.segment_target.into(), segment.duration, video);
                }
                if let Some(lane) = self.lanes.get_mut(at) {
                    lane.push(segment);
                }
            }
            return;
        }
    }
}

/// The next cut a feed has to make, and whether yet another waits behind it.
pub(super) fn next_cut(cuts: &VecDeque<Cut>, feed: &Feed) -> (Option<Cut>, bool) {
    let msn = feed.open.as_ref().map(|o| o.cut.msn);
    let mut ahead = cuts.iter().filter(|c| msn.is_none_or(|m| c.msn > m));
    (ahead.next().copied(), ahead.next().is_some())
}
