//! The figures of one session, and the player it imitates.

use std::time::{Duration, Instant};

use super::fate::Fate;
use super::numbers::Numbers;
use super::options::Manner;
use super::report::SessionReport;
use crate::stats::Series;

/// What one session found.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) session: usize,
    pub(crate) manner: Manner,
    pub(crate) bytes: u64,
    pub(crate) units: u64,
    /// HLS segments that were missing, or gone before they were loaded.
    pub(crate) lost_segments: u64,
    begun: Instant,
    requested: Option<Instant>,
    pub(crate) first_media: Option<Instant>,
    first_key: Option<Instant>,
    last_media: Option<Instant>,
    /// The longest time between two arrivals.
    longest_gap: Duration,
    pub(crate) ended: Option<Instant>,
    pub(crate) player: Player,
    /// Of a probing session, and of a slow one.
    pub(crate) numbers: Option<Numbers>,
    /// Of a slow session.
    pub(crate) pace: Option<Pace>,
    /// The server let it in, though it may not have read any media.
    pub(crate) let_in: bool,
    /// Of a slow or stalled session that was let in.
    pub(crate) fate: Option<Fate>,
    pub(crate) reason: Option<String>,
}

impl Figures {
    pub(crate) fn new(session: usize, manner: Manner, is_probe: bool, buffer: Duration) -> Self {
        Self {
            session,
            manner,
            bytes: 0,
            units: 0,
            lost_segments: 0,
            begun: Instant::now(),
            requested: None,
            first_media: None,
            first_key: None,
            last_media: None,
            longest_gap: Duration::ZERO,
            ended: None,
            player: Player::new(buffer),
            numbers: (is_probe || manner == Manner::Slow).then(Numbers::new),
            pace: None,
            let_in: false,
            fate: None,
            reason: None,
        }
    }

    /// The stream is being asked for.
    pub(crate) fn request(&mut self, now: Instant) {
        self.requested = Some(now);
    }

    /// One more piece of media. `is_start` marks the ones a player can begin with.
    pub(crate) fn media(&mut self, now: Instant, is_start: bool) {
        self.units += 1;
        self.first_media.get_or_insert(now);
        if is_start {
            self.first_key.get_or_insert(now);
        }
        if let Some(last) = self.last_media.replace(now) {
            self.longest_gap = self.longest_gap.max(now.saturating_duration_since(last));
        }
    }

    /// Media up to this time of the stream has come.
    pub(crate) fn time(&mut self, now: Instant, time: Duration) {
        self.player.media(now, time);
        if let Some(pace) = &mut self.pace {
            pace.media(now, time);
        }
    }

    /// When a slow session may read on.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pace.as_ref()?.due()
    }

    /// The longest time without media, once there was any.
    pub(crate) fn gap_ms(&self) -> Option<f64> {
        let last = self.last_media?;
        let tail = self.ended.map(|end| end.saturating_duration_since(last));
        Some(millis(self.longest_gap.max(tail.unwrap_or_default())))
    }

    /// Media has come that a player can show (or, where there is no picture, hear).
    pub(crate) fn has_started(&self) -> bool {
        self.first_media.is_some()
    }

    fn startup(&self) -> Option<Instant> {
        self.first_key.or(self.first_media)
    }

    pub(crate) fn startup_ms(&self) -> Option<f64> {
        Some(millis(self.startup()?.duration_since(self.begun)))
    }

    pub(crate) fn join_ms(&self) -> Option<f64> {
        Some(millis(
            self.startup()?.saturating_duration_since(self.requested?),
        ))
    }

    /// Seconds from the first media to the end.
    pub(crate) fn played(&self) -> f64 {
        match (self.first_media, self.ended) {
            (Some(first), Some(end)) => end.saturating_duration_since(first).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// Frames known to be missing, and segments.
    pub(crate) fn gaps(&self) -> u64 {
        self.numbers.as_ref().map_or(0, |n| n.gaps) + self.lost_segments
    }

    pub(crate) fn report(&self) -> SessionReport {
        SessionReport {
            session: self.session,
            bytes: self.bytes,
            units: self.units,
            startup_ms: self.startup_ms(),
            join_ms: self.join_ms(),
            seconds: self.played(),
            longest_gap_ms: self.gap_ms(),
            stalls: self.player.stalls,
            stalled_ms: millis(self.player.stalled),
            gaps: self.gaps(),
            reason: self.reason.clone(),
        }
    }
}

/// Holds a reader back to a share of the rate of what it reads.
#[derive(Debug)]
pub(crate) struct Pace {
    share: f64,
    begun: Option<Instant>,
    newest: Duration,
    /// Media taken so far. What the server leaves out is not waited for.
    taken: Duration,
}

impl Pace {
    /// Longer steps are no media, but places where some was left out.
    const STEP: Duration = Duration::from_millis(250);

    pub(crate) const fn new(share: f64) -> Self {
        Self {
            share,
            begun: None,
            newest: Duration::ZERO,
            taken: Duration::ZERO,
        }
    }

    fn media(&mut self, now: Instant, time: Duration) {
        if self.begun.is_none() {
            self.begun = Some(now);
            self.newest = time;
        }
        self.taken += time.saturating_sub(self.newest).min(Self::STEP);
        self.newest = self.newest.max(time);
    }

    fn due(&self) -> Option<Instant> {
        Some(self.begun? + self.taken.div_f64(self.share))
    }
}

/// A player that begins to show when it has media for its buffer, and stands still when it runs dry.
///
/// Media it is given may be far ahead (a replay on joining); it is shown at the pace of its time stamps.
#[derive(Debug)]
pub(crate) struct Player {
    buffer: Duration,
    first: Option<Duration>,
    newest: Duration,
    /// The moment at which the media time `first` is, or would have been, shown.
    zero: Option<Instant>,
    pub(crate) stalls: u64,
    pub(crate) stalled: Duration,
    /// How long each stall lasted, in milliseconds.
    pub(crate) lengths: Series,
}

impl Player {
    fn new(buffer: Duration) -> Self {
        Self {
            buffer,
            first: None,
            newest: Duration::ZERO,
            zero: None,
            stalls: 0,
            stalled: Duration::ZERO,
            lengths: Series::with_room(256),
        }
    }

    /// Media up to this time has come.
    pub(crate) fn media(&mut self, now: Instant, time: Duration) {
        let first = *self.first.get_or_insert(time);
        // A jump in the stream's time is the stream's affair: the player goes on where it is.
        let ahead = time.abs_diff(self.newest);
        if self.zero.is_some() && ahead > Duration::from_secs(10) {
            self.first = Some(time);
            self.newest = time;
            self.zero = Some(now + self.buffer);
            return;
        }
        self.newest = self.newest.max(time);
        let held = self.newest.saturating_sub(first);
        let Some(zero) = self.zero else {
            if held >= self.buffer {
                self.zero = Some(now);
            }
            return;
        };
        let shown = now.saturating_duration_since(zero);
        if shown > held {
            // It ran dry `shown - held` ago, and gathers its buffer anew.
            let late = shown - held;
            self.stalls += 1;
            self.stalled += late + self.buffer;
            self.lengths.push(millis(late + self.buffer));
            self.zero = Some(zero + late + self.buffer);
        }
    }
}

pub(crate) fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn steady_media_does_not_stall() {
        let start = Instant::now();
        let mut player = Player::new(500 * MS);
        // A replay of two seconds at once, then real time with 200 ms of jitter.
        for ms in (0..2_000).step_by(40) {
            player.media(start, ms * MS);
        }
        for ms in (2_000..20_000).step_by(40) {
            let jitter = if ms % 400 == 0 { 200 } else { 0 };
            player.media(start + (ms - 2_000 + jitter) * MS, ms * MS);
        }
        assert_eq!(player.stalls, 0);
    }

    #[test]
    fn a_pause_is_one_stall() {
        let start = Instant::now();
        let mut player = Player::new(500 * MS);
        for ms in (0..10_000).step_by(40) {
            let pause = if ms >= 5_000 { 1_500 } else { 0 };
            player.media(start + (ms + pause) * MS, ms * MS);
        }
        assert_eq!(player.stalls, 1);
        // Showing began at 520 ms: 1.5 s of pause less the 0.52 s of reserve, plus what is gathered again.
        let stalled = player.stalled.as_millis();
        assert!((1_400..1_600).contains(&stalled), "{stalled}");
        assert_eq!(player.lengths.seen(), 1);
    }

    #[test]
    fn a_slow_reader_waits_for_its_share() {
        let start = Instant::now();
        let mut pace = Pace::new(0.5);
        assert_eq!(pace.due(), None);
        for ms in (1_000..3_000).step_by(40) {
            pace.media(start, ms * MS);
        }
        assert_eq!(pace.due(), Some(start + 2 * 1_960 * MS));
        // What was left out costs a step, and what is late nothing.
        pace.media(start, 60_000 * MS);
        pace.media(start, 59_000 * MS);
        assert_eq!(pace.due(), Some(start + 2 * 2_210 * MS));
    }

    #[test]
    fn a_jump_in_time_is_no_stall() {
        let start = Instant::now();
        let mut player = Player::new(500 * MS);
        for ms in (0..10_000_u32).step_by(40) {
            let jump = if ms >= 5_000 { 3_600_000 } else { 0 };
            player.media(start + ms * MS, (ms + jump) * MS);
        }
        assert_eq!(player.stalls, 0);
    }
}
