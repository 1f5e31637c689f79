//! How a protocol brings streams in: the worker's contract, its handle to the engine, and the publish session.

use std::sync::Arc;

use async_trait::async_trait;
use core_frame::{MediaFrame, Result, StreamKey, Tags, TrackInfo};
use tokio_util::sync::CancellationToken;

use crate::{PublishRegistry, PublishRequest, StreamHandle};

/// A protocol worker that takes a registry. Every one is an [`InboundProtocol`] too.
#[async_trait]
pub trait ProtocolHandler: Send + Sync {
    /// Its name (`rtmp`, `hls`).
    fn name(&self) -> &'static str;

    /// Accepts connections until `shutdown` is cancelled.
    ///
    /// # Errors
    /// A fault it cannot go on after, such as a listener that cannot be bound.
    async fn run(
        &self,
        registry: Arc<dyn PublishRegistry>,
        shutdown: CancellationToken,
    ) -> Result<()>;
}

/// A protocol worker: owns its listener for its whole life, accepts connections, and brings their frames in by publish
/// sessions. The engine shares one instance among tasks.
#[async_trait]
pub trait InboundProtocol: Send + Sync + 'static {
    /// Its name (`rtmp`, `rtsp`), for logs.
    fn name(&self) -> &'static str;

    /// Runs until `shutdown` is cancelled, and then returns promptly: the engine waits for every worker.
    ///
    /// # Errors
    /// A fault it cannot go on after; the engine then winds its siblings down too.
    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()>;
}

#[async_trait]
impl<T: ProtocolHandler + 'static> InboundProtocol for T {
    fn name(&self) -> &'static str {
        ProtocolHandler::name(self)
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        ProtocolHandler::run(self, Arc::clone(ctx.registry()), shutdown).await
    }
}

/// A worker's handle to the engine; cloning is one reference count.
#[derive(Clone)]
pub struct IngestContext {
    registry: Arc<dyn PublishRegistry>,
}

impl IngestContext {
    /// Around any registry, such as an `Arc<Engine>`.
    #[must_use]
    pub fn new(registry: Arc<dyn PublishRegistry>) -> Self {
        Self { registry }
    }

    /// Claims `key` for a publisher of this process.
    ///
    /// # Errors
    /// As [`PublishRegistry::start_publish`].
    pub async fn open_publish(&self, key: StreamKey) -> Result<PublishSession> {
        let handle = self.registry.start_publish(&key).await?;
        Ok(self.session(handle))
    }

    /// Claims a key for a peer.
    ///
    /// # Errors
    /// As [`PublishRegistry::start_publish_as`].
    pub async fn open_publish_as(&self, request: PublishRequest) -> Result<PublishSession> {
        let handle = self.registry.start_publish_as(request).await?;
        Ok(self.session(handle))
    }

    /// The registry itself.
    #[must_use]
    pub fn registry(&self) -> &Arc<dyn PublishRegistry> {
        &self.registry
    }

    fn session(&self, handle: StreamHandle) -> PublishSession {
        PublishSession {
            handle,
            registry: Some(Arc::clone(&self.registry)),
        }
    }
}

impl std::fmt::Debug for IngestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IngestContext").finish_non_exhaustive()
    }
}

/// The one publisher of a stream. Dropping it frees the key and ends the stream (or starts its grace); so a worker that
/// returns early or panics leaks nothing. [`PublishSession::finish`] is the way to take one's leave.
#[derive(Debug)]
pub struct PublishSession {
    handle: StreamHandle,
    registry: Option<Arc<dyn PublishRegistry>>,
}

impl PublishSession {
    /// What is published.
    #[must_use]
    pub fn key(&self) -> &StreamKey {
        self.handle.key()
    }

    /// The stream.
    #[must_use]
    pub fn handle(&self) -> &StreamHandle {
        &self.handle
    }

    /// All tracks at once. Tracks that changed their codec or its configuration open a new epoch.
    ///
    /// # Errors
    /// `Ended` when this publisher was kicked or taken over.
    pub fn set_tracks(&self, tracks: impl IntoIterator<Item = TrackInfo>) -> Result<()> {
        self.handle.set_tracks(tracks)
    }

    /// One track, new or changed.
    ///
    /// # Errors
    /// As [`PublishSession::set_tracks`].
    pub fn set_track(&self, track: TrackInfo) -> Result<()> {
        self.handle.set_track(track)
    }

    /// What the sender says about the stream as a whole, in place of what it said before.
    ///
    /// # Errors
    /// As [`PublishSession::set_tracks`].
    pub fn set_tags(&self, tags: Tags) -> Result<()> {
        self.handle.set_tags(tags)
    }

    /// Publishes a frame; returns how many read the stream (0 when nobody does).
    ///
    /// # Errors
    /// As [`PublishSession::set_tracks`].
    pub fn publish_frame(&self, frame: MediaFrame) -> Result<usize> {
        self.handle.publish_frame(frame)
    }

    /// Publishes several frames in order, under one lock and with one round of waking.
    ///
    /// # Errors
    /// As [`PublishSession::set_tracks`].
    pub fn publish_frames(&self, frames: impl IntoIterator<Item = MediaFrame>) -> Result<usize> {
        self.handle.publish_frames(frames)
    }

    /// Cancelled when somebody else ends this publisher: an operator, a take-over, the idle reaper, the shutdown.
    #[must_use]
    pub fn kicked(&self) -> CancellationToken {
        self.handle.publisher_token()
    }

    /// Takes leave: frees the key, and ends the stream unless its application has a grace.
    ///
    /// # Errors
    /// `StreamNotFound` when this publisher was kicked or taken over before.
    pub async fn finish(mut self) -> Result<()> {
        let Some(registry) = self.registry.clone() else {
            return Ok(());
        };
        let result = registry.finish_publish(&self.handle).await;
        // Only now: a caller that drops this future half-way still frees the key.
        self.registry = None;
        result
    }
}

impl std::fmt::Debug for dyn PublishRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublishRegistry")
    }
}

impl Drop for PublishSession {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.take() {
            registry.abandon_publish(self.handle.clone());
        }
    }
}
