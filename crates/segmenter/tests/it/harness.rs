//! Streams made of numbers, and the rules every published snapshot must keep.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, Epoch, EpochInfo, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId,
    TrackInfo, TrackTable, VideoInfo, WallTime,
};
use millstream_segmenter::{Config, Part, Segment, Segmenter, Snapshot, Window};

/// A record that is long enough to be written; nothing here looks into it.
const AVCC: &[u8] = &[1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 1, 0x67, 1, 0, 1, 0x68];

pub(crate) fn video_info() -> TrackInfo {
    let mut info = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    info.config = Bytes::from_static(AVCC);
    info.video = Some(VideoInfo {
        width: 1_280,
        height: 720,
        ..VideoInfo::default()
    });
    info
}

pub(crate) fn audio_info(codec: CodecId, rate: u32, samples: u32) -> TrackInfo {
    let mut info = TrackInfo::new(TrackId::AUDIO, codec);
    if codec == CodecId::Aac {
        info.config = Bytes::from_static(&[0x12, 0x10]);
    }
    info.audio = Some(AudioInfo {
        sample_rate: rate,
        channels: 2,
        frame_samples: samples,
    });
    info
}

pub(crate) fn table(tracks: Vec<TrackInfo>, epoch: u32, origin: MediaTime) -> Arc<TrackTable> {
    let mut table = TrackTable::new(tracks);
    table.generation = epoch;
    table.epoch = EpochInfo {
        id: Epoch(epoch),
        origin,
        wall: WallTime::new(1_795_241_524, 0).offset(origin),
    };
    Arc::new(table)
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.first_msn = Some(0);
    config.first_discontinuity = Some(0);
    config.memory_bytes = 1 << 40;
    config
}

/// Video frames with exact times `n * den / num` seconds, a sync point every `gop` frames, `b` pictures reordered.
#[derive(Clone, Copy)]
pub(crate) struct Video {
    pub(crate) num: i64,
    pub(crate) den: i64,
    pub(crate) gop: i64,
    pub(crate) b_frames: i64,
    /// The sender's clock: times are rounded to it.
    pub(crate) hz: u32,
}

impl Video {
    pub(crate) fn fps(num: i64, den: i64, gop: i64) -> Self {
        Self {
            num,
            den,
            gop,
            b_frames: 0,
            hz: 1_000_000_000,
        }
    }

    pub(crate) fn frame(&self, n: i64) -> MediaFrame {
        let at = |n: i64| {
            let t = MediaTime::from_nanos((n * self.den * 1_000_000_000).div_euclid(self.num));
            MediaTime::from_ticks(t.to_ticks(self.hz), self.hz).expect("in range")
        };
        let key = n % self.gop == 0;
        let mut frame = MediaFrame::new_video(0, 0, payload(n, 500), CodecId::H264, key);
        frame.dts = at(n);
        // I0 P3 b1 b2 ...: display order inside a mini group, everything one group late.
        let group = self.b_frames + 1;
        let in_gop = n % self.gop;
        let shown = if self.b_frames == 0 || in_gop == 0 {
            n
        } else {
            let k = (in_gop - 1) / group;
            let base = n - in_gop + k * group;
            let place = (in_gop - 1) % group;
            let left = (self.gop - 1 - k * group).min(group);
            if place == 0 {
                base + left
            } else {
                base + place
            }
        };
        frame.pts = at(shown + i64::from(self.b_frames > 0));
        if self.b_frames > 0 && in_gop > 0 && (in_gop - 1) % group != 0 {
            frame.flags |= FrameFlags::DISPOSABLE;
        }
        frame
    }

    pub(crate) fn until(&self, end: MediaTime) -> Vec<MediaFrame> {
        (0..)
            .map(|n| self.frame(n))
            .take_while(|f| f.dts < end)
            .collect()
    }
}

pub(crate) fn audio_until(
    codec: CodecId,
    rate: u32,
    samples: u32,
    end: MediaTime,
) -> Vec<MediaFrame> {
    (0i64..)
        .map(|n| {
            let mut f = MediaFrame::new_audio(0, payload(n, 100), codec);
            f.dts = MediaTime::from_ticks(n * i64::from(samples), rate).expect("in range");
            f.pts = f.dts;
            f
        })
        .take_while(|f| f.dts < end)
        .collect()
}

fn payload(n: i64, len: usize) -> Bytes {
    let mut bytes = vec![0u8; len];
    let head = u32::try_from(len - 4).expect("short").to_be_bytes();
    bytes[..4].copy_from_slice(&head);
    bytes[4..12].copy_from_slice(&n.to_be_bytes());
    Bytes::from(bytes)
}

pub(crate) fn merge(mut a: Vec<MediaFrame>, b: Vec<MediaFrame>) -> Vec<MediaFrame> {
    a.extend(b);
    a.sort_by_key(|f| f.dts);
    a
}

/// Drives a segmenter and checks every snapshot it publishes.
pub(crate) struct Harness {
    pub(crate) segmenter: Segmenter,
    pub(crate) window: Arc<Window>,
    pub(crate) start: Instant,
    seen: u64,
    parts: HashMap<(TrackId, u64, u32), Arc<Part>>,
    complete: HashMap<(TrackId, u64), Arc<Segment>>,
    hints: HashMap<TrackId, (u64, u32)>,
    pub(crate) missed_hints: usize,
    fixed: Option<(MediaTime, u32)>,
    /// Frames are so irregular that no part length suits them: parts may be short, never long.
    lenient: bool,
    /// How far tracks may begin apart, beyond a frame.
    apart: MediaTime,
}

impl Harness {
    pub(crate) fn new(config: Config) -> Self {
        let window = Window::new();
        Self {
            segmenter: Segmenter::new(config, Arc::clone(&window)),
            window,
            start: Instant::now(),
            seen: 0,
            parts: HashMap::new(),
            complete: HashMap::new(),
            hints: HashMap::new(),
            missed_hints: 0,
            fixed: None,
            lenient: false,
            apart: MediaTime::ZERO,
        }
    }

    pub(crate) fn lenient(&mut self) {
        self.lenient = true;
    }

    pub(crate) fn tolerate(&mut self, apart: MediaTime) {
        self.apart = apart;
    }

    pub(crate) fn tracks(&mut self, table: &Arc<TrackTable>) {
        self.segmenter.tracks(table);
        self.check();
    }

    pub(crate) fn feed<'a>(&mut self, frames: impl IntoIterator<Item = &'a MediaFrame>) {
        for f in frames {
            let now = self.start + f.dts.to_duration();
            self.segmenter.frame(now, f);
            self.check();
        }
    }

    pub(crate) fn end(&mut self) -> Arc<Snapshot> {
        self.segmenter
            .end(self.start + Duration::from_secs(100_000));
        self.check();
        let snapshot = self.window.snapshot();
        assert!(snapshot.ended);
        assert!(snapshot.tracks.iter().all(|t| t.open.is_none()));
        snapshot
    }

    /// Every complete segment there ever was, by track, in order.
    pub(crate) fn history(&self, id: TrackId) -> Vec<Arc<Segment>> {
        let mut all: Vec<_> = self
            .complete
            .iter()
            .filter(|((t, _), _)| *t == id)
            .map(|(_, s)| Arc::clone(s))
            .collect();
        all.sort_by_key(|s| s.msn);
        all
    }

    fn check(&mut self) {
        let snapshot = self.window.snapshot();
        if snapshot.version == self.seen {
            return;
        }
        assert!(snapshot.version > self.seen);
        self.seen = snapshot.version;
        if snapshot.target_duration_s > 0 {
            let now = (snapshot.part_target, snapshot.target_duration_s);
            assert_eq!(*self.fixed.get_or_insert(now), now, "fixed for life");
        }
        for track in &snapshot.tracks {
            self.check_track(&snapshot, track);
        }
        self.check_alignment(&snapshot);
    }

    fn check_track(&mut self, snapshot: &Snapshot, track: &millstream_segmenter::TrackWindow) {
        let target = snapshot.part_target;
        let mut before: Option<&Arc<Segment>> = None;
        for segment in track.segments() {
            if let Some(b) = before {
                assert_eq!(segment.msn, b.msn + 1);
                assert_eq!(
                    segment.discontinuity,
                    b.discontinuity + u64::from(segment.discontinuity_before)
                );
                if !segment.discontinuity_before {
                    assert_eq!(segment.start_ticks, b.start_ticks + b.duration_ticks);
                    assert_eq!(segment.start, b.start + b.duration);
                }
            }
            before = Some(segment);
            // Complete segments are checked once and must stay the same object.
            if let Some(known) = self.complete.get(&(track.id, segment.msn)) {
                assert_eq!(known.duration, segment.duration);
                assert_eq!(known.parts.len(), segment.parts.len());
                continue;
            }
            let sum = segment
                .parts
                .iter()
                .fold(MediaTime::ZERO, |s, p| s + p.duration);
            assert_eq!(sum, segment.duration, "parts make the segment");
            let rounded = (segment.duration.as_nanos() + 500_000_000) / 1_000_000_000;
            if snapshot.target_duration_s > 0 {
                assert!(
                    rounded <= i64::from(snapshot.target_duration_s),
                    "{} in target {}",
                    segment.duration,
                    snapshot.target_duration_s
                );
            }
            let mut at = segment.start;
            let mut offset = 0;
            for (i, part) in segment.parts.iter().enumerate() {
                assert_eq!(
                    (part.index as usize, part.start, part.offset),
                    (i, at, offset)
                );
                at += part.duration;
                offset += part.len;
                assert!(part.duration <= target, "{} > {target}", part.duration);
                let exempt =
                    part.gap || segment.parts.get(i + 1).map_or(segment.complete, |p| p.gap);
                let unfinished = !segment.complete && i + 1 == segment.parts.len();
                assert!(
                    self.lenient
                        || exempt
                        || unfinished
                        || part.duration.as_nanos() * 100 >= target.as_nanos() * 85,
                    "{:?} part {i} of {} lasts {} of {target}",
                    track.id,
                    segment.msn,
                    part.duration
                );
                let bytes: usize = part.slices.iter().map(Bytes::len).sum();
                assert_eq!(bytes as u64, part.len);
                let known = self
                    .parts
                    .entry((track.id, segment.msn, part.index))
                    .or_insert_with(|| Arc::clone(part));
                assert!(Arc::ptr_eq(known, part), "a published part never changes");
            }
            assert_eq!(offset, segment.len);
            if segment.complete {
                self.complete
                    .insert((track.id, segment.msn), Arc::clone(segment));
            }
        }
        // What the hint named is what came.
        let next = track.next_part();
        if let Some(hint) = self.hints.insert(track.id, next)
            && hint != next
            && !self.parts.contains_key(&(track.id, hint.0, hint.1))
        {
            self.missed_hints += 1;
        }
    }

    fn check_alignment(&self, snapshot: &Snapshot) {
        let Some(lead) = snapshot.tracks.first() else {
            return;
        };
        for track in snapshot.tracks.iter().skip(1) {
            for segment in track.segments() {
                let Some(other) = lead.segments().find(|s| s.msn == segment.msn) else {
                    continue;
                };
                assert_eq!(other.discontinuity, segment.discontinuity);
                assert_eq!(other.epoch, segment.epoch);
                let audio = track.info.audio.filter(|a| a.frame_samples > 0);
                let frame = audio.map_or(MediaTime::from_millis(48), |a| {
                    MediaTime::from_ticks(i64::from(a.frame_samples), a.sample_rate)
                        .expect("in range")
                });
                let apart = (other.start - segment.start).abs();
                assert!(
                    apart <= frame + self.apart || segment.gap || other.gap,
                    "msn {}: {} and {}",
                    segment.msn,
                    other.start,
                    segment.start
                );
            }
        }
    }
}

/// Samples in a chunk or several, by the counts in their `trun` boxes.
pub(crate) fn samples(segment: &Segment) -> u32 {
    segment
        .parts
        .iter()
        .filter_map(|p| p.slices.first())
        .map(|header| {
            let at = header
                .windows(4)
                .position(|w| w == b"trun")
                .expect("a trun");
            u32::from_be_bytes(header[at + 8..at + 12].try_into().expect("four"))
        })
        .sum()
}

pub(crate) fn total(segments: &[Arc<Segment>]) -> u32 {
    segments.iter().map(|s| samples(s)).sum()
}

pub(crate) fn kinds(snapshot: &Snapshot) -> Vec<MediaKind> {
    snapshot.tracks.iter().map(|t| t.info.kind()).collect()
}
