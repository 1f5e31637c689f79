//! Other people's publishers, each watched by ffprobe's family over RTMP and HTTP-FLV.

use testkit::clients::{ffmpeg, ffmpeg9, gstreamer};
use testkit::{Program, Running, Server};

use crate::support::{Sample, sample, secs, watch};

/// Publishes with `publisher`, then plays by RTMP and HTTP-FLV.
fn check(publisher: Running, server: Server, key: &str) {
    let mut publisher = publisher;
    if !server.wait_for_stream(key, 2, secs(15)) {
        panic!(
            "{key} is not published: {}\n{}\n{}",
            server.api("streams"),
            publisher.stderr(),
            server.log()
        );
    }
    let stream = server.api(&format!("streams/{key}"));
    println!("{stream}");
    for kind in ["jump", "reorder", "gap"] {
        assert_eq!(
            stream["repairs"][kind], 0,
            "a clean publisher needs no repair"
        );
    }
    for url in [server.rtmp_url(key), server.http_url(&format!("{key}.flv"))] {
        let Some(player) = ffmpeg() else { return };
        watch(player, &url, 2).assert(["h264", "aac"], 40);
    }
    assert!(publisher.is_running(), "{}", publisher.stderr());
    assert!(!server.log().contains("panicked"));
}

fn looped(program: Program, server: &Server, key: &str) -> Option<Running> {
    let media = sample(Sample::H264Aac, "mkv")?;
    let running = program
        .line("-re -stream_loop -1 -i")
        .arg(media)
        .line("-c copy -f flv")
        .arg(server.rtmp_url(key))
        .spawn();
    Some(running.unwrap())
}

#[test]
fn ffmpeg_5_publishes() {
    let Some(program) = ffmpeg() else { return };
    let server = Server::start(&[]).unwrap();
    let Some(publisher) = looped(program, &server, "live/five") else {
        return;
    };
    check(publisher, server, "live/five");
}

#[test]
fn ffmpeg_9_publishes() {
    let Some(program) = ffmpeg9() else { return };
    let server = Server::start(&[]).unwrap();
    let Some(publisher) = looped(program, &server, "live/eu/nine") else {
        return;
    };
    check(publisher, server, "live/eu/nine");
}

#[test]
fn gstreamer_publishes() {
    for sink in ["rtmp2sink", "rtmpsink"] {
        let Some(program) = gstreamer() else { return };
        let server = Server::start(&[]).unwrap();
        let url = server.rtmp_url("live/gst");
        let publisher = program
            .line("-q videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=30/1")
            .line("! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse")
            .line("! flvmux name=mux streamable=true !")
            .args([sink, &format!("location={url}")])
            .line("audiotestsrc is-live=true ! audio/x-raw,rate=44100,channels=2 ! voaacenc ! aacparse ! mux.")
            .spawn()
            .unwrap();
        println!("{sink}");
        check(publisher, server, "live/gst");
    }
}
