//! A stream for the tests: frames with exact times, the wire's rounding, and what came out.

use std::cell::Cell;
use std::time::{Duration, Instant};

use core_frame::bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, EpochReason, FilterOut, FilterStep, FrameFilter, FrameFlags, MediaFrame,
    MediaTime, Repair, TrackId, TrackInfo, TrackTable, VideoInfo,
};
use millstream_chunk_processor::Timeline;

/// Frame `n` of a track of `ticks`/`hz` seconds a frame, exactly.
pub(crate) fn exact(n: i64, ticks: u32, hz: u32) -> MediaTime {
    MediaTime::from_ticks(n * i64::from(ticks), hz).unwrap()
}

/// As RTMP carries it: whole milliseconds, cut off.
pub(crate) fn rtmp(t: MediaTime) -> MediaTime {
    MediaTime::from_millis(t.as_nanos().div_euclid(1_000_000))
}

pub(crate) fn ms(t: i64) -> MediaTime {
    MediaTime::from_millis(t)
}

/// A payload unlike those around it, without an allocation.
fn payload() -> Bytes {
    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }
    static TEXT: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    let n = COUNT.with(|c| c.replace((c.get() + 1) % TEXT.len()));
    Bytes::from_static(&TEXT[n..=n])
}

pub(crate) fn video(dts: MediaTime, pts: MediaTime) -> MediaFrame {
    let payload = payload();
    MediaFrame::new(TrackId::VIDEO, CodecId::H264, dts, payload).with_pts(pts)
}

pub(crate) fn audio(dts: MediaTime) -> MediaFrame {
    let payload = payload();
    MediaFrame::new(TrackId::AUDIO, CodecId::Aac, dts, payload).with_flags(FrameFlags::KEY)
}

/// H.264 at a told rate (or none) and AAC at `sample_rate`, on millisecond clocks.
pub(crate) fn table(rate: Option<(u32, u32)>, sample_rate: u32) -> TrackTable {
    let mut v = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    v.video = Some(VideoInfo {
        frame_rate: rate,
        ..VideoInfo::default()
    });
    let mut a = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
    a.audio = Some(AudioInfo {
        sample_rate,
        channels: 2,
        frame_samples: 1_024,
    });
    TrackTable::new([v, a])
}

/// A timeline with its clock and everything that came out of it.
pub(crate) struct Sim {
    pub(crate) timeline: Timeline,
    pub(crate) now: Instant,
    pub(crate) out: Vec<MediaFrame>,
    pub(crate) epochs: Vec<(MediaTime, EpochReason)>,
    steps: FilterOut,
}

impl Sim {
    pub(crate) fn new(table: &TrackTable) -> Self {
        let mut timeline = Timeline::default();
        timeline.tracks(table);
        Self {
            timeline,
            now: Instant::now(),
            out: Vec::new(),
            epochs: Vec::new(),
            steps: FilterOut::new(),
        }
    }

    /// One frame in, now; the frame that came out.
    pub(crate) fn put(&mut self, frame: MediaFrame) -> MediaFrame {
        self.timeline.frame(self.now, frame, &mut self.steps);
        let before = self.out.len();
        for step in self.steps.drain() {
            match step {
                FilterStep::Epoch { origin, reason } => self.epochs.push((origin, reason)),
                FilterStep::Frame(frame) => self.out.push(frame),
            }
        }
        assert_eq!(self.out.len(), before + 1, "one in, one out");
        self.out[before].clone()
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    pub(crate) fn repairs(&self, kind: Repair) -> u64 {
        self.timeline.repairs().count(kind)
    }

    /// Plays 30 frames a second and 48 kHz audio through the wire `clock` (exact stream time to wire time, per track), for `seconds` from
    /// `from`, interleaved by exact time.
    pub(crate) fn play(
        &mut self,
        from: i64,
        seconds: i64,
        clock: impl Fn(TrackId, MediaTime) -> MediaTime,
    ) {
        let start = self.now;
        let (mut v, mut a) = (from * 30, from * 48_000 / 1_024);
        let end = MediaTime::from_secs(from + seconds);
        loop {
            let (tv, ta) = (exact(v, 1, 30), exact(a, 1_024, 48_000));
            let t = tv.min(ta);
            if t >= end {
                break;
            }
            self.now = start + (t - MediaTime::from_secs(from)).to_duration();
            if tv <= ta {
                let wire = rtmp(clock(TrackId::VIDEO, tv));
                self.put(video(wire, wire));
                v += 1;
            } else {
                self.put(audio(rtmp(clock(TrackId::AUDIO, ta))));
                a += 1;
            }
        }
        self.now = start + Duration::from_secs(seconds.unsigned_abs());
    }

    pub(crate) fn of(&self, track: TrackId) -> impl Iterator<Item = &MediaFrame> {
        self.out.iter().filter(move |f| f.track == track)
    }

    /// Decode times rise strictly, nothing is shown before it is decoded.
    pub(crate) fn assert_sound(&self) {
        for track in [TrackId::VIDEO, TrackId::AUDIO] {
            let frames: Vec<_> = self.of(track).collect();
            for pair in frames.windows(2) {
                assert!(
                    pair[0].dts < pair[1].dts,
                    "{:?} then {:?}",
                    pair[0].dts,
                    pair[1].dts
                );
            }
            for frame in frames {
                assert!(frame.pts >= frame.dts, "{frame:?}");
                assert!(frame.dts >= MediaTime::ZERO);
            }
        }
        assert!(self.epochs.is_sorted_by_key(|e| e.0));
    }

    /// Distance of the tracks now: how much later sound is than the picture of the same moment, at the end of `play`ed media.
    pub(crate) fn skew_ms(&self) -> i64 {
        let end = |track| {
            let frame = self.of(track).last().unwrap();
            frame.dts + frame.duration
        };
        (end(TrackId::AUDIO) - end(TrackId::VIDEO)).as_millis()
    }
}
