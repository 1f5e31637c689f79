//! Real media through the segmenter, judged by ffprobe and ffmpeg: init and segments of each track are one playable file
//! with every frame.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cmaf::read::{Event, Reader};
use core_frame::{Limits, MediaFrame, MediaTime, TrackInfo};
use millstream_segmenter::Segment;

use crate::harness::{Harness, config, table};

/// Name, video options, audio options; 13 s each.
const STREAMS: &[(&str, Option<&str>, Option<&str>)] = &[
    (
        "h264-25-aac48",
        Some("-r 25 -c:v libx264 -preset ultrafast -g 50 -bf 0 -sc_threshold 0 -pix_fmt yuv420p"),
        Some("-c:a aac -ar 48000"),
    ),
    (
        "h264-b-ntsc-aac44",
        Some(
            "-r 30000/1001 -c:v libx264 -preset veryfast -g 60 -bf 3 -sc_threshold 0 -pix_fmt yuv420p",
        ),
        Some("-c:a aac -ar 44100"),
    ),
    (
        "h265-b-50-opus",
        Some(
            "-r 50 -c:v libx265 -preset ultrafast -g 100 -bf 3 -pix_fmt yuv420p -x265-params log-level=none:scenecut=0:open-gop=0",
        ),
        Some("-c:a libopus"),
    ),
    (
        "av1-30-aac",
        Some("-r 30 -c:v libsvtav1 -preset 12 -g 60 -pix_fmt yuv420p"),
        Some("-c:a aac -ar 44100"),
    ),
    ("aac-only", None, Some("-c:a aac -ar 44100")),
];

fn ffmpeg(args: &[&str], path: &Path) -> bool {
    let out = Command::new("ffmpeg")
        .args("-hide_banner -loglevel error -nostdin -y".split(' '))
        .args(args)
        .arg(path)
        .output();
    match out {
        Ok(out) if out.status.success() => true,
        Ok(out) => {
            eprintln!("skipped: {}", String::from_utf8_lossy(&out.stderr).trim());
            false
        }
        Err(e) => {
            eprintln!("skipped: ffmpeg: {e}");
            false
        }
    }
}

fn sample(name: &str, video: Option<&str>, audio: Option<&str>) -> Option<Vec<u8>> {
    let mut args = Vec::new();
    if video.is_some() {
        args.extend("-f lavfi -i testsrc2=s=192x108:r=60:d=13".split(' '));
    }
    if audio.is_some() {
        args.extend("-f lavfi -i sine=440:d=13:r=48000".split(' '));
    }
    args.extend(video.into_iter().chain(audio).flat_map(|o| o.split(' ')));
    args.extend("-movflags +frag_keyframe+delay_moov+default_base_moof -f mp4".split(' '));
    // Kept under a name that changes with the options.
    let mut hash = DefaultHasher::new();
    args.hash(&mut hash);
    let file = format!("segmenter-{name}-{:016x}.mp4", hash.finish());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
    if !path.exists() {
        // Another test may be making the same file: each makes its own and moves it into place.
        let part = path.with_extension(format!("{}.part", std::process::id()));
        if !ffmpeg(&args, &part) {
            return None;
        }
        std::fs::rename(&part, &path).expect("same folder");
    }
    Some(std::fs::read(&path).expect("just made"))
}

fn read(bytes: &[u8]) -> (Vec<TrackInfo>, Vec<MediaFrame>) {
    let mut reader = Reader::new(&Limits::default());
    reader.push(bytes);
    let (mut tracks, mut frames) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next_event().expect("a good file") {
        match event {
            Event::Movie(m) => tracks = m.tracks.iter().filter_map(|t| t.info.clone()).collect(),
            Event::Frame(f) => frames.push(f),
            _ => {}
        }
    }
    frames.sort_by_key(|f| f.dts);
    (tracks, frames)
}

fn joined(list: &[Arc<Segment>]) -> Vec<u8> {
    let mut out = list[0].init.bytes.to_vec();
    for segment in list {
        out.extend(segment.slices().expect("in memory").concat());
    }
    out
}

/// Presentation times in microseconds, sorted, and how many are key frames.
fn probe(path: &Path) -> (Vec<i64>, usize) {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "packet=pts_time,flags",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .expect("ffprobe is there where ffmpeg is");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(errors.trim().is_empty(), "ffprobe: {errors}");
    let text = String::from_utf8_lossy(&out.stdout);
    let mut times: Vec<i64> = text
        .lines()
        .filter_map(|l| l.split(',').next()?.parse::<f64>().ok())
        .map(|t| (t * 1e6).round() as i64)
        .collect();
    times.sort_unstable();
    (times, text.lines().filter(|l| l.contains(",K")).count())
}

#[test]
fn each_track_is_a_file_with_every_frame() {
    for (name, video, audio) in STREAMS {
        let Some(bytes) = sample(name, *video, *audio) else {
            continue;
        };
        let (tracks, frames) = read(&bytes);
        let mut config = config();
        config.producer_reference = true;
        let mut h = Harness::new(config);
        h.tracks(&table(tracks.clone(), 0, MediaTime::ZERO));
        h.feed(&frames);
        let snapshot = h.end();
        assert_eq!(h.segmenter.stats().forced_cuts, 0, "{name}");
        assert_eq!(h.missed_hints, 0, "{name}");
        let first_picture = frames
            .iter()
            .find(|f| f.kind() == core_frame::MediaKind::Video)
            .map_or(MediaTime::MIN, |f| f.pts);
        for info in &tracks {
            let list = h.history(info.id);
            assert!(list.len() >= 6, "{name} {}", list.len());
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("segmenter-{name}-{}.mp4", info.id));
            std::fs::write(&path, joined(&list)).expect("written");
            // Up to a frame of priming sound lies before the first picture.
            let want: Vec<&MediaFrame> = frames
                .iter()
                .filter(|f| f.track == info.id)
                .filter(|f| f.pts + MediaTime::from_millis(12) >= first_picture)
                .collect();
            let (times, keys) = probe(&path);
            assert_eq!(times.len(), want.len(), "{name} {}", info.id);
            if info.kind() == core_frame::MediaKind::Video {
                assert_eq!(
                    keys,
                    want.iter().filter(|f| f.is_keyframe()).count(),
                    "{name}"
                );
            }
            // Presentation times are the stream's own, moved by whole seconds at most (no negative times in a file).
            let mut shown: Vec<i64> = want.iter().map(|f| f.pts.as_nanos() / 1_000).collect();
            shown.sort_unstable();
            let shift = ((times[0] - shown[0]) as f64 / 1e6).round() as i64 * 1_000_000;
            for (a, b) in times.iter().zip(&shown) {
                assert!((a - b - shift).abs() <= 23, "{name}: {a} {b} {shift}");
            }
            assert!(shift == 0 || shift == 1_000_000, "{name} {shift}");
            // Each segment alone with its init segment decodes without an error, too.
            for segment in [&list[1], &list[list.len() - 1]] {
                let mut alone = segment.init.bytes.to_vec();
                alone.extend(segment.slices().expect("in memory").concat());
                let path = path.with_extension("segment.mp4");
                std::fs::write(&path, alone).expect("written");
                let out = Command::new("ffmpeg")
                    .args(["-v", "error", "-nostdin", "-i"])
                    .arg(&path)
                    .args(["-f", "null", "-"])
                    .output()
                    .expect("ffmpeg runs");
                assert!(
                    out.status.success() && out.stderr.is_empty(),
                    "{name}: {}",
                    String::from_utf8_lossy(&out.stderr)
                );
            }
        }
        let info = &snapshot.tracks[0];
        println!(
            "{name}: part target {}, target duration {} s, {:?}",
            snapshot.part_target, snapshot.target_duration_s, info.bandwidth
        );
    }
}
