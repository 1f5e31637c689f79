//! What a reader that falls behind gives up, and in which order.

use std::time::Duration;

use crate::{Epoch, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId, ViewItem};

/// The marks by which cursors position, skip and shed, without ever looking at a payload.
pub trait ItemMarks {
    /// Marks of the source frame.
    fn flags(&self) -> FrameFlags;
    /// What it carries.
    fn kind(&self) -> MediaKind;
    /// Its track.
    fn track(&self) -> TrackId;
    /// Its epoch.
    fn epoch(&self) -> Epoch;
    /// Its decode time.
    fn dts(&self) -> MediaTime;
    /// Its size in bytes.
    fn bytes(&self) -> usize;
}

impl ItemMarks for MediaFrame {
    fn flags(&self) -> FrameFlags {
        self.flags
    }
    fn kind(&self) -> MediaKind {
        self.codec.kind()
    }
    fn track(&self) -> TrackId {
        self.track
    }
    fn epoch(&self) -> Epoch {
        self.epoch
    }
    fn dts(&self) -> MediaTime {
        self.dts
    }
    fn bytes(&self) -> usize {
        self.payload.len()
    }
}

impl ItemMarks for ViewItem {
    fn flags(&self) -> FrameFlags {
        self.flags
    }
    fn kind(&self) -> MediaKind {
        self.kind
    }
    fn track(&self) -> TrackId {
        self.track
    }
    fn epoch(&self) -> Epoch {
        self.epoch
    }
    fn dts(&self) -> MediaTime {
        self.dts
    }
    fn bytes(&self) -> usize {
        self.len as usize
    }
}

/// How far a reader is behind the newest item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Lag {
    /// In bytes.
    pub bytes: u64,
    /// In media time.
    pub time: MediaTime,
}

/// What to do with the next item of a reader that is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShedDecision {
    /// Send it.
    Keep,
    /// Leave this one out.
    Drop,
    /// Leave out the rest of the GOP: no more video of this track until the next sync point. Audio goes on.
    DropToSync,
    /// Hopeless: skip everything to the newest sync point in the log.
    SkipToNewest,
}

/// One policy for everyone who sheds: cursors apply it to item marks with no queue of their own, and priority queues
/// wrap the same one. Order of giving up: disposable frames, the tail of the GOP, audio last; never a hole in mid-GOP.
pub trait ShedPolicy: Send + Sync {
    /// Decides about the next item (by its marks) of a reader that is `lag` behind.
    fn decide(&self, item: &dyn ItemMarks, lag: Lag) -> ShedDecision;
}

/// The default [`ShedPolicy`]: above half of the budget disposable frames go, above three quarters the tail of the
/// GOP, above the whole budget the reader skips to the newest sync point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropTail {
    /// Budget in media time.
    pub time: Duration,
    /// Budget in bytes.
    pub bytes: u64,
    /// False for formats that may not lose a frame inside a GOP (TS, CMAF): nothing goes until the whole budget is
    /// spent.
    pub inside_gop: bool,
}

impl ShedPolicy for DropTail {
    fn decide(&self, item: &dyn ItemMarks, lag: Lag) -> ShedDecision {
        let budget = i64::try_from(self.time.as_nanos()).unwrap_or(i64::MAX);
        let over = |quarters: i64| {
            lag.time.as_nanos() > budget / 4 * quarters
                || lag.bytes > self.bytes / 4 * quarters.unsigned_abs()
        };
        if over(4) {
            return ShedDecision::SkipToNewest;
        }
        if !self.inside_gop || item.kind() != MediaKind::Video {
            return ShedDecision::Keep;
        }
        let key = item.flags().contains(FrameFlags::KEY);
        if over(3) && !key {
            ShedDecision::DropToSync
        } else if over(2) && item.flags().contains(FrameFlags::DISPOSABLE) {
            ShedDecision::Drop
        } else {
            ShedDecision::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CodecId;
    use bytes::Bytes;

    #[test]
    fn gives_up_in_the_right_order() {
        let policy = DropTail {
            time: Duration::from_secs(3),
            bytes: 1 << 22,
            inside_gop: true,
        };
        let video = |flags| {
            MediaFrame::new_video(0, 0, Bytes::new(), CodecId::H264, false).with_flags(flags)
        };
        let audio = MediaFrame::new_audio(0, Bytes::new(), CodecId::Aac);
        let lag = |ms| Lag {
            bytes: 0,
            time: MediaTime::from_millis(ms),
        };
        let (p, b) = (video(FrameFlags::empty()), video(FrameFlags::DISPOSABLE));
        let i = video(FrameFlags::KEY);
        use ShedDecision::*;
        for (item, ms, want) in [
            (&b, 1_400, Keep),
            (&b, 1_600, Drop),
            (&p, 1_600, Keep),
            (&p, 2_400, DropToSync),
            (&i, 2_400, Keep),
            (&audio, 2_900, Keep),
            (&audio, 3_100, SkipToNewest),
        ] {
            assert_eq!(policy.decide(item, lag(ms)), want, "{ms} ms");
        }
    }
}
