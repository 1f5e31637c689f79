//! The real segmenter underneath: every version of every playlist of a run, at the usual frame rates and codecs.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, EpochInfo, MediaFrame, MediaTime, TrackId, TrackInfo, TrackTable,
    VideoInfo, WallTime,
};
use m3u8::{MediaPlaylist, ParseOptions, parse_media};
use millstream_hls_live::{Answer, Config, Origin, Request};
use segmenter::{Segmenter, Snapshot, Window};

use super::over_time::check_edit;

/// Frames a second as a fraction, and pictures from one sync point to the next.
type Video = (i64, i64, i64);
/// Codec, sample rate and samples a frame.
type Audio = (CodecId, u32, u32);

fn tracks(video: Option<Video>, audio: Option<Audio>) -> Vec<TrackInfo> {
    let mut tracks = Vec::new();
    if video.is_some() {
        let mut info = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
        info.config =
            Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 1, 0x67, 1, 0, 1, 0x68]);
        info.video = Some(VideoInfo {
            width: 1_280,
            height: 720,
            ..VideoInfo::default()
        });
        tracks.push(info);
    }
    if let Some((codec, sample_rate, frame_samples)) = audio {
        let mut info = TrackInfo::new(TrackId::AUDIO, codec);
        if codec == CodecId::Aac {
            info.config = Bytes::from_static(&[0x12, 0x10]);
        }
        info.audio = Some(AudioInfo {
            sample_rate,
            channels: 2,
            frame_samples,
        });
        tracks.push(info);
    }
    tracks
}

/// Frames from `from` to `to` seconds in order of their times, as one run of an encoder.
fn frames(video: Option<Video>, audio: Option<Audio>, from: i64, to: i64) -> Vec<MediaFrame> {
    let (from, to) = (MediaTime::from_secs(from), MediaTime::from_secs(to));
    let payload = Bytes::from_static(&[0, 0, 0, 6, 0x65, 1, 2, 3, 4, 5]);
    let mut all = Vec::new();
    if let Some((num, den, gop)) = video {
        for n in 0.. {
            let at = from + MediaTime::from_nanos(n * den * 1_000_000_000 / num);
            if at >= to {
                break;
            }
            let mut frame =
                MediaFrame::new_video(0, 0, payload.clone(), CodecId::H264, n % gop == 0);
            (frame.dts, frame.pts) = (at, at);
            all.push(frame);
        }
    }
    if let Some((codec, rate, samples)) = audio {
        for n in 0.. {
            let at = from + MediaTime::from_ticks(n * i64::from(samples), rate).unwrap();
            if at >= to {
                break;
            }
            let mut frame = MediaFrame::new_audio(0, payload.clone(), codec);
            (frame.dts, frame.pts) = (at, at);
            all.push(frame);
        }
    }
    all.sort_by_key(|f| f.dts);
    all
}

fn table(tracks: Vec<TrackInfo>, epoch: u32, origin: MediaTime) -> Arc<TrackTable> {
    let mut table = TrackTable::new(tracks);
    table.generation = epoch;
    table.epoch = EpochInfo {
        id: core_frame::Epoch(epoch),
        origin,
        wall: WallTime::new(1_795_241_524, 0).offset(origin),
    };
    Arc::new(table)
}

/// Looks at every version as a viewer of each track does.
struct Viewer {
    origin: Origin,
    seen: u64,
    lists: Vec<(String, Option<MediaPlaylist>)>,
    versions: usize,
    /// Hints that did not come true.
    missed: usize,
}

impl Viewer {
    fn new(snapshot_of: Option<Video>, audio: Option<Audio>) -> Self {
        let mut lists = Vec::new();
        if snapshot_of.is_some() {
            lists.push(("v1".into(), None));
        }
        if audio.is_some() {
            lists.push(("a2".into(), None));
        }
        Self {
            origin: Origin::new(Config::default()),
            seen: 0,
            lists,
            versions: 0,
            missed: 0,
        }
    }

    fn look(&mut self, snapshot: &Snapshot) {
        if snapshot.version == self.seen || !snapshot.ready {
            return;
        }
        self.seen = snapshot.version;
        self.versions += 1;
        let (origin, now) = (&self.origin, Instant::now());
        let get = |path: &str| origin.respond(snapshot, &Request::new(path, now), now);
        for (folder, last) in &mut self.lists {
            let path = format!("{folder}/index.m3u8");
            let Answer::Playlist { body, .. } = get(&path) else {
                panic!("{path}: {:?}", get(&path));
            };
            let list = match parse_media(&body, &ParseOptions::strict()) {
                Ok(parsed) => parsed.playlist,
                Err(e) => panic!("{e}\n{}", String::from_utf8_lossy(&body)),
            };
            check_parts(&list);
            if let Some(old) = last {
                check_edit(old, &list);
                let hint = old.preload_hints.first().map(|h| h.uri.clone());
                let all = || {
                    list.segments
                        .iter()
                        .chain(list.open.as_deref())
                        .flat_map(|s| &s.parts)
                };
                let there = |uri: &String| {
                    all().any(|p| p.uri == *uri) || list.preload_hints.iter().any(|h| h.uri == *uri)
                };
                self.missed += usize::from(hint.is_some_and(|h| !there(&h)));
            }
            // The newest part can be fetched, and so can the newest segment, which is its parts.
            if let Some(part) = list
                .open
                .as_ref()
                .and_then(|o| o.parts.last())
                .filter(|p| !p.gap)
            {
                assert!(matches!(
                    get(&format!("{folder}/{}", part.uri)),
                    Answer::Media { len: 1.., .. }
                ));
            }
            *last = Some(list);
        }
    }
}

/// Rules 61, 62 and 64 for a list.
fn check_parts(list: &MediaPlaylist) {
    let target = list.part_target.unwrap();
    for s in list.segments.iter().chain(list.open.as_deref()) {
        let last = s.parts.len().wrapping_sub(1);
        for (i, p) in s.parts.iter().enumerate() {
            let exempt = p.gap || i == last || s.parts.get(i + 1).is_some_and(|n| n.gap);
            let enough = p.duration.as_nanos() * 100 >= target.as_nanos() * 85;
            assert!(
                p.duration <= target && (enough || exempt),
                "{} {} of {target}",
                p.uri,
                p.duration
            );
        }
        if !s.uri.is_empty() && !s.parts.is_empty() {
            let sum = s.parts.iter().fold(MediaTime::ZERO, |t, p| t + p.duration);
            assert_eq!(sum, s.duration, "{}", s.uri);
        }
    }
}

fn run(video: Option<Video>, audio: Option<Audio>, seconds: i64) -> (Viewer, MediaPlaylist) {
    let window = Window::new();
    let mut segmenter = Segmenter::new(segmenter::Config::default(), Arc::clone(&window));
    let mut viewer = Viewer::new(video, audio);
    let start = Instant::now();
    segmenter.tracks(&table(tracks(video, audio), 0, MediaTime::ZERO));
    for frame in frames(video, audio, 0, seconds) {
        segmenter.frame(start + frame.dts.to_duration(), &frame);
        viewer.look(&window.snapshot());
    }
    segmenter.end(start + MediaTime::from_secs(seconds).to_duration());
    viewer.look(&window.snapshot());
    let last = viewer.lists[0].1.clone().unwrap();
    assert!(last.end_list);
    (viewer, last)
}

#[test]
fn usual_rates_give_valid_playlists_and_true_hints() {
    const AAC: Option<Audio> = Some((CodecId::Aac, 48_000, 1_024));
    for (video, audio) in [
        (Some((25, 1, 50)), AAC),
        (
            Some((30_000, 1_001, 60)),
            Some((CodecId::Aac, 44_100, 1_024)),
        ),
        (Some((30, 1, 60)), Some((CodecId::Opus, 48_000, 960))),
        (Some((60, 1, 30)), AAC),
        (Some((25, 1, 100)), None),
        (None, Some((CodecId::Aac, 44_100, 1_024))),
    ] {
        let (viewer, last) = run(video, audio, 40);
        assert!(
            viewer.versions > 150,
            "{video:?} {audio:?}: {}",
            viewer.versions
        );
        assert_eq!(
            viewer.missed, 0,
            "{video:?} {audio:?}: hints that never came"
        );
        let short = MediaTime::from_secs(40) - last.duration();
        assert!(
            short.abs() <= MediaTime::from_millis(50),
            "{video:?} {audio:?} {}",
            last.duration()
        );
    }
}

#[test]
fn r073_a_new_stretch_is_a_discontinuity_on_all_tracks() {
    let (video, audio) = (Some((25, 1, 50)), Some((CodecId::Aac, 48_000, 1_024)));
    let window = Window::new();
    let mut segmenter = Segmenter::new(segmenter::Config::default(), Arc::clone(&window));
    let mut viewer = Viewer::new(video, audio);
    let start = Instant::now();
    for (epoch, from, to) in [(0, 0, 11), (1, 15, 26), (2, 26, 40)] {
        segmenter.tracks(&table(
            tracks(video, audio),
            epoch,
            MediaTime::from_secs(from),
        ));
        for mut frame in frames(video, audio, from, to) {
            frame.epoch = core_frame::Epoch(epoch);
            segmenter.frame(start + frame.dts.to_duration(), &frame);
            viewer.look(&window.snapshot());
        }
    }
    segmenter.end(start + MediaTime::from_secs(40).to_duration());
    viewer.look(&window.snapshot());
    let breaks: Vec<Vec<u64>> = viewer
        .lists
        .iter()
        .map(|(_, l)| {
            let list = l.as_ref().unwrap();
            list.sequenced()
                .filter(|(_, s)| s.discontinuity)
                .map(|(n, _)| n)
                .collect()
        })
        .collect();
    assert_eq!(breaks[0].len(), 2, "{breaks:?}");
    assert_eq!(breaks[0], breaks[1]);
    // The dates jump with the media, not with arrival.
    let list = viewer.lists[0].1.as_ref().unwrap();
    let date = |n| {
        list.segment(n)
            .unwrap()
            .program_date_time
            .unwrap()
            .unix_millis()
    };
    assert_eq!(date(breaks[0][0]) - date(list.media_sequence), 15_000);
}
