//! One link: what it is, how it is, and the task that keeps it so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use core_frame::{StreamKey, WallTime};
use ingest_rtmp::net::client::{Link, LinkCounts, LinkEnd, LinkState};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::scrub;

/// After a link was ended by an operator, or gave up, it begins anew after this.
const PAUSE: Duration = Duration::from_secs(2);
/// A source that nobody reads goes on for this long.
const LINGER: Duration = Duration::from_secs(10);
/// How often it is looked whether somebody reads.
const LOOK: Duration = Duration::from_secs(1);

/// Which way media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In: `[[stream]]`.
    Source,
    /// Out: `[[push]]`.
    Push,
}

/// Starts a connection that is kept up until the token is cancelled.
pub(crate) type Begin = Box<dyn Fn(CancellationToken) -> Link + Send + Sync>;
/// True while somebody reads the stream.
pub(crate) type IsRead = Box<dyn Fn() -> bool + Send + Sync>;

/// A link of the configuration.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) key: StreamKey,
    /// The address without its secrets.
    shown: String,
    /// The address with them, to find them in what others say.
    url: String,
    begin: Begin,
    /// Set for a source that only runs while somebody reads it.
    is_read: Option<IsRead>,
    now: Mutex<Now>,
    /// Counts up with every reader that asks for the stream.
    asked: watch::Sender<u64>,
}

/// Why a connection is over.
enum Over {
    /// Nobody reads what it brings.
    Unread,
    /// The stream ended, and the link was for that one.
    WithItsStream,
    /// It was told to, or gave up.
    Otherwise,
}

/// How it is.
struct Now {
    state: &'static str,
    since: WallTime,
    remote: Option<SocketAddr>,
    error: Option<String>,
    /// What connections before the present link have done.
    before: LinkCounts,
    link: Option<Link>,
    /// Ends the present link.
    end: CancellationToken,
}

/// How a link is, as the API shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) key: StreamKey,
    /// Without user, password and query; of a push, without the last segment of the path.
    pub(crate) url: String,
    pub(crate) state: &'static str,
    /// Of the state.
    pub(crate) since: String,
    pub(crate) remote: Option<String>,
    pub(crate) attempts: u64,
    pub(crate) connects: u64,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    pub(crate) skipped_frames: u64,
    /// Of the last connection that was lost or refused.
    pub(crate) error: Option<String>,
}

impl Entry {
    pub(crate) fn new(
        id: String,
        kind: Kind,
        key: StreamKey,
        url: &str,
        shown: String,
        begin: Begin,
        is_read: Option<IsRead>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            kind,
            key,
            shown,
            url: url.to_owned(),
            begin,
            now: Mutex::new(Now {
                state: if is_read.is_some() { "asleep" } else { "idle" },
                since: SystemTime::now().into(),
                remote: None,
                error: None,
                before: LinkCounts::default(),
                link: None,
                end: CancellationToken::new(),
            }),
            is_read,
            asked: watch::Sender::new(0),
        })
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.now.lock();
        let counts = now.counts();
        Snapshot {
            id: self.id.clone(),
            key: self.key.clone(),
            url: self.shown.clone(),
            state: now.state,
            since: now.since.to_rfc3339(),
            remote: now.remote.map(|r| r.to_string()),
            attempts: counts.attempts,
            connects: counts.connects,
            bytes: counts.bytes,
            frames: counts.frames,
            skipped_frames: counts.skipped,
            error: now.error.clone(),
        }
    }

    /// True when it only runs while somebody reads it.
    pub(crate) const fn is_on_demand(&self) -> bool {
        self.is_read.is_some()
    }

    /// Somebody wants the stream.
    pub(crate) fn ask(&self) {
        self.asked.send_modify(|n| *n += 1);
    }

    /// Ends the present connection; the link begins anew after a pause. False when there is none.
    pub(crate) fn end(&self) -> bool {
        let now = self.now.lock();
        now.link.as_ref().map(|_| now.end.cancel()).is_some()
    }

    /// True when it leads to this address.
    pub(crate) fn goes_to(&self, url: &str) -> bool {
        self.url == url
    }

    /// Keeps the link up until `stop`, or until it is over for good: its stream has ended, and it is there for no longer.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut asked = self.asked.subscribe();
        // Who asked before this began is not forgotten.
        let mut first = true;
        loop {
            if self.is_on_demand() && !(first && *asked.borrow_and_update() > 0) {
                tokio::select! {
                    asked = asked.changed() => if asked.is_err() { return },
                    () = stop.cancelled() => return,
                }
            }
            first = false;
            let over = self.once(&mut asked, &stop).await;
            match over {
                _ if stop.is_cancelled() => return,
                Over::WithItsStream => return,
                Over::Unread => {
                    self.note("asleep", None, None);
                    continue;
                }
                Over::Otherwise => {}
            }
            // Ended by an operator, or by itself: it is wanted still.
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => self.ask(),
                () = stop.cancelled() => return,
            }
        }
    }

    /// One link, from its beginning to its end.
    async fn once(&self, asked: &mut watch::Receiver<u64>, stop: &CancellationToken) -> Over {
        let end = stop.child_token();
        let link = (self.begin)(end.clone());
        let mut states = link.watch();
        {
            let mut now = self.now.lock();
            (now.link, now.end) = (Some(link), end.clone());
        }
        let mut unread_since = Instant::now();
        let mut look = tokio::time::interval(LOOK);
        let (mut idle, mut finished) = (false, false);
        loop {
            let state = states.borrow_and_update().clone();
            self.follow(&state, idle);
            if let LinkState::Ended(end) = state {
                finished = end == LinkEnd::Finished;
                break;
            }
            tokio::select! {
                changed = states.changed() => if changed.is_err() { break },
                _ = asked.changed() => unread_since = Instant::now(),
                _ = look.tick() => {
                    if self.is_read.as_ref().is_none_or(|is_read| is_read()) {
                        unread_since = Instant::now();
                    } else if unread_since.elapsed() >= LINGER && !idle {
                        idle = true;
                        end.cancel();
                    }
                }
            }
        }
        let mut now = self.now.lock();
        now.before = now.counts();
        now.link = None;
        match (idle, finished) {
            (true, _) => Over::Unread,
            (_, true) => Over::WithItsStream,
            _ => Over::Otherwise,
        }
    }

    /// Takes over a state of the link.
    fn follow(&self, state: &LinkState, idle: bool) {
        match state {
            LinkState::Idle => self.note("idle", None, None),
            LinkState::Connecting { .. } => self.note("connecting", None, None),
            LinkState::Up { remote, .. } => self.note("up", Some(*remote), None),
            LinkState::Waiting { why, .. } => self.note("waiting", None, Some(why)),
            LinkState::Ended(LinkEnd::Failed(why)) => self.note("ended", None, Some(why)),
            LinkState::Ended(_) if !idle => self.note("ended", None, None),
            _ => {}
        }
    }

    /// Writes down a change, and logs those that matter to a person.
    fn note(&self, state: &'static str, remote: Option<SocketAddr>, error: Option<&str>) {
        let error = error.map(|e| scrub(e, &self.url, self.kind == Kind::Push));
        let news = {
            let mut now = self.now.lock();
            // The same loss again and again is one line.
            let news = match &error {
                Some(_) => now.error != error,
                None => now.state != state,
            };
            if now.state != state {
                (now.state, now.since) = (state, SystemTime::now().into());
            }
            now.remote = remote;
            if error.is_some() || state == "up" {
                now.error.clone_from(&error);
            }
            news
        };
        if !news {
            return;
        }
        let (link, key, url) = (&self.id, &self.key, &self.shown);
        match (state, error) {
            (_, Some(error)) => warn!(link, %key, url, error, "{state}"),
            ("up", None) => info!(link, %key, url, ?remote, "up"),
            ("ended" | "asleep", None) => info!(link, %key, url, "{state}"),
            _ => {}
        }
    }
}

impl Now {
    fn counts(&self) -> LinkCounts {
        let mut counts = self.before;
        if let Some(link) = &self.link {
            let own = link.counts();
            counts.bytes = counts.bytes.saturating_add(own.bytes);
            counts.frames = counts.frames.saturating_add(own.frames);
            counts.skipped = counts.skipped.saturating_add(own.skipped);
            counts.attempts = counts.attempts.saturating_add(own.attempts);
            counts.connects = counts.connects.saturating_add(own.connects);
        }
        counts
    }
}
