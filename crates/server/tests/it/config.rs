//! What a configuration may say, and what is said about one that is wrong.

use std::path::Path;

use expect_test::{Expect, expect};
use millstream_server::config::{Config, Listen};

fn check(text: &str, want: Expect) {
    let said = match Config::parse(text, Path::new("millstream.toml")) {
        Ok(config) => format!("fine\n{}", config.notices().join("\n")),
        Err(e) => e.to_string(),
    };
    want.assert_eq(&said);
}

#[test]
fn names_the_nearest_key_with_file_and_line() {
    check(
        "[rtmp]\n\nlisen = \"x\"\n",
        expect![[
            r#"millstream.toml:3: unknown key "rtmp.lisen" in the configuration; did you mean "rtmp.listen"?"#
        ]],
    );
    check(
        "rtpm.listen = ''",
        expect![[
            r#"millstream.toml:1: unknown key "rtpm.listen" in the configuration; did you mean "rtmp.listen"?"#
        ]],
    );
    check(
        "[limits]\nlag_byte = 5",
        expect![[
            r#"millstream.toml:2: unknown key "limits.lag_byte" in the configuration; did you mean "limits.lag_bytes"?"#
        ]],
    );
    check(
        "[[app]]\nname = 'live'\ngop_cache_size = 5",
        expect![[
            r#"millstream.toml:3: unknown key "gop_cache_size" in [[app]]; did you mean "gop_cache_ms"?"#
        ]],
    );
    check(
        "zzz = 1",
        expect![[r#"millstream.toml:1: unknown key "zzz" in the configuration"#]],
    );
}

#[test]
fn tells_the_form_a_value_wants() {
    check(
        "[rtmp]\nlisten = 'nowhere'\nfan_out = 'fast'",
        expect![[r#"
            millstream.toml:2: rtmp.listen: expected a listen address such as "127.0.0.1:1935" or ":1935", or "" to switch it off, found "nowhere"
            millstream.toml:3: rtmp.fan_out: expected "default", "latency-first" or "throughput-first", found "fast""#]],
    );
    check(
        "hls.part_ms = '200'\ndvr.window_s = -1\nhttp.listen = true",
        expect![[r#"
            millstream.toml:1: hls.part_ms: expected a whole number, 0 or more, found "200"
            millstream.toml:2: dvr.window_s: expected a whole number, 0 or more, found -1
            millstream.toml:3: http.listen: expected a listen address such as "127.0.0.1:1935" or ":1935", or "" to switch it off, found true"#]],
    );
    check(
        "limits.amf_depth = 5000000000",
        expect![
            "millstream.toml:1: limits.amf_depth: expected a whole number from 0 to 4294967295, found 5000000000"
        ],
    );
    check(
        "rtmp = 5",
        expect!["millstream.toml:1: rtmp is a section: write [rtmp] or rtmp.KEY"],
    );
    check(
        "[app]\nname = 'live'",
        expect!["millstream.toml:1: app is a list of tables: write [[app]]"],
    );
    check(
        "[rtmp\nlisten = 1",
        expect!["millstream.toml:1: unclosed table, expected `]`"],
    );
}

#[test]
fn checks_what_belongs_together() {
    check(
        "[tls]\ncertificate = 'a.pem'",
        expect!["millstream.toml:2: tls.certificate: tls.key is missing beside it"],
    );
    check(
        "http.tls_listen = ':8443'",
        expect![[r#"
            fine
            http.tls_listen has no effect: tls.certificate and tls.key are not set"#]],
    );
    check(
        "[hls]\npart_ms = 3000\nsegment_ms = 100",
        expect![[r#"
        millstream.toml:2: hls.part_ms: 3000 is outside 50 to 2000
        millstream.toml:3: hls.segment_ms: 100 is outside 500 to 30000"#]],
    );
    check(
        "[[app]]\ngrace_s = 1\n[[app]]\nname = 'a/../b'\n[[stream]]\nkey = 'cam'",
        expect![[r#"
            millstream.toml:1: [[app]] needs a name
            millstream.toml:3: app.a/../b: stream name has a . or .. segment
            millstream.toml:5: stream.cam: key: stream name needs the form app/name
            millstream.toml:5: stream.cam: needs a source"#]],
    );
    check(
        "storage.url = 'ftp://x'",
        expect![
            "millstream.toml:1: storage.url: expected file:///path, memory: or s3://bucket/prefix"
        ],
    );
}

#[test]
fn knows_what_is_not_built_in_yet() {
    check(
        "rtsp.listen = ':8554'\nsrt.listen = ''\nstorage.url = 's3://b/p'\n\
         [[app]]\nname = 'live'\nrecord = true\n[[stream]]\nkey = 'live/cam'\nsource = 'rtsp://user:pw@h/x'",
        expect![[r#"
            fine
            rtsp.listen has no effect: RTSP is not built in yet
            app.live.record has no effect: it is not built in yet
            stream.live/cam is not started: sources of the kind "rtsp:" are not built in yet
            storage.url has no effect: s3: is not built in yet, the data directory is used"#]],
    );
}

#[test]
fn links_are_checked_and_hide_their_secrets() {
    check(
        "[[push]]\nkey = 'live/*'\ntarget = 'rtmp://h/app/key'\n[[push]]\nkey = 'cam'\n[[push]]\nkey = 'live/cam'\n\
         [[push]]\nkey = 'live/a'\ntarget = 'rtmp://joe:pw@h'\n[[push]]\nkye = 'live/a'\n\
         [[stream]]\nkey = 'live/b'\nsource = 'camera'",
        expect![[r#"
            millstream.toml:1: push.live/*: needs {name} in its target: several streams cannot go to one place
            millstream.toml:4: push.cam: key: stream name needs the form app/name
            millstream.toml:6: push.live/cam: needs a target
            millstream.toml:8: push.live/a: target: not of the form rtmp[s]://host[:port]/app/name
            millstream.toml:11: push.: needs a key
            millstream.toml:12: unknown key "kye" in [[push]]
            millstream.toml:13: stream.live/b: source: expected a URL such as rtmp://host/app/name"#]],
    );
    check(
        "rtmps.listen = ':1936'\n[[push]]\nkey = 'live/*'\ntarget = 'srt://h?streamid={name}'\n\
         [[stream]]\nkey = 'live/cam'\nsource = 'rtmps://h/live/cam'\non_demand = true",
        expect![[r#"
            fine
            rtmps.listen has no effect: tls.certificate and tls.key are not set
            push.live/* is not started: targets of the kind "srt:" are not built in yet"#]],
    );
    let config = Config::load(
        None,
        [
            "push.live/cam.target=rtmps://h/app/s3cret?sig=abc",
            "stream.live/far.source=rtmp://h/live/far?token=t0ken",
        ],
    )
    .unwrap();
    let shown = format!("{}{config:?}{:?}", config.explain(), config.notices());
    for secret in ["s3cret", "abc", "t0ken"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(
        shown.contains("target = \"rtmps://h/app/***?***\""),
        "{shown}"
    );
    assert!(
        shown.contains("source = \"rtmp://h/live/far?***\""),
        "{shown}"
    );
    Config::parse(&config.explain(), Path::new("explained.toml")).unwrap();
}

#[test]
fn every_documented_key_is_known() {
    // The list of the reference, as users were promised it.
    let promised = "http.listen http.tls_listen tls.certificate tls.key rtmp.listen rtmps.listen rtsp.listen srt.listen \
        srt.passphrase srt.latency_ms webrtc.udp_listen webrtc.tcp_listen webrtc.public_ips hls.part_ms hls.segment_ms \
        dvr.window_s dvr.memory_mb storage.url limits.lag_bytes log.level app.*.name app.*.record app.*.transcode \
        app.*.gop_cache_bytes app.*.gop_cache_ms app.*.auth.publish_token app.*.grace_s app.*.fallback stream.*.key \
        stream.*.source stream.*.on_demand push.*.key push.*.target tls.ca limits.http_idle_ms";
    let known: Vec<String> = Config::reference()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for name in promised.split_whitespace() {
        assert!(known.iter().any(|k| k == name), "{name} is not known");
    }
}

#[test]
fn the_command_line_wins_and_reaches_tables() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(
        &file,
        "rtmp.listen = ':1'\nwebrtc.public_ips = ['192.0.2.1']\n[limits]\nlag_ms = 9\n[[app]]\nname = 'live'\n\
         auth.play_token = 's3cret'\nauth = {}\n",
    )
    .unwrap();
    assert!(
        Config::load(Some(&file), [""; 0]).is_err(),
        "auth twice is wrong TOML"
    );
    std::fs::write(
        &file,
        "rtmp.listen = ':1'\nwebrtc.public_ips = ['192.0.2.1']\n[limits]\nlag_ms = 9\n[[app]]\nname = 'live'\n\
         auth.play_token = 's3cret'\n",
    )
    .unwrap();
    let config = Config::load(
        Some(&file),
        [
            "rtmp.listen=127.0.0.1:7",
            "app.live.grace_s=3",
            "app.live.eu.gop_cache_ms=1500",
            "stream.live/demo.source=demo:",
            "limits.lag_bytes=77",
            "auth.publish_token=p",
            "log.format=json",
        ],
    )
    .unwrap();
    assert_eq!(
        config.rtmp.listen,
        Listen::At("127.0.0.1:7".parse().unwrap())
    );
    assert_eq!((config.limits.lag_ms, config.limits.lag_bytes), (9, 77));
    assert_eq!(config.app("live").grace_s, 3);
    assert_eq!(config.app("live.eu").gop_cache_ms, 1_500);
    assert_eq!(config.streams.len(), 1);
    let auth = config.auth_of("live");
    assert!(auth.play_token.matches("s3cret") && auth.publish_token.matches("p"));
    assert!(config.auth_of("other").play_token.is_empty());

    let shown = config.explain();
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(
        shown.contains("listen = \"127.0.0.1:7\"") && shown.contains("(--set)"),
        "{shown}"
    );
    // What is explained can be read again.
    Config::parse(&shown, Path::new("explained.toml")).unwrap();
}

#[test]
fn set_refuses_what_the_file_refuses() {
    let wrong =
        Config::load(None, ["rtmp.listen", "hls.part_ms=abc", "app.live.grace=1"]).unwrap_err();
    expect![[r#"
        --set: "rtmp.listen" is not of the form KEY=VALUE
        --set: hls.part_ms: expected a whole number, 0 or more, found "abc"
        --set: unknown key "app.live.grace" in the configuration; did you mean "app.NAME.transcode"?"#]].assert_eq(&wrong.to_string());
    let missing = Config::load(Some(Path::new("no/such.toml")), [""; 0]).unwrap_err();
    assert!(
        missing.to_string().starts_with("cannot read no/such.toml"),
        "{missing}"
    );
}
