//! What a reader may have: its tracks, from their sync points on, and what it gives up when it is behind.

use core_frame::{FrameFlags, Lag, MediaKind, MediaTime, ShedDecision};

use super::cursor::Rare;
use super::read::{NEAR_BYTES, NEAR_TIME, Run};
use super::readers::Hot;
use super::{Item, State};
use crate::TrackMask;

/// What was chosen of a run.
pub(super) struct Choice {
    pub(super) mask: u64,
    /// What was skipped up to the last item.
    pub(super) told: u64,
    /// The cursor was sent to a sync point further on.
    pub(super) jumped: bool,
}

/// What becomes of one item.
enum Verdict {
    Keep,
    Drop,
    /// Everything up to this sync point goes.
    Skip(u64),
}

impl<H> Rare<H> {
    /// Moves a cursor to where it may read: past what left the log, and to a sync point when it needs one.
    #[cold]
    pub(super) fn place<T: Item>(&mut self, hot: &mut Hot, state: &State<T, H>) {
        let oldest = state.oldest();
        if hot.pos < oldest {
            // A lossless reader loses as little as possible; any other one catches up.
            let target = if self.lossless {
                state.sync_from(oldest)
            } else {
                state.newest_sync.map(|s| s.seq)
            };
            self.resume_at(hot, target.unwrap_or(state.next), state.next);
            hot.need_sync = target.is_none();
        }
        if hot.need_sync {
            let anywhere = state.primary.is_some_and(|t| !self.tracks.contains(t));
            match state.sync_from(hot.pos) {
                _ if anywhere => hot.need_sync = false,
                Some(seq) => {
                    self.pass_to(hot, seq);
                    hot.need_sync = false;
                }
                None => self.pass_to(hot, state.next),
            }
        }
    }

    /// Chooses, by their marks alone, what of a run the cursor may have.
    pub(super) fn choose<T: Item>(&mut self, run: &Run<T, H>, hot: &mut Hot) -> Choice {
        let first = run.block.first;
        let mut behind = run.behind;
        for at in run.from + 1..run.to {
            behind += run.block.get(at).map_or(0, |item| item.bytes() as u64);
        }
        let mut clock = run.block.clock;
        for at in 0..run.from {
            clock = run
                .block
                .get(at)
                .map_or(clock, |item| clock.max(item.dts()));
        }
        let mut mask = 0_u64;
        let mut jump = None;
        for at in run.from..run.to {
            let Some(item) = run.block.get(at) else {
                break;
            };
            if at > run.from {
                behind = behind.saturating_sub(item.bytes() as u64);
            }
            clock = clock.max(item.dts());
            let sync = run.sync >> at & 1 != 0;
            if !hot.pass.contains(item.track()) && !self.admits(hot, item, sync) {
                continue;
            }
            let seq = first + at as u64;
            let time = (run.clock - clock).max(MediaTime::ZERO);
            let lag = Lag {
                bytes: behind,
                time,
            };
            match self.judge(hot, item, seq, lag, run) {
                Verdict::Keep => mask |= 1 << at,
                Verdict::Drop => {}
                Verdict::Skip(to) => {
                    hot.pos = seq;
                    jump = Some(to);
                    break;
                }
            }
        }
        hot.missed = false;
        let mut told = std::mem::take(&mut self.untold);
        if mask == 0 {
            self.untell(hot, std::mem::take(&mut told));
        }
        match jump {
            None => hot.pos = first + run.to as u64,
            // What is skipped after the last item of this batch belongs to the next one.
            Some(to) => self.resume_at(hot, to, run.next),
        }
        Choice {
            mask,
            told,
            jumped: jump.is_some(),
        }
    }

    /// Lets a selected track through: sound at once, video from a sync point of its own on.
    fn admits<T: Item>(&mut self, hot: &mut Hot, item: &T, sync: bool) -> bool {
        let track = item.track();
        if !self.tracks.contains(track) {
            return false;
        }
        let starts = sync || item.flags().contains(FrameFlags::KEY);
        if item.kind() != MediaKind::Video || starts {
            hot.pass = hot.pass.with(track);
            self.shed_tracks = self.shed_tracks.without(track);
            return true;
        }
        if self.shed_tracks.contains(track) {
            self.miss(hot, 1);
        }
        false
    }

    /// Asks the policy about an item of a reader that is `lag` behind.
    fn judge<T: Item>(
        &mut self,
        hot: &mut Hot,
        item: &T,
        seq: u64,
        lag: Lag,
        run: &Run<T, H>,
    ) -> Verdict {
        let near = lag.bytes <= NEAR_BYTES && lag.time <= NEAR_TIME;
        let (false, Some(policy)) = (near || seq < self.replay_until, &self.shed) else {
            return Verdict::Keep;
        };
        match policy.decide(item, lag) {
            ShedDecision::Keep => Verdict::Keep,
            ShedDecision::Drop if leaves_no_hole(item) => {
                self.miss(hot, 1);
                Verdict::Drop
            }
            ShedDecision::Drop | ShedDecision::DropToSync => {
                // No more video of this track until its next sync point. Sound has no GOP: only the item itself goes.
                if item.kind() == MediaKind::Video {
                    hot.pass = hot.pass.without(item.track());
                    self.shed_tracks = self.shed_tracks.with(item.track());
                }
                self.miss(hot, 1);
                Verdict::Drop
            }
            // With no newer sync point there is nowhere better to be.
            ShedDecision::SkipToNewest => match run.newest_sync {
                Some(newest) if newest > seq => Verdict::Skip(newest),
                _ => Verdict::Keep,
            },
        }
    }

    /// Skips to `seq`, where a GOP starts.
    fn resume_at(&mut self, hot: &mut Hot, seq: u64, next: u64) {
        self.miss(hot, seq.saturating_sub(hot.pos));
        self.tell = true;
        self.shed_tracks = TrackMask::NONE;
        self.replay_until = next;
        hot.pos = seq;
        hot.pass = TrackMask::NONE;
    }

    /// Moves on to `seq`; for a reader that has begun or was left behind, what lies between is missed.
    fn pass_to(&mut self, hot: &mut Hot, seq: u64) {
        if hot.joined || hot.missed {
            self.miss(hot, seq.saturating_sub(hot.pos));
        }
        hot.pos = seq;
    }

    fn miss(&mut self, hot: &mut Hot, items: u64) {
        self.skipped += items;
        self.untell(hot, items);
    }

    /// To be told with the next batch.
    fn untell(&mut self, hot: &mut Hot, items: u64) {
        if items > 0 {
            self.untold += items;
            hot.missed = true;
        }
    }
}

/// True for an item that nothing after it depends on.
fn leaves_no_hole<T: Item>(item: &T) -> bool {
    item.kind() != MediaKind::Video || item.flags().contains(FrameFlags::DISPOSABLE)
}
