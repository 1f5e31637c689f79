//! The thresholds of a timeline.

use std::time::Duration;

/// When a [`crate::Timeline`] calls a time stamp a gap, a jump or a stand-still. Every value is media time on the input's clock
/// unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimelineConfig {
    /// A step forward above this marks a gap ([`core_frame::FrameFlags::AFTER_GAP`]) on video, and on audio of unknown frame length.
    /// Audio of known frame length marks every missing access unit. Default 500 ms.
    pub gap: Duration,
    /// A step forward above this is a jump, unless another track or the time of arrival bears it out. Default 10 s. Between
    /// [`TimelineConfig::gap`] and this a step that one track makes alone, borne out by neither, is closed without an epoch.
    pub jump_forward: Duration,
    /// A step back above this is a jump; a smaller one is squeezed into the timeline without moving it. Default 500 ms.
    pub jump_back: Duration,
    /// The longest silence that is taken as one, when the time of arrival bears it out; above it the clock is re-anchored. Default 60 s.
    pub max_gap: Duration,
    /// A clock that stands for this long while frames go on arriving is replaced by the nominal rate. Default 500 ms.
    pub still: Duration,
    /// A track that starts further than this from the others has another clock, and is put beside them. Default 10 s.
    pub start_skew: Duration,
    /// Presentation time further than this from decode time is nonsense and is set to decode time. Default 10 s.
    pub max_composition: Duration,
    /// How far decode times may be moved ahead of the input's so that presentation never comes before decoding. Default 1 s.
    pub max_lead: Duration,
    /// Jumps that come sooner than this after the start of an epoch do not open another one: a source of random time stamps cannot
    /// make an epoch of every frame. Output time. Default 1 s.
    pub min_epoch: Duration,
    /// Least distance of two video or two audio frames in decode time; half the frame duration where that is less. Default 1 ms, the tick
    /// of the coarsest wire.
    pub min_step: Duration,
    /// Whether the other tracks are kept in step with the video when their clocks drift. Times of a sender whose clocks agree never
    /// change by it. Default true.
    pub follow_drift: bool,
}

impl Default for TimelineConfig {
    fn default() -> Self {
        Self {
            gap: Duration::from_millis(500),
            jump_forward: Duration::from_secs(10),
            jump_back: Duration::from_millis(500),
            max_gap: Duration::from_secs(60),
            still: Duration::from_millis(500),
            start_skew: Duration::from_secs(10),
            max_composition: Duration::from_secs(10),
            max_lead: Duration::from_secs(1),
            min_epoch: Duration::from_secs(1),
            min_step: Duration::from_millis(1),
            follow_drift: true,
        }
    }
}
