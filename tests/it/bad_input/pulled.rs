//! FLV over HTTP from an origin that means harm (case R16): what the client side of the toolkit makes of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use core_frame::MediaKind;
use testkit::Program;
use testkit::rtmp::{Reader, audio_body, chunked, sequence_headers, video_body};
use testkit::synth::{Options, Source};

use crate::support::secs;

/// An origin that answers every request with these bytes as `video/x-flv`, and then closes.
fn origin(body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut request = [0; 4_096];
            let _ = socket.read(&mut request);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(head.as_bytes());
            let _ = socket.write_all(&body);
        }
    });
    at
}

fn tag(kind: u8, time: u32, body: &[u8]) -> Vec<u8> {
    let (size, stamp) = ((body.len() as u32).to_be_bytes(), time.to_be_bytes());
    let mut tag = vec![
        kind, size[1], size[2], size[3], stamp[1], stamp[2], stamp[3], stamp[0], 0, 0, 0,
    ];
    tag.extend_from_slice(body);
    tag.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
    tag
}

/// A good file: header and `frames` frames; the places where its tags begin.
fn good(frames: usize) -> (Vec<u8>, Vec<usize>) {
    let source = Source::new(Options::default()).unwrap();
    let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    let mut starts = Vec::new();
    for (kind, body) in sequence_headers(&source.tracks()) {
        file.extend_from_slice(&tag(kind, 0, &body));
    }
    for frame in source.take(frames) {
        starts.push(file.len());
        let time = frame.dts.as_millis() as u32;
        file.extend_from_slice(&match frame.kind() {
            MediaKind::Video => tag(9, time, &video_body(&frame)),
            _ => tag(8, time, &audio_body(&frame)),
        });
    }
    (file, starts)
}

/// Probes an origin with these bytes: exit code, what it says, and whether it took its memory from what was claimed.
fn probe(body: Vec<u8>) -> (Option<i32>, String) {
    let url = format!("http://{}/live/cam.flv", origin(body));
    let binary = testkit::binary().unwrap();
    // 512 MiB of address space: a declared length that is reserved ends the process.
    let finished = Program::new("prlimit")
        .arg("--as=536870912")
        .arg(binary)
        .args(["probe", url.as_str(), "--json", "--duration", "3"])
        .timeout(secs(20))
        .run()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&finished.stdout),
        finished.stderr
    );
    assert!(
        !said.contains("panicked") && !said.contains("memory allocation"),
        "{said}"
    );
    (finished.status.and_then(|s| s.code()), said)
}

#[test]
fn r16_hostile_flv_over_http() {
    let (whole, starts) = good(120);
    let (code, said) = probe(whole.clone());
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("\"h264\"") && said.contains("\"aac\""),
        "{said}"
    );

    let at = starts[60];
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = whole.clone();
        change(&mut file);
        file
    };
    // The tracks are found in front of the damage; the damage is told.
    let resyncs: [(&str, Vec<u8>); 5] = [
        ("header offset 2^32-1", changed(&|f| f[5..9].fill(0xFF))),
        (
            "DataSize 0xFFFFFF, then the end",
            changed(&|f| {
                f.truncate(at);
                f.extend_from_slice(&[9, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x27]);
            }),
        ),
        (
            "DataSize 0xFFFFFF in the middle",
            changed(&|f| f[at + 1..at + 4].fill(0xFF)),
        ),
        (
            "PreviousTagSize wrong",
            changed(&|f| f[at - 4..at].fill(0xEE)),
        ),
        (
            "100 bytes of nothing",
            changed(&|f| {
                f.splice(at..at, [0xA5; 100]);
            }),
        ),
    ];
    for (name, file) in resyncs {
        let (code, said) = probe(file);
        println!("R16 {name}: {code:?}");
        assert!(
            said.contains("\"h264\"") && said.contains("\"aac\""),
            "{name}: {code:?} {said}"
        );
        assert!(said.contains("damage"), "{name}: {said}");
    }
    // Nothing can be made of these: an error that says so, at once.
    let mut bomb = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    let nested = [
        &b"\x02\x00\x0aonMetaData"[..],
        &b"\x03\x00\x01a".repeat(15_000),
    ]
    .concat();
    bomb.extend_from_slice(&tag(18, 0, &nested));
    bomb.extend_from_slice(&tag(18, 0, b"\x02\x00\x0aonMetaData\x08\xff\xff\xff\xff"));
    let (_, said) = probe(bomb);
    assert!(said.contains("nested deeper"), "{said}");
    let refusals: [(&str, Vec<u8>); 2] = [
        ("HTML", b"<html><body>not found</body></html>".to_vec()),
        ("nothing", Vec::new()),
    ];
    for (name, file) in refusals {
        let (code, said) = probe(file);
        println!(
            "R16 {name}: {code:?} {}",
            said.lines().last().unwrap_or_default()
        );
        assert_eq!(code, Some(1), "{name}: {said}");
    }
}

#[test]
fn r16_no_key_frame_for_a_minute() {
    // 60 s of pictures of which only the first is a key frame, 12 Mb/s: what is kept stays within its bound.
    let mut options = Options::default();
    (options.gop, options.bitrate) = (100_000, 12_000_000);
    let server = testkit::Server::start(&[]).unwrap();
    let mut publisher = testkit::rtmp::Peer::publish(server.rtmp(), "live", "endless").unwrap();
    publisher.message(1, 0, &65_536_u32.to_be_bytes()).unwrap();
    let source = Source::new(options).unwrap();
    for (kind, body) in sequence_headers(&source.tracks()) {
        let message = chunked(6, kind, 1, 0, &body, 65_536);
        publisher.write(&message).unwrap();
    }
    let mut sent = 0;
    for frame in source {
        let time = frame.dts.as_millis() as u32;
        if time > 60_000 {
            break;
        }
        let (lane, kind, body) = match frame.kind() {
            MediaKind::Video => (6, 9, video_body(&frame)),
            _ => (4, 8, audio_body(&frame)),
        };
        sent += body.len();
        publisher
            .write(&chunked(lane, kind, 1, time, &body, 65_536))
            .unwrap();
    }
    // Somebody reads it, so that the view of it fills as well.
    let reader = Reader::start(server.rtmp(), "live", "endless").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let rss = testkit::resources::rss_kib(server.pid()).unwrap() / 1_024;
    println!("R16 {} MB in one GOP, {rss} MiB resident", sent / 1_000_000);
    assert!(sent > 80_000_000, "{sent} bytes");
    // The log's 32 MiB, twice (frames and the RTMP view of them), the window's 8 MiB, and what a server needs.
    assert!(rss < 120, "{rss} MiB\n{}", server.log());
    drop(reader);
}
