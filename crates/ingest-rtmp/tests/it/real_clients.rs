//! ffmpeg, GStreamer and rtmpdump against the server; each is left out, and says so, where it is not installed.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::rig::{Rig, until};

/// The program, if it is there.
fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&paths)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        eprintln!("left out: {name} is not installed");
    }
    found
}

/// A program that is killed when the test is over before it.
struct Running(Option<Child>);

fn spawn(program: &PathBuf, args: &[&str]) -> Running {
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(Some(child.unwrap()))
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What it said, on standard output and standard error.
async fn output(mut running: Running) -> (String, String) {
    let child = running.0.take().unwrap();
    let id = child.id();
    let start = Instant::now();
    let done = tokio::task::spawn_blocking(|| child.wait_with_output());
    let output = tokio::time::timeout(Duration::from_secs(60), done).await;
    let output = output.unwrap_or_else(|_| panic!("process {id} runs for {:?}", start.elapsed()));
    let output = output.unwrap().unwrap();
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// ffmpeg publishing picture and tone at their own rate.
fn ffmpeg(program: &PathBuf, url: &str, seconds: &str) -> Running {
    spawn(
        program,
        &[
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25",
            "-f",
            "lavfi",
            "-i",
            "sine=r=48000",
            "-t",
            seconds,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
            "-g",
            "25",
            "-bf",
            "0",
            "-c:a",
            "aac",
            "-f",
            "flv",
            url,
        ],
    )
}

async fn publishing(rig: &Rig, app: &str, name: &str) {
    let key = core_frame::StreamKey::new(app, name);
    until("the stream has its tracks and frames", || {
        rig.engine
            .get_stream(&key)
            .is_ok_and(|s| s.tracks().tracks.len() == 2 && s.qos().frames_in > 10)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_publishes_and_ffprobe_reads() {
    let (Some(encoder), Some(ffprobe)) = (program("ffmpeg"), program("ffprobe")) else {
        return;
    };
    let rig = Rig::new();
    let url = rig.url("live/eu/cam?token=x");
    let publisher = ffmpeg(&encoder, &url, "4");
    publishing(&rig, "live/eu", "cam").await;
    let probe = spawn(
        &ffprobe,
        &[
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,width,sample_rate",
            "-show_entries",
            "packet=codec_type,pts_time,flags",
            "-of",
            "csv",
            &rig.url("live/eu/cam"),
        ],
    );
    let ((out, errors), (_, publish_errors)) = tokio::join!(output(probe), output(publisher));
    assert!(errors.is_empty(), "ffprobe: {errors}");
    assert!(publish_errors.is_empty(), "ffmpeg: {publish_errors}");
    assert!(
        out.contains("h264,320") && out.contains("aac,48000"),
        "{out}"
    );
    let packets = |kind: &str| {
        out.lines()
            .filter(|l| l.starts_with(&format!("packet,{kind}")))
            .count()
    };
    // The last second at least, from a key frame on.
    assert!(packets("video") >= 50 && packets("audio") >= 90, "{out}");
    let first = out.lines().find(|l| l.starts_with("packet,video")).unwrap();
    assert!(first.contains('K'), "{first}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmpdump_plays_to_the_end() {
    let (Some(encoder), Some(rtmpdump)) = (program("ffmpeg"), program("rtmpdump")) else {
        return;
    };
    let rig = Rig::new();
    let publisher = ffmpeg(&encoder, &rig.url("live/cam"), "3");
    publishing(&rig, "live", "cam").await;
    let dir = std::env::temp_dir().join(format!("rtmpdump-{}.flv", std::process::id()));
    let file = dir.to_str().unwrap();
    let dump = spawn(
        &rtmpdump,
        &["-q", "-v", "-r", &rig.url("live/cam"), "-o", file],
    );
    let ((_, errors), _) = tokio::join!(output(dump), output(publisher));
    let bytes = std::fs::read(&dir).unwrap();
    let _ = std::fs::remove_file(&dir);
    assert!(
        bytes.starts_with(b"FLV") && bytes.len() > 50_000,
        "{} bytes, {errors}",
        bytes.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_publishes() {
    let Some(gst) = program("gst-launch-1.0") else {
        return;
    };
    let rig = Rig::new();
    let location = format!("location={}", rig.url("live/gst"));
    let publisher = spawn(
        &gst,
        &[
            "-q",
            "flvmux",
            "streamable=true",
            "name=mux",
            "!",
            "rtmp2sink",
            &location,
            "videotestsrc",
            "is-live=true",
            "num-buffers=75",
            "!",
            "video/x-raw,width=160,height=120,framerate=25/1",
            "!",
            "x264enc",
            "tune=zerolatency",
            "speed-preset=ultrafast",
            "key-int-max=25",
            "!",
            "mux.",
            "audiotestsrc",
            "is-live=true",
            "num-buffers=140",
            "!",
            "audioconvert",
            "!",
            "avenc_aac",
            "!",
            "mux.",
        ],
    );
    publishing(&rig, "live", "gst").await;
    let key = core_frame::StreamKey::new("live", "gst");
    let handle = rig.engine.get_stream(&key).unwrap();
    let (_, errors) = output(publisher).await;
    let frames = handle.qos().frames_in;
    assert!(frames >= 150, "{frames} frames; {errors}");
}
