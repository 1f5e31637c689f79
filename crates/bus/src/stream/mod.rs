//! A stream: its log, its publisher, its readers and views.

mod filter;
mod handle;
mod intake;
mod lifecycle;
mod qos;
mod readers;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use core_frame::{Limits, MediaFrame, ShedPolicy, StreamKey, TrackTable};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use handle::{KeyframeRequests, StreamHandle};
pub(crate) use intake::Intake;
pub(crate) use lifecycle::Tell;
pub use qos::{QosSnapshot, TrackQos};
pub use readers::ReaderSnapshot;
pub(crate) use readers::{next_reader_id, runtime};

use crate::AppSpec;
use crate::hub::Hub;
use crate::log::Log;
use crate::view::{View, ViewKey};
use filter::Filter;
use lifecycle::Control;

pub(crate) type FrameLog = Log<MediaFrame, TrackTable>;

/// What a stream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamState {
    /// Nobody publishes and nobody waits.
    Idle,
    /// Readers wait for a publisher.
    Waiting,
    /// A publisher is there.
    Publishing,
    /// The publisher is gone; the stream waits for it to come back.
    Grace,
    /// A substitute is playing.
    Fallback,
    /// Over.
    Ended,
}

impl StreamState {
    /// The name the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Publishing => "publishing",
            Self::Grace => "grace",
            Self::Fallback => "fallback",
            Self::Ended => "ended",
        }
    }
}

/// Who publishes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublisherInfo {
    /// Its protocol.
    pub protocol: &'static str,
    /// Its address.
    pub remote: Option<SocketAddr>,
    /// Its own name for itself.
    pub user_agent: Option<String>,
    /// When it began, on the monotonic clock.
    pub since: Instant,
    /// When it began, on the wall clock.
    pub since_wall: core_frame::WallTime,
}

pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) app: Arc<AppSpec>,
    pub(crate) shed: Arc<dyn ShedPolicy>,
    pub(crate) log: Arc<FrameLog>,
    pub(crate) filter: Option<Mutex<Filter>>,
    pub(crate) control: Mutex<Control>,
    pub(crate) keyframes: watch::Sender<u64>,
    pub(crate) views: Mutex<HashMap<ViewKey, Arc<View>>>,
    /// Everybody who reads the stream or a view of it, but for the views themselves.
    pub(crate) readers: AtomicUsize,
    /// Those of them who registered.
    pub(crate) registered: AtomicUsize,
    pub(crate) hub: Arc<Hub>,
    pub(crate) created: Instant,
}

impl Stream {
    pub(crate) fn new(
        key: StreamKey,
        app: Arc<AppSpec>,
        limits: &Limits,
        filter: Option<Box<dyn core_frame::FrameFilter>>,
        hub: Arc<Hub>,
        now: Instant,
    ) -> Arc<Self> {
        let log: Arc<FrameLog> = Arc::new(Log::new(app.bounds(limits), Arc::default()));
        {
            let mut state = log.lock();
            state.intake.filtered = filter.is_some();
            state.intake.sync_policy = app.sync;
        }
        Arc::new(Self {
            key,
            app,
            shed: readers::shed_policy(limits),
            log,
            filter: filter.map(|f| Mutex::new(Filter::new(f, now))),
            control: Mutex::new(Control::new(now)),
            keyframes: watch::Sender::new(0),
            views: Mutex::default(),
            readers: AtomicUsize::new(0),
            registered: AtomicUsize::new(0),
            hub,
            created: now,
        })
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
