//! Load on the binary's own server, from its own generator.

use std::fs;

use crate::support::{Demo, millstream, said};

#[test]
fn visitors_of_every_kind_leave_nothing_behind() {
    let demo = Demo::start(&[]);
    let api = format!("http://{}", demo.http);
    let report = tempfile::NamedTempFile::new().unwrap();
    let status = millstream(&["load", "churn", "--rate", "600/min", "--duration", "3"])
        .args(["--hold", "0.2", "--settle", "3", "--json"])
        .args(["--url", &format!("rtmp://{}/live/demo", demo.rtmp)])
        .args(["--url", &format!("rtmp://{}/live/own{{n}}", demo.rtmp)])
        .args(["--url", &format!("{api}/live/demo.flv")])
        .args(["--url", &format!("{api}/live/demo/index.m3u8")])
        .args(["--url", &format!("{api}/live/demo.mp4")])
        .args(["--pid", &demo.pid(), "--api", &api])
        .stdout(fs::File::create(report.path()).unwrap())
        .status()
        .unwrap();
    let text = fs::read_to_string(report.path()).unwrap();
    assert_eq!(status.code(), Some(0), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["visitors"]["came"], 30, "{text}");
    assert_eq!(json["visitors"]["served"], 30, "{text}");
    assert_eq!(json["targets"].as_array().unwrap().len(), 5);
    // RTMP and HTTP-FLV readers are gone at once; a viewer of HLS is remembered for a while.
    assert!(
        json["api_after"]["readers"].as_u64().unwrap() <= 6,
        "{text}"
    );
    let fds = |at: &str| json["server"][at]["fds"].as_u64().unwrap();
    assert!(fds("peak") >= fds("start"), "{text}");
    assert!(fds("end") <= fds("start") + 4, "{text}");
}

#[test]
fn a_server_that_is_not_there_is_a_failure() {
    let (out, err, code) = said(&[
        "load",
        "play",
        "--url",
        "rtmp://127.0.0.1:1/live/cam",
        "--count",
        "2",
        "--duration",
        "1",
    ]);
    assert_eq!(code, 1, "{err}");
    assert!(out.contains("cannot connect"), "{out}");
}
