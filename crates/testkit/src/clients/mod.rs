//! Other people's programs, which judge ours. Each is `None`, with the reason printed, where it is not installed (`cargo xtask setup`).

mod chromium;
mod driver;
mod media;

pub use chromium::{Page, chromium};
pub use media::{ffmpeg, ffmpeg9, ffprobe, gstreamer, rtmpdump};

use std::path::{Path, PathBuf};

/// Where clients live that the system does not package: `$MILLSTREAM_CLIENTS`, else `~/.cache/millstream-clients`, with a
/// Python environment in `venv/` and npm packages in `node_modules/`.
#[must_use]
pub fn home() -> PathBuf {
    if let Some(dir) = std::env::var_os("MILLSTREAM_CLIENTS") {
        return dir.into();
    }
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
    Path::new(&home).join(".cache/millstream-clients")
}

/// An installed npm package's folder or file.
#[must_use]
pub fn npm(path: &str) -> Option<PathBuf> {
    let path = home().join("node_modules").join(path);
    present(path)
}

/// A program on `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&paths)
        .map(|dir| dir.join(name))
        .find(|p| p.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed (cargo xtask setup)");
    }
    found
}

fn present(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "skipped: {} is not there (cargo xtask setup)",
        path.display()
    );
    None
}
