//! What happens on the engine, told to whoever listens.

use std::net::SocketAddr;
use std::sync::Arc;

use core_frame::{Epoch, EpochReason, StreamKey, TrackTable};
use tokio::sync::broadcast;

use crate::{Peer, StreamState};

/// Something that happened to a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A publisher opened the stream, took it over or came back to it.
    Published {
        /// The stream.
        key: StreamKey,
        /// The publisher.
        peer: Peer,
    },
    /// The publisher is gone.
    Unpublished {
        /// The stream.
        key: StreamKey,
        /// Why.
        reason: UnpublishReason,
    },
    /// The stream's state changed.
    StateChanged {
        /// The stream.
        key: StreamKey,
        /// The new state.
        state: StreamState,
    },
    /// Tracks came, went or changed.
    TracksChanged {
        /// The stream.
        key: StreamKey,
        /// The tracks now.
        tracks: Arc<TrackTable>,
    },
    /// A new epoch began.
    EpochOpened {
        /// The stream.
        key: StreamKey,
        /// The epoch.
        epoch: Epoch,
        /// Why.
        reason: EpochReason,
    },
    /// A registered reader joined.
    ReaderJoined {
        /// The stream.
        key: StreamKey,
        /// The reader's id.
        id: u64,
        /// Its protocol.
        protocol: &'static str,
        /// Its address.
        remote: Option<SocketAddr>,
    },
    /// A registered reader left.
    ReaderLeft {
        /// The stream.
        key: StreamKey,
        /// The reader's id.
        id: u64,
        /// Its protocol.
        protocol: &'static str,
        /// Bytes it said it delivered.
        bytes: u64,
        /// Items it skipped.
        skipped: u64,
    },
    /// A reader fell behind and skipped to a sync point.
    ReaderLagging {
        /// The stream.
        key: StreamKey,
        /// The reader's id.
        id: u64,
        /// Items it skipped so far.
        skipped: u64,
    },
    /// Somebody needs a key frame.
    KeyframeRequested {
        /// The stream.
        key: StreamKey,
    },
}

impl StreamEvent {
    /// The stream it happened to.
    #[must_use]
    pub const fn key(&self) -> &StreamKey {
        match self {
            Self::Published { key, .. }
            | Self::Unpublished { key, .. }
            | Self::StateChanged { key, .. }
            | Self::TracksChanged { key, .. }
            | Self::EpochOpened { key, .. }
            | Self::ReaderJoined { key, .. }
            | Self::ReaderLeft { key, .. }
            | Self::ReaderLagging { key, .. }
            | Self::KeyframeRequested { key } => key,
        }
    }

    /// The name the API's event stream and hooks use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Published { .. } => "published",
            Self::Unpublished { .. } => "unpublished",
            Self::StateChanged { .. } => "state_changed",
            Self::TracksChanged { .. } => "tracks_changed",
            Self::EpochOpened { .. } => "epoch_opened",
            Self::ReaderJoined { .. } => "reader_joined",
            Self::ReaderLeft { .. } => "reader_left",
            Self::ReaderLagging { .. } => "reader_lagging",
            Self::KeyframeRequested { .. } => "keyframe_requested",
        }
    }
}

/// Why a publisher is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnpublishReason {
    /// It took its leave.
    Finished,
    /// Its session was dropped: connection lost, task ended.
    Dropped,
    /// It sent nothing for the idle time-out.
    Idle,
    /// An operator ended it.
    Kicked,
    /// Another publisher took over.
    TakenOver,
    /// The engine shut down.
    Shutdown,
}

/// Tells events to any number of listeners. A listener that falls 1024 events behind misses the oldest and is told how
/// many; an [`Observer`] misses none.
#[derive(Debug)]
pub struct EventBus {
    sender: broadcast::Sender<StreamEvent>,
}

/// Events as they happen, for one listener.
pub type EventReceiver = broadcast::Receiver<StreamEvent>;

impl EventBus {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(1024).0,
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> EventReceiver {
        self.sender.subscribe()
    }

    /// Tells an event to everybody who listens.
    pub fn emit(&self, event: StreamEvent) {
        let _ = self.sender.send(event);
    }
}

/// Called on the spot for each event, before [`EventBus`] listeners see it. It must be quick and must not call back into
/// the stream it is told about.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn event(&self, event: &StreamEvent);
}
