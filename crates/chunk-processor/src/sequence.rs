//! Putting the numbered units of one stream in order: a bounded window, gaps that end, duplicates and restarts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Units in a row with numbers far from what is expected that make a new beginning: the sender restarted, or more is lost than the window
/// holds.
const RESTART_RUN: usize = 3;

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It, and perhaps others that waited for it, came out.
    Released,
    /// It waits for those before it.
    Held,
    /// Its number is far off; it waits for a few that follow it.
    Suspected,
    /// It came too late: its place was given up.
    Late,
    /// It came before.
    Duplicate,
}

/// What a sequencer counts beside the fate of each unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Numbers given up.
    pub(crate) missing: u64,
    /// Gaps given up; one may miss many numbers.
    pub(crate) gaps: u64,
    /// Units that were suspected, and never confirmed.
    pub(crate) discarded: u64,
    /// Units that came out after one with a higher number had arrived.
    pub(crate) reordered: u64,
}

/// The order of one stream. Pure: `now` is an argument.
///
/// The number expected next moves on when its unit comes, when the gap before the next unit held is older than `timeout`, or when the window is
/// full. A number far from it (more than two windows ahead, or more than one behind) is believed when [`RESTART_RUN`] in a row agree.
#[derive(Debug)]
pub(crate) struct Sequencer<T> {
    window: usize,
    timeout: Duration,
    expected: Option<u64>,
    /// Slot `i` is for number `expected + i`; the first is empty.
    slots: VecDeque<Option<T>>,
    held: usize,
    /// Since when the expected number is known to be missing.
    missing_since: Option<Instant>,
    /// Bit `i`: number `expected - 1 - i` has come.
    history: u128,
    suspects: Vec<(u64, T)>,
    suspected_since: Option<Instant>,
    pub(crate) tally: Tally,
}

impl<T> Sequencer<T> {
    /// `window` is at least 1 and at most 4096.
    pub(crate) fn new(window: usize, timeout: Duration) -> Self {
        Self {
            window: window.clamp(1, 4_096),
            timeout,
            expected: None,
            slots: VecDeque::new(),
            held: 0,
            missing_since: None,
            history: 0,
            suspects: Vec::with_capacity(RESTART_RUN),
            suspected_since: None,
            tally: Tally::default(),
        }
    }

    /// Units that wait.
    pub(crate) fn held(&self) -> usize {
        self.held + self.suspects.len()
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let since = [self.missing_since, self.suspected_since];
        since.into_iter().flatten().min().map(|t| t + self.timeout)
    }

    /// The next unit that arrived; what is in order comes out.
    pub(crate) fn push(&mut self, now: Instant, number: u64, unit: T, out: &mut Vec<T>) -> Fate {
        let expected = *self.expected.get_or_insert(number);
        if let Some(behind) = expected.checked_sub(number).filter(|&b| b > 0) {
            if behind > self.window as u64 {
                return self.suspect(now, number, unit, out);
            }
            return match u32::try_from(behind - 1) {
                Ok(bit) if bit < 128 && self.history >> bit & 1 == 1 => Fate::Duplicate,
                _ => Fate::Late,
            };
        }
        let ahead = number - expected;
        if ahead >= 2 * self.window as u64 {
            return self.suspect(now, number, unit, out);
        }
        self.acquit();
        let mut ahead = ahead as usize;
        while ahead >= self.window {
            // The window moves on: the oldest gap is given up.
            let before = self.expected;
            self.give_up(out, Some(number));
            let moved = self.expected.unwrap_or(0) - before.unwrap_or(0);
            self.missing_since = (self.held > 0).then_some(now);
            ahead = ahead.saturating_sub(moved as usize);
        }
        if ahead == 0 {
            self.tally.reordered += u64::from(self.held > 0);
            self.slots.pop_front();
            self.advance(true);
            out.push(unit);
            self.release(now, out);
            return Fate::Released;
        }
        if self.slots.len() <= ahead {
            self.slots.resize_with(ahead + 1, || None);
        }
        let Some(slot) = self.slots.get_mut(ahead) else {
            return Fate::Late;
        };
        if slot.is_some() {
            return Fate::Duplicate;
        }
        *slot = Some(unit);
        self.held += 1;
        self.missing_since.get_or_insert(now);
        Fate::Held
    }

    /// Gives up what is due by `now`.
    pub(crate) fn expire(&mut self, now: Instant, out: &mut Vec<T>) {
        let due = |since: Instant| now.saturating_duration_since(since) >= self.timeout;
        let (gap, suspects) = (
            self.missing_since.is_some_and(due),
            self.suspected_since.is_some_and(due),
        );
        if gap {
            self.give_up(out, None);
            self.missing_since = (self.held > 0).then_some(now);
        }
        if suspects {
            self.judge_suspects(out);
        }
    }

    /// Everything held comes out in order, gaps or not: no more will come, or there is no more room.
    pub(crate) fn flush(&mut self, out: &mut Vec<T>) {
        while self.held > 0 {
            self.give_up(out, None);
        }
        self.missing_since = None;
        self.judge_suspects(out);
    }

    /// Gives up the first gap: up to the first unit held, or up to `number` where nothing is.
    pub(crate) fn give_up(&mut self, out: &mut Vec<T>, number: Option<u64>) {
        self.tally.gaps += 1;
        if self.held == 0 {
            let (Some(expected), Some(number)) = (self.expected, number) else {
                return;
            };
            self.tally.missing += number - expected;
            self.slots.clear();
            self.history = 0;
            self.expected = Some(number);
            self.missing_since = None;
            return;
        }
        while matches!(self.slots.front(), Some(None)) {
            self.slots.pop_front();
            self.advance(false);
            self.tally.missing += 1;
        }
        while let Some(Some(_)) = self.slots.front() {
            out.extend(self.slots.pop_front().flatten());
            self.held -= 1;
            self.advance(true);
        }
    }

    /// What follows without a gap comes out; where something still waits, its gap is as old as `now`.
    fn release(&mut self, now: Instant, out: &mut Vec<T>) {
        while let Some(Some(_)) = self.slots.front() {
            out.extend(self.slots.pop_front().flatten());
            self.held -= 1;
            self.advance(true);
        }
        self.missing_since = (self.held > 0).then_some(now);
    }

    fn advance(&mut self, came: bool) {
        self.expected = self.expected.map(|n| n.wrapping_add(1));
        self.history = self.history << 1 | u128::from(came);
    }

    fn suspect(&mut self, now: Instant, number: u64, unit: T, out: &mut Vec<T>) -> Fate {
        if let Some(&(last, _)) = self.suspects.last() {
            if last == number {
                return Fate::Duplicate;
            }
            if last.checked_add(1) != Some(number) {
                self.acquit();
            }
        }
        self.suspects.push((number, unit));
        self.suspected_since.get_or_insert(now);
        if self.suspects.len() < RESTART_RUN {
            return Fate::Suspected;
        }
        self.begin_anew(out);
        Fate::Released
    }

    /// Those that never were confirmed are dropped.
    fn acquit(&mut self) {
        self.tally.discarded += self.suspects.len() as u64;
        self.suspects.clear();
        self.suspected_since = None;
    }

    /// Time is up: suspects ahead are all there is, those behind are late.
    fn judge_suspects(&mut self, out: &mut Vec<T>) {
        let first = self.suspects.first().map(|s| s.0);
        if first > self.expected {
            self.begin_anew(out);
        } else {
            self.acquit();
        }
    }

    fn begin_anew(&mut self, out: &mut Vec<T>) {
        while self.held > 0 {
            self.give_up(out, None);
        }
        let first = self.suspects.first().map_or(0, |s| s.0);
        if let Some(lost) = self.expected.and_then(|e| first.checked_sub(e)) {
            self.tally.missing = self.tally.missing.saturating_add(lost);
        }
        self.tally.gaps += 1;
        self.slots.clear();
        self.history = (1 << self.suspects.len().min(127)) - 1;
        self.expected = self.suspects.last().map(|s| s.0.wrapping_add(1));
        self.missing_since = None;
        self.suspected_since = None;
        out.extend(self.suspects.drain(..).map(|s| s.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sim {
        order: Sequencer<u64>,
        now: Instant,
        out: Vec<u64>,
    }

    impl Sim {
        fn new() -> Self {
            Self {
                order: Sequencer::new(32, Duration::from_secs(5)),
                now: Instant::now(),
                out: Vec::new(),
            }
        }

        fn put(&mut self, numbers: impl IntoIterator<Item = u64>) -> &mut Self {
            for n in numbers {
                self.now += Duration::from_millis(10);
                self.order.expire(self.now, &mut self.out);
                self.order.push(self.now, n, n, &mut self.out);
            }
            self
        }
    }

    #[test]
    fn zero_is_a_number_and_any_other_may_be_the_first() {
        for first in [0, 1, 77, u64::MAX - 40] {
            let mut sim = Sim::new();
            sim.put(first..first + 20);
            assert!(sim.out.iter().copied().eq(first..first + 20), "{first}");
            assert_eq!(sim.order.tally, Tally::default());
        }
    }

    #[test]
    fn a_lost_unit_costs_a_gap_of_the_timeout_and_no_more() {
        let mut sim = Sim::new();
        sim.put([0, 1, 3, 4]);
        assert_eq!(sim.out, [0, 1]);
        let due = sim.order.deadline().unwrap();
        // The gap is as old as the first unit after it, not as the last one that came.
        assert_eq!(
            due,
            sim.now - Duration::from_millis(10) + Duration::from_secs(5)
        );
        sim.now = due - Duration::from_millis(20);
        sim.put([5]);
        assert_eq!(sim.out, [0, 1]);
        sim.put([6, 7]);
        assert_eq!(sim.out, [0, 1, 3, 4, 5, 6, 7]);
        assert_eq!((sim.order.tally.gaps, sim.order.tally.missing), (1, 1));
        assert_eq!(sim.order.deadline(), None);
    }

    #[test]
    fn a_full_window_gives_up_the_gap_at_once() {
        let mut sim = Sim::new();
        sim.put([0]).put(2..40);
        assert!(sim.out.iter().copied().eq([0].into_iter().chain(2..40)));
        assert!(sim.order.held() == 0);
    }

    #[test]
    fn late_and_double_units_are_told_apart() {
        let mut sim = Sim::new();
        sim.put([0]).put(2..40);
        let mut out = Vec::new();
        let mut push = |n| sim.order.push(sim.now, n, n, &mut out);
        assert_eq!(push(39), Fate::Duplicate);
        assert_eq!(push(41), Fate::Held);
        assert_eq!(push(41), Fate::Duplicate);
        assert_eq!(push(20), Fate::Duplicate);
        let mut sim = Sim::new();
        sim.put([0, 2, 3]);
        sim.now += Duration::from_secs(6);
        sim.put([4]);
        assert_eq!(sim.order.push(sim.now, 1, 1, &mut Vec::new()), Fate::Late);
    }

    #[test]
    fn a_restart_is_believed_and_one_wild_number_is_not() {
        let mut sim = Sim::new();
        sim.put(1_000..1_010).put([5_000_000]).put(1_010..1_020);
        assert!(sim.out.iter().copied().eq(1_000..1_020));
        assert_eq!(sim.order.tally.discarded, 1);
        sim.put(0..10);
        assert!(sim.out[20..].iter().copied().eq(0..10));
        sim.put(900_000..900_010);
        assert!(sim.out[30..].iter().copied().eq(900_000..900_010));
        assert_eq!(sim.order.held(), 0);
    }

    #[test]
    fn the_end_leaves_nothing_behind() {
        let mut sim = Sim::new();
        sim.put([0, 2, 5, 9, 1_000]);
        sim.order.flush(&mut sim.out);
        assert_eq!(sim.out, [0, 2, 5, 9, 1_000]);
        assert_eq!(sim.order.held(), 0);
    }
}
