//! The RTMP peer's chunks read back, and publish to Debian's ffmpeg as a server.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use millstream_testkit::clients::ffmpeg;
use millstream_testkit::rtmp::Publisher;
use millstream_testkit::synth::{Options, read_barcode};
use millstream_testkit::{NumberCheck, free_port};

#[test]
fn a_numbered_stream_reaches_somebody_elses_server() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let port = free_port().unwrap();
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    let listening = ffmpeg
        .args(["-listen", "1", "-i", &url])
        .line("-fps_mode passthrough -f rawvideo -pix_fmt gray -")
        .spawn()
        .unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let publisher = (0..50).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        Publisher::start(to, "live", "cam", Options::default().frames(60)).ok()
    });
    let publisher = publisher.expect("ffmpeg takes the stream");
    let done = listening.finish_within(Duration::from_secs(20));
    let sent = publisher.stop();
    let mut check = NumberCheck::default();
    for picture in done.stdout.chunks_exact(160 * 96) {
        check.number(read_barcode(picture, 160, 160, 96));
    }
    println!(
        "sent {sent:?} frames; ffmpeg showed {check}; {}",
        done.stderr
    );
    assert!(check.is_whole() && check.seen == 60, "{check}");
}

#[test]
fn a_port_that_is_taken_is_not_free() {
    let port = free_port().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert_ne!(free_port().unwrap(), taken.local_addr().unwrap().port());
}
