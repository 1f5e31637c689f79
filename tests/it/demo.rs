//! The first command of the README: a live picture with nothing but the binary.

use testkit::clients::ffmpeg;
use testkit::{Program, binary, free_port, wait_for_listener};

use crate::support::{secs, watch};

#[test]
fn the_demo_plays() {
    let (rtmp, http) = (free_port().unwrap(), free_port().unwrap());
    let data = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-data");
    let demo = Program::new(binary().unwrap())
        .arg("demo")
        .arg("--data")
        .arg(data)
        .args(["--set", &format!("rtmp.listen=127.0.0.1:{rtmp}")])
        .args(["--set", &format!("http.listen=127.0.0.1:{http}")])
        .line("--set rtsp.listen= --set srt.listen= --set webrtc.udp_listen= --set webrtc.tcp_listen= --set http.tls_listen= --set rtmps.listen=")
        .spawn()
        .unwrap();
    assert!(
        wait_for_listener(([127, 0, 0, 1], http).into(), secs(20)),
        "{}",
        demo.stderr()
    );
    std::thread::sleep(secs(3));
    println!("{}", String::from_utf8_lossy(&demo.stdout()));
    for url in [
        format!("rtmp://127.0.0.1:{rtmp}/live/demo"),
        format!("http://127.0.0.1:{http}/live/demo.flv"),
        format!("http://127.0.0.1:{http}/live/demo/index.m3u8"),
    ] {
        let Some(player) = ffmpeg() else { return };
        println!("{url}");
        watch(player, &url, 2).assert(["h264", "aac"], 40);
    }
    let done = demo.interrupt();
    println!("Ctrl-C: {:?} after {:?}", done.status, done.took);
    assert_eq!(done.status.unwrap().code(), Some(130));
}
