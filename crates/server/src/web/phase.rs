//! Where a connection stands between its requests: whether one is being answered, and since when none is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::body::{Body, Run};
use crate::sessions::Place;

/// Shared by the byte stream, the service and the task of one connection.
#[derive(Debug)]
pub(crate) struct Phase(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests so far.
    begun: u64,
    /// Those that are being answered, and one for ever once the connection has become something else.
    busy: usize,
    /// When the last answer ended; before the first one, when the connection began.
    quiet_since: Instant,
    /// Told when the last answer ends.
    waker: Option<Waker>,
    /// The place among those who have asked for nothing yet.
    starting: Option<Place>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Busy(Option<Arc<Phase>>);

impl Phase {
    pub(crate) fn new(starting: Place) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            begun: 0,
            busy: 0,
            quiet_since: Instant::now(),
            waker: None,
            starting: Some(starting),
        })))
    }

    /// A request has come in full.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.0.lock();
        state.begun += 1;
        state.busy += 1;
        let starting = state.starting.take();
        drop(state);
        drop(starting);
        Busy(Some(Arc::clone(self)))
    }

    /// Requests so far, and whether one is being answered.
    pub(crate) fn now(&self) -> (u64, bool) {
        let state = self.0.lock();
        (state.begun, state.busy > 0)
    }

    /// The connection is to be looked at again once no request is being answered.
    pub(crate) fn wake_when_quiet(&self, waker: &Waker) {
        let mut state = self.0.lock();
        if state.busy == 0 {
            waker.wake_by_ref();
        } else if !state.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
    }

    /// Comes back when nothing was asked for `first` since the beginning, or for `idle` since the last answer.
    pub(crate) async fn quiet(&self, first: Duration, idle: Duration) {
        loop {
            let due = {
                let state = self.0.lock();
                match (state.busy, state.begun) {
                    (0, 0) => state.quiet_since + first,
                    (0, _) => state.quiet_since + idle,
                    _ => Instant::now() + idle,
                }
            };
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

impl Busy {
    /// The connection is no longer HTTP: it never waits for a request again.
    pub(crate) fn for_ever(mut self) {
        self.0 = None;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(phase) = &self.0 {
            let mut state = phase.0.lock();
            state.busy = state.busy.saturating_sub(1);
            state.quiet_since = Instant::now();
            let waker = state.waker.take().filter(|_| state.busy == 0);
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// A body that knows when it has been sent or given up.
pub(crate) struct Answer {
    pub(crate) body: Body,
    pub(crate) _busy: Option<Busy>,
}

impl http_body::Body for Answer {
    type Data = Run;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Run>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
