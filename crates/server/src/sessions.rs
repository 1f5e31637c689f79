//! How many connections there may be: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use core_frame::Limits;
use parking_lot::Mutex;
use tracing::warn;

/// Refusals are logged this often at most.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Counts connections against the limits.
#[derive(Debug)]
pub(crate) struct Sessions {
    most: usize,
    most_per_ip: usize,
    now: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
    refused: u64,
    logged: Option<Instant>,
}

/// One counted connection; dropping it takes it off the count.
#[derive(Debug)]
pub(crate) struct Slot {
    of: Arc<Sessions>,
    ip: IpAddr,
}

impl Sessions {
    /// With `limits.sessions` of 0, four fifths of the open files the process may have.
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let derived = usize::try_from(crate::process::max_files() / 5 * 4).unwrap_or(usize::MAX);
        Arc::new(Self {
            most: if limits.sessions == 0 {
                derived
            } else {
                limits.sessions as usize
            },
            most_per_ip: limits.sessions_per_ip as usize,
            now: Mutex::new(Counts::default()),
        })
    }

    /// Counts one more, or refuses it. Connections of this machine itself (a proxy, a load test) have no limit per
    /// address.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Slot> {
        let mut now = self.now.lock();
        let from_here = now.by_ip.get(&ip).copied().unwrap_or(0);
        if now.all >= self.most || (!ip.is_loopback() && from_here >= self.most_per_ip) {
            now.refused += 1;
            let at = Instant::now();
            if now.logged.is_none_or(|l| at.duration_since(l) >= LOG_EVERY) {
                now.logged = Some(at);
                warn!(%ip, open = now.all, from_here, refused = now.refused, "connections are refused: too many");
            }
            return None;
        }
        now.all += 1;
        now.by_ip.insert(ip, from_here + 1);
        Some(Slot {
            of: Arc::clone(self),
            ip,
        })
    }

    /// Connections now, and refused so far.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let now = self.now.lock();
        (now.all, now.refused)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut now = self.of.now.lock();
        now.all = now.all.saturating_sub(1);
        if let Some(n) = now.by_ip.get_mut(&self.ip) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                now.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_one_address_and_all() {
        let mut limits = Limits::default();
        (limits.sessions, limits.sessions_per_ip) = (5, 2);
        let sessions = Sessions::new(&limits);
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let near: IpAddr = "127.0.0.1".parse().unwrap();
        let a = sessions.enter(far).unwrap();
        let _b = sessions.enter(far).unwrap();
        assert!(sessions.enter(far).is_none());
        drop(a);
        let _a = sessions.enter(far).unwrap();
        let _here: Vec<_> = (0..3).map(|_| sessions.enter(near).unwrap()).collect();
        assert!(sessions.enter(near).is_none(), "five in all");
        assert_eq!(sessions.counts(), (5, 2));
    }
}
