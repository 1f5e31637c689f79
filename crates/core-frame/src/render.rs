//! Views: every output format is itself a stream, computed once by a pure `Render`.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{Epoch, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId, TrackTable};

/// The pieces of an item or preamble, in wire order. Adjacent pieces often lie adjacent in memory too, so that a
/// writer can join them into one run.
pub type Slices = SmallVec<[Bytes; 4]>;

/// Turns the frames of a stream into the bytes of one output format. Implemented by container and protocol crates, run
/// by the bus: one task per (stream, format, parameters), while the view has readers.
///
/// Pure: no IO, no clock. Readers share what it yields; it may copy payload once per stream into contiguous runs, a
/// reader never copies.
pub trait Render: Send {
    /// The tracks (or the epoch) change; the following frames belong to `table`. Called before the first frame.
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut);

    /// One frame, in decode order. `seq` is its sequence number in the stream's log.
    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut);

    /// The frames at hand are used up: whatever the renderer gathers over several frames comes out now.
    fn flush(&mut self, out: &mut RenderOut) {
        let _ = out;
    }

    /// The stream ended: trailers.
    fn end(&mut self, out: &mut RenderOut) {
        self.flush(out);
    }
}

/// What a reader needs before the first item it gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preamble {
    /// Counts up with every change.
    pub generation: u32,
    /// The epoch of the items that follow.
    pub epoch: Epoch,
    /// For a reader that joins: file header, metadata, codec configurations.
    pub join: Slices,
    /// For a reader that has read an earlier generation: what changed (new codec configurations). Empty where nothing
    /// need be said.
    pub update: Slices,
    /// A short text for transports that carry one beside the bytes (WebSocket media: codecs and epoch as JSON).
    pub text: Option<Arc<str>>,
}

/// One item of a view: the bytes of (usually) one frame, with the marks a cursor needs to skip and shed.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewItem {
    /// The bytes, in wire order.
    pub slices: Slices,
    /// Bytes in all.
    pub len: u32,
    /// The memory from the start of this item on, where the items after it lie right behind it: a writer may join items
    /// whose runs continue each other into one piece. Empty where they do not.
    pub run: Bytes,
    /// Sequence number of the source frame in the stream's log.
    pub seq: u64,
    /// Decode time of the source frame.
    pub dts: MediaTime,
    /// Epoch of the source frame.
    pub epoch: Epoch,
    /// Track of the source frame.
    pub track: TrackId,
    /// What the source frame carries.
    pub kind: MediaKind,
    /// Marks of the source frame. [`FrameFlags::KEY`] on video means a reader may start here.
    pub flags: FrameFlags,
}

impl ViewItem {
    /// An item for `frame`, with the bytes in `slices`.
    #[must_use]
    pub fn of(frame: &MediaFrame, seq: u64, slices: Slices) -> Self {
        let len = slices.iter().map(Bytes::len).sum::<usize>();
        Self {
            slices,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            run: Bytes::new(),
            seq,
            dts: frame.dts,
            epoch: frame.epoch,
            track: frame.track,
            kind: frame.kind(),
            flags: frame.flags,
        }
    }
}

/// What a renderer says, in order.
#[derive(Clone, Debug)]
pub enum RenderStep {
    /// From here on joiners need this preamble, and running readers its update.
    Preamble(Arc<Preamble>),
    /// Bytes.
    Item(ViewItem),
}

/// Where a renderer puts its steps; kept and drained by the bus.
#[derive(Debug, Default)]
pub struct RenderOut {
    steps: Vec<RenderStep>,
}

impl RenderOut {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new preamble; it holds for the items that follow.
    pub fn preamble(&mut self, preamble: Preamble) {
        self.steps.push(RenderStep::Preamble(Arc::new(preamble)));
    }

    /// An item.
    pub fn item(&mut self, item: ViewItem) {
        self.steps.push(RenderStep::Item(item));
    }

    /// Takes the steps out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = RenderStep> + '_ {
        self.steps.drain(..)
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[RenderStep] {
        &self.steps
    }
}
