//! The command-line players and publishers.

use std::path::PathBuf;

use crate::Program;
use crate::clients::{home, on_path};

/// Debian's ffmpeg, quiet but for errors.
#[must_use]
pub fn ffmpeg() -> Option<Program> {
    Some(quiet(Program::new(on_path("ffmpeg")?)))
}

/// A static FFmpeg 9 (Enhanced RTMP with HEVC, AV1, VP9 and Opus), quiet but for errors: `$MILLSTREAM_FFMPEG9`, else the one in the
/// `imageio-ffmpeg` package of the Python environment.
#[must_use]
pub fn ffmpeg9() -> Option<Program> {
    let path = match std::env::var_os("MILLSTREAM_FFMPEG9") {
        Some(path) => PathBuf::from(path),
        None => {
            let found = bundled_ffmpeg9();
            if found.is_none() {
                eprintln!(
                    "skipped: no FFmpeg 9 below {} (cargo xtask setup)",
                    home().display()
                );
            }
            found?
        }
    };
    Some(quiet(Program::new(path)))
}

/// Debian's ffprobe, quiet but for errors.
#[must_use]
pub fn ffprobe() -> Option<Program> {
    Some(Program::new(on_path("ffprobe")?).line("-hide_banner -v error"))
}

/// `gst-launch-1.0`, which ends its stream in order when interrupted.
#[must_use]
pub fn gstreamer() -> Option<Program> {
    Some(Program::new(on_path("gst-launch-1.0")?).arg("-e"))
}

/// `rtmpdump`, quiet.
#[must_use]
pub fn rtmpdump() -> Option<Program> {
    Some(Program::new(on_path("rtmpdump")?).arg("-q"))
}

fn quiet(program: Program) -> Program {
    program.line("-nostdin -hide_banner -v error")
}

fn bundled_ffmpeg9() -> Option<PathBuf> {
    let pythons = std::fs::read_dir(home().join("venv/lib")).ok()?;
    let folders = pythons
        .flatten()
        .map(|python| python.path().join("site-packages/imageio_ffmpeg/binaries"));
    folders
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|files| files.flatten())
        .map(|file| file.path())
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("ffmpeg-")
        })
}
