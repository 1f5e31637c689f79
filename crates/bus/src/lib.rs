//! The engine: streams are published into it once and read out of it by any number of readers, without a copy.
//!
//! # What a slow reader sees, who pays, when memory is freed
//!
//! A stream is one bounded **log** of frames. A reader is a **cursor**: a number, and a choice of tracks. There is no queue
//! per reader.
//!
//! * **A reader that keeps up** gets every frame of its tracks, in decode order, each once. Joining is one step under the
//!   log's lock, so nothing is lost or doubled between the replayed GOP and what follows.
//! * **A reader that falls behind** sheds by its [policy](core_frame::ShedPolicy), item by item as it reads: by default, above
//!   half of its budget (3 s or 4 MiB, [`core_frame::Limits`]) disposable frames, above three quarters the tail of the GOP, above all of it
//!   everything up to the newest sync point. Sound goes last, and a frame that others depend on never goes alone.
//!   The GOP replayed to a joiner does not count as lag. What was left out is counted ([`Cursor::skipped`]), told with the next batch
//!   ([`Batch::skipped`]) and to the event bus ([`StreamEvent::ReaderLagging`]).
//! * **A reader that the log has left behind** goes on at the newest sync point, or, if none is kept, at the next one to come. It never
//!   goes on at a delta frame, and before the first frame that needs another track table it gets that table, whatever it skipped.
//! * **A reader that makes no progress** for 10 s while there is something to read is ended ([`EndReason::Lagging`]): by
//!   [`Engine::run`] if it registered, or by its own driver ([`Cursor::stalled`]).
//! * **A lossless reader** (a recorder, a packager) sheds nothing and keeps the log from letting go, up to the application's spool
//!   bound. Beyond that it resumes at the oldest sync point left, and counts.
//! * **At the end of a stream** everything published before it is still delivered; then readers get `None`.
//!
//! **Who pays:** the publisher pays one short lock and one write, whatever the number of readers, and one call of a
//! waker for each reader that is waiting, after the lock is released. Each reader pays for its own choosing and shedding. Nobody waits for a
//! slow reader.
//!
//! **When memory is freed:** the log holds at most `log_bytes`, `log_frames` and `log_ms` of [`core_frame::Limits`], whichever is
//! reached first, and lets go of whole blocks (at most 64 frames and a sixteenth of the bytes), oldest first, on the
//! publisher's thread, after it has released the lock. An idle cursor keeps nothing alive; a [`Batch`] keeps its block until it is dropped;
//! a lossless cursor keeps what it has not read. Blocks are recycled: once warm, publishing and reading allocate nothing. An ended stream is
//! freed with the last handle and cursor.
//!
//! # The picture
//!
//! ```text
//!  publisher ─▶ PublishSession ─▶ FrameFilter ─▶ log of frames ──┬─▶ Cursor  (frames)
//!  (one a stream, RAII)           (optional)     tracks, epochs  ├─▶ Cursor
//!                                                                └─▶ view task ─▶ Render ─▶ log of items ─┬─▶ Cursor
//!                                                                    (one per format, while read)         └─▶ Cursor
//!  Engine: streams by key · protocols · authenticator · observer · EventBus · idle reaper · shutdown
//! ```
//!
//! ```
//! use millstream_bus::core_frame::{CodecId, MediaFrame, StreamKey};
//! use millstream_bus::{AppSpec, Engine, IngestContext, SubscribeOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().application(AppSpec::new("live")).build();
//! let key = StreamKey::parse("live/cam")?;
//!
//! // A protocol's side: claim the key and publish.
//! let session = IngestContext::new(engine.clone()).open_publish(key.clone()).await?;
//! let picture = |ms, key| {
//!     MediaFrame::new_video(ms, ms, bytes::Bytes::from_static(b"..."), CodecId::H264, key)
//! };
//! session.publish_frame(picture(0, true))?;
//! session.publish_frame(picture(40, false))?;
//!
//! // A player's side: the kept GOP first, then what comes.
//! let mut reader = engine.get_stream(&key)?.subscribe(SubscribeOptions::default())?;
//! session.publish_frame(picture(80, false))?;
//! session.finish().await?;
//!
//! let mut times = Vec::new();
//! while let Some(batch) = reader.next_batch().await {
//!     if let Some(tracks) = batch.new_header() {
//!         assert_eq!(tracks.tracks.len(), 1);
//!     }
//!     times.extend(batch.iter().map(|(_, frame)| frame.pts.as_millis()));
//! }
//! assert_eq!(times, [0, 40, 80]);
//! # Ok(())
//! # }
//! ```
//!
//! # Why it is shaped so
//!
//! * **One log, and not a queue per reader:** memory does not grow with readers or with their slowness, replay and live are the
//!   same thing, and a reader that skips needs no help from the publisher.
//! * **A mutex, and not a lock-free ring:** it is held for tens of nanoseconds, by whoever publishes or reads. `cargo bench -p
//!   millstream-bus` measures it beside `tokio::sync::broadcast`: publishing costs the same with 0 and with 4096 subscribed readers.
//! * **Readers lend blocks:** a read takes the lock once for up to 64 items, and clones no frame.
//! * **Every output format is a stream too** ([`StreamHandle::view`]): what can be computed once per stream is not computed per reader.
//! * **Publishing reads no clock.** Where a filter is installed it gets the time, and the age of the last frame is exact; where
//!   none is, it is as exact as somebody looks ([`QosSnapshot::last_frame_age`]).
//!
//! Loom models of the log (`src/log/models.rs`) run every interleaving of joining, waking, closing, falling behind, being ended and
//! leaving; a property test compares the log with a plain model; the stress tests number frames over ten thousand joins.

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
