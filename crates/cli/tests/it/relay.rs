//! `relay` from outside: exit codes, lines, and files that are whole after Ctrl-C.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Demo, millstream, said};

#[test]
fn ctrl_c_leaves_a_whole_file() {
    let demo = Demo::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.flv");
    let from = format!("rtmp://{}/live/demo", demo.rtmp);
    let mut child = millstream(&["relay", &from])
        .arg(&file)
        .arg("--json")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let pid = child.id().to_string();
    let signal = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(signal.success());
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, status) = lines.split_last().unwrap();
    assert!(
        status.iter().all(|line| line["event"] == "status"),
        "{text}"
    );
    assert!(
        status.iter().any(|line| line["source"]["state"] == "up"),
        "{text}"
    );
    assert_eq!(
        (&last["event"], &last["end"]),
        (&"end".into(), &"stopped".into())
    );
    let (out, err, code) = said(&["probe", &file.to_string_lossy(), "--json"]);
    assert_eq!(code, 0, "{err}");
    let probe: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(probe["tracks"].as_array().unwrap().len(), 2, "{out}");
    let said: f64 = probe["metadata"]["duration"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(said > 1.0, "{out}");
}

#[test]
fn stdout_gets_the_media_and_nothing_else() {
    let demo = Demo::start(&[]);
    let from = format!("rtmp://{}/live/demo", demo.rtmp);
    let output = millstream(&["relay", &from, "-", "--duration", "2"])
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(output.stdout.starts_with(b"FLV\x01\x05"), "{err}");
    assert!(output.stdout.len() > 20_000, "{err}");
    assert!(err.contains("its time was over"), "{err}");
}

#[test]
fn a_relay_to_the_same_server_can_be_watched() {
    let demo = Demo::start(&[]);
    let from = format!("rtmp://{}/live/demo", demo.rtmp);
    let to = format!("rtmp://{}/live/copy", demo.rtmp);
    let relay = std::thread::spawn({
        let (from, to) = (from, to.clone());
        move || said(&["relay", &from, &to, "--duration", "4"])
    });
    std::thread::sleep(Duration::from_secs(1));
    let (out, err, code) = said(&["probe", &to, "--duration", "1"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("h264"), "{out}");
    let (out, err, code) = relay.join().unwrap();
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("source up; target up"), "{err}");
}

#[test]
fn what_fails_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.flv");
    let file = file.to_string_lossy();
    let (out, err, code) = said(&["relay", "rtmp://127.0.0.1:1/a/b", &file, "--retry", "0"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("the source was given up"), "{out}");
    let (_, err, code) = said(&["relay", "/no/such/file.flv", "rtmp://127.0.0.1:1/a/b"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("No such file"), "{err}");
}
