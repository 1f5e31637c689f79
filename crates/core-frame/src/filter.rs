//! The filter every input passes through on its way into a stream's log.

use std::time::Instant;

use smallvec::SmallVec;

use crate::{MediaFrame, MediaTime, TrackTable};

/// What stands between a publisher and the stream's log: one per *stream*, so that it sees the take-over from one
/// publisher to the next. `chunk-processor`'s `Timeline` is the one the server installs.
///
/// A filter never fails for a bad time stamp: it repairs and counts.
pub trait FrameFilter: Send {
    /// The tracks that the following frames belong to.
    fn tracks(&mut self, table: &TrackTable);

    /// A new publisher follows; its clock has nothing to do with the one before.
    fn publisher_changed(&mut self, now: Instant);

    /// One frame in; any number of steps out, in decode order and with monotonic `dts` per track.
    fn frame(&mut self, now: Instant, frame: MediaFrame, out: &mut FilterOut);

    /// The publisher ended: whatever is held back comes out.
    fn flush(&mut self, now: Instant, out: &mut FilterOut);

    /// Everything repaired so far, by kind.
    fn repairs(&self) -> Repairs;
}

/// Why a new epoch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EpochReason {
    /// The input's clock jumped or restarted.
    Jump,
    /// The codec configuration changed.
    Codec,
    /// Another publisher took over.
    Publisher,
}

/// What a filter says, in order.
#[derive(Clone, Debug)]
pub enum FilterStep {
    /// A new epoch begins; the next frame is its first.
    Epoch {
        /// Decode time of its first frame.
        origin: MediaTime,
        /// Why.
        reason: EpochReason,
    },
    /// A frame for the log.
    Frame(MediaFrame),
}

/// Where a filter puts its steps; the bus keeps one and drains it, so that a frame costs no allocation.
#[derive(Debug, Default)]
pub struct FilterOut {
    steps: SmallVec<[FilterStep; 4]>,
}

impl FilterOut {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frame for the log.
    pub fn frame(&mut self, frame: MediaFrame) {
        self.steps.push(FilterStep::Frame(frame));
    }

    /// A new epoch begins at `origin`.
    pub fn epoch(&mut self, origin: MediaTime, reason: EpochReason) {
        self.steps.push(FilterStep::Epoch { origin, reason });
    }

    /// Takes the steps out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = FilterStep> + '_ {
        self.steps.drain(..)
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[FilterStep] {
        &self.steps
    }
}

/// Kinds of repair; the names are those of the API (`repairs`) and of the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repair {
    /// The clock jumped, restarted or stood still, and was re-anchored.
    Jump,
    /// A decode time that went back was moved forward.
    Reorder,
    /// Media is missing; the gap was marked.
    Gap,
    /// The clock ran fast or slow against its nominal rate and was followed.
    Drift,
    /// A coarse time stamp was replaced by the exact one.
    Quantise,
    /// A clock of fewer than 64 bits wrapped and was unwrapped.
    Wrap,
}

impl Repair {
    /// All kinds, in the order of the API.
    pub const ALL: [Self; 6] = [
        Self::Jump,
        Self::Reorder,
        Self::Gap,
        Self::Drift,
        Self::Quantise,
        Self::Wrap,
    ];

    /// The name the API and the metrics use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jump => "jump",
            Self::Reorder => "reorder",
            Self::Gap => "gap",
            Self::Drift => "drift",
            Self::Quantise => "quantise",
            Self::Wrap => "wrap",
        }
    }
}

/// How often each kind of repair was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Repairs {
    counts: [u64; Repair::ALL.len()],
}

impl Repairs {
    /// Counts one.
    pub fn add(&mut self, kind: Repair) {
        if let Some(n) = self.counts.get_mut(kind as usize) {
            *n = n.saturating_add(1);
        }
    }

    /// How often this kind was made.
    #[must_use]
    pub fn count(&self, kind: Repair) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// Each kind with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Repair, u64)> + '_ {
        Repair::ALL.into_iter().map(|k| (k, self.count(k)))
    }
}
