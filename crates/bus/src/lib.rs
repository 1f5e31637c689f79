//! The engine: streams, fan-out log, cursors, views, publish sessions and events.

#![forbid(unsafe_code)]
#![cfg_attr(loom, allow(dead_code))]

mod log;
mod mask;
mod subscribe;
mod sync;
mod token;

// Loom models what is behind the log's lock; everything that needs a runtime is left out of its builds.
#[cfg(not(loom))]
mod app;
#[cfg(not(loom))]
mod engine;
#[cfg(not(loom))]
mod events;
#[cfg(not(loom))]
mod hub;
#[cfg(not(loom))]
mod inbound;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod stream;
#[cfg(not(loom))]
mod view;

pub use bytes;
pub use core_frame;
pub use core_frame::{Result, StreamError};
pub use log::{Batch, BatchIter, Cursor, EndReason, Item, TryBatch};
pub use mask::TrackMask;
pub use subscribe::{KeepAll, Pace, ReaderInfo, Start, SubscribeOptions};

#[cfg(not(loom))]
pub use {
    app::{AppSpec, SyncPolicy},
    engine::{Engine, EngineBuilder, FilterFactory},
    events::{EventBus, EventReceiver, Observer, StreamEvent, UnpublishReason},
    inbound::{InboundProtocol, IngestContext, ProtocolHandler, PublishSession},
    registry::{
        AllowAll, Authenticator, Peer, PlayRequest, PlaybackRegistry, PublishRegistry,
        PublishRequest,
    },
    stream::{
        KeyframeRequests, PublisherInfo, QosSnapshot, ReaderSnapshot, StreamHandle, StreamState,
        TrackQos,
    },
    tokio_util::sync::CancellationToken,
    view::{ViewHandle, ViewKey, ViewSpec},
};

use core_frame::{MediaFrame, Preamble, TrackTable, ViewItem};

/// Reads the frames of a stream.
pub type Subscriber = Cursor<MediaFrame, TrackTable>;
/// Reads the items of a view.
pub type ViewReader = Cursor<ViewItem, Preamble>;
