//! HLS viewers: who fetches playlists and segments, told apart and counted once however many requests they make.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use core_frame::StreamKey;
use parking_lot::Mutex;

/// A viewer that asked for nothing this long is gone.
const GONE: Duration = Duration::from_secs(15);
/// One that an operator ended stays out this long.
const BAN: Duration = Duration::from_secs(60);
/// Viewers that are told apart at a time; more are served all the same.
const MOST: usize = 100_000;

/// The viewers of all streams.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    /// Seeded at start: ids cannot be guessed from addresses.
    hasher: RandomState,
    now: Mutex<HashMap<u64, Viewer>>,
}

#[derive(Clone, Debug)]
struct Viewer {
    key: StreamKey,
    remote: SocketAddr,
    since: Instant,
    seen: Instant,
    bytes: u64,
    banned: Option<Instant>,
}

/// One of them, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewerSnapshot {
    pub(crate) id: String,
    pub(crate) remote: SocketAddr,
    pub(crate) bytes: u64,
}

/// The viewer was ended by an operator.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Banned;

impl Viewers {
    /// Somebody asks for a file of a stream. A viewer is an address with a user agent, unless the player names itself by
    /// `session` in the query.
    pub(crate) fn seen(
        &self,
        key: &StreamKey,
        remote: SocketAddr,
        agent: Option<&str>,
        session: Option<&str>,
        at: Instant,
    ) -> Result<u64, Banned> {
        let ip: IpAddr = remote.ip();
        let id = match session {
            Some(session) => self.hasher.hash_one((key, ip, Some(session), None::<&str>)),
            None => self.hasher.hash_one((key, ip, None::<&str>, agent)),
        };
        let mut now = self.now.lock();
        if now.len() >= MOST && !now.contains_key(&id) {
            now.retain(|_, v| v.alive(at));
        }
        if now.len() >= MOST && !now.contains_key(&id) {
            return Ok(id);
        }
        let viewer = now.entry(id).or_insert_with(|| Viewer {
            key: key.clone(),
            remote,
            since: at,
            seen: at,
            bytes: 0,
            banned: None,
        });
        if viewer.banned.is_some_and(|until| until > at) {
            return Err(Banned);
        }
        if !viewer.alive(at) {
            (viewer.since, viewer.bytes, viewer.banned) = (at, 0, None);
        }
        viewer.seen = at;
        Ok(id)
    }

    /// A viewer was sent this much.
    pub(crate) fn sent(&self, id: u64, bytes: u64, at: Instant) {
        if let Some(viewer) = self.now.lock().get_mut(&id) {
            viewer.seen = at;
            viewer.bytes = viewer.bytes.saturating_add(bytes);
        }
    }

    /// Those who watch a stream now, the longest first.
    pub(crate) fn of(&self, key: &StreamKey, at: Instant) -> Vec<ViewerSnapshot> {
        let now = self.now.lock();
        let mut list: Vec<_> = now
            .iter()
            .filter(|(_, v)| v.key == *key && v.alive(at))
            .collect();
        list.sort_by_key(|(id, v)| (v.since, **id));
        list.into_iter()
            .map(|(id, v)| ViewerSnapshot {
                id: text(*id),
                remote: v.remote,
                bytes: v.bytes,
            })
            .collect()
    }

    /// How many watch at all.
    pub(crate) fn count(&self, at: Instant) -> usize {
        self.now.lock().values().filter(|v| v.alive(at)).count()
    }

    /// Ends one by its id; false when there is none.
    pub(crate) fn kick(&self, id: &str, at: Instant) -> bool {
        let mut now = self.now.lock();
        let found = now
            .iter_mut()
            .find(|(known, v)| text(**known) == id && v.alive(at));
        found.map(|(_, v)| v.banned = Some(at + BAN)).is_some()
    }

    /// Forgets those who are gone.
    pub(crate) fn sweep(&self, at: Instant) {
        self.now
            .lock()
            .retain(|_, v| v.alive(at) || v.banned.is_some_and(|until| until > at));
    }
}

impl Viewer {
    fn alive(&self, at: Instant) -> bool {
        self.banned.is_none() && at.saturating_duration_since(self.seen) < GONE
    }
}

fn text(id: u64) -> String {
    format!("hls-{id:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_counted_once() {
        let (viewers, at) = (Viewers::default(), Instant::now());
        let key = StreamKey::new("live", "cam");
        let other = StreamKey::new("live", "other");
        let from = |port| SocketAddr::from(([192, 0, 2, 1], port));
        // One player with several connections is one viewer; another player on the same machine is another.
        let a = viewers
            .seen(&key, from(1), Some("hls.js"), None, at)
            .unwrap();
        assert_eq!(viewers.seen(&key, from(2), Some("hls.js"), None, at), Ok(a));
        viewers.seen(&key, from(3), Some("vlc"), None, at).unwrap();
        viewers
            .seen(&key, from(3), Some("vlc"), Some("s1"), at)
            .unwrap();
        viewers
            .seen(&other, from(1), Some("hls.js"), None, at)
            .unwrap();
        viewers.sent(a, 100, at);
        viewers.sent(a, 20, at);
        let list = viewers.of(&key, at);
        assert_eq!((list.len(), viewers.count(at)), (3, 4));
        assert!(list.iter().any(|v| v.bytes == 120 && v.remote == from(1)));

        let id = list.iter().find(|v| v.bytes == 120).unwrap().id.clone();
        assert!(viewers.kick(&id, at) && !viewers.kick(&id, at));
        assert_eq!(
            viewers.seen(&key, from(1), Some("hls.js"), None, at),
            Err(Banned)
        );
        assert_eq!(viewers.of(&key, at).len(), 2);
        let at = at + BAN;
        assert_eq!(viewers.seen(&key, from(1), Some("hls.js"), None, at), Ok(a));
        assert_eq!(
            viewers.of(&key, at).len(),
            1,
            "the others asked for nothing in a minute"
        );
        viewers.sweep(at);
        assert_eq!(viewers.now.lock().len(), 1);
    }
}
