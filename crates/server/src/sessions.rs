//! How many there may be at a time: connections, those that have asked for nothing yet, requests that are held.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::warn;

use crate::config::Config;

/// Refusals are logged this often at most, for each kind of room.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// Refused connections that are told so at the same time; more are just closed.
const REFUSING: usize = 64;

/// The rooms of a server.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Connections of every protocol.
    pub(crate) all: Arc<Room>,
    /// HTTP connections.
    pub(crate) http: Arc<Room>,
    /// HTTP connections that have asked for nothing yet.
    pub(crate) starting: Arc<Room>,
    /// HTTP requests that wait for media to come.
    pub(crate) held: Arc<Room>,
    /// Connections that are being refused.
    pub(crate) refusing: Arc<Room>,
}

/// Why somebody does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full(pub(crate) &'static str);

/// Counts who is in, in all and from one address, against what it holds.
#[derive(Debug)]
pub(crate) struct Room {
    /// What is counted, for the log.
    what: &'static str,
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

/// One place in a room; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    ip: IpAddr,
}

impl Sessions {
    /// As the configuration says. With `limits.sessions` of 0, four fifths of the files the process may have open now.
    pub(crate) fn new(config: &Config) -> Self {
        let limits = &config.limits;
        let files = usize::try_from(crate::process::max_files()).unwrap_or(usize::MAX);
        let most = match limits.sessions {
            0 => files / 5 * 4,
            n => n as usize,
        };
        let none = usize::MAX;
        Self {
            all: Room::new("connections", most, limits.sessions_per_ip as usize),
            http: Room::new("HTTP connections", none, none),
            starting: Room::new(
                "HTTP connections that have asked for nothing",
                limits.unauthenticated_sessions as usize,
                none,
            ),
            held: Room::new(
                "held HLS requests",
                config.http.held as usize,
                config.http.held_per_ip as usize,
            ),
            // They have to fit into what is left of the open files.
            refusing: Room::new("refused connections", REFUSING.min(files / 20), none),
        }
    }
}

impl Room {
    fn new(what: &'static str, most: usize, most_per_ip: usize) -> Arc<Self> {
        Arc::new(Self {
            what,
            most,
            most_per_ip,
            now: Mutex::default(),
        })
    }

    /// Counts one more, or says why not. What comes from this machine itself (a proxy, a load test) has no limit per
    /// address.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Full> {
        let mut now = self.now.lock();
        let from_here = now.by_ip.get(&ip).copied().unwrap_or(0);
        let why = if now.all >= self.most {
            "the server is full"
        } else if from_here >= self.most_per_ip && !ip.is_loopback() {
            "too many from this address"
        } else {
            now.all += 1;
            now.by_ip.insert(ip, from_here + 1);
            drop(now);
            return Ok(Place {
                room: Arc::clone(self),
                ip,
            });
        };
        now.refused += 1;
        let at = Instant::now();
        if now.logged.is_none_or(|l| at.duration_since(l) >= LOG_EVERY) {
            now.logged = Some(at);
            warn!(%ip, what = self.what, now = now.all, from_here, refused = now.refused, "refused: {why}");
        }
        Err(Full(why))
    }

    /// How many are in, and how many were refused so far.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let now = self.now.lock();
        (now.all, now.refused)
    }

    /// How many it holds.
    pub(crate) fn most(&self) -> usize {
        self.most
    }
}

/// The room of all connections as RTMP's listeners ask for it: the limits are those of the process.
#[derive(Debug)]
pub(crate) struct Door(pub(crate) Arc<Room>);

impl ingest_rtmp::net::Door for Door {
    fn enter(&self, ip: IpAddr) -> Option<Box<dyn Send + Sync>> {
        self.0.enter(ip).ok().map(|place| Box::new(place) as _)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut now = self.room.now.lock();
        now.all = now.all.saturating_sub(1);
        if let Some(n) = now.by_ip.get_mut(&self.ip) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                now.by_ip.remove(&self.ip);
            }
        }
        // A flood from many addresses leaves no table behind that only it needed.
        if now.by_ip.capacity() > 1024 && now.by_ip.len() < now.by_ip.capacity() / 8 {
            now.by_ip.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_one_address_and_all() {
        let mut config = Config::default();
        (config.limits.sessions, config.limits.sessions_per_ip) = (5, 2);
        let room = Sessions::new(&config).all;
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let near: IpAddr = "127.0.0.1".parse().unwrap();
        let a = room.enter(far).unwrap();
        let _b = room.enter(far).unwrap();
        assert_eq!(
            room.enter(far).unwrap_err(),
            Full("too many from this address")
        );
        drop(a);
        let _a = room.enter(far).unwrap();
        let _here: Vec<_> = (0..3).map(|_| room.enter(near).unwrap()).collect();
        assert_eq!(room.enter(near).unwrap_err(), Full("the server is full"));
        assert_eq!(room.counts(), (5, 2));
    }

    #[test]
    fn a_flood_leaves_no_table() {
        let room = Room::new("test", usize::MAX, 1);
        let places: Vec<_> = (0..20_000_u32)
            .map(|n| room.enter(IpAddr::from(n.to_be_bytes())).unwrap())
            .collect();
        drop(places);
        let now = room.now.lock();
        assert!(
            now.all == 0 && now.by_ip.capacity() <= 1024,
            "{:?}",
            now.by_ip.capacity()
        );
    }
}
