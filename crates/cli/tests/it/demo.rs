//! `millstream demo`: a live picture with sound, from one command, and a clean end.

use std::process::Command;
use std::time::Duration;

use crate::support::Demo;

#[test]
fn the_demo_can_be_watched() {
    let demo = Demo::start(&[]);
    // A debug build on a busy machine; the figure of a release build is in docs/benchmarks.md.
    assert!(demo.began < Duration::from_secs(5), "{:?}", demo.began);
    let flv = demo.get("/live/demo.flv", 20_000);
    let text = String::from_utf8_lossy(&flv);
    assert!(
        text.starts_with("HTTP/1.1 200 OK"),
        "{}",
        &text[..200.min(text.len())]
    );
    assert!(flv.windows(3).any(|w| w == b"FLV"));
    let page = String::from_utf8(demo.get("/live/demo/", 100_000)).unwrap();
    assert!(page.contains("<video"), "{page}");
    // The page knows where RTMP is on this server.
    let port = demo.rtmp.rsplit(':').next().unwrap();
    assert!(page.contains(&format!("&quot;rtmp&quot;:{port}")), "{page}");
    let streams = String::from_utf8(demo.get("/api/v1/streams", 100_000)).unwrap();
    assert!(
        streams.contains("\"key\":\"live/demo\",\"state\":\"publishing\""),
        "{streams}"
    );
}

#[test]
fn other_players_agree() {
    if Command::new("ffprobe").arg("-version").output().is_err() {
        eprintln!("skipped: no ffprobe on this machine");
        return;
    }
    let demo = Demo::start(&[]);
    for url in [
        format!("http://{}/live/demo.flv", demo.http),
        format!("http://{}/live/demo.mp4", demo.http),
        format!("rtmp://{}/live/demo", demo.rtmp),
        format!("http://{}/live/demo/index.m3u8", demo.http),
    ] {
        let output = Command::new("timeout")
            .args([
                "20",
                "ffprobe",
                "-v",
                "error",
                "-show_entries",
                "stream=codec_name",
                "-of",
                "csv=p=0",
                &url,
            ])
            .output()
            .unwrap();
        let mut codecs: Vec<_> = String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        codecs.sort();
        codecs.dedup();
        assert_eq!(
            codecs,
            ["aac", "h264"],
            "{url}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn it_ends_cleanly_while_somebody_watches() {
    for (signal, code) in [("-TERM", 0), ("-INT", 130)] {
        let demo = Demo::start(&["--log-format", "json"]);
        let http = demo.http.clone();
        let watching = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut socket = std::net::TcpStream::connect(http).unwrap();
            write!(
                socket,
                "GET /live/demo.flv HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            .unwrap();
            let mut all = Vec::new();
            socket.read_to_end(&mut all).unwrap();
            all
        });
        std::thread::sleep(Duration::from_millis(500));
        let (exit, took, log) = demo.end(signal);
        assert_eq!(exit, Some(code), "{log}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(
            watching.join().unwrap().ends_with(b"\r\n0\r\n\r\n"),
            "the viewer's answer was finished"
        );
        for line in log.lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect(line);
            assert!(
                event["level"].is_string() && event["timestamp"].is_string(),
                "{line}"
            );
        }
        assert!(log.contains("shut down"), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}
