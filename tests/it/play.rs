//! Other people's players of a numbered stream: every frame, in order, and the right picture.

use testkit::clients::{ffmpeg, ffmpeg9, ffprobe, rtmpdump};
use testkit::rtmp::Reader;
use testkit::synth::{Options, read_barcode};
use testkit::{NumberCheck, Program};

use crate::support::{numbered, read_flv, secs, watch};

/// Decodes `seconds` of `url` and reads the numbers off the pictures.
fn pictures(ffmpeg: Program, url: &str, seconds: u64) -> NumberCheck {
    let done = ffmpeg
        .args(["-i", url])
        .line(&format!(
            "-t {seconds} -map 0:v -fps_mode passthrough -f rawvideo -pix_fmt gray -"
        ))
        .timeout(secs(seconds + 30))
        .run()
        .unwrap();
    let mut check = NumberCheck::default();
    for picture in done.stdout.chunks_exact(160 * 96) {
        check.number(read_barcode(picture, 160, 160, 96));
    }
    println!("{url}: {check} {}", done.stderr.trim());
    check
}

#[test]
fn every_picture_of_every_protocol_shows_its_number() {
    let (server, _publisher) = numbered("cam", Options::default());
    let hls = server.http_url("live/cam/index.m3u8");
    // Segments have to exist before a player of whole segments can start.
    std::thread::sleep(secs(3));
    for url in [
        server.rtmp_url("live/cam"),
        server.http_url("live/cam.flv"),
        server.http_url("live/cam.mp4"),
        hls,
    ] {
        for player in [ffmpeg(), ffmpeg9()].into_iter().flatten() {
            let check = pictures(player, &url, 3);
            assert!(
                check.is_whole() && check.seen >= 60,
                "{url}: {check}\n{}",
                server.log()
            );
        }
    }
    assert!(!server.log().contains("panicked"));
}

#[test]
fn ffprobe_knows_the_tracks() {
    let (server, _publisher) = numbered("cam", Options::default());
    let Some(ffprobe) = ffprobe() else { return };
    let done = ffprobe
        .line("-of json -show_streams -read_intervals %+1 -i")
        .arg(server.rtmp_url("live/cam"))
        .run()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let (video, audio) = (&told["streams"][0], &told["streams"][1]);
    println!(
        "{} {}x{} {}, {} {}",
        video["codec_name"],
        video["width"],
        video["height"],
        video["r_frame_rate"],
        audio["codec_name"],
        audio["sample_rate"]
    );
    assert_eq!(
        (&video["codec_name"], &video["width"], &video["height"]),
        (&"h264".into(), &160.into(), &96.into())
    );
    assert_eq!(
        (&audio["codec_name"], &audio["sample_rate"]),
        (&"aac".into(), &"48000".into())
    );
    let api = server.api("streams/live/cam");
    assert_eq!(api["tracks"][0]["codec_string"], "avc1.42c00c", "{api}");
    assert_eq!(api["tracks"][0]["width"], 160);
    assert_eq!(api["tracks"][1]["sample_rate"], 48_000);
}

#[test]
fn rtmpdump_gets_every_frame() {
    let (server, _publisher) = numbered("cam", Options::default());
    let Some(rtmpdump) = rtmpdump() else { return };
    let done = rtmpdump
        .args(["--live", "-o", "-", "-r"])
        .arg(server.rtmp_url("live/cam"))
        .timeout(secs(5))
        .run()
        .unwrap();
    let stream = read_flv(&done.stdout);
    let check = stream.numbers();
    println!("{:?}: {check} {}", stream.codecs(), done.stderr.trim());
    assert!(
        check.is_whole() && check.video.seen >= 90 && check.audio.seen >= 130,
        "{check}"
    );
}

#[test]
fn readers_that_join_at_any_time_begin_at_a_key_frame() {
    let (server, publisher) = numbered("cam", Options::default().gop(60));
    let readers: Vec<_> = (0..12)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(170));
            Reader::start(server.rtmp(), "live", "cam").unwrap()
        })
        .collect();
    std::thread::sleep(secs(3));
    let sent = publisher.stop().unwrap();
    for reader in readers {
        let (check, _) = reader.stop();
        println!("{check}");
        assert!(check.is_whole(), "{check}");
        assert!(check.video.first.unwrap().is_multiple_of(60), "{check}");
    }
    println!("{sent} frames sent\n{}", server.log());
}

#[test]
fn b_frames_and_a_full_bitrate_pass() {
    let options = Options::default()
        .size(640, 352)
        .b_frames(2)
        .bitrate(4_200_000);
    let (server, _publisher) = numbered("cam", options);
    for url in [
        server.rtmp_url("live/cam"),
        server.http_url("live/cam.flv"),
        server.http_url("live/cam.mp4"),
    ] {
        let Some(player) = ffmpeg() else { return };
        let played = watch(player, &url, 3);
        println!("{url}");
        played.assert(["h264", "aac"], 60);
    }
    let reader = Reader::start(server.rtmp(), "live", "cam").unwrap();
    assert!(reader.wait_for(90, secs(10)));
    let (check, _) = reader.stop();
    println!("{check}");
    assert!(check.is_whole());
}
