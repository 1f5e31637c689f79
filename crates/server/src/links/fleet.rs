//! All links of a server: those of the configuration, and one for each stream that a pattern covers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::{Engine, EventReceiver, IngestContext, PublishRequest, StreamEvent};
use core_frame::{Secret, StreamKey};
use ingest_rtmp::client::Target;
use ingest_rtmp::net::client::{Connect, Pull, Push as RtmpPush, Retry};
use parking_lot::RwLock;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::{Entry, Kind, Snapshot};
use crate::Error;
use crate::certificate;
use crate::config::{Config, Push, Source, TargetUrl};
use crate::web::Viewers;

/// What readers that push are called: they take what is there, and are no reason for it to be.
const PUSH: &str = "rtmp-push";
/// The longest pause between two attempts.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

/// The links, by id.
pub(crate) struct Links {
    config: Arc<Config>,
    connect: Connect,
    retry: Retry,
    engine: Arc<Engine>,
    viewers: Arc<Viewers>,
    list: RwLock<BTreeMap<u64, Arc<Entry>>>,
    numbers: AtomicU64,
}

impl Links {
    /// None yet.
    ///
    /// # Errors
    /// When `tls.ca` is of no use.
    pub(crate) fn new(
        config: &Arc<Config>,
        engine: &Arc<Engine>,
        viewers: &Arc<Viewers>,
    ) -> Result<Arc<Self>, Error> {
        let mut connect = Connect::default();
        connect.limits = config.limits.clone();
        connect.tls = certificate::client_config(&config.tls)?;
        let mut retry = Retry::default();
        retry.first = std::time::Duration::from_secs(1);
        retry.max = LONGEST_PAUSE;
        Ok(Arc::new(Self {
            config: Arc::clone(config),
            connect,
            retry,
            engine: Arc::clone(engine),
            viewers: Arc::clone(viewers),
            list: RwLock::default(),
            numbers: AtomicU64::new(1),
        }))
    }

    /// Those of one kind, in the order they were made.
    pub(crate) fn of(&self, kind: Kind) -> Vec<Snapshot> {
        let list: Vec<_> = self.list.read().values().cloned().collect();
        list.iter()
            .filter(|e| e.kind == kind)
            .map(|e| e.snapshot())
            .collect()
    }

    /// Ends the present connection of a link; false when there is none of this id.
    pub(crate) fn end(&self, id: &str) -> bool {
        let found = self.list.read().values().find(|e| e.id == id).cloned();
        found.is_some_and(|e| e.end())
    }

    /// The source that a reader of this stream may wake.
    pub(crate) fn on_demand(&self, key: &StreamKey) -> Option<Arc<Entry>> {
        let list = self.list.read();
        let mut sources = list.values().filter(|e| e.is_on_demand());
        sources.find(|e| e.key == *key).cloned()
    }

    /// Starts what the configuration names, then a push for each stream that a pattern covers, until `stop`.
    ///
    /// `events` are those of the engine, listened to since before anybody could publish.
    pub(crate) async fn run(self: Arc<Self>, mut events: EventReceiver, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        for source in &self.config.streams {
            self.pull(source, &tasks, &stop);
        }
        let (patterns, fixed): (Vec<&Push>, _) = self
            .config
            .pushes
            .iter()
            .partition(|p| p.key.ends_with("/*"));
        for push in fixed {
            if let Ok(key) = StreamKey::parse(&push.key) {
                self.push(push, &key, false, &tasks, &stop);
            }
        }
        // What a pattern pushes now: the place of the pattern and the stream.
        while !patterns.is_empty() {
            let event = tokio::select! {
                event = events.recv() => event,
                () = stop.cancelled() => break,
            };
            let published = match event {
                Ok(StreamEvent::Published { key, .. }) => vec![key],
                Ok(_) => continue,
                // Some were missed: look at what is there.
                Err(RecvError::Lagged(_)) => {
                    let streams = self.engine.streams();
                    streams.iter().map(|h| h.key().clone()).collect()
                }
                Err(RecvError::Closed) => break,
            };
            for key in &published {
                for push in patterns.iter().filter(|p| p.covers(key)) {
                    self.push(push, key, true, &tasks, &stop);
                }
            }
        }
        stop.cancelled().await;
        tasks.close();
        tasks.wait().await;
    }

    fn pull(self: &Arc<Self>, source: &Source, tasks: &TaskTracker, stop: &CancellationToken) {
        if !matches!(source.source.scheme(), "rtmp" | "rtmps") {
            return;
        }
        let (Ok(key), Ok(target)) = (
            StreamKey::parse(&source.key),
            Target::parse(source.source.expose()),
        ) else {
            warn!(
                stream = source.key,
                "a source of the configuration is not started: its key or URL is not valid"
            );
            return;
        };
        let token = self.config.auth_of(key.app()).publish_token;
        let mut pull = Pull::new(target, key.clone());
        pull.request = PublishRequest::new(key.clone()).token(some(token));
        (pull.connect, pull.retry) = (self.connect.clone(), self.retry.clone());
        let ctx = IngestContext::new(Arc::clone(&self.engine) as _);
        let begin = move |end| pull.clone().spawn(ctx.clone(), end);
        let (engine, viewers, at) = (
            Arc::clone(&self.engine),
            Arc::clone(&self.viewers),
            key.clone(),
        );
        let is_read = move || {
            let handle = engine.get_stream(&at);
            handle.is_ok_and(|h| h.readers().iter().any(|r| r.protocol != PUSH))
                || !viewers.of(&at, std::time::Instant::now()).is_empty()
        };
        let number = self.number();
        let entry = Entry::new(
            format!("source-{number}"),
            Kind::Source,
            key,
            source.source.expose(),
            source.source.to_string(),
            Box::new(begin),
            source.on_demand.then(|| Box::new(is_read) as _),
        );
        self.start(number, entry, tasks, stop.clone());
    }

    fn push(
        self: &Arc<Self>,
        push: &Push,
        key: &StreamKey,
        with_stream: bool,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        let url: TargetUrl = push.target_of(key);
        let known =
            |e: &Arc<Entry>| e.kind == Kind::Push && e.key == *key && e.goes_to(url.expose());
        if self.list.read().values().any(known) {
            return;
        }
        let Ok(target) = Target::parse(url.expose()) else {
            if with_stream {
                warn!(%key, target = %push.target, "not pushed: the target is no URL with this name in it");
            }
            return;
        };
        let mut link = RtmpPush::new(key.clone(), target);
        (link.connect, link.retry) = (self.connect.clone(), self.retry.clone());
        link.fan_out = self.config.rtmp.fan_out.into();
        link.end_with_stream = with_stream;
        let engine = Arc::clone(&self.engine);
        let begin = move |end| link.clone().spawn(Arc::clone(&engine), end);
        let number = self.number();
        let entry = Entry::new(
            format!("push-{number}"),
            Kind::Push,
            key.clone(),
            url.expose(),
            url.to_string(),
            Box::new(begin),
            None,
        );
        self.start(number, entry, tasks, stop.clone());
    }

    fn start(
        self: &Arc<Self>,
        number: u64,
        entry: Arc<Entry>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) {
        self.list.write().insert(number, Arc::clone(&entry));
        let this = Arc::clone(self);
        tasks.spawn(async move {
            loop {
                Arc::clone(&entry).run(stop.clone()).await;
                let mut list = this.list.write();
                // A stream that ended with its push may be there again; nobody starts a second push meanwhile.
                if stop.is_cancelled() || this.engine.get_stream(&entry.key).is_err() {
                    list.remove(&number);
                    return;
                }
            }
        });
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

fn some(token: Secret) -> Option<Secret> {
    (!token.is_empty()).then_some(token)
}
