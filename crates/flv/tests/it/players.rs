//! Real players read what we write: ffmpeg decodes our file to the same pictures and sound as the sender's.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::BytesMut;
use millstream_flv::FileWriter;

use crate::sample::{self, ALL};

/// A tool of at least this FFmpeg version, from `MILLSTREAM_FFMPEG9` or the path; `None` is said on stderr.
fn ffmpeg(version: u32) -> Option<PathBuf> {
    let candidates = std::env::var_os("MILLSTREAM_FFMPEG9")
        .map(PathBuf::from)
        .into_iter()
        .chain([PathBuf::from("ffmpeg")]);
    for tool in candidates {
        let Ok(out) = Command::new(&tool).arg("-version").output() else {
            continue;
        };
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let number = text
            .split_whitespace()
            .nth(2)
            .map(|v| v.trim_start_matches('n'))
            .and_then(|v| v.split(['.', '-']).next()?.parse::<u32>().ok());
        if number.is_some_and(|n| n >= version) {
            return Some(tool);
        }
    }
    eprintln!("skipped: no ffmpeg of version {version} (set MILLSTREAM_FFMPEG9)");
    None
}

/// Hashes of the decoded frames of a track.
fn decoded(tool: &Path, file: &Path, map: &str) -> Vec<String> {
    let out = Command::new(tool)
        .args(["-v", "error", "-xerror", "-i"])
        .arg(file)
        .args([
            "-map",
            map,
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ])
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
    same_tracks(name, version, FileWriter::new(), &["0:v:0", "0:a:0"]);
}

fn same_tracks(name: &str, version: u32, mut writer: FileWriter, maps: &[&str]) {
    let Some(tool) = ffmpeg(version) else { return };
    let bytes = ALL.iter().find(|(n, _)| *n == name).expect("a sample").1;
    let media = sample::demux(bytes);
    let mut file = BytesMut::new();
    writer.tracks(&media.table, &mut file);
    for frame in &media.frames {
        writer.frame(frame, &mut file).expect("writable");
    }
    let thread = std::thread::current()
        .name()
        .unwrap_or("test")
        .replace("::", "-");
    let folder =
        std::env::temp_dir().join(format!("millstream-flv-{}-{thread}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (theirs, ours) = (
        folder.join(format!("{name}.theirs.flv")),
        folder.join(format!("{name}.ours.flv")),
    );
    std::fs::write(&theirs, bytes).expect("written");
    std::fs::write(&ours, &file).expect("written");
    for map in maps {
        let want = decoded(&tool, &theirs, map);
        let got = decoded(&tool, &ours, map);
        assert!(!want.is_empty());
        assert_eq!(got, want, "{name} {map}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn legacy_codecs_in_any_ffmpeg() {
    for name in ["ffmpeg5_h264_aac", "ffmpeg5_h264_mp3", "ffmpeg5_h264_alaw"] {
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
}

#[test]
fn flac_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_h264_flac", 8);
}

#[test]
fn multitrack_in_a_new_ffmpeg() {
    same_pictures_and_sound("ffmpeg9_multitrack", 8);
    let maps = ["0:v:0", "0:v:1", "0:a:0", "0:a:1"];
    same_tracks("ffmpeg9_multitrack", 8, FileWriter::multitrack(), &maps);
}
