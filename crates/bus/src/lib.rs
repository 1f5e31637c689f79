//! The engine: streams, fan-out log, cursors, views, publish sessions and events.

#![forbid(unsafe_code)]

mod app;
mod engine;
mod events;
mod hub;
mod inbound;
mod log;
mod mask;
mod registry;
mod stream;
mod subscribe;
mod sync;
mod token;
mod view;

pub use app::{AppSpec, SyncPolicy};
pub use bytes;
pub use core_frame;
pub use core_frame::{Result, StreamError};
pub use engine::{Engine, EngineBuilder, FilterFactory};
pub use events::{EventBus, EventReceiver, Observer, StreamEvent, UnpublishReason};
pub use inbound::{InboundProtocol, IngestContext, ProtocolHandler, PublishSession};
pub use log::{Batch, BatchIter, Cursor, EndReason, Item, TryBatch};
pub use mask::TrackMask;
pub use registry::{
    AllowAll, Authenticator, Peer, PlayRequest, PlaybackRegistry, PublishRegistry, PublishRequest,
};
pub use stream::{
    KeyframeRequests, PublisherInfo, QosSnapshot, ReaderSnapshot, StreamHandle, StreamState,
    TrackQos,
};
pub use subscribe::{KeepAll, Pace, ReaderInfo, Start, SubscribeOptions};
pub use tokio_util::sync::CancellationToken;
pub use view::{ViewHandle, ViewKey, ViewSpec};

use core_frame::{MediaFrame, Preamble, TrackTable, ViewItem};

/// Reads the frames of a stream.
pub type Subscriber = Cursor<MediaFrame, TrackTable>;
/// Reads the items of a view.
pub type ViewReader = Cursor<ViewItem, Preamble>;
