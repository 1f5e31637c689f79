//! When a lost connection is tried again.

use std::time::Duration;

use super::link::LinkEnd;
use crate::net::Error;

/// How a link tries again: after longer and longer pauses, for ever or so many times.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Retry {
    /// The pause before the first new attempt.
    pub first: Duration,
    /// How much longer each pause is than the one before.
    pub factor: f64,
    /// The longest pause, jitter aside. A connection that stayed up for this long starts the pauses anew.
    pub max: Duration,
    /// Each pause is longer or shorter by up to this part of it, so that links that were lost together do not come back
    /// together.
    pub jitter: f64,
    /// Attempts in a row that may fail before the link ends; `None` never ends it.
    pub limit: Option<u32>,
    /// A refusal by the server ends the link at once: a bad name, a bad credential. Otherwise a refusal is tried again
    /// like a loss, since streams come and go and names become free.
    pub give_up_when_refused: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            factor: 2.0,
            max: Duration::from_secs(10),
            jitter: 0.2,
            limit: None,
            give_up_when_refused: false,
        }
    }
}

impl Retry {
    /// The pause after `failed` attempts in a row (1 or more). `random` is any number that differs from call to call.
    #[must_use]
    pub fn pause(&self, failed: u32, random: u64) -> Duration {
        let times = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let max = self.max.as_secs_f64();
        let pause = (self.first.as_secs_f64() * self.factor.max(1.0).powi(times)).min(max);
        // 53 bits, as many as a double keeps, to -1..1.
        let unit = (random >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        let pause = pause * (1.0 + unit * self.jitter.clamp(0.0, 1.0));
        Duration::try_from_secs_f64(pause).unwrap_or(self.max)
    }
}

/// Counts the attempts of a link.
#[derive(Debug)]
pub(super) struct Attempts {
    retry: Retry,
    /// Attempts in a row that failed.
    failed: u32,
    /// Moves in a row to where a server sent us.
    moved: u32,
}

/// Servers that send us on and on are losses after this many times.
const MOVES: u32 = 4;

impl Attempts {
    pub(super) const fn new(retry: Retry) -> Self {
        Self {
            retry,
            failed: 0,
            moved: 0,
        }
    }

    /// The number of the attempt at hand, from 1.
    pub(super) const fn number(&self) -> u32 {
        self.failed.saturating_add(1)
    }

    /// What to do after a loss: how long to wait, or why to end. `up` is how long the connection was of use.
    pub(super) fn lost(&mut self, error: &Error, up: Duration) -> Result<Duration, LinkEnd> {
        if up >= self.retry.max {
            self.failed = 0;
            self.moved = 0;
        }
        self.failed = self.failed.saturating_add(1);
        let over = self.retry.limit.is_some_and(|limit| self.failed >= limit);
        let refused = matches!(error, Error::Session(crate::Error::Refused(_)));
        if over || (refused && self.retry.give_up_when_refused) {
            return Err(LinkEnd::Failed(error.to_string().into()));
        }
        Ok(self.retry.pause(self.failed, crate::net::random()))
    }

    /// True while the server may send us on without a pause.
    pub(super) const fn may_move(&mut self, up: Duration) -> bool {
        if up.as_nanos() >= self.retry.max.as_nanos() {
            self.moved = 0;
        }
        self.moved = self.moved.saturating_add(1);
        self.moved <= MOVES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_scatter() {
        let retry = Retry::default();
        let middle = 1 << 63;
        let pauses: Vec<_> = (1..=7)
            .map(|n| retry.pause(n, middle).as_millis())
            .collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(retry.pause(1, 0).as_millis(), 400);
        assert_eq!(retry.pause(u32::MAX, u64::MAX).as_millis(), 12_000);
    }

    #[test]
    fn a_limit_and_a_refusal_end_it() {
        let refused = || Error::Session(crate::Error::Refused("x".to_owned()));
        let mut retry = Retry {
            limit: Some(2),
            ..Retry::default()
        };
        let mut attempts = Attempts::new(retry.clone());
        assert!(attempts.lost(&refused(), Duration::ZERO).is_ok());
        assert_eq!(attempts.number(), 2);
        // A connection that held for long starts anew.
        assert!(attempts.lost(&refused(), retry.max).is_ok());
        let end = attempts.lost(&Error::Kicked, Duration::ZERO);
        assert!(matches!(end, Err(LinkEnd::Failed(_))), "{end:?}");
        retry.give_up_when_refused = true;
        retry.limit = None;
        let mut attempts = Attempts::new(retry);
        assert!(attempts.lost(&Error::Kicked, Duration::ZERO).is_ok());
        assert!(attempts.lost(&refused(), Duration::ZERO).is_err());
    }

    #[test]
    fn a_server_cannot_send_us_round_and_round() {
        let mut attempts = Attempts::new(Retry::default());
        let moves = (0..10).filter(|_| attempts.may_move(Duration::ZERO));
        assert_eq!(moves.count(), MOVES as usize);
        assert!(attempts.may_move(Duration::from_secs(10)));
    }
}
