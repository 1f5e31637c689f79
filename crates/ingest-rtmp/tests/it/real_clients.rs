//! ffmpeg, GStreamer and rtmpdump against the server; each is left out, and says so, where it is not installed.

use std::time::Duration;

use testkit::clients;
use testkit::{Finished, Program, Running};

use crate::rig::{Rig, until};

const PICTURE_AND_TONE: &str = "-re -f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine=r=48000";
const X264_AAC: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a aac -f flv";

/// ffmpeg publishing picture and tone at their own rate.
fn publish(program: Program, codecs: &str, seconds: u32, url: &str) -> Running {
    let seconds = seconds.to_string();
    let program = program.line(PICTURE_AND_TONE).args(["-t", &seconds]);
    program.line(codecs).arg(url).spawn().unwrap()
}

async fn finish(running: Running) -> Finished {
    let done = tokio::task::spawn_blocking(|| running.finish_within(Duration::from_secs(40)));
    done.await.unwrap()
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
    let (Some(ffmpeg), Some(ffprobe)) = (clients::ffmpeg(), clients::ffprobe()) else {
        return;
    };
    let rig = Rig::new();
    let publisher = publish(ffmpeg, X264_AAC, 4, &rig.url("live/eu/cam?token=x"));
    publishing(&rig, "live/eu", "cam").await;
    let probe = ffprobe
        .line("-show_entries stream=codec_name,width,sample_rate:packet=codec_type,pts_time,flags")
        .line("-of csv")
        .arg(rig.url("live/eu/cam"))
        .spawn()
        .unwrap();
    let (probe, publisher) = tokio::join!(finish(probe), finish(publisher));
    assert!(probe.stderr.is_empty(), "ffprobe: {}", probe.stderr);
    assert!(publisher.stderr.is_empty(), "ffmpeg: {}", publisher.stderr);
    let out = probe.text();
    assert!(
        out.contains("h264,320") && out.contains("aac,48000"),
        "{out}"
    );
    let packets = |kind: &str| {
        let start = format!("packet,{kind}");
        out.lines().filter(|l| l.starts_with(&start)).count()
    };
    assert!(packets("video") >= 50 && packets("audio") >= 90, "{out}");
    let first = out.lines().find(|l| l.starts_with("packet,video"));
    assert!(first.unwrap().contains('K'), "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_9_brings_enhanced_codecs_to_late_players() {
    for (name, codecs, enhanced) in [
        (
            "hevc_aac",
            "-c:v libx265 -preset ultrafast -x265-params log-level=0:keyint=25 -c:a aac",
            "hvc1",
        ),
        (
            "av1_aac",
            "-c:v libsvtav1 -preset 12 -g 25 -c:a aac",
            "av01",
        ),
        (
            "av1_opus",
            "-c:v libsvtav1 -preset 12 -g 25 -c:a libopus",
            "av01,Opus",
        ),
        (
            "vp9_opus",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -c:a libopus",
            "vp09,Opus",
        ),
    ] {
        let (Some(ffmpeg), Some(player)) = (clients::ffmpeg9(), clients::ffmpeg9()) else {
            return;
        };
        let rig = Rig::new();
        let codecs = format!("{codecs} -f flv -rtmp_enhanced_codecs {enhanced}");
        let publisher = publish(ffmpeg, &codecs, 6, &rig.url(&format!("live/{name}")));
        publishing(&rig, "live", name).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let player = player
            .arg("-rtmp_enhanced_codecs")
            .arg("hvc1,av01,vp09,Opus")
            .args(["-i", &rig.url(&format!("live/{name}"))])
            .line("-map 0 -c copy -f framecrc -")
            .spawn()
            .unwrap();
        let (player, _) = tokio::join!(finish(player), finish(publisher));
        let out = player.text();
        let (video, audio) = name.split_once('_').unwrap();
        assert!(
            out.contains(&format!("codec_id 0: {video}")),
            "{name}: {out}{}",
            player.stderr
        );
        assert!(
            out.contains(&format!("codec_id 1: {audio}")),
            "{name}: {out}"
        );
        let packets = |track: &str| out.lines().filter(|l| l.starts_with(track)).count();
        assert!(packets("0,") > 40 && packets("1,") > 60, "{name}: {out}");
        assert!(player.stderr.is_empty(), "{name}: {}", player.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmpdump_plays_to_the_end() {
    let (Some(ffmpeg), Some(rtmpdump)) = (clients::ffmpeg(), clients::rtmpdump()) else {
        return;
    };
    let rig = Rig::new();
    let publisher = publish(ffmpeg, X264_AAC, 3, &rig.url("live/cam"));
    publishing(&rig, "live", "cam").await;
    let file = std::env::temp_dir().join(format!("rtmpdump-{}.flv", std::process::id()));
    let dump = rtmpdump
        .args(["-v", "-r", &rig.url("live/cam"), "-o"])
        .arg(&file)
        .spawn()
        .unwrap();
    let (dump, _) = tokio::join!(finish(dump), finish(publisher));
    let bytes = std::fs::read(&file).unwrap();
    let _ = std::fs::remove_file(&file);
    assert!(
        bytes.starts_with(b"FLV") && bytes.len() > 50_000,
        "{} bytes, {}",
        bytes.len(),
        dump.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_publishes() {
    let Some(gstreamer) = clients::gstreamer() else {
        return;
    };
    let rig = Rig::new();
    let publisher = gstreamer
        .line("-q flvmux streamable=true name=mux ! rtmp2sink")
        .arg(format!("location={}", rig.url("live/gst")))
        .line("videotestsrc is-live=true num-buffers=75")
        .line("! video/x-raw,width=160,height=120,framerate=25/1")
        .line("! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! mux.")
        .line("audiotestsrc is-live=true num-buffers=140 ! audioconvert ! avenc_aac ! mux.")
        .spawn()
        .unwrap();
    publishing(&rig, "live", "gst").await;
    let key = core_frame::StreamKey::new("live", "gst");
    let handle = rig.engine.get_stream(&key).unwrap();
    let publisher = finish(publisher).await;
    let frames = handle.qos().frames_in;
    assert!(frames >= 150, "{frames} frames; {}", publisher.stderr);
}
