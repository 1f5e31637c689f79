//! The first moments of a stretch: which tracks are alive, and what their timing is.

use std::collections::VecDeque;
use std::sync::Arc;

use core_frame::{MediaKind, MediaTime, TrackInfo};

use super::{Run, Segmenter, Stretch};
use crate::Init;
use crate::feed::{Feed, FeedOptions};
use crate::lane::Lane;
use crate::plan::{FrameTiming, part_target};

/// How long frames are gathered at most before the tracks that came are taken for all there are.
const GATHER: MediaTime = MediaTime::from_secs(1);
/// Frames of a track that tell its timing.
const ENOUGH_FRAMES: usize = 6;

impl Segmenter {
    /// Whether the frames at hand tell which tracks are alive and what their timing is.
    pub(super) fn gathered(&self) -> bool {
        let Stretch::Gathering(frames) = &self.stretch else {
            return false;
        };
        let wanted = MediaTime::from(self.config.part_target);
        let mut all_there = true;
        let mut longest = MediaTime::ZERO;
        for (info, _) in &self.tracks {
            let mut of_track = frames.iter().filter(|f| f.track == info.id).map(|f| f.dts);
            let Some(first) = of_track.next() else {
                all_there = false;
                continue;
            };
            let (count, last) = of_track.fold((1usize, first), |(n, _), t| (n + 1, t));
            let span = last - first;
            longest = longest.max(span);
            // With the target fixed already, being there is enough.
            if self.part_target == MediaTime::ZERO && (count < ENOUGH_FRAMES || span < wanted) {
                all_there = false;
            }
        }
        all_there || longest >= GATHER || frames.len() >= 1_000
    }

    /// Sets up the tracks that have frames and lets the gathered ones run.
    pub(super) fn start_stretch(&mut self) {
        let Stretch::Gathering(frames) = &mut self.stretch else {
            return;
        };
        let frames = std::mem::take(frames);
        let mut timings = Vec::new();
        let mut earliest = MediaTime::MAX;
        for f in &frames {
            earliest = earliest.min(f.dts).min(f.pts);
        }
        // Ticks in the file cannot be negative.
        let zero = earliest.min(MediaTime::ZERO);
        let alive: Vec<_> = self
            .tracks
            .iter()
            .filter(|(info, _)| frames.iter().any(|f| f.track == info.id))
            .cloned()
            .collect();
        for (info, _) in &alive {
            let times: Vec<_> = frames
                .iter()
                .filter(|f| f.track == info.id)
                .map(|f| f.dts)
                .collect();
            timings.push(timing_of(info, &times));
        }
        if self.part_target == MediaTime::ZERO {
            self.part_target = part_target(self.config.part_target.into(), &timings);
        }
        if !self.begun {
            self.number_from_wall();
        }
        let mut feeds = Vec::new();
        let mut lanes = Vec::new();
        for ((info, segment), timing) in alive.iter().zip(&timings) {
            let Some(track) = segment.tracks.first() else {
                continue;
            };
            let at = self.lanes.iter().position(|l| l.id == info.id);
            let old = at.map(|at| self.lanes.swap_remove(at));
            let init = match &old {
                Some(lane) if lane.init.bytes == segment.bytes => Arc::clone(&lane.init),
                old => Arc::new(Init {
                    id: old.as_ref().map_or(0, |l| l.init.id + 1),
                    bytes: segment.bytes.clone(),
                    codecs: segment.codecs.clone(),
                }),
            };
            feeds.push(Feed::new(
                info,
                track,
                Arc::clone(&init),
                &FeedOptions {
                    part_target: self.part_target,
                    jitter: timing.jitter,
                    frame: timing.duration,
                    zero,
                    epoch: self.epoch,
                    producer_reference: self.config.producer_reference,
                },
            ));
            let lane = match old {
                Some(mut lane) => {
                    lane.renew(Arc::clone(info), init, track.timescale);
                    lane
                }
                None => Lane::new(Arc::clone(info), init, track.timescale),
            };
            lanes.push(lane);
        }
        // Tracks that are gone leave with their segments.
        for lane in std::mem::replace(&mut self.lanes, lanes) {
            self.forget(lane);
        }
        let lead = feeds
            .iter()
            .position(|f| f.kind == MediaKind::Video)
            .unwrap_or(0);
        self.stretch = Stretch::Running(Box::new(Run {
            feeds,
            lead,
            cuts: VecDeque::new(),
            start: None,
            ideal: MediaTime::ZERO,
            frontier: MediaTime::MIN,
            waiting_since: None,
            last_sync: None,
            lead_stalled: false,
        }));
        self.dirty = true;
        for frame in &frames {
            self.take(frame);
        }
    }

    /// Numbers that a restart under the same URL does not take back: see [`Config::first_msn`].
    fn number_from_wall(&mut self) {
        const BEGIN_2026: u128 = 1_767_225_600;
        let nanos = self.epoch.wall.unix_nanos().max(0).unsigned_abs();
        let step = self.config.segment_target.as_nanos().max(1);
        let steps = (nanos / 1_000_000_000).saturating_sub(BEGIN_2026) / 600;
        let narrow = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        self.next_msn = self.config.first_msn.unwrap_or(narrow(nanos / step));
        self.discontinuity = self.config.first_discontinuity.unwrap_or(narrow(steps));
    }
}

/// Timing of a track from what was gathered; the codec's own frame length where it has one.
fn timing_of(info: &TrackInfo, times: &[MediaTime]) -> FrameTiming {
    let exact = info
        .audio
        .filter(|a| a.frame_samples > 0 && a.sample_rate > 0)
        .and_then(|a| MediaTime::from_ticks(i64::from(a.frame_samples), a.sample_rate));
    let guess = exact.unwrap_or(MediaTime::from_millis(match info.kind() {
        MediaKind::Video => 33,
        _ => 20,
    }));
    let timing = FrameTiming::measure(times, exact).unwrap_or(FrameTiming {
        duration: guess,
        jitter: MediaTime::ZERO,
        longest: guess,
    });
    timing.in_ticks_of(cmaf::timescale_of(info))
}
