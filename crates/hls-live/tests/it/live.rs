//! A window made by hand: segments of ten parts of 200 ms on every track, cut, slid, broken and ended on command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{AudioInfo, CodecId, Epoch, MediaTime, TrackId, TrackInfo, VideoInfo, WallTime};
use m3u8::{MediaPlaylist, MultivariantPlaylist, ParseOptions, parse_media, parse_multivariant};
use millstream_hls_live::{Answer, Config, Origin, Request};
use segmenter::{Bandwidth, Init, Location, Part, Segment, Snapshot, TrackWindow};

pub(crate) const PART_MS: i64 = 200;
pub(crate) const PARTS: usize = 10;
/// 2026-11-21T06:12:04.250Z
const ZERO: i128 = 1_795_241_524_250_000_000;

pub(crate) fn video() -> TrackInfo {
    let mut info = TrackInfo::new(TrackId(1), CodecId::H264);
    info.codec_string = Some("avc1.64001f".into());
    info.video = Some(VideoInfo {
        width: 1280,
        height: 720,
        frame_rate: Some((30, 1)),
        ..VideoInfo::default()
    });
    info
}

pub(crate) fn audio() -> TrackInfo {
    audio_track(2, CodecId::Aac, "mp4a.40.2", None)
}

pub(crate) fn audio_track(
    id: u16,
    codec: CodecId,
    codecs: &str,
    language: Option<&str>,
) -> TrackInfo {
    let mut info = TrackInfo::new(TrackId(id), codec);
    info.codec_string = Some(codecs.into());
    info.language = language.map(Into::into);
    info.audio = Some(AudioInfo {
        sample_rate: 48_000,
        channels: 2,
        frame_samples: 1_024,
    });
    info
}

struct Lane {
    info: Arc<TrackInfo>,
    init: Arc<Init>,
    segments: Vec<Arc<Segment>>,
    retained: Vec<Arc<Segment>>,
}

/// The stream so far. Every step is one new version.
pub(crate) struct Live {
    lanes: Vec<Lane>,
    version: u64,
    pub(crate) first_msn: u64,
    discontinuity: u64,
    break_next: bool,
    gap_next: bool,
    clock: MediaTime,
    /// Complete segments listed at most.
    pub(crate) listed: usize,
    /// Segments kept behind the window.
    pub(crate) kept: usize,
    pub(crate) ended: bool,
    pub(crate) independent: bool,
    /// Segments older than this many are in the storage.
    pub(crate) in_memory: usize,
}

impl Live {
    pub(crate) fn new(tracks: impl IntoIterator<Item = TrackInfo>) -> Self {
        let lane = |info: TrackInfo| Lane {
            init: Arc::new(Init {
                id: 0,
                bytes: Bytes::from(format!("init of {}", info.id)),
                codecs: info.codec_string.clone().unwrap_or_default(),
            }),
            info: Arc::new(info),
            segments: Vec::new(),
            retained: Vec::new(),
        };
        Self {
            lanes: tracks.into_iter().map(lane).collect(),
            version: 0,
            first_msn: 100,
            discontinuity: 7,
            break_next: false,
            gap_next: false,
            clock: MediaTime::ZERO,
            listed: 30,
            kept: 10,
            ended: false,
            independent: true,
            in_memory: usize::MAX,
        }
    }

    /// Video and audio, with `segments` complete ones.
    pub(crate) fn av(segments: usize) -> Self {
        let mut live = Self::new([video(), audio()]);
        live.segments(segments);
        live
    }

    /// Goes on for whole segments, from the start of one.
    pub(crate) fn segments(&mut self, n: usize) {
        (0..n * PARTS).for_each(|_| self.part());
    }

    /// One more part on every track; the tenth completes the segment.
    pub(crate) fn part(&mut self) {
        self.version += 1;
        let fresh = self.lanes[0].segments.last().is_none_or(|s| s.complete);
        let broken = fresh && std::mem::take(&mut self.break_next);
        self.discontinuity += u64::from(broken);
        for lane in &mut self.lanes {
            if fresh {
                let msn = lane
                    .segments
                    .last()
                    .or(lane.retained.last())
                    .map_or(self.first_msn, |s| s.msn + 1);
                lane.segments.push(Arc::new(Segment {
                    msn,
                    start: self.clock,
                    duration: MediaTime::ZERO,
                    start_ticks: self.clock.to_ticks(90_000) as u64,
                    duration_ticks: 0,
                    epoch: Epoch(self.discontinuity as u32),
                    discontinuity_before: broken,
                    discontinuity: self.discontinuity,
                    program_date_time: WallTime::from_unix_nanos(ZERO).offset(self.clock),
                    init: Arc::clone(&lane.init),
                    parts: Vec::new(),
                    complete: false,
                    gap: false,
                    independent: true,
                    len: 0,
                    location: Location::Memory,
                }));
            }
            let segment = Arc::make_mut(lane.segments.last_mut().unwrap());
            let index = segment.parts.len() as u32;
            let text = format!("{} {} {index}|", lane.info.id, segment.msn);
            let is_audio = lane.info.video.is_none();
            segment.parts.push(Arc::new(Part {
                index,
                start: self.clock,
                duration: MediaTime::from_millis(PART_MS),
                independent: is_audio || index == 0,
                gap: self.gap_next,
                len: if self.gap_next { 0 } else { text.len() as u64 },
                offset: segment.len,
                slices: if self.gap_next {
                    Arc::default()
                } else {
                    let (a, b) = text.split_at(3);
                    Arc::from([Bytes::from(a.to_owned()), Bytes::from(b.to_owned())])
                },
            }));
            segment.len += segment.parts.last().unwrap().len;
            segment.duration += MediaTime::from_millis(PART_MS);
            segment.complete = segment.parts.len() == PARTS;
            segment.gap = segment.complete && segment.parts.iter().all(|p| p.gap);
        }
        self.clock += MediaTime::from_millis(PART_MS);
        self.slide();
    }

    /// A forced cut: the open segment is complete with what it has.
    pub(crate) fn cut(&mut self) {
        self.version += 1;
        for lane in &mut self.lanes {
            Arc::make_mut(lane.segments.last_mut().unwrap()).complete = true;
        }
        self.slide();
    }

    /// The next segment begins a new stretch; with `new_codec` the video has another init segment there.
    pub(crate) fn discontinuity(&mut self, new_codec: bool) {
        self.break_next = true;
        self.clock += MediaTime::from_millis(777);
        if new_codec {
            self.lanes[0].init = Arc::new(Init {
                id: self.lanes[0].init.id + 1,
                bytes: Bytes::from_static(b"another init"),
                codecs: "avc1.640028".into(),
            });
        }
    }

    /// Following parts are gaps, or are none again.
    pub(crate) fn gap(&mut self, on: bool) {
        self.gap_next = on;
    }

    /// The stream ends; an open segment is completed.
    pub(crate) fn end(&mut self) {
        self.cut();
        self.ended = true;
    }

    fn slide(&mut self) {
        for lane in &mut self.lanes {
            let complete = lane.segments.iter().filter(|s| s.complete).count();
            let gone = complete.saturating_sub(self.listed);
            lane.retained.extend(lane.segments.drain(..gone));
            let expired = lane.retained.len().saturating_sub(self.kept);
            lane.retained.drain(..expired);
            let spilled = complete.saturating_sub(gone).saturating_sub(self.in_memory);
            for segment in &mut lane.segments[..spilled] {
                if segment.location == Location::Memory {
                    let key = format!("window/{}/{}", lane.info.id, segment.msn);
                    let segment = Arc::make_mut(segment);
                    segment.location = Location::Stored(key.into());
                    for part in &mut segment.parts {
                        Arc::make_mut(part).slices = Arc::default();
                    }
                }
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let window = |lane: &Lane| {
            let closed: Vec<_> = lane
                .segments
                .iter()
                .filter(|s| s.complete)
                .cloned()
                .collect();
            let kilo = if lane.info.video.is_some() {
                2_000
            } else {
                128
            };
            Arc::new(TrackWindow {
                id: lane.info.id,
                info: Arc::clone(&lane.info),
                init: Arc::clone(&lane.init),
                timescale: 90_000,
                open: lane.segments.last().filter(|s| !s.complete).cloned(),
                bandwidth: (!closed.is_empty()).then_some(Bandwidth {
                    peak_bps: kilo * 1_000 + 1,
                    average_bps: kilo * 900,
                }),
                closed: closed.into(),
                retained: lane.retained.clone().into(),
                next_msn: self.first_msn,
                next_discontinuity: self.discontinuity,
            })
        };
        let tracks: Vec<_> = self.lanes.iter().map(window).collect();
        let ready = tracks.iter().all(|t| !t.closed.is_empty());
        Snapshot {
            version: self.version,
            tracks,
            part_target: MediaTime::from_millis(PART_MS),
            target_duration_s: if ready { 2 } else { 0 },
            independent_segments: self.independent,
            ready,
            ended: self.ended,
        }
    }
}

/// An origin with a stream, asked as a player asks.
pub(crate) struct Stage {
    pub(crate) live: Live,
    pub(crate) origin: Origin,
    pub(crate) now: Instant,
}

impl Stage {
    pub(crate) fn new(live: Live) -> Self {
        Self::with(live, Config::default())
    }

    pub(crate) fn with(live: Live, config: Config) -> Self {
        Self {
            live,
            origin: Origin::new(config),
            now: Instant::now(),
        }
    }

    /// A fresh request, now.
    pub(crate) fn get(&self, url: &str) -> Answer {
        self.ask(url, self.now)
    }

    /// A request that arrived then, asked now.
    pub(crate) fn ask(&self, url: &str, arrived: Instant) -> Answer {
        let (path, query) = url
            .split_once('?')
            .map_or((url, None), |(p, q)| (p, Some(q)));
        let request = Request {
            query,
            ..Request::new(path, arrived)
        };
        self.origin
            .respond(&self.live.snapshot(), &request, self.now)
    }

    pub(crate) fn text(&self, url: &str) -> String {
        match self.get(url) {
            Answer::Playlist { body, gzip, .. } => {
                assert!(!gzip);
                String::from_utf8(body.to_vec()).unwrap()
            }
            other => panic!("{url}: {other:?}"),
        }
    }

    /// A media playlist; our own strict reader accepts it.
    pub(crate) fn media(&self, url: &str) -> MediaPlaylist {
        let text = self.text(url);
        match parse_media(text.as_bytes(), &ParseOptions::strict()) {
            Ok(parsed) => parsed.playlist,
            Err(e) => panic!("{e}\n{text}"),
        }
    }

    pub(crate) fn multivariant(&self, url: &str) -> MultivariantPlaylist {
        let text = self.text(url);
        match parse_multivariant(text.as_bytes(), &ParseOptions::strict()) {
            Ok(parsed) => parsed.playlist,
            Err(e) => panic!("{e}\n{text}"),
        }
    }

    pub(crate) fn status(&self, url: &str) -> u16 {
        match self.get(url) {
            Answer::Playlist { .. } | Answer::Media { .. } | Answer::Stored { .. } => 200,
            Answer::NotModified { .. } => 304,
            Answer::Refused(refusal) => refusal.status,
            Answer::Wait { .. } => 0,
            other => panic!("{other:?}"),
        }
    }

    /// The bytes of a media resource in memory.
    pub(crate) fn bytes(&self, url: &str) -> String {
        match self.get(url) {
            Answer::Media { slices, len, .. } => {
                let all = slices.concat();
                assert_eq!(all.len() as u64, len);
                String::from_utf8(all).unwrap()
            }
            other => panic!("{url}: {other:?}"),
        }
    }

    pub(crate) fn later(&mut self, by: Duration) {
        self.now += by;
    }
}

/// Status that [`Stage::status`] gives for a request that is held.
pub(crate) const HELD: u16 = 0;
