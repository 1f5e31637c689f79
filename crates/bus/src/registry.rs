//! The seams between protocols and the engine: who wants to publish or play, and who answers.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use core_frame::{Result, Secret, StreamKey};

use crate::StreamHandle;

/// The other end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// `rtmp`, `hls`, …; `local` for callers in the same process.
    pub protocol: &'static str,
    /// Its address.
    pub remote: Option<SocketAddr>,
    /// How it names itself (`OBS Studio 31`), cut to 256 bytes by whoever parses it.
    pub user_agent: Option<String>,
}

impl Peer {
    /// A peer of which only the protocol is known.
    #[must_use]
    pub const fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            remote: None,
            user_agent: None,
        }
    }

    /// With its address.
    #[must_use]
    pub const fn remote(mut self, remote: SocketAddr) -> Self {
        self.remote = Some(remote);
        self
    }

    /// With its own name for itself.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = Some(name.into());
        self
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self::new("local")
    }
}

/// Somebody wants to publish.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishRequest {
    /// What.
    pub key: StreamKey,
    /// Who.
    pub peer: Peer,
    /// The credential that came with the request.
    pub token: Option<Secret>,
    /// The query of the URL, without `?`; empty when there was none. `lang=en,de` in it names the languages of the audio
    /// tracks (see [`core_frame::languages_of`]).
    pub query: String,
}

impl PublishRequest {
    /// A request of this process itself.
    #[must_use]
    pub fn new(key: StreamKey) -> Self {
        Self {
            key,
            peer: Peer::default(),
            token: None,
            query: String::new(),
        }
    }

    /// From this peer.
    #[must_use]
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// With this credential.
    #[must_use]
    pub fn token(mut self, token: Option<Secret>) -> Self {
        self.token = token;
        self
    }

    /// With this query.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }
}

/// Somebody wants to play.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlayRequest {
    /// What.
    pub key: StreamKey,
    /// Who.
    pub peer: Peer,
    /// The credential that came with the request.
    pub token: Option<Secret>,
    /// The query of the URL, without `?`; empty when there was none.
    pub query: String,
}

impl PlayRequest {
    /// A request of this process itself.
    #[must_use]
    pub fn new(key: StreamKey) -> Self {
        Self {
            key,
            peer: Peer::default(),
            token: None,
            query: String::new(),
        }
    }

    /// From this peer.
    #[must_use]
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// With this credential.
    #[must_use]
    pub fn token(mut self, token: Option<Secret>) -> Self {
        self.token = token;
        self
    }

    /// With this query.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }
}

/// Where protocols open and close streams for publishing. The engine is one; a test or an embedder may bring another.
#[async_trait]
pub trait PublishRegistry: Send + Sync + 'static {
    /// Claims `key` for a publisher of this process.
    ///
    /// # Errors
    /// `StreamAlreadyPublishing` for a live duplicate, `PublisherLimitReached` at capacity, `AppNotFound`,
    /// `Unauthorized`, `ShuttingDown`.
    async fn start_publish(&self, key: &StreamKey) -> Result<StreamHandle>;

    /// Claims a key for a peer.
    ///
    /// # Errors
    /// As [`PublishRegistry::start_publish`].
    async fn start_publish_as(&self, request: PublishRequest) -> Result<StreamHandle> {
        self.start_publish(&request.key).await
    }

    /// Frees the key and ends its stream: readers get what was published before, then the end.
    ///
    /// # Errors
    /// `StreamNotFound` when nobody publishes it.
    async fn end_publish(&self, key: &StreamKey) -> Result<()>;

    /// The publisher behind this handle takes its leave. One that was taken over or kicked ends nothing.
    ///
    /// # Errors
    /// As [`PublishRegistry::end_publish`].
    async fn finish_publish(&self, handle: &StreamHandle) -> Result<()> {
        self.end_publish(handle.key()).await
    }

    /// The publisher behind this handle is gone without a word. Best effort, and it must not block: the default spawns
    /// [`PublishRegistry::end_publish`] on the current tokio runtime, the engine does it on the spot.
    fn abandon_publish(self: Arc<Self>, handle: StreamHandle) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = self.end_publish(handle.key()).await;
            });
        }
    }
}

/// Where protocols open streams for playing.
#[async_trait]
pub trait PlaybackRegistry: Send + Sync + 'static {
    /// The stream, if it is there and this peer may play it.
    ///
    /// # Errors
    /// `StreamNotFound`, `Unauthorized`, `ShuttingDown`.
    async fn open_play(&self, request: PlayRequest) -> Result<StreamHandle>;
}

/// Says who may publish and who may play.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// May this peer publish?
    ///
    /// # Errors
    /// `Unauthorized` when it may not; anything else when that could not be found out.
    async fn publish(&self, request: &PublishRequest) -> Result<()>;

    /// May this peer play?
    ///
    /// # Errors
    /// As [`Authenticator::publish`].
    async fn play(&self, request: &PlayRequest) -> Result<()>;
}

/// Everybody may do everything: the default of the library.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Authenticator for AllowAll {
    async fn publish(&self, _request: &PublishRequest) -> Result<()> {
        Ok(())
    }

    async fn play(&self, _request: &PlayRequest) -> Result<()> {
        Ok(())
    }
}
