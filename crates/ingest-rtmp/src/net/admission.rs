//! Who may connect: sessions in all, per address, and those that have not started anything; failed log ins; log lines.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use core_frame::Limits;

/// Counts the sessions of several listeners and protocols together, in place of a listener's own count.
pub trait Door: Send + Sync + std::fmt::Debug {
    /// Takes a place for a peer at this address; dropping it frees the place. `None` when there is none left, in all or
    /// for this address. Called on the listener's task: it must not block.
    fn enter(&self, ip: IpAddr) -> Option<Place>;
}

/// A place behind a [`Door`].
pub type Place = Box<dyn Send + Sync>;

/// Counts sessions against the limits.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    door: Option<Arc<dyn Door>>,
    sessions_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: usize,
    unstarted: usize,
    refusing: usize,
    peers: HashMap<IpAddr, Peer>,
    prune_at: usize,
    /// When a refusal went to the log last, and how many were left out since.
    refusal_logged: Option<Instant>,
    refusals_unsaid: u64,
}

#[derive(Debug, Default)]
struct Peer {
    sessions: u32,
    failures: u32,
    failures_since: Option<Instant>,
    logged: Option<Instant>,
}

/// Addresses that are remembered for their failures and log lines, before the oldest are forgotten.
const PEERS: usize = 4096;
/// Refused peers that are told so, at the same time; more are just closed.
const REFUSING: usize = 64;
const MINUTE: Duration = Duration::from_secs(60);
const LOG_EVERY: Duration = Duration::from_secs(1);

/// What becomes of a new connection.
pub(super) enum Verdict {
    Welcome(Ticket),
    /// It is told why.
    Refuse(Ticket, &'static str),
    /// It is closed.
    Close(&'static str),
}

/// One admitted session; dropping it makes room.
pub(super) struct Ticket {
    admission: Arc<Admission>,
    ip: IpAddr,
    kind: Kind,
    _place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unstarted,
    Started,
    Refusing,
}

impl Admission {
    pub(super) fn new(limits: &Limits, door: Option<Arc<dyn Door>>) -> Self {
        let sessions_max = match limits.sessions {
            0 => open_files() / 10 * 8,
            n => n as usize,
        };
        Self {
            limits: limits.clone(),
            door,
            sessions_max,
            state: Mutex::default(),
        }
    }

    /// Judges a new connection. Loopback is one machine, not one user: the limit per address does not hold there.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Verdict {
        // Before the lock: a door is somebody else's code.
        let place = self.door.as_ref().map(|door| door.enter(ip));
        let counts_itself = place.is_none();
        let mut state = self.lock();
        let own = state.peers.get(&ip).map_or(0, |p| p.sessions);
        let why = if matches!(place, Some(None)) {
            Some("the server is full, or has too many sessions from this address")
        } else if counts_itself && state.sessions >= self.sessions_max {
            Some("the server is full")
        } else if counts_itself && own >= self.limits.sessions_per_ip && !ip.is_loopback() {
            Some("too many sessions from this address")
        } else if state.unstarted >= self.limits.unauthenticated_sessions as usize {
            Some("too many sessions that have not started")
        } else {
            None
        };
        let kind = match why {
            Some(why) if state.refusing >= REFUSING => return Verdict::Close(why),
            Some(_) => {
                state.refusing += 1;
                Kind::Refusing
            }
            None => {
                state.sessions += 1;
                state.unstarted += 1;
                state.peers.entry(ip).or_default().sessions += 1;
                Kind::Unstarted
            }
        };
        drop(state);
        let ticket = Ticket {
            admission: Arc::clone(self),
            ip,
            kind,
            _place: place.flatten(),
        };
        match why {
            Some(why) => Verdict::Refuse(ticket, why),
            None => Verdict::Welcome(ticket),
        }
    }

    /// Sessions, and those that have not started.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.sessions, state.unstarted)
    }

    /// True while this address may still try to log in.
    pub(super) fn may_log_in(&self, ip: IpAddr, now: Instant) -> bool {
        let state = self.lock();
        state.peers.get(&ip).is_none_or(|peer| {
            let fresh = peer
                .failures_since
                .is_some_and(|since| now.saturating_duration_since(since) < MINUTE);
            !fresh || peer.failures < self.limits.auth_failures_per_minute
        })
    }

    /// A log in failed.
    pub(super) fn failed_log_in(&self, ip: IpAddr, now: Instant) {
        let mut state = self.lock();
        state.prune(now);
        let peer = state.peers.entry(ip).or_default();
        match peer.failures_since {
            Some(since) if now.saturating_duration_since(since) < MINUTE => {
                peer.failures = peer.failures.saturating_add(1);
            }
            _ => {
                peer.failures = 1;
                peer.failures_since = Some(now);
            }
        }
    }

    /// True once a second for each address: a peer may not fill the log.
    pub(super) fn may_log(&self, ip: IpAddr, now: Instant) -> bool {
        let mut state = self.lock();
        state.prune(now);
        let peer = state.peers.entry(ip).or_default();
        let due = peer
            .logged
            .is_none_or(|at| now.saturating_duration_since(at) >= LOG_EVERY);
        if due {
            peer.logged = Some(now);
        }
        due
    }

    /// Whether a refusal for want of room may go to the log: once a second for all addresses together, since a flood comes
    /// from many. Tells how many there were since the last line, this one included.
    pub(super) fn may_log_refusal(&self, now: Instant) -> Option<u64> {
        let mut state = self.lock();
        state.refusals_unsaid = state.refusals_unsaid.saturating_add(1);
        let due = state
            .refusal_logged
            .is_none_or(|at| now.saturating_duration_since(at) >= LOG_EVERY);
        due.then(|| {
            state.refusal_logged = Some(now);
            std::mem::take(&mut state.refusals_unsaid)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets addresses that are gone, whenever their number has doubled.
    fn prune(&mut self, now: Instant) {
        if self.peers.len() < self.prune_at.max(PEERS) {
            return;
        }
        let recent =
            |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < MINUTE);
        self.peers
            .retain(|_, p| p.sessions > 0 || recent(p.failures_since) || recent(p.logged));
        self.prune_at = self.peers.len() * 2;
    }
}

impl Ticket {
    /// The session has published or played: it no longer counts as unauthenticated.
    pub(super) fn started(&mut self) {
        if self.kind == Kind::Unstarted {
            self.kind = Kind::Started;
            let mut state = self.admission.lock();
            state.unstarted = state.unstarted.saturating_sub(1);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        if self.kind == Kind::Refusing {
            state.refusing = state.refusing.saturating_sub(1);
            return;
        }
        if self.kind == Kind::Unstarted {
            state.unstarted = state.unstarted.saturating_sub(1);
        }
        state.sessions = state.sessions.saturating_sub(1);
        if let Some(peer) = state.peers.get_mut(&self.ip) {
            peer.sessions = peer.sessions.saturating_sub(1);
            if peer.sessions == 0 && peer.failures_since.is_none() && peer.logged.is_none() {
                state.peers.remove(&self.ip);
            }
        }
    }
}

/// The soft limit of open files; 1024 where the system does not tell.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let mut limits = Limits::default();
        limits.sessions = 3;
        limits.sessions_per_ip = 2;
        limits.unauthenticated_sessions = 3;
        limits
    }

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn welcome(admission: &Arc<Admission>, ip: IpAddr) -> Ticket {
        match admission.admit(ip) {
            Verdict::Welcome(ticket) => ticket,
            Verdict::Refuse(_, why) | Verdict::Close(why) => panic!("{why}"),
        }
    }

    fn refusal(admission: &Arc<Admission>, ip: IpAddr) -> &'static str {
        match admission.admit(ip) {
            Verdict::Refuse(_, why) => why,
            _ => panic!("not refused"),
        }
    }

    #[test]
    fn limits_hold_and_tickets_make_room() {
        let admission = Arc::new(Admission::new(&limits(), None));
        let one = welcome(&admission, A);
        let _two = welcome(&admission, A);
        assert_eq!(
            refusal(&admission, A),
            "too many sessions from this address"
        );
        let _three = welcome(&admission, B);
        assert_eq!(refusal(&admission, B), "the server is full");
        drop(one);
        let mut four = welcome(&admission, A);
        four.started();
        assert_eq!(admission.lock().unstarted, 2);
        drop(four);
        let state = admission.lock();
        assert_eq!((state.sessions, state.unstarted), (2, 2));
    }

    #[test]
    fn refusals_are_bounded_too() {
        let mut limits = limits();
        limits.sessions = 1;
        let admission = Arc::new(Admission::new(&limits, None));
        let _one = welcome(&admission, A);
        let refused: Vec<_> = (0..REFUSING).map(|_| admission.admit(B)).collect();
        assert!(matches!(admission.admit(B), Verdict::Close(_)));
        drop(refused);
        assert!(matches!(admission.admit(B), Verdict::Refuse(..)));
    }

    #[test]
    fn failures_and_log_lines_a_minute() {
        let admission = Admission::new(&limits(), None);
        let now = Instant::now();
        for _ in 0..10 {
            assert!(admission.may_log_in(A, now));
            admission.failed_log_in(A, now);
        }
        assert!(!admission.may_log_in(A, now));
        assert!(admission.may_log_in(B, now));
        assert!(admission.may_log_in(A, now + MINUTE));
        assert!(admission.may_log(A, now));
        assert!(!admission.may_log(A, now + Duration::from_millis(900)));
        assert!(admission.may_log(A, now + Duration::from_secs(1)));
        let said: Vec<_> = [0, 10, 999, 1_000, 1_001, 2_000]
            .map(|ms| admission.may_log_refusal(now + Duration::from_millis(ms)))
            .into();
        assert_eq!(said, [Some(1), None, None, Some(3), None, Some(2)]);
    }

    #[test]
    fn loopback_has_no_limit_per_address() {
        let mut limits = limits();
        limits.sessions = 50;
        limits.unauthenticated_sessions = 50;
        let admission = Arc::new(Admission::new(&limits, None));
        let local = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let all: Vec<_> = (0..20).map(|_| welcome(&admission, local)).collect();
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn a_door_counts_in_place_of_the_listener() {
        #[derive(Debug)]
        struct One(Arc<()>);
        impl Door for One {
            fn enter(&self, _: IpAddr) -> Option<Place> {
                let free = Arc::strong_count(&self.0) == 1;
                free.then(|| Box::new(Arc::clone(&self.0)) as Place)
            }
        }
        let mut limits = limits();
        limits.sessions = 0;
        limits.sessions_per_ip = 0;
        let door = Arc::new(One(Arc::new(())));
        let admission = Arc::new(Admission::new(&limits, Some(door)));
        let one = welcome(&admission, A);
        let why = "the server is full, or has too many sessions from this address";
        assert_eq!(refusal(&admission, B), why);
        drop(one);
        assert_eq!(admission.counts(), (0, 0));
        let _two = welcome(&admission, B);
    }
}
