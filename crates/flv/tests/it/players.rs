//! Real players read what we write: ffmpeg decodes our file to the same pictures and sound as the sender's.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::BytesMut;
use core_frame::TrackChoice;
use millstream_flv::{FileWriter, Layout};

use crate::sample::{self, ALL};

/// The tools of at least this FFmpeg version among `MILLSTREAM_FFMPEG9` and that of the path; none is said on stderr.
fn ffmpegs(version: u32) -> Vec<PathBuf> {
    let candidates = std::env::var_os("MILLSTREAM_FFMPEG9")
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("ffmpeg")]);
    let is_new_enough = |tool: &PathBuf| {
        let Ok(out) = Command::new(tool).arg("-version").output() else {
            return false;
        };
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let number = text
            .split_whitespace()
            .nth(2)
            .map(|v| v.trim_start_matches('n'))
            .and_then(|v| v.split(['.', '-']).next()?.parse::<u32>().ok());
        number.is_some_and(|n| n >= version)
    };
    let found: Vec<_> = candidates.filter(is_new_enough).collect();
    if found.is_empty() {
        eprintln!("skipped: no ffmpeg of version {version} (set MILLSTREAM_FFMPEG9)");
    }
    found
}

/// Hashes of the decoded frames of a track, or of its packets.
fn hashes(tool: &Path, file: &Path, map: &str, is_packets: bool) -> Vec<String> {
    let out = Command::new(tool)
        .args(["-v", "error", "-xerror", "-i"])
        .arg(file)
        .args(["-map", map, "-fps_mode", "passthrough"])
        .args(["-c", "copy"].iter().filter(|_| is_packets))
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {errors}", file.display());
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit(',').next()?.trim().to_owned()))
        .collect()
}

fn same_pictures_and_sound(name: &str, version: u32) {
    let both = ["0:v:0", "0:a:0"].map(|map| (map, map));
    same_tracks(name, version, &Layout::default(), &both);
}

/// Tracks of the sender's file, each with the place it must have in ours.
fn same_tracks(name: &str, version: u32, layout: &Layout, maps: &[(&str, &str)]) {
    for (n, tool) in ffmpegs(version).iter().enumerate() {
        // What a player does not read from the sender's file is what the newest one finds there.
        let is_packets = *layout != Layout::default();
        let reference = match is_packets {
            true => &ffmpegs(version)[0],
            false => tool,
        };
        let bytes = ALL.iter().find(|(n, _)| *n == name).expect("a sample").1;
        let media = sample::demux(bytes);
        let mut file = BytesMut::new();
        let mut writer = FileWriter::with_layout(layout.clone());
        writer.tracks(&media.table, &mut file);
        for frame in &media.frames {
            writer.frame(frame, &mut file).expect("writable");
        }
        let thread = std::thread::current()
            .name()
            .unwrap_or("test")
            .replace("::", "-");
        let folder = std::env::temp_dir().join(format!(
            "millstream-flv-{}-{thread}-{n}",
            std::process::id()
        ));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (theirs, ours) = (
            folder.join(format!("{name}.theirs.flv")),
            folder.join(format!("{name}.ours.flv")),
        );
        std::fs::write(&theirs, bytes).expect("written");
        std::fs::write(&ours, &file).expect("written");
        for (from, to) in maps {
            let want = hashes(reference, &theirs, from, is_packets);
            let got = hashes(tool, &ours, to, is_packets);
            assert!(!want.is_empty());
            assert_eq!(got, want, "{name} {from} as {to} in {}", tool.display());
        }
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn legacy_codecs_in_any_ffmpeg() {
    for name in [
        "ffmpeg5_h264_aac",
        "ffmpeg5_h264_mp3",
        "ffmpeg5_h264_alaw",
        "ffmpeg9_h264_mp3",
    ] {
        same_pictures_and_sound(name, 4);
    }
}

#[test]
fn hevc_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_hevc_aac", 8);
}

#[test]
fn av1_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_av1_opus", 8);
    same_pictures_and_sound("ffmpeg9_svtav1_aac", 8);
}

#[test]
fn vp9_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_vp9_opus", 8);
}

#[test]
fn ac3_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_h264_ac3", 8);
    same_pictures_and_sound("ffmpeg9_h264_eac3", 8);
}

#[test]
fn flac_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_h264_flac", 8);
}

#[test]
fn multitrack_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_multitrack", 8);
    let maps = ["0:v:0", "0:v:1", "0:a:0", "0:a:1"].map(|map| (map, map));
    same_tracks("ffmpeg9_multitrack", 8, &Layout::all_tracks(), &maps);
}

#[test]
fn a_chosen_track_reaches_players_as_the_only_one() {
    for (query, maps) in [
        ("video=2&audio=2", [("0:v:1", "0:v:0"), ("0:a:1", "0:a:0")]),
        ("audio=2", [("0:v:0", "0:v:0"), ("0:a:1", "0:a:0")]),
    ] {
        let layout = Layout::of(TrackChoice::from_query(query).expect("a choice"));
        same_tracks("ffmpeg9_multitrack", 8, &layout, &maps);
    }
}
