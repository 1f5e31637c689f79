//! Joining a log and reading from it: where a cursor starts, what it may have, where it resumes after falling behind.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use core_frame::{FrameFlags, Lag, MediaKind, MediaTime, ShedDecision, ShedPolicy};

use super::block::Block;
use super::cursor::{ArmedAt, Cursor, EndReason, Reader};
use super::readers::{Hook, ReaderSlot};
use super::{Batch, Item, Log, State, TryBatch};
use crate::token::Runtime;
use crate::{ReaderInfo, Start, TrackMask};

/// What a subscription asks of a log.
pub(crate) struct Join {
    pub(crate) start: Start,
    pub(crate) tracks: TrackMask,
    pub(crate) shed: Option<Arc<dyn ShedPolicy>>,
    pub(crate) lossless: bool,
    pub(crate) info: Option<Arc<ReaderInfo>>,
    pub(crate) hook: Option<Arc<dyn Hook>>,
    /// Woken in rounds this far apart, by a task on this runtime.
    pub(crate) pace: Option<(Duration, Runtime)>,
}

/// The newest end of the log as it was when a batch was taken.
struct Head {
    cum: u64,
    dts: MediaTime,
    next: u64,
    newest_sync: Option<u64>,
}

/// A run of slots as the lock showed it.
struct Run<T: Item, H> {
    block: Arc<Block<T, H>>,
    from: usize,
    to: usize,
    sync: u64,
    head: Head,
}

enum Step<T: Item, H> {
    Run(Run<T, H>),
    Empty,
    Ended,
}

impl<T: Item, H: Send + Sync + 'static> Log<T, H> {
    /// A new cursor. Finding its start and taking its place among the readers is one step under the lock, so no item
    /// is lost or doubled between what is kept and what follows.
    pub(crate) fn join(self: &Arc<Self>, id: u64, now: Instant, join: Join) -> Cursor<T, H> {
        let mut state = self.lock();
        let (pos, need_sync, open) = match join.start {
            Start::NewestSync => match state.replay_start() {
                Some(seq) => (seq, false, TrackMask::NONE),
                None => (state.next, true, TrackMask::NONE),
            },
            Start::Live => (state.next, true, TrackMask::NONE),
            Start::Oldest => (state.oldest(), false, TrackMask::ALL),
        };
        let (cum, dts) = state.measure(pos);
        let replay_until = state.next;
        let (set, start) = match &join.pace {
            Some((span, _)) => state.enter_pace(*span),
            None => (0, false),
        };
        let at = state.readers.insert(ReaderSlot {
            cum,
            dts,
            pins: join.lossless,
            info: join.info.clone(),
            set,
            ..ReaderSlot::new(id, pos, now)
        });
        drop(state);
        if start && let Some((span, runtime)) = &join.pace {
            super::pace::spawn(runtime, self, set, id, *span);
        }
        let reader = Reader {
            at,
            id,
            pos,
            cum,
            dts,
            tracks: join.tracks,
            open,
            shed_tracks: TrackMask::NONE,
            need_sync,
            replay_until,
            shed: join.shed,
            lossless: join.lossless,
            header: None,
            joined: false,
            skipped: 0,
            untold: 0,
            tell: false,
            delivered: 0,
            end: None,
            armed: None,
            current: None,
            progress: None,
            hook: join.hook,
            info: join.info,
        };
        Cursor {
            log: Arc::clone(self),
            reader,
        }
    }
}

impl<T: Item, H: Send + Sync + 'static> Reader<T, H> {
    /// Takes the next run that has something for this cursor. With a waker, the cursor is armed as soon as it has
    /// everything there is.
    pub(super) fn read(&mut self, log: &Log<T, H>, waker: Option<&Waker>) -> TryBatch<T, H> {
        let armed = waker.map(|w| ArmedAt::new(log.version(), w));
        if armed.is_some() && armed == self.armed {
            return TryBatch::Empty;
        }
        loop {
            if self.end.is_some() {
                return TryBatch::Ended;
            }
            match self.step(log, waker) {
                Step::Empty => return TryBatch::Empty,
                Step::Ended => return TryBatch::Ended,
                Step::Run(run) => {
                    let batch = self.sift(log, run);
                    self.tell_lag();
                    if let Some(batch) = batch {
                        return TryBatch::Batch(batch);
                    }
                }
            }
        }
    }

    /// The part of a read that is done under the lock.
    fn step(&mut self, log: &Log<T, H>, waker: Option<&Waker>) -> Step<T, H> {
        let mut state = log.lock();
        self.place(&state);
        let (skipped, delivered) = (self.skipped, self.delivered);
        let Some(slot) = state.readers.get_mut(self.at) else {
            return Step::Ended;
        };
        if let Some(reason) = slot.end {
            self.end = Some(reason);
            return Step::Ended;
        }
        slot.skipped = skipped;
        slot.delivered = delivered;
        slot.cum = self.cum;
        slot.dts = self.dts;
        slot.pos = self.pos;
        let Some(entry) = state.entry(self.pos) else {
            if state.ended {
                self.end = Some(EndReason::Ended);
                return Step::Ended;
            }
            if let Some(waker) = waker {
                state.arm(self.at, waker);
                self.armed = Some(ArmedAt::new(log.version(), waker));
            }
            drop(state);
            self.tell_lag();
            return Step::Empty;
        };
        let run = Run {
            block: Arc::clone(&entry.block),
            from: (self.pos - entry.block.first) as usize,
            to: entry.len as usize,
            sync: entry.sync,
            head: Head {
                cum: state.cum,
                dts: state.newest_dts,
                next: state.next,
                newest_sync: state.newest_sync.map(|s| s.seq),
            },
        };
        let end = entry.end();
        // A reader that keeps up waits next; arming it now saves it the lock then.
        if let Some(waker) = waker
            && end == state.next
            && !state.ended
        {
            state.arm(self.at, waker);
            self.armed = Some(ArmedAt::new(log.version(), waker));
        }
        if let Some(slot) = state.readers.get_mut(self.at) {
            slot.pos = end;
        }
        drop(state);
        self.tell_lag();
        Step::Run(run)
    }

    /// Moves the cursor to where it may read: past what left the log, and to a sync point when it needs one.
    fn place(&mut self, state: &State<T, H>) {
        let oldest = state.oldest();
        if self.pos < oldest {
            // A lossless reader loses as little as possible; any other one catches up.
            let target = if self.lossless {
                state.sync_from(oldest)
            } else {
                state.newest_sync.map(|s| s.seq)
            };
            self.resume_at(target.unwrap_or(state.next), state.next);
            self.need_sync = target.is_none();
            (self.cum, self.dts) = state.measure(self.pos);
        }
        if self.need_sync {
            let anywhere = state.primary.is_some_and(|t| !self.tracks.contains(t));
            match state.sync_from(self.pos) {
                _ if anywhere => self.need_sync = false,
                Some(seq) => {
                    self.pass_to(seq);
                    self.need_sync = false;
                }
                None => self.pass_to(state.next),
            }
            (self.cum, self.dts) = state.measure(self.pos);
        }
    }

    /// Skips to `seq`, where a GOP starts.
    fn resume_at(&mut self, seq: u64, next: u64) {
        self.miss(seq.saturating_sub(self.pos));
        self.tell = true;
        self.pos = seq;
        self.open = TrackMask::NONE;
        self.shed_tracks = TrackMask::NONE;
        self.replay_until = next;
    }

    /// Moves on to `seq`; for a reader that has begun, what lies between is missed.
    fn pass_to(&mut self, seq: u64) {
        if self.joined {
            self.miss(seq.saturating_sub(self.pos));
        }
        self.pos = seq;
    }

    fn miss(&mut self, items: u64) {
        self.skipped += items;
        self.untold += items;
    }

    /// Tells the stream's owner that this reader skipped to a later sync point.
    fn tell_lag(&mut self) {
        if std::mem::take(&mut self.tell)
            && let Some(hook) = &self.hook
        {
            hook.lagging(self.id, self.info.as_deref(), self.skipped);
        }
    }

    /// Chooses, by their marks alone, what of a run this cursor may have.
    fn sift(&mut self, log: &Log<T, H>, run: Run<T, H>) -> Option<Batch<T, H>> {
        let first = run.block.first;
        let mut mask = 0_u64;
        let mut jumped = false;
        let mut told = 0;
        for at in run.from..run.to {
            let Some(item) = run.block.get(at) else {
                break;
            };
            let seq = first + at as u64;
            let sync = run.sync >> at & 1 != 0;
            self.cum += item.bytes() as u64;
            self.dts = Some(item.dts());
            if !self.tracks.contains(item.track()) || !self.admits(item, sync) {
                continue;
            }
            if let Some(shed) = &self.shed
                && seq >= self.replay_until
            {
                let time = (run.head.dts - item.dts()).max(MediaTime::ZERO);
                let bytes = run.head.cum.saturating_sub(self.cum);
                match shed.decide(item, Lag { bytes, time }) {
                    ShedDecision::Keep => {}
                    ShedDecision::Drop if leaves_no_hole(item) => {
                        self.miss(1);
                        continue;
                    }
                    ShedDecision::Drop | ShedDecision::DropToSync => {
                        self.close_track(item);
                        self.miss(1);
                        continue;
                    }
                    ShedDecision::SkipToNewest => {
                        // With no newer sync point there is nowhere better to be.
                        if let Some(newest) = run.head.newest_sync.filter(|s| *s > seq) {
                            told = self.untold;
                            self.pos = seq;
                            self.resume_at(newest, run.head.next);
                            (self.cum, self.dts) = log.lock().measure(self.pos);
                            // There is something to read, so the cursor is not to count as waiting.
                            self.armed = None;
                            jumped = true;
                            break;
                        }
                    }
                }
            }
            mask |= 1 << at;
        }
        if !jumped {
            self.pos = first + run.to as u64;
            told = self.untold;
        }
        if mask == 0 {
            return None;
        }
        // What was skipped after the last item of this batch belongs to the next one.
        self.untold -= told;
        let fresh_header = self
            .header
            .as_ref()
            .is_none_or(|(no, _)| *no != run.block.header_no);
        if fresh_header {
            self.header = Some((run.block.header_no, Arc::clone(&run.block.header)));
        }
        let join = !self.joined;
        self.joined = true;
        Some(Batch {
            block: run.block,
            mask,
            sync: run.sync,
            skipped: told,
            join,
            fresh_header,
        })
    }

    /// Holds back video of a track until a sync point of its own.
    fn admits(&mut self, item: &T, sync: bool) -> bool {
        if item.kind() != MediaKind::Video {
            return true;
        }
        let track = item.track();
        if sync || item.flags().contains(FrameFlags::KEY) {
            self.open = self.open.with(track);
            self.shed_tracks = self.shed_tracks.without(track);
            return true;
        }
        if self.open.contains(track) {
            return true;
        }
        if self.shed_tracks.contains(track) {
            self.miss(1);
        }
        false
    }

    /// No more video of this item's track until its next sync point. Sound has no GOP: only the item itself goes.
    fn close_track(&mut self, item: &T) {
        if item.kind() == MediaKind::Video {
            self.open = self.open.without(item.track());
            self.shed_tracks = self.shed_tracks.with(item.track());
        }
    }
}

/// True for an item that nothing after it depends on.
fn leaves_no_hole<T: Item>(item: &T) -> bool {
    item.kind() != MediaKind::Video || item.flags().contains(FrameFlags::DISPOSABLE)
}
