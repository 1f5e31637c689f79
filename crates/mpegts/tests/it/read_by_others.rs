//! Our transport streams in other people's hands: ffprobe, ffmpeg and GStreamer read the frames that the source had.

use std::path::Path;
use std::process::Command;

use millstream_mpegts::MuxOptions;

use crate::sample::{self, USUAL, demux, ffmpeg, mux};

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
    assert!(
        out.status.success() && errors.is_empty(),
        "{}: {errors}",
        file.display()
    );
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit(',').next()?.trim().to_owned()))
        .collect()
}

/// Checksum of what GStreamer decodes, through its own demuxer.
fn gstreamer(file: &Path, chain: &str) -> String {
    let out = Command::new("gst-launch-1.0")
        .args(["-q", "filesrc"])
        .arg(format!("location={}", file.display()))
        .args(format!("! tsdemux name=d d. ! {chain} ! checksumsink hash=md5").split_whitespace())
        .output()
        .expect("GStreamer runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {errors}", file.display());
    // `time checksum` for each buffer: the times are the container's.
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect::<Vec<_>>()
        .join("\n")
}

fn sources() -> Vec<(
    &'static str,
    String,
    Option<&'static str>,
    Option<&'static str>,
)> {
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25";
    vec![
        (
            "h264-aac",
            USUAL.to_owned(),
            Some("h264parse ! avdec_h264"),
            Some("aacparse ! avdec_aac"),
        ),
        (
            "h265-ac3",
            format!("{h265} -c:a ac3"),
            Some("h265parse ! avdec_h265"),
            Some("ac3parse ! avdec_ac3"),
        ),
        (
            "mpeg2-mp2",
            "-c:v mpeg2video -bf 2 -g 12 -c:a mp2".to_owned(),
            Some("mpegvideoparse ! avdec_mpeg2video"),
            Some("mpegaudioparse ! avdec_mp2float"),
        ),
        (
            "h264-eac3",
            format!("{USUAL} -c:a eac3"),
            None,
            Some("ac3parse ! avdec_eac3"),
        ),
        (
            "h264-opus",
            format!("{USUAL} -c:a libopus"),
            None,
            Some("opusparse ! avdec_opus"),
        ),
        (
            "h264-mp3",
            format!("{USUAL} -c:a libmp3lame"),
            None,
            Some("mpegaudioparse ! avdec_mp3"),
        ),
    ]
}

#[test]
fn ffmpeg_decodes_the_same() {
    let newest = sample::newest_ffmpeg();
    let tools = [Path::new("ffmpeg"), &newest];
    for (name, options, ..) in sources() {
        let theirs = ffmpeg(name, &options);
        let media = demux(&sample::read(&theirs));
        for rate in [None, Some(2_500_000)] {
            let mut options = MuxOptions::default();
            options.bitrate_bps = rate;
            let ours = sample::file(&format!("{name}-{}", rate.is_some()), &mux(&media, options));
            for tool in tools {
                for map in ["0:v:0", "0:a:0"] {
                    let want = decoded(tool, &theirs, map);
                    assert!(!want.is_empty());
                    assert_eq!(decoded(tool, &ours, map), want, "{name} {map} {tool:?}");
                }
            }
            std::fs::remove_file(ours).unwrap();
        }
    }
}

#[test]
fn gstreamer_decodes_the_same() {
    for (name, options, video, audio) in sources() {
        let theirs = ffmpeg(name, &options);
        let ours = mux(&demux(&sample::read(&theirs)), MuxOptions::default());
        let ours = sample::file(&format!("{name}-gst"), &ours);
        for chain in [video, audio].into_iter().flatten() {
            let want = gstreamer(&theirs, chain);
            assert!(want.lines().count() > 20, "{name} {chain}: {want}");
            assert_eq!(gstreamer(&ours, chain), want, "{name} {chain}");
        }
        std::fs::remove_file(ours).unwrap();
    }
}

#[test]
fn ffprobe_sees_tracks_and_no_errors() {
    for (name, options, ..) in sources() {
        let theirs = ffmpeg(name, &options);
        let ours = sample::file(
            &format!("{name}-probe"),
            &mux(&demux(&sample::read(&theirs)), MuxOptions::default()),
        );
        let probe = |file: &Path| {
            let entries =
                "stream=codec_name,profile,width,height,sample_rate,channels,nb_read_packets";
            let out = Command::new("ffprobe")
                .args(["-v", "warning", "-count_packets", "-show_entries", entries])
                .args(["-of", "compact=p=0"])
                .arg(file)
                .output()
                .expect("ffprobe runs");
            let errors = String::from_utf8_lossy(&out.stderr);
            assert!(errors.is_empty(), "{name}: {errors}");
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        assert_eq!(probe(&ours), probe(&theirs), "{name}");
        std::fs::remove_file(ours).unwrap();
    }
}
