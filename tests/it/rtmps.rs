//! RTMP over TLS with ffmpeg, both ways.

use testkit::clients::{ffmpeg, ffmpeg9};
use testkit::{Program, Server, free_port};

use crate::support::{Sample, sample, secs, watch};

/// A server with RTMPS on a port of its own, and a certificate made for it.
fn secure() -> (Server, u16, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = free_port().unwrap();
    let sets = [
        format!("rtmps.listen=127.0.0.1:{port}"),
        format!("tls.certificate={}", certificate.display()),
        format!("tls.key={}", key.display()),
    ];
    let args: Vec<&str> = sets.iter().flat_map(|s| ["--set", s.as_str()]).collect();
    (Server::start(&args).unwrap(), port, folder)
}

fn both_ways(program: fn() -> Option<Program>) {
    let (Some(publisher), Some(player), Some(media)) =
        (program(), program(), sample(Sample::H264Aac, "flv"))
    else {
        return;
    };
    let (server, port, folder) = secure();
    // FFmpeg 9 asks whose certificate it is; 5.1 does not.
    let trusted = folder.path().join("cert.pem");
    let (publisher, player) = (
        publisher.env("SSL_CERT_FILE", &trusted),
        player.env("SSL_CERT_FILE", &trusted),
    );
    let url = format!("rtmps://localhost:{port}/live/safe");
    let publisher = publisher
        .line("-re -stream_loop -1 -i")
        .arg(media)
        .line("-c copy -f flv")
        .arg(&url)
        .spawn()
        .unwrap();
    let known = server.wait_for_stream("live/safe", 2, secs(15));
    assert!(known, "{}\n{}", publisher.stderr(), server.log());
    let protocol = server.api("streams/live/safe")["publisher"]["protocol"].clone();
    println!("publisher: {protocol}");
    watch(player, &url, 2).assert(["h264", "aac"], 40);
    // What came in over TLS goes out in the clear as well.
    if let Some(player) = program() {
        watch(player, &server.rtmp_url("live/safe"), 2).assert(["h264", "aac"], 40);
    }
    assert!(!server.log().contains("panicked"));
}

#[test]
fn ffmpeg_5_both_ways() {
    both_ways(ffmpeg);
}

#[test]
fn ffmpeg_9_both_ways() {
    both_ways(ffmpeg9);
}

#[test]
fn what_is_no_tls_is_closed_and_harms_nobody() {
    use std::io::{Read, Write};
    let (server, port, _folder) = secure();
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(secs(8))).unwrap();
    socket.write_all(&[3; 1_537]).unwrap();
    let mut answer = Vec::new();
    // An alert may come before the close.
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.len() < 64, "{} bytes", answer.len());
    // A handshake that never goes on is closed in time.
    let mut silent = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    silent.set_read_timeout(Some(secs(8))).unwrap();
    let begun = std::time::Instant::now();
    let end = silent.read(&mut [0; 16]);
    let took = begun.elapsed();
    println!("silent: {end:?} after {took:?}");
    assert!(took < secs(7) && took > secs(3), "{took:?}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
