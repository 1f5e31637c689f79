//! The engine: applications, streams by key, protocol workers, the reaper and the coordinated shutdown.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use core_frame::{FrameFilter, Limits, Result, StreamError, StreamKey};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::events::UnpublishReason;
use crate::hub::Hub;
use crate::stream::Stream;
use crate::{
    AllowAll, AppSpec, Authenticator, EventBus, InboundProtocol, IngestContext, Observer,
    PlayRequest, PlaybackRegistry, PublishRegistry, PublishRequest, StreamHandle, StreamState,
};

/// How often a running engine looks after idle publishers, ended graces and stalled readers.
const TICK: Duration = Duration::from_secs(1);

/// Makes the filter of a new stream.
pub type FilterFactory = Arc<dyn Fn(&StreamKey) -> Box<dyn FrameFilter> + Send + Sync>;

/// Builds an [`Engine`].
pub struct EngineBuilder {
    apps: HashMap<String, Arc<AppSpec>>,
    template: Option<AppSpec>,
    limits: Limits,
    filter: Option<FilterFactory>,
    authenticator: Arc<dyn Authenticator>,
    observer: Option<Arc<dyn Observer>>,
    protocols: Vec<Arc<dyn InboundProtocol>>,
    idle_timeout: Option<Duration>,
}

impl EngineBuilder {
    /// Adds an application; one of the same name is replaced.
    #[must_use]
    pub fn application(mut self, app: AppSpec) -> Self {
        self.apps.insert(app.name().to_owned(), Arc::new(app));
        self
    }

    /// Any other application name is allowed too, and treated like `template`. Without this, streams of unknown
    /// applications are refused.
    #[must_use]
    pub fn allow_any_app(mut self, template: AppSpec) -> Self {
        self.template = Some(template);
        self
    }

    /// The limits of logs and readers.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Every new stream gets a filter from here. Without one the bus itself only keeps decode times from going back.
    #[must_use]
    pub fn filter(mut self, factory: FilterFactory) -> Self {
        self.filter = Some(factory);
        self
    }

    /// Who may publish and play. Default: [`AllowAll`].
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = authenticator;
        self
    }

    /// Is told every event on the spot.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// A worker that [`Engine::run`] runs.
    #[must_use]
    pub fn protocol(mut self, protocol: impl InboundProtocol) -> Self {
        self.protocols.push(Arc::new(protocol));
        self
    }

    /// A publisher that sends nothing for this long is ended by the reaper. Default: never.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// The engine.
    #[must_use]
    pub fn build(self) -> Arc<Engine> {
        Arc::new_cyclic(|me| Engine {
            me: Weak::clone(me),
            apps: self.apps,
            template: self.template,
            made: Mutex::default(),
            limits: self.limits,
            filter: self.filter,
            authenticator: self.authenticator,
            protocols: Mutex::new(self.protocols),
            idle_timeout: self.idle_timeout,
            closing: AtomicBool::new(false),
            hub: Arc::new(Hub::new(self.observer)),
        })
    }
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("apps", &self.apps.len())
            .finish_non_exhaustive()
    }
}

/// The media engine: streams are published into it and read out of it.
pub struct Engine {
    me: Weak<Self>,
    apps: HashMap<String, Arc<AppSpec>>,
    template: Option<AppSpec>,
    /// Applications made from the template, kept while one of their streams lives.
    made: Mutex<HashMap<String, Weak<AppSpec>>>,
    limits: Limits,
    filter: Option<FilterFactory>,
    authenticator: Arc<dyn Authenticator>,
    protocols: Mutex<Vec<Arc<dyn InboundProtocol>>>,
    idle_timeout: Option<Duration>,
    closing: AtomicBool,
    hub: Arc<Hub>,
}

impl Engine {
    /// Starts building an engine.
    #[must_use]
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            apps: HashMap::new(),
            template: None,
            limits: Limits::default(),
            filter: None,
            authenticator: Arc::new(AllowAll),
            observer: None,
            protocols: Vec::new(),
            idle_timeout: None,
        }
    }

    /// The stream of this key, while it has a publisher or waits for one to come back.
    ///
    /// # Errors
    /// `StreamNotFound` otherwise.
    pub fn get_stream(&self, key: &StreamKey) -> Result<StreamHandle> {
        let found = self.hub.streams.read().get(key).cloned();
        found
            .and_then(handle_of)
            .ok_or_else(|| StreamError::StreamNotFound(key.clone()))
    }

    /// All streams, in the order of their keys.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamHandle> {
        let mut streams: Vec<_> = self.hub.streams.read().values().cloned().collect();
        streams.sort_by(|a, b| a.key.cmp(&b.key));
        streams.into_iter().filter_map(handle_of).collect()
    }

    /// What happens, for whoever listens.
    #[must_use]
    pub fn events(&self) -> &EventBus {
        &self.hub.bus
    }

    /// Who says who may publish and play.
    #[must_use]
    pub fn authenticator(&self) -> &Arc<dyn Authenticator> {
        &self.authenticator
    }

    /// The limits of logs and readers.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Runs the registered protocols and the reaper until `shutdown` is cancelled or a worker fails; then winds all of
    /// them down and waits for them. Streams that are left go on until [`Engine::shutdown`].
    ///
    /// # Errors
    /// The first worker's failure.
    pub async fn run(self: &Arc<Self>, shutdown: CancellationToken) -> Result<()> {
        let protocols = std::mem::take(&mut *self.protocols.lock());
        let stop = shutdown.child_token();
        let mut workers = JoinSet::new();
        for protocol in protocols {
            let (engine, stop) = (Arc::clone(self), stop.clone());
            workers.spawn(async move { engine.serve(protocol, stop).await });
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut result = Ok(());
        let mut live = workers.len();
        loop {
            tokio::select! {
                Some(ended) = workers.join_next(), if live > 0 => {
                    live -= 1;
                    let ended = ended
                        .unwrap_or_else(|e| Err(StreamError::other(format!("a worker died: {e}"))));
                    if let Err(e) = ended {
                        tracing::error!(error = %e, "a protocol worker failed, winding down");
                        stop.cancel();
                        result = result.and(Err(e));
                    }
                }
                _ = tick.tick() => self.tick(Instant::now()),
                () = stop.cancelled(), if live == 0 => return result,
            }
        }
    }

    /// Runs one protocol until `shutdown` is cancelled.
    ///
    /// # Errors
    /// The worker's failure.
    pub async fn serve(
        self: &Arc<Self>,
        protocol: Arc<dyn InboundProtocol>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let name = protocol.name();
        tracing::debug!(protocol = name, "worker starts");
        let registry: Arc<dyn PublishRegistry> = Arc::clone(self) as _;
        let result = protocol.serve(IngestContext::new(registry), shutdown).await;
        tracing::debug!(protocol = name, ok = result.is_ok(), "worker ended");
        result
    }

    /// Ends publishers that have sent nothing for the idle time-out; returns how many. [`Engine::run`] calls it.
    pub fn reap_idle(&self, now: Instant) -> usize {
        let Some(timeout) = self.idle_timeout else {
            return 0;
        };
        let mut reaped = 0;
        for stream in self.stream_list() {
            if stream.silence(now) < timeout {
                continue;
            }
            if let Some(tell) = stream.unclaim(None, UnpublishReason::Idle, now) {
                tracing::info!(key = %stream.key, "publisher sent nothing, ending it");
                self.settle(&stream, tell);
                reaped += 1;
            }
        }
        reaped
    }

    /// Ends every stream, refuses new ones, and waits until every reader has had what was published before (or is gone),
    /// or until the limit.
    pub async fn shutdown(&self, drain: Duration) {
        self.closing.store(true, Ordering::Release);
        let streams = self.stream_list();
        let now = Instant::now();
        for stream in &streams {
            let tell = stream.finish(UnpublishReason::Shutdown, now);
            self.settle(stream, tell);
        }
        let deadline = tokio::time::Instant::now() + drain;
        while !streams.iter().all(|s| s.is_drained()) {
            let again = tokio::time::Instant::now() + Duration::from_millis(5);
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                () = self.hub.left.notified() => {}
                () = tokio::time::sleep_until(again) => {}
            }
        }
    }

    fn tick(&self, now: Instant) {
        self.reap_idle(now);
        for stream in self.stream_list() {
            stream.silence(now);
            stream.sweep(now);
            self.expire(&stream, now);
        }
    }

    fn expire(&self, stream: &Arc<Stream>, now: Instant) {
        let mut tell = Default::default();
        if stream.expire(now, &mut tell) {
            self.settle(stream, tell);
        }
    }

    fn stream_list(&self) -> Vec<Arc<Stream>> {
        self.hub.streams.read().values().cloned().collect()
    }

    fn app(&self, name: &str) -> Result<Arc<AppSpec>> {
        if let Some(app) = self.apps.get(name) {
            return Ok(Arc::clone(app));
        }
        let Some(template) = &self.template else {
            return Err(StreamError::AppNotFound(name.to_owned()));
        };
        let mut made = self.made.lock();
        if let Some(app) = made.get(name).and_then(Weak::upgrade) {
            return Ok(app);
        }
        made.retain(|_, app| app.strong_count() > 0);
        let app = Arc::new(template.named(name));
        made.insert(name.to_owned(), Arc::downgrade(&app));
        Ok(app)
    }

    fn claim(&self, request: &PublishRequest) -> Result<StreamHandle> {
        let app = self.app(request.key.app())?;
        let now = Instant::now();
        let mut streams = self.hub.streams.write();
        if self.closing.load(Ordering::Acquire) {
            return Err(StreamError::ShuttingDown);
        }
        let known = streams.get(&request.key).cloned();
        let known = known.filter(|s| s.control.lock().state != StreamState::Ended);
        let taken = known
            .as_ref()
            .is_some_and(|s| s.control.lock().publisher.is_some());
        if let Some(limit) = app.max_publishers
            && !taken
        {
            let live = streams
                .values()
                .filter(|s| s.key.app() == app.name())
                .filter(|s| s.control.lock().publisher.is_some())
                .count();
            if live >= limit {
                return Err(StreamError::PublisherLimitReached { limit });
            }
        }
        let stream = known.unwrap_or_else(|| {
            let filter = self.filter.as_ref().map(|make| make(&request.key));
            let hub = Arc::clone(&self.hub);
            Stream::new(request.key.clone(), app, &self.limits, filter, hub, now)
        });
        let claim = stream.claim(request, now)?;
        streams.insert(request.key.clone(), stream);
        drop(streams);
        self.hub.tell_all(claim.tell);
        Ok(claim.handle)
    }

    fn release(&self, handle: &StreamHandle, reason: UnpublishReason) -> Result<()> {
        let stream = &handle.stream;
        let tell = stream
            .unclaim(Some(handle.ticket), reason, Instant::now())
            .ok_or_else(|| StreamError::StreamNotFound(stream.key.clone()))?;
        self.settle(stream, tell);
        Ok(())
    }

    /// After a change of a stream's state: takes it off the map if it ended, sets the timer of its grace, tells.
    fn settle(&self, stream: &Arc<Stream>, tell: crate::stream::Tell) {
        let (state, until) = {
            let control = stream.control.lock();
            (control.state, control.grace_until)
        };
        if state == StreamState::Ended {
            self.hub.forget(stream);
        } else if state == StreamState::Grace
            && let Some(until) = until
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (me, stream) = (Weak::clone(&self.me), Arc::downgrade(stream));
            runtime.spawn(async move {
                tokio::time::sleep_until(until.into()).await;
                if let (Some(engine), Some(stream)) = (me.upgrade(), stream.upgrade()) {
                    engine.expire(&stream, Instant::now().max(until));
                }
            });
        }
        self.hub.tell_all(tell);
    }
}

fn handle_of(stream: Arc<Stream>) -> Option<StreamHandle> {
    let ticket = {
        let control = stream.control.lock();
        match control.state {
            StreamState::Ended | StreamState::Idle => return None,
            _ => control.publisher.as_ref().map_or(0, |p| p.ticket),
        }
    };
    Some(StreamHandle::new(stream, ticket))
}

#[async_trait]
impl PublishRegistry for Engine {
    async fn start_publish(&self, key: &StreamKey) -> Result<StreamHandle> {
        self.start_publish_as(PublishRequest::new(key.clone()))
            .await
    }

    async fn start_publish_as(&self, request: PublishRequest) -> Result<StreamHandle> {
        self.authenticator.publish(&request).await?;
        self.claim(&request)
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        let handle = self.get_stream(key)?;
        self.release(&handle, UnpublishReason::Finished)
    }

    async fn finish_publish(&self, handle: &StreamHandle) -> Result<()> {
        self.release(handle, UnpublishReason::Finished)
    }

    fn abandon_publish(self: Arc<Self>, handle: StreamHandle) {
        // A publisher that was kicked or taken over before has nothing left to free.
        let _ = self.release(&handle, UnpublishReason::Dropped);
    }
}

#[async_trait]
impl PlaybackRegistry for Engine {
    async fn open_play(&self, request: PlayRequest) -> Result<StreamHandle> {
        if self.closing.load(Ordering::Acquire) {
            return Err(StreamError::ShuttingDown);
        }
        self.authenticator.play(&request).await?;
        self.get_stream(&request.key)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let now = Instant::now();
        for stream in self.stream_list() {
            let tell = stream.finish(UnpublishReason::Shutdown, now);
            self.settle(&stream, tell);
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("streams", &self.hub.streams.read().len())
            .finish_non_exhaustive()
    }
}
