//! Samples made by ffmpeg, kept below `target/tmp` under a name that changes with options and ffmpeg's version.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// Name and codec options. Video is 320x180 test picture, audio two tones; each 3 s.
pub(crate) const VIDEO: &[(&str, &str)] = &[
    ("h264", "-c:v libx264 -g 25 -bf 0 -r 25 -pix_fmt yuv420p"),
    (
        "h264-b",
        "-c:v libx264 -g 60 -bf 3 -r 30000/1001 -pix_fmt yuv420p",
    ),
    (
        "h265-b",
        "-c:v libx265 -tag:v hvc1 -g 50 -bf 3 -r 50 -pix_fmt yuv420p -x265-params log-level=none",
    ),
    (
        "av1",
        "-c:v libsvtav1 -preset 12 -g 30 -r 30 -pix_fmt yuv420p",
    ),
    (
        "vp9",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 24 -r 24 -pix_fmt yuv420p",
    ),
    (
        "h264-sar-color",
        "-vf setsar=4/3 -c:v libx264 -g 25 -bf 2 -r 25 -pix_fmt yuv420p -colorspace bt709 -color_primaries bt709 -color_trc bt709",
    ),
];

pub(crate) const AUDIO: &[(&str, &str)] = &[
    ("aac", "-c:a aac -ar 44100 -ac 2"),
    ("aac-mono", "-c:a aac -ar 48000 -ac 1"),
    ("opus", "-c:a libopus -ar 48000 -ac 2"),
    ("flac", "-c:a flac -ar 48000 -ac 2 -strict -2"),
    ("mp3", "-c:a libmp3lame -ar 44100 -ac 2"),
    ("ac3", "-c:a ac3 -ar 48000 -ac 2"),
    ("eac3", "-c:a eac3 -ar 48000 -ac 2"),
    ("mp3-low", "-c:a libmp3lame -ar 22050 -ac 1"),
    ("ac3-5.1", "-c:a ac3 -ar 48000 -ac 6"),
    ("eac3-5.1", "-c:a eac3 -ar 44100 -ac 6"),
    (
        "flac-24",
        "-c:a flac -ar 96000 -ac 1 -sample_fmt s32 -strict -2",
    ),
];

static VERSION: LazyLock<Option<String>> = LazyLock::new(|| {
    let out = Command::new("ffmpeg").arg("-version").output().ok()?;
    Some(
        String::from_utf8_lossy(&out.stdout)
            .lines()
            .next()?
            .to_owned(),
    )
});

/// One at a time: encoders use all cores anyway.
static MAKING: Mutex<()> = Mutex::new(());

/// A fragmented MP4 with these streams; `None` (and a line that says why) where ffmpeg or the encoder is missing.
pub(crate) fn make(
    name: &str,
    video: Option<&str>,
    audio: Option<&str>,
    movflags: &str,
) -> Option<Vec<u8>> {
    let Some(version) = VERSION.as_ref() else {
        eprintln!("skipped: ffmpeg is not installed");
        return None;
    };
    let mut args: Vec<&str> = "-hide_banner -loglevel error -nostdin -y"
        .split(' ')
        .collect();
    if video.is_some() {
        args.extend("-f lavfi -i testsrc2=s=320x180:r=60:d=3".split(' '));
    }
    if audio.is_some() {
        args.extend([
            "-f",
            "lavfi",
            "-i",
            "aevalsrc=0.2*sin(440*2*PI*t)|0.2*sin(660*2*PI*t):d=3:s=48000",
        ]);
    }
    args.extend(video.into_iter().chain(audio).flat_map(|o| o.split(' ')));
    args.extend([
        "-map_metadata",
        "-1",
        "-fflags",
        "+bitexact",
        "-movflags",
        movflags,
        "-f",
        "mp4",
    ]);
    let mut hash = DefaultHasher::new();
    (version, &args).hash(&mut hash);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("cmaf-{name}-{:016x}.mp4", hash.finish()));
    let _one = MAKING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !path.exists() {
        // Another test may be making the same file: each makes its own and moves it into place.
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let out = Command::new("ffmpeg")
            .args(&args)
            .arg(&part)
            .output()
            .expect("ffmpeg runs");
        if !out.status.success() {
            eprintln!(
                "skipped {name}: {}",
                String::from_utf8_lossy(&out.stderr).trim()
            );
            return None;
        }
        std::fs::rename(&part, &path).expect("same folder");
    }
    Some(std::fs::read(&path).expect("just made"))
}

/// Debian's ffmpeg and a static FFmpeg 9 (`$MILLSTREAM_FFMPEG9`, else that of `cargo xtask setup`), as far as they are there.
pub(crate) fn ffmpegs() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = VERSION.iter().map(|_| "ffmpeg".into()).collect();
    match newest().filter(|p| p.is_file()) {
        Some(path) => found.push(path),
        None => eprintln!("skipped: no FFmpeg 9 (cargo xtask setup)"),
    }
    found
}

fn newest() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("MILLSTREAM_FFMPEG9") {
        return Some(path.into());
    }
    let clients = match std::env::var_os("MILLSTREAM_CLIENTS") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache/millstream-clients"),
    };
    let pythons = std::fs::read_dir(clients.join("venv/lib")).ok()?;
    let folders = pythons
        .flatten()
        .map(|p| p.path().join("site-packages/imageio_ffmpeg/binaries"));
    folders
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|files| files.flatten())
        .map(|file| file.path())
        .find(|p| {
            p.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with("ffmpeg-"))
        })
}

/// Runs a program to a good end without a word of complaint, and returns what it printed.
pub(crate) fn run(program: &Path, args: &[&str], line: &str) -> String {
    let out = Command::new(program)
        .args(args)
        .args(line.split_whitespace())
        .output()
        .expect("it starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && errors.trim().is_empty(),
        "{} {args:?} {line}: {errors}",
        program.display()
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Writes bytes to a file for a tool to read.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cmaf-out-{name}"));
    std::fs::write(&path, bytes).expect("written");
    path
}

/// A packet as ffprobe sees it: stream, presentation time in microseconds, bytes, key.
pub(crate) type Packet = (u32, i64, u64, bool);

pub(crate) fn probe_packets(path: &Path) -> Vec<Packet> {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "packet=stream_index,pts_time,size,flags",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(errors.trim().is_empty(), "ffprobe: {errors}");
    let text = String::from_utf8_lossy(&out.stdout);
    let mut list: Vec<Packet> = text
        .lines()
        .filter_map(|l| {
            let mut f = l.split(',');
            let stream = f.next()?.parse().ok()?;
            let time: f64 = f.next()?.parse().ok()?;
            Some((
                stream,
                (time * 1e6).round() as i64,
                f.next()?.parse().ok()?,
                f.next()?.starts_with('K'),
            ))
        })
        .collect();
    list.sort_unstable();
    list
}

/// `codec_name`, `codec_tag_string` and more of each stream.
pub(crate) fn probe_streams(path: &Path) -> String {
    let entries = "stream=codec_name,codec_tag_string,profile,width,height,sample_aspect_ratio,pix_fmt,color_space,sample_rate,channels";
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// MD5 of every decoded frame, in order, one list a stream.
pub(crate) fn decoded(path: &Path) -> Vec<String> {
    let out = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"])
        .arg(path)
        .args([
            "-map",
            "0",
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ])
        .output()
        .expect("ffmpeg runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && errors.trim().is_empty(),
        "ffmpeg: {errors}"
    );
    let mut lines: Vec<String> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| {
            let stream = l.split(',').next()?.trim().to_owned();
            let hash = l.rsplit(',').next()?.trim().to_owned();
            Some(format!("{stream} {hash}"))
        })
        .collect();
    // Order between streams is no matter; order within one is kept by the sort being stable.
    lines.sort_by_key(|l| l.split(' ').next().map(str::to_owned));
    lines
}

/// Asserts that two lists of frames are equal, stream by stream, and shows only the first difference. Newer versions of
/// ffmpeg leave out the priming frame of a sound track when an edit list says so; ours is allowed to have it.
pub(crate) fn alike(name: &str, ours: &[String], theirs: &[String]) {
    for stream in ["0 ", "1 "] {
        let of = |list: &[String]| -> Vec<String> {
            let mine = list.iter().filter(|l| l.starts_with(stream));
            mine.cloned().collect()
        };
        let (ours, theirs) = (of(ours), of(theirs));
        let more = ours.len().saturating_sub(theirs.len());
        assert!(
            more <= 1 && ours.len() >= theirs.len(),
            "{name}: {more} more"
        );
        let at = ours[more..].iter().zip(&theirs).position(|(a, b)| a != b);
        assert_eq!(at, None, "{name}: frames of stream {stream} differ");
    }
}
