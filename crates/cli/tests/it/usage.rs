//! Wrong use, help, and ports that are taken.

use crate::support::said;

#[test]
fn wrong_use_is_2_and_failure_is_1() {
    for args in [
        &["bogus"][..],
        &["serve", "--bogus"],
        &["serve", "--set", "rtmp.lisen=1"],
        &["serve", "--set", "rtmp.listen"],
        &["serve", "--config", "/no/such/file.toml"],
        &["check-config"],
        &["check-config", "/no/such/file.toml"],
        &["load", "play", "--url", "gopher://x"],
        &["load", "play", "--url", "rtmp://x/live/cam", "--slow", "2"],
        &[
            "load",
            "play",
            "--url",
            "rtmp://x/live/cam",
            "--stalled",
            "2",
        ],
        &["load", "churn"],
        &["relay", "rtmp://x/live/cam"],
        &["relay", "srt://x", "a.flv"],
        &["relay", "rtmp://x/live/cam", "/no/such/a.mkv"],
        &["relay", "rtmp://x/live/cam", "-", "--json"],
        &["relay", "rtmp://x/live/cam", "a.flv", "--retry", "never"],
        &["load", "churn", "--url", "gopher://x"],
        &[
            "load",
            "churn",
            "--url",
            "rtmp://x/live/cam",
            "--rate",
            "7/h",
        ],
        &[
            "load",
            "publish",
            "--url",
            "rtmp://x/live/cam",
            "--bitrate",
            "much",
        ],
        &["probe", "srt://127.0.0.1/x"],
        &[],
    ] {
        let (out, err, code) = said(args);
        assert_eq!((out.as_str(), code), ("", 2), "{args:?}: {err}");
        assert!(!err.is_empty(), "{args:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let listen = format!("http.listen={addr}");
    let (_, err, code) = said(&["serve", "--set", &listen, "--set", "rtmp.listen="]);
    assert_eq!(code, 1);
    assert_eq!(
        err,
        format!("millstream: HTTP cannot listen on {addr}: Address already in use (os error 98)\n")
    );
    let (_, err, code) = said(&["probe", "/no/such/file.flv"]);
    assert_eq!(code, 1, "{err}");
}

#[test]
fn help_is_complete() {
    let (out, _, code) = said(&["--help"]);
    assert_eq!(code, 0);
    for command in ["demo", "serve", "load", "relay", "probe", "check-config"] {
        assert!(out.contains(command), "{out}");
    }
    for (args, options) in [
        (
            &["serve", "--help"][..],
            &["--config", "--set", "--data", "--log-format"][..],
        ),
        (&["demo", "--help"], &["--set", "--data", "--log-format"]),
        (
            &["load", "play", "--help"],
            &[
                "--protocol",
                "--url",
                "--count",
                "--duration",
                "--slow",
                "--slow-count",
                "--stalled",
                "--pid",
                "--ca",
                "--insecure",
                "--json",
            ],
        ),
        (
            &["load", "churn", "--help"],
            &[
                "--protocol",
                "--url",
                "--rate",
                "--duration",
                "--hold",
                "--settle",
                "--pid",
                "--api",
                "--json",
            ],
        ),
        (
            &["load", "publish", "--help"],
            &["--url", "--count", "--duration", "--retry", "--json"],
        ),
        (&["probe", "--help"], &["--json"]),
        (
            &["relay", "--help"],
            &[
                "--duration",
                "--retry",
                "--loop",
                "--overwrite",
                "--source-token",
                "--target-token",
                "--ca",
                "--insecure",
                "--json",
            ],
        ),
    ] {
        let (out, _, code) = said(args);
        assert_eq!(code, 0);
        for option in options {
            assert!(out.contains(option), "{args:?} lacks {option}: {out}");
        }
    }
    let (out, _, code) = said(&["--version"]);
    assert_eq!(
        (out.trim(), code),
        (concat!("millstream ", env!("CARGO_PKG_VERSION")), 0)
    );
}
