//! A link in the eyes of its owner: how it is, what it has done, when it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::counts::{Counters, LinkCounts};
use super::retry::Attempts;
use crate::net::Error;

/// How a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// There is nothing to carry yet: a push whose stream is not there.
    Idle,
    /// On the way to the server.
    Connecting {
        /// Which attempt in a row this is, from 1.
        attempt: u32,
    },
    /// Media flows, or may.
    Up {
        /// Since when.
        since: Instant,
        /// The server's address.
        remote: SocketAddr,
    },
    /// The connection was lost or refused and is tried again.
    Waiting {
        /// Attempts in a row that failed.
        failed: u32,
        /// When it is tried again.
        until: Instant,
        /// Why it was lost. Names no URL, since stream keys are secrets.
        why: Arc<str>,
    },
    /// It is over.
    Ended(LinkEnd),
}

/// Why a link is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEnd {
    /// It was told to stop.
    Stopped,
    /// The stream ended, and with it the link, as its options say.
    Finished,
    /// It gave up, for this reason.
    Failed(Arc<str>),
}

/// A running [`Pull`](super::Pull) or [`Push`](super::Push). Dropping it does not stop it: that is the token's part.
#[derive(Debug)]
pub struct Link {
    state: watch::Receiver<LinkState>,
    counters: Arc<Counters>,
}

impl Link {
    /// How it is now.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.state.borrow().clone()
    }

    /// How it is, for whoever waits for changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        self.counters.counts()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> LinkEnd {
        let over = self
            .state
            .wait_for(|state| matches!(state, LinkState::Ended(_)));
        match over.await.as_deref() {
            Ok(LinkState::Ended(end)) => end.clone(),
            // The task is gone without a word.
            _ => LinkEnd::Failed("the link's task died".into()),
        }
    }
}

/// The link's own side of it.
#[derive(Debug)]
pub(super) struct Report {
    state: watch::Sender<LinkState>,
    pub(super) counters: Arc<Counters>,
}

impl Report {
    pub(super) fn new() -> (Self, Link) {
        let (state, watch) = watch::channel(LinkState::Idle);
        let counters = Arc::<Counters>::default();
        let link = Link {
            state: watch,
            counters: Arc::clone(&counters),
        };
        (Self { state, counters }, link)
    }

    pub(super) fn idle(&self) {
        self.state.send_replace(LinkState::Idle);
    }

    pub(super) fn connecting(&self, attempt: u32) {
        self.counters.attempt();
        self.state.send_replace(LinkState::Connecting { attempt });
    }

    pub(super) fn up(&self, remote: SocketAddr) {
        self.counters.connect();
        let since = Instant::now();
        self.state.send_replace(LinkState::Up { since, remote });
    }

    /// How long the connection has been up; zero if it is not.
    pub(super) fn up_for(&self) -> Duration {
        match *self.state.borrow() {
            LinkState::Up { since, .. } => since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// After a loss: says so and how long it waits, or why it is over.
    pub(super) fn lost(
        &self,
        attempts: &mut Attempts,
        error: &Error,
    ) -> Result<tokio::time::Instant, LinkEnd> {
        let pause = attempts.lost(error, self.up_for())?;
        let until = Instant::now() + pause;
        self.state.send_replace(LinkState::Waiting {
            failed: attempts.number().saturating_sub(1),
            until,
            why: error.to_string().into(),
        });
        Ok(until.into())
    }

    pub(super) fn end(&self, end: LinkEnd) {
        self.state.send_replace(LinkState::Ended(end));
    }
}

/// Waits, unless it is told to stop before; false then.
pub(super) async fn wait(until: tokio::time::Instant, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep_until(until) => true,
        () = stop.cancelled() => false,
    }
}
