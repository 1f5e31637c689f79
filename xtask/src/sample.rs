//! `cargo xtask sample`: small media files of every codec and container we read, made by ffmpeg.

use std::fs;
use std::path::PathBuf;

use crate::cmd::{Cmd, Failure, root, step};
use crate::setup::clients;

/// File name, encoder options, and whether only a newer FFmpeg can write it (Enhanced RTMP tags).
const SAMPLES: [(&str, &str, bool); 12] = [
    ("h264-aac.flv", "-c:v libx264 -bf 2 -g 25 -c:a aac", false),
    (
        "h264-baseline-mono.flv",
        "-c:v libx264 -profile:v baseline -c:a aac -ac 1 -ar 44100",
        false,
    ),
    (
        "h264-10bit.mp4",
        "-c:v libx264 -pix_fmt yuv420p10le -c:a aac",
        false,
    ),
    ("h264-aac.ts", "-c:v libx264 -bf 2 -c:a aac", false),
    (
        "h264-frag.mp4",
        "-c:v libx264 -c:a aac -movflags frag_keyframe+empty_moov",
        false,
    ),
    (
        "h265-aac.mp4",
        "-c:v libx265 -x265-params log-level=none -tag:v hvc1 -c:a aac",
        false,
    ),
    (
        "h265-aac.flv",
        "-c:v libx265 -x265-params log-level=none -c:a aac",
        true,
    ),
    (
        "av1-opus.flv",
        "-c:v libsvtav1 -preset 12 -c:a libopus",
        true,
    ),
    ("av1-aac.mp4", "-c:v libsvtav1 -preset 12 -c:a aac", false),
    (
        "vp9-opus.flv",
        "-c:v libvpx-vp9 -deadline realtime -c:a libopus",
        true,
    ),
    (
        "vp9-opus.mp4",
        "-c:v libvpx-vp9 -deadline realtime -c:a libopus",
        false,
    ),
    ("mp3.flv", "-vn -c:a libmp3lame -ar 44100", false),
];

/// Makes the files (two seconds of 320x180 each) that are not there yet.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let dir = args
        .first()
        .map_or_else(|| root().join("target/samples"), PathBuf::from);
    fs::create_dir_all(&dir)?;
    let newer = ffmpeg9()?;
    for (name, options, needs_newer) in SAMPLES {
        let file = dir.join(name);
        if file.exists() {
            continue;
        }
        step(&file.display().to_string());
        let part = dir.join(format!("part.{name}"));
        let program = if needs_newer {
            newer.as_str()
        } else {
            "ffmpeg"
        };
        Cmd::new(program)
            .args(
                "-hide_banner -loglevel error -y -f lavfi -i testsrc2=size=320x180:rate=25"
                    .split(' '),
            )
            .args(
                "-f lavfi -i sine=frequency=440:sample_rate=48000 -t 2 -pix_fmt yuv420p".split(' '),
            )
            .args(options.split(' '))
            .arg(part.display().to_string())
            .quiet()
            .run()?;
        fs::rename(&part, &file)?;
    }
    Ok(())
}

/// The static FFmpeg 9 that `setup` installs.
pub(crate) fn ffmpeg9() -> Result<String, Failure> {
    let python = clients().join("venv/bin/python").display().to_string();
    Cmd::new(python)
        .args([
            "-c",
            "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())",
        ])
        .output()
        .map(|path| path.trim().to_owned())
        .map_err(|e| Failure::new(format!("no FFmpeg 9 (cargo xtask setup installs it): {e}")))
}
