//! Credentials: static tokens for publishing, playing and the API, with the brake on guessing them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Authenticator, PlayRequest, PublishRequest};
use core_frame::{Result, Secret, StreamError};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::Config;

/// A wrong credential is answered after this long, and up to twice as long.
const DELAY: Duration = Duration::from_secs(2);
/// Failures are counted over this long.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses whose failures are remembered.
const REMEMBERED: usize = 4_096;

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No credential came.
    Missing,
    /// Not this one.
    Wrong,
    /// Too many wrong ones from this address in the last minute.
    TooMany,
}

impl Denied {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "a token is needed",
            Self::Wrong => "the token is wrong",
            Self::TooMany => "too many wrong tokens from this address, try again in a minute",
        }
    }
}

/// Compares credentials and remembers who guesses.
#[derive(Debug)]
pub(crate) struct Gate {
    config: Arc<Config>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
    delay: Duration,
    window: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Gate {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            failures: Mutex::new(HashMap::new()),
            delay: DELAY,
            window: WINDOW,
        }
    }

    /// Checks what was `given` against what is `wanted`; nothing wanted lets everybody in. Takes its time over a wrong
    /// one.
    pub(crate) async fn check(
        &self,
        wanted: &Secret,
        given: Option<&Secret>,
        from: Option<IpAddr>,
    ) -> std::result::Result<(), Denied> {
        if wanted.is_empty() {
            return Ok(());
        }
        let given = given.filter(|g| !g.is_empty()).ok_or(Denied::Missing)?;
        let from = from.map(network);
        if from.is_some_and(|ip| self.recent(ip) >= self.config.limits.auth_failures_per_minute) {
            return Err(Denied::TooMany);
        }
        if wanted.matches(given.expose()) {
            return Ok(());
        }
        if let Some(ip) = from {
            self.remember(ip);
        }
        let random = RandomState::new().hash_one(0) % 1_000;
        tokio::time::sleep(self.delay + self.delay.mul_f64(random as f64 / 1_000.0)).await;
        Err(Denied::Wrong)
    }

    fn recent(&self, ip: IpAddr) -> u32 {
        let failures = self.failures.lock();
        failures
            .get(&ip)
            .filter(|f| f.since.elapsed() < self.window)
            .map_or(0, |f| f.count)
    }

    fn remember(&self, ip: IpAddr) {
        let mut failures = self.failures.lock();
        if failures.len() >= REMEMBERED {
            failures.retain(|_, f| f.since.elapsed() < self.window);
            if failures.len() >= REMEMBERED {
                failures.clear();
            }
        }
        let entry = failures.entry(ip).or_insert(Failures {
            since: Instant::now(),
            count: 0,
        });
        if entry.since.elapsed() >= self.window {
            *entry = Failures {
                since: Instant::now(),
                count: 0,
            };
        }
        entry.count = entry.count.saturating_add(1);
    }
}

/// One IPv6 customer has a /64, so that is what failures are counted by.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The engine's view of the gate.
pub(crate) struct StaticTokens(pub(crate) Arc<Gate>);

impl StaticTokens {
    async fn check(&self, wanted: &Secret, given: Option<&Secret>, peer: &bus::Peer) -> Result<()> {
        let ip = peer.remote.map(|r| r.ip());
        let outcome = self.0.check(wanted, given, ip).await;
        outcome.map_err(|denied| StreamError::Unauthorized(denied.reason().to_owned()))
    }
}

#[async_trait]
impl Authenticator for StaticTokens {
    async fn publish(&self, request: &PublishRequest) -> Result<()> {
        // What the server publishes itself needs no credential.
        if request.peer.remote.is_none() {
            return Ok(());
        }
        let wanted = self.0.config.auth_of(request.key.app()).publish_token;
        self.check(&wanted, request.token.as_ref(), &request.peer)
            .await
    }

    async fn play(&self, request: &PlayRequest) -> Result<()> {
        if request.peer.remote.is_none() {
            return Ok(());
        }
        let wanted = self.0.config.auth_of(request.key.app()).play_token;
        self.check(&wanted, request.token.as_ref(), &request.peer)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn guessing_is_slow_and_ends() {
        let mut gate = Gate::new(Arc::new(Config::default()));
        assert_eq!((gate.delay.as_secs(), gate.window.as_secs()), (2, 60));
        (gate.delay, gate.window) = (Duration::from_millis(20), Duration::from_millis(1_500));
        let (wanted, right, wrong) = (
            Secret::new("right"),
            Secret::new("right"),
            Secret::new("wrong"),
        );
        let ip = Some("192.0.2.1".parse().unwrap());
        assert_eq!(gate.check(&Secret::default(), None, ip).await, Ok(()));
        assert_eq!(gate.check(&wanted, None, ip).await, Err(Denied::Missing));
        let begun = Instant::now();
        assert_eq!(
            gate.check(&wanted, Some(&wrong), ip).await,
            Err(Denied::Wrong)
        );
        assert!(
            (20..=400).contains(&begun.elapsed().as_millis()),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(gate.check(&wanted, Some(&right), ip).await, Ok(()));
        for _ in 0..9 {
            assert_eq!(
                gate.check(&wanted, Some(&wrong), ip).await,
                Err(Denied::Wrong)
            );
        }
        assert_eq!(
            gate.check(&wanted, Some(&right), ip).await,
            Err(Denied::TooMany)
        );
        let other = Some("192.0.2.2".parse().unwrap());
        assert_eq!(gate.check(&wanted, Some(&right), other).await, Ok(()));
        tokio::time::sleep(gate.window).await;
        assert_eq!(gate.check(&wanted, Some(&right), ip).await, Ok(()));
    }

    #[test]
    fn one_customer_is_one_network() {
        let net = |ip: &str| network(ip.parse().unwrap()).to_string();
        assert_eq!(net("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(net("::ffff:192.0.2.9"), "192.0.2.9");
    }
}
