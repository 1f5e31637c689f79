//! Stream names that are none (case R11).

use testkit::rtmp::{Amf, Peer};

use super::{Battle, attack, says};
use crate::support::secs;

#[test]
fn r11_names() {
    let mut battle = Battle::begin();
    let long = "n".repeat(60_000);
    let names: [(&str, &[u8]); 8] = [
        ("traversal", b"../../../../tmp/millstream-r11"),
        ("line break", b"a\n2026-01-01T00:00:00Z ERROR forged line"),
        ("escape", b"a\x1b[31mred"),
        ("NUL", b"a\0b"),
        ("60 000 bytes", long.as_bytes()),
        ("encoded traversal", b"a%2f..%2fb"),
        ("not UTF-8", b"\xff\xfe"),
        ("empty", b""),
    ];
    for (what, name) in names {
        battle.case(&format!("R11 name: {what}"), 1..=1, |to| {
            let peer = attack(Peer::with_stream(to, "live"), |p| {
                p.command(
                    1,
                    &Amf::command("publish", 3.0)
                        .null()
                        .string(name)
                        .string("live"),
                )
            })?;
            says(peer, &["NetStream.Publish.BadName"], secs(2))
        });
    }
    battle.case("R11 app: traversal", 1..=1, |to| {
        let peer = attack(Peer::greet(to), |p| {
            p.command(
                0,
                &Amf::command("connect", 1.0)
                    .object(&[("app", "live/../../x"), ("tcUrl", "rtmp://x/live/../../x")]),
            )?;
            p.command(0, &Amf::command("createStream", 2.0).null())?;
            p.command(
                1,
                &Amf::command("publish", 3.0)
                    .null()
                    .string("p")
                    .string("live"),
            )
        })?;
        says(
            peer,
            &[
                "NetStream.Publish.BadName",
                "NetConnection.Connect.Rejected",
                "NetConnection.Connect.InvalidApp",
            ],
            secs(2),
        )
    });
    assert!(!std::path::Path::new("/tmp/millstream-r11").exists());
    let log = battle.server.log();
    assert!(
        !log.lines().any(|l| l.starts_with("2026-01-01T00:00:00Z")),
        "a forged line\n{log}"
    );
    battle.end();
}
