//! The frame: one access unit of one track, with its times and marks.

use std::fmt;
use std::sync::Arc;

use bitflags::bitflags;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{CodecId, MediaKind, MediaTime, SideData};

/// A track of a stream. Unique in its stream; video is usually 1 and audio 2.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TrackId(pub u16);

impl TrackId {
    /// The first video track of a stream that knows no track numbers (RTMP, FLV).
    pub const VIDEO: Self = Self(1);
    /// The first audio track of a stream that knows no track numbers (RTMP, FLV).
    pub const AUDIO: Self = Self(2);
    /// The first data track of a stream that knows no track numbers (RTMP, FLV).
    pub const DATA: Self = Self(3);
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stretch of a stream without a jump, codec change or change of publisher. Monotonic per stream; a discontinuity is
/// an epoch that differs from the last one seen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

bitflags! {
    /// Marks of a frame, read by the bus, by shedding policies and by packagers, so that nobody need look at the payload.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct FrameFlags: u16 {
        /// Independently decodable: IDR/CRA, AV1/VP9 key frame.
        const KEY = 1;
        /// No other frame refers to this one (H.264 `nal_ref_idc` 0 and the like).
        const DISPOSABLE = 1 << 1;
        /// The payload is a codec configuration record, not media (`avcC`, ASC, …). Engines turn such frames into a
        /// new track table; they are not stored in the log.
        const CONFIG = 1 << 2;
        /// The access unit carries parameter sets in band.
        const IN_BAND_PARAMS = 1 << 3;
        /// A recovery point (intra refresh): decoding may start here where no key frame ever comes.
        const RECOVERY_POINT = 1 << 4;
        /// Known to be damaged or incomplete.
        const CORRUPT = 1 << 5;
        /// Media is missing between this frame and the one before it on the same track.
        const AFTER_GAP = 1 << 6;
    }
}

/// One access unit of one track.
///
/// `pts` and `dts` lie on the stream's own timeline; on the bus frames are in decode order and `dts` never goes back
/// within a track. `duration` is zero when unknown. The payload is reference counted: cloning a frame copies no media.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaFrame {
    /// Presentation time.
    pub pts: MediaTime,
    /// Decode time.
    pub dts: MediaTime,
    /// How long the frame is shown or heard; zero when unknown.
    pub duration: MediaTime,
    /// The access unit, in the form [`CodecId`] documents.
    pub payload: Bytes,
    /// Timed data that belongs to this access unit.
    pub side: Option<Arc<[SideData]>>,
    /// The stretch of the stream this frame belongs to; set by the bus.
    pub epoch: Epoch,
    /// The track.
    pub track: TrackId,
    /// Marks.
    pub flags: FrameFlags,
    /// The codec, repeated from the track table so that a lone frame explains itself.
    pub codec: CodecId,
}

impl MediaFrame {
    /// A frame of `track` with equal presentation and decode time.
    #[must_use]
    pub fn new(track: TrackId, codec: CodecId, time: MediaTime, payload: Bytes) -> Self {
        Self {
            pts: time,
            dts: time,
            duration: MediaTime::ZERO,
            payload,
            side: None,
            epoch: Epoch(0),
            track,
            flags: FrameFlags::empty(),
            codec,
        }
    }

    /// A video frame on [`TrackId::VIDEO`]; times in milliseconds.
    #[must_use]
    pub fn new_video(pts_ms: i64, dts_ms: i64, payload: Bytes, codec: CodecId, key: bool) -> Self {
        let mut frame = Self::new(
            TrackId::VIDEO,
            codec,
            MediaTime::from_millis(dts_ms),
            payload,
        );
        frame.pts = MediaTime::from_millis(pts_ms);
        frame.flags.set(FrameFlags::KEY, key);
        frame
    }

    /// An audio frame on [`TrackId::AUDIO`]; time in milliseconds.
    #[must_use]
    pub fn new_audio(pts_ms: i64, payload: Bytes, codec: CodecId) -> Self {
        let time = MediaTime::from_millis(pts_ms);
        let mut frame = Self::new(TrackId::AUDIO, codec, time, payload);
        frame.flags = FrameFlags::KEY;
        frame
    }

    /// The same frame with other flags.
    #[must_use]
    pub fn with_flags(mut self, flags: FrameFlags) -> Self {
        self.flags = flags;
        self
    }

    /// The same frame with another presentation time.
    #[must_use]
    pub fn with_pts(mut self, pts: MediaTime) -> Self {
        self.pts = pts;
        self
    }

    /// What the frame carries.
    #[must_use]
    pub const fn kind(&self) -> MediaKind {
        self.codec.kind()
    }

    /// True for an independently decodable frame.
    #[must_use]
    pub const fn is_keyframe(&self) -> bool {
        self.flags.contains(FrameFlags::KEY)
    }

    /// True when the payload is a codec configuration record.
    #[must_use]
    pub const fn is_config(&self) -> bool {
        self.flags.contains(FrameFlags::CONFIG)
    }

    /// Presentation minus decode time.
    #[must_use]
    pub fn composition_offset(&self) -> MediaTime {
        self.pts - self.dts
    }
}
