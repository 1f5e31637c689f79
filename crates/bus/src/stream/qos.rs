//! How a stream is doing: counters and rates, per track and in all.

use std::time::Duration;

use core_frame::{CodecId, MediaTime, Repairs, TrackId};

/// Rates are taken over this much media time.
const WINDOW: MediaTime = MediaTime::from_millis(1_000);

/// A stream's figures at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct QosSnapshot {
    /// Frames published, in all.
    pub frames_in: u64,
    /// Payload bytes published, in all.
    pub bytes_in: u64,
    /// Each track's figures, in the order of their appearance.
    pub tracks: Vec<TrackQos>,
    /// What the bus and the stream's filter repaired.
    pub repairs: Repairs,
    /// Since the stream was first published.
    pub uptime: Duration,
    /// Since the last frame came; `None` before the first one. Exact where a filter is installed; otherwise as exact as
    /// somebody looks (every look, and every second of a running engine, notes whether frames came).
    pub last_frame_age: Option<Duration>,
    /// Starts that readers had to make at a frame that is neither key frame nor recovery point.
    pub unclean_starts: u64,
    /// Frames in the log.
    pub log_frames: u64,
    /// Payload bytes in the log.
    pub log_bytes: u64,
    /// Media time in the log.
    pub log_time: MediaTime,
}

/// One track's figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrackQos {
    /// The track.
    pub id: TrackId,
    /// Its codec.
    pub codec: CodecId,
    /// Frames published.
    pub frames: u64,
    /// Payload bytes published.
    pub bytes: u64,
    /// Bits a second of media time, over the last full second; 0 before the first.
    pub bitrate_bps: u64,
    /// Frames a second of media time, over the last full second; 0 before the first.
    pub fps: f64,
}

/// Counts one track.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) id: TrackId,
    pub(crate) codec: CodecId,
    pub(crate) last_dts: Option<MediaTime>,
    frames: u64,
    bytes: u64,
    window: Option<MediaTime>,
    window_frames: u32,
    window_bytes: u64,
    bitrate_bps: u64,
    fps: f64,
}

impl Meter {
    pub(crate) fn new(id: TrackId, codec: CodecId) -> Self {
        Self {
            id,
            codec,
            last_dts: None,
            frames: 0,
            bytes: 0,
            window: None,
            window_frames: 0,
            window_bytes: 0,
            bitrate_bps: 0,
            fps: 0.0,
        }
    }

    pub(crate) fn count(&mut self, dts: MediaTime, bytes: u64) {
        self.last_dts = Some(dts);
        self.frames += 1;
        self.bytes += bytes;
        let start = *self.window.get_or_insert(dts);
        if dts - start >= WINDOW {
            self.roll(dts, dts - start);
        }
        self.window_frames += 1;
        self.window_bytes += bytes;
    }

    fn roll(&mut self, dts: MediaTime, span: MediaTime) {
        let secs = span.as_secs_f64();
        self.fps = f64::from(self.window_frames) / secs;
        self.bitrate_bps = (self.window_bytes as f64 * 8.0 / secs) as u64;
        self.window = Some(dts);
        self.window_frames = 0;
        self.window_bytes = 0;
    }

    pub(crate) fn snapshot(&self) -> TrackQos {
        TrackQos {
            id: self.id,
            codec: self.codec,
            frames: self.frames,
            bytes: self.bytes,
            bitrate_bps: self.bitrate_bps,
            fps: self.fps,
        }
    }
}
