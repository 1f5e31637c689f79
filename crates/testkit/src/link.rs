//! A bad network between two sans-IO cores, the same for the same seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// What a link does to packets. The default is perfect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Time from one end to the other.
    pub delay: Duration,
    /// Up to this much more, drawn anew for each packet; more than the packets' spacing reorders them.
    pub jitter: Duration,
    /// Part of the packets that is lost, 0 to 1.
    pub loss: f64,
    /// Part of the packets that is held back long enough to come after later ones, 0 to 1.
    pub reorder: f64,
    /// Part of the packets that comes twice, 0 to 1.
    pub duplicate: f64,
    /// Same seed, same fate of each packet.
    pub seed: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            seed: 1,
        }
    }
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link<T> {
    config: LinkConfig,
    random: Random,
    flying: BinaryHeap<Reverse<Flight<T>>>,
    sent: u64,
    lost: u64,
}

impl<T: Clone> Link<T> {
    /// An empty link.
    #[must_use]
    pub fn new(config: LinkConfig) -> Self {
        Self {
            config,
            random: Random::new(config.seed),
            flying: BinaryHeap::new(),
            sent: 0,
            lost: 0,
        }
    }

    /// Sends a packet at `now`.
    pub fn send(&mut self, now: Instant, packet: T) {
        self.sent += 1;
        if self.random.chance(self.config.loss) {
            self.lost += 1;
            return;
        }
        let copies = 1 + u32::from(self.random.chance(self.config.duplicate));
        for _ in 0..copies {
            let mut wait = self.config.delay + self.config.jitter.mul_f64(self.random.unit());
            if self.random.chance(self.config.reorder) {
                wait += self.config.delay / 2 + self.config.jitter + Duration::from_millis(1);
            }
            let order = self.random.count;
            self.flying.push(Reverse(Flight {
                at: now + wait,
                order,
                packet: packet.clone(),
            }));
        }
    }

    /// The next packet that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<T> {
        if self.next_arrival()? > now {
            return None;
        }
        self.flying.pop().map(|Reverse(flight)| flight.packet)
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse(flight)| flight.at)
    }

    /// Packets sent and lost so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.sent, self.lost)
    }
}

#[derive(Debug)]
struct Flight<T> {
    at: Instant,
    order: u64,
    packet: T,
}

impl<T> PartialEq for Flight<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<T> Eq for Flight<T> {}

impl<T> PartialOrd for Flight<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Flight<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// SplitMix64: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    count: u64,
}

impl Random {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            count: 0,
        }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.count += 1;
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to but not including `limit` (0 gives 0).
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next_u64().checked_rem(limit).unwrap_or(0)
    }

    /// From 0 to just under 1.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next_u64() as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VirtualClock;

    fn run(config: LinkConfig) -> Vec<u32> {
        let (mut link, mut clock) = (Link::new(config), VirtualClock::new());
        let mut got = Vec::new();
        for n in 0..10_000_u32 {
            link.send(clock.now(), n);
            clock.advance(Duration::from_millis(1));
            got.extend(std::iter::from_fn(|| link.receive(clock.now())));
        }
        clock.advance(Duration::from_secs(10));
        got.extend(std::iter::from_fn(|| link.receive(clock.now())));
        got
    }

    #[test]
    fn a_perfect_link_is_a_pipe() {
        assert!(run(LinkConfig::default()).into_iter().eq(0..10_000));
    }

    #[test]
    fn faults_come_as_often_as_asked_and_the_same_each_time() {
        let config = LinkConfig {
            delay: Duration::from_millis(20),
            loss: 0.05,
            duplicate: 0.02,
            reorder: 0.03,
            seed: 42,
            ..LinkConfig::default()
        };
        let got = run(config);
        assert_eq!(got, run(config));
        assert!((9_550..=9_850).contains(&got.len()), "{}", got.len());
        let backward = got.windows(2).filter(|w| w[0] > w[1]).count();
        assert!((200..=400).contains(&backward), "{backward}");
    }
}
