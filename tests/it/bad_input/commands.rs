//! AMF0 and commands out of order (cases R8 and R9).

use testkit::rtmp::{Amf, Peer};

use super::{Battle, attack, closes, says};
use crate::support::secs;

#[test]
fn r8_hostile_amf() {
    // Threads with 256 KiB of stack, so that recursion shows.
    let mut battle = Battle::begin_with(&[("RUST_MIN_STACK", "262144")]);
    let head = || Amf::command("connect", 1.0);
    let nest = |open: &[u8], count: usize| head().raw(&open.repeat(count));
    let cases: [(&str, Amf); 9] = [
        ("object nested 15 000 deep", nest(b"\x03\x00\x01a", 15_000)),
        (
            "strict array nested 12 000 deep",
            nest(b"\x0a\x00\x00\x00\x01", 12_000),
        ),
        ("ECMA array of 2^32-1", head().raw(b"\x08\xff\xff\xff\xff")),
        (
            "strict array of 2^32-1",
            head().raw(b"\x0a\xff\xff\xff\xff"),
        ),
        (
            "long string of 2^32-1",
            head().raw(b"\x0c\xff\xff\xff\xffAAAA"),
        ),
        ("string past the end", Amf::new().raw(b"\x02\x00\xffcon")),
        ("reference", head().raw(b"\x07\x00\x01")),
        (
            "endless object",
            head().raw(&[&b"\x03"[..], &b"\x00\x01a\x05".repeat(200)].concat()),
        ),
        (
            "object of 16 000 members",
            head().raw(
                &[
                    &b"\x03"[..],
                    &b"\x00\x01a\x05".repeat(16_000),
                    b"\x00\x00\x09",
                ]
                .concat(),
            ),
        ),
    ];
    for (name, amf) in cases {
        battle.case(&format!("R8 {name}"), 1..=1, |to| {
            let peer = attack(Peer::greet(to), |p| p.command(0, &amf))?;
            closes(peer, secs(2))
        });
    }
    battle.end();
}

#[test]
fn r9_commands_out_of_order() {
    let mut battle = Battle::begin();
    let publish = |name: &str| {
        Amf::command("publish", 3.0)
            .null()
            .string(name)
            .string("live")
    };
    battle.case("R9 publish before connect", 1..=1, |to| {
        let peer = attack(Peer::greet(to), |p| p.command(1, &publish("r9")))?;
        let outcome = says(
            peer,
            &["_error", "error", "NetConnection.Connect.Rejected"],
            secs(2),
        )?;
        Ok(outcome)
    });
    battle.case("R9 media before publish", 1..=1, |to| {
        let mut peer = attack(Peer::with_stream(to, "live"), |p| {
            (0..50)
                .try_for_each(|_| p.message(9, 1, &[&[0x17, 0, 0, 0, 0][..], &[b'x'; 40]].concat()))
        })?;
        let (fate, said) = peer.fate(secs(2));
        let accepted = said.iter().any(|m| m.says("Publish.Start"));
        let text = format!("{fate:?}, said {}", super::summary(&said));
        if accepted { Err(text) } else { Ok(text) }
    });
    battle.case("R9 play and publish on one message stream", 1..=1, |to| {
        let peer = attack(Peer::publish(to, "live", "r9b"), |p| {
            p.command(1, &Amf::command("play", 4.0).null().string("healthy"))
        })?;
        says(
            peer,
            &[
                "_error",
                "error",
                "NetStream.Play.Failed",
                "NetStream.Play.BadConnection",
            ],
            secs(2),
        )
    });
    battle.case("R9 createStream 10 000 times", 1..=1, |to| {
        let mut peer = attack(Peer::connect(to, "live"), |_| Ok(()))?;
        let (mut made, mut refused) = (0, 0);
        for n in 2..10_002 {
            let create = Amf::command("createStream", f64::from(n)).null();
            if peer.command(0, &create).is_err() {
                break;
            }
            match peer.expect("_result") {
                Ok(_) => made += 1,
                Err(error) if error.to_string().contains("_error") => refused += 1,
                Err(_) => break,
            }
        }
        let said = format!("{made} made, {refused} refused");
        if made <= 16 && refused > 0 {
            Ok(said)
        } else {
            Err(said)
        }
    });
    battle.end();
}
