//! `cargo xtask setup`: the clients and tools that the tests need, by package name.

use std::path::{Path, PathBuf};

use crate::cmd::{Cmd, Failure, step};

/// Debian packages, each with a file it brings: presence is checked without asking the package manager.
const DEBIAN: [(&str, &str); 13] = [
    ("ffmpeg", "/usr/bin/ffmpeg"),
    ("chromium", "/usr/bin/chromium"),
    ("gstreamer1.0-tools", "/usr/bin/gst-launch-1.0"),
    ("rtmpdump", "/usr/bin/rtmpdump"),
    ("strace", "/usr/bin/strace"),
    ("python3-venv", "/usr/share/doc/python3-venv"),
    (
        "gstreamer1.0-plugins-base",
        "/usr/share/doc/gstreamer1.0-plugins-base",
    ),
    (
        "gstreamer1.0-plugins-good",
        "/usr/share/doc/gstreamer1.0-plugins-good",
    ),
    (
        "gstreamer1.0-plugins-bad",
        "/usr/share/doc/gstreamer1.0-plugins-bad",
    ),
    (
        "gstreamer1.0-plugins-ugly",
        "/usr/share/doc/gstreamer1.0-plugins-ugly",
    ),
    ("gstreamer1.0-libav", "/usr/share/doc/gstreamer1.0-libav"),
    ("fonts-dejavu-core", "/usr/share/fonts/truetype/dejavu"),
    ("git", "/usr/bin/git"),
];

/// PyPI packages of the virtual environment: a static FFmpeg 9.
const PYPI: [&str; 1] = ["imageio-ffmpeg==0.8.1"];

/// npm packages: players and the browser driver.
const NPM: [(&str, &str); 4] = [
    ("hls.js", "1.7.4"),
    ("mpegts.js", "1.8.2"),
    ("playwright-core", "1.65.1"),
    ("hls-parser", "0.16.1"),
];

/// Cargo tools: sub-command and crate.
const CARGO: [(&str, &str); 3] = [
    ("nextest", "cargo-nextest"),
    ("deny", "cargo-deny"),
    ("hack", "cargo-hack"),
];

/// Where clients that are no Debian packages live: `$MILLSTREAM_CLIENTS`, or a folder in the user's cache.
pub(crate) fn clients() -> PathBuf {
    if let Some(dir) = std::env::var_os("MILLSTREAM_CLIENTS") {
        return dir.into();
    }
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
    Path::new(&home).join(".cache/millstream-clients")
}

/// Installs what is missing; says nothing but one line when all is there.
pub(crate) fn run() -> Result<(), Failure> {
    step("setup: clients and tools the tests need");
    debian()?;
    python()?;
    npm()?;
    cargo_tools()
}

fn debian() -> Result<(), Failure> {
    let mut missing: Vec<&str> = DEBIAN
        .into_iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(package, _)| package)
        .collect();
    // A machine may bring its own Node.js; Debian's is good enough where it does not.
    if !Cmd::new("npm").arg("--version").succeeds() {
        missing.extend(["nodejs", "npm"]);
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !Cmd::new("sh")
        .args(["-c", "test $(id -u) -eq 0"])
        .succeeds()
    {
        return Err(Failure::new(format!(
            "needs Debian packages; run: sudo apt-get install {}",
            missing.join(" ")
        )));
    }
    step(&format!("apt-get install {}", missing.join(" ")));
    Cmd::new("apt-get").args(["update", "-qq"]).quiet().run()?;
    Cmd::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .quiet()
        .run()
}

fn python() -> Result<(), Failure> {
    let venv = clients().join("venv");
    let pip = venv.join("bin/pip").display().to_string();
    let imports = Cmd::new(venv.join("bin/python").display().to_string()).args([
        "-c",
        "import imageio_ffmpeg; imageio_ffmpeg.get_ffmpeg_exe()",
    ]);
    if imports.succeeds() {
        return Ok(());
    }
    step(&format!("pip install {}", PYPI.join(" ")));
    Cmd::new("python3")
        .args(["-m", "venv"])
        .arg(venv.display().to_string())
        .quiet()
        .run()?;
    Cmd::new(pip)
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(PYPI)
        .quiet()
        .run()
}

fn npm() -> Result<(), Failure> {
    let dir = clients();
    let there = NPM
        .iter()
        .all(|(name, _)| dir.join("node_modules").join(name).is_dir());
    if there {
        return Ok(());
    }
    let wanted = NPM.map(|(name, version)| format!("{name}@{version}"));
    step(&format!("npm install {}", wanted.join(" ")));
    Cmd::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(dir.display().to_string())
        .args(wanted)
        .quiet()
        .run()
}

fn cargo_tools() -> Result<(), Failure> {
    for (verb, package) in CARGO {
        if !Cmd::new("cargo").args([verb, "--version"]).succeeds() {
            step(&format!("cargo install {package}"));
            Cmd::new("cargo")
                .args(["install", "--locked", "--quiet", package])
                .run()?;
        }
    }
    Ok(())
}
