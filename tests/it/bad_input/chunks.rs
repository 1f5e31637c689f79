//! Handshake, chunks and control messages (cases R1, R3, R5, R6, R7).

use std::net::Ipv4Addr;
use std::time::Duration;

use testkit::Random;
use testkit::resources::rss_kib;
use testkit::rtmp::{Peer, Target, chunked};

use super::{Battle, attack, closes, goes_on};
use crate::support::secs;

/// A chunk that begins a message: type 0 header with the length it claims.
fn begins(chunk_stream: u32, kind: u8, claimed: u32, part: &[u8]) -> Vec<u8> {
    let mut out = match chunk_stream {
        id @ 0..=63 => vec![id as u8],
        id @ 64..=319 => vec![0, (id - 64) as u8],
        id => vec![1, (id - 64) as u8, ((id - 64) >> 8) as u8],
    };
    out.extend_from_slice(&[0, 0, 0]);
    out.extend_from_slice(&claimed.to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(part);
    out
}

#[test]
fn r1_what_is_no_rtmp() {
    let mut battle = Battle::begin();
    battle.case("R1 version 255", 1..=1, |to| {
        closes(
            attack(Peer::open(to), |p| {
                p.write(&[&[0xFF][..], &Random::new(1).bytes(1_536)].concat())
            })?,
            secs(1),
        )
    });
    battle.case("R1 HTTP on the RTMP port", 1..=1, |to| {
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        closes(attack(Peer::open(to), |p| p.write(request))?, secs(1))
    });
    battle.end();
}

#[test]
fn r3_chunk_sizes() {
    let mut battle = Battle::begin();
    for size in [0_u32, 0x8000_0001] {
        battle.case(&format!("R3 chunk size {size:#x}"), 1..=1, |to| {
            closes(
                attack(Peer::greet(to), |p| p.message(1, 0, &size.to_be_bytes()))?,
                secs(1),
            )
        });
    }
    battle.case("R3 chunk size 2^31-1", 0..=1, |to| {
        goes_on(attack(Peer::greet(to), |p| {
            p.message(1, 0, &0x7FFF_FFFF_u32.to_be_bytes())
        })?)
    });
    battle.case("R3 chunk size 2^31-1, then 16 MiB claimed", 1..=1, |to| {
        let peer = attack(Peer::greet(to), |p| {
            p.message(1, 0, &0x7FFF_FFFF_u32.to_be_bytes())?;
            p.write(&begins(6, 9, 0xFF_FFFF, &[b'x'; 100]))
        })?;
        closes(peer, secs(11))
    });
    battle.end();
}

#[test]
fn r5_many_half_messages() {
    let mut battle = Battle::begin();
    let many = |p: &mut Peer| {
        for id in 3..64 {
            p.write(&begins(id, 9, 0xFF_FFFF, &[b'x'; 128]))?;
        }
        Ok(())
    };
    battle.case(
        "R5 61 chunk streams of 16 MiB claimed, before publish",
        1..=1,
        |to| closes(attack(Peer::greet(to), many)?, secs(2)),
    );
    battle.case("R5 the same by a publisher", 1..=1, |to| {
        closes(attack(Peer::publish(to, "live", "r5a"), many)?, secs(2))
    });
    battle.case("R5 20 000 chunk streams", 1..=1, |to| {
        let peer = attack(Peer::greet(to), |p| {
            (64..20_064).try_for_each(|id| p.write(&begins(id, 9, 0xFF_FFFF, &[b'x'; 128])))
        })?;
        closes(peer, secs(2))
    });
    battle.case(
        "R5 20 000 chunk streams of small messages by a publisher",
        1..=4,
        |to| {
            let peer = attack(Peer::publish(to, "live", "r5b"), |p| {
                (64..20_064).try_for_each(|id| p.write(&begins(id, 9, 1_000, &[b'x'; 128])))
            })?;
            closes(peer, secs(3))
        },
    );
    battle.end();
}

#[test]
fn r5_two_hundred_connections() {
    let mut battle = Battle::begin();
    let pid = battle.server.pid();
    let start = rss_kib(pid).unwrap();
    for wave in 1..=3 {
        battle.case(
            &format!("R5 200 connections of 32 half messages each, wave {wave}"),
            0..=0,
            |to| {
                let before = rss_kib(pid).unwrap();
                let peers: Vec<_> = (0..200_u8)
                    .filter_map(|n| {
                        let from = Some(Ipv4Addr::new(127, 0, 3, n % 4 + 1));
                        let half = |p: &mut Peer| {
                            (3..35)
                                .try_for_each(|id| p.write(&begins(id, 20, 65_000, &[b'x'; 128])))
                        };
                        attack(Peer::greet(Target { from, ..to }), half).ok()
                    })
                    .collect();
                std::thread::sleep(Duration::from_millis(300));
                let grown = rss_kib(pid).unwrap().saturating_sub(before) / 200;
                let said = format!("{} connections, {grown} KiB each", peers.len());
                if peers.len() == 200 && grown < 1_024 {
                    Ok(said)
                } else {
                    Err(said)
                }
            },
        );
        let now = rss_kib(pid).unwrap();
        assert!(now < start + 200 * 1_024, "{start} -> {now} KiB");
        if wave == 1 {
            // What the allocator keeps of a first wave it uses again: from here on nothing may be added.
            std::thread::sleep(secs(1));
            battle.settle();
        }
    }
    battle.end();
}

#[test]
fn r6_chunks_that_do_not_fit_together() {
    let mut battle = Battle::begin();
    battle.case("R6 type 3 on an unknown chunk stream", 1..=1, |to| {
        closes(
            attack(Peer::greet(to), |p| {
                p.write(&[&[0xC0 | 40][..], &[b'x'; 500]].concat())
            })?,
            secs(1),
        )
    });
    battle.case("R6 another length in mid-message", 0..=1, |to| {
        // Either the old message is thrown away and the new one counts, or the connection ends; the two must not be mixed.
        let connect = testkit::rtmp::Amf::command("connect", 1.0)
            .object(&[("app", "live"), ("tcUrl", "rtmp://x/live")])
            .finish();
        let mut peer = attack(Peer::greet(to), |p| {
            p.write(&begins(3, 20, 1_000, &[b'x'; 128]))?;
            p.write(&chunked(3, 20, 0, 0, &connect, 128))
        })?;
        match peer.expect("_result") {
            Ok(_) => Ok("the half message was discarded, the new one counts".to_owned()),
            Err(_) => closes(peer, secs(1)),
        }
    });
    battle.case("R6 abort of an unknown chunk stream", 0..=1, |to| {
        goes_on(attack(Peer::greet(to), |p| {
            p.message(2, 0, &0xFFFF_FFF0_u32.to_be_bytes())
        })?)
    });
    battle.end();
}

#[test]
fn r7_control_messages_without_a_body() {
    let mut battle = Battle::begin();
    for kind in [1_u8, 2, 3, 5, 6] {
        battle.case(
            &format!("R7 control message {kind} of 0 bytes"),
            1..=1,
            |to| {
                closes(
                    attack(Peer::greet(to), |p| p.message(kind, 0, &[]))?,
                    secs(1),
                )
            },
        );
    }
    battle.case("R7 user control of 1 byte", 1..=1, |to| {
        closes(attack(Peer::greet(to), |p| p.message(4, 0, &[0]))?, secs(1))
    });
    battle.case("R7 window acknowledgement size 0", 1..=1, |to| {
        closes(
            attack(Peer::greet(to), |p| p.message(5, 0, &[0; 4]))?,
            secs(1),
        )
    });
    battle.end();
}

#[test]
fn silence_is_closed() {
    let mut battle = Battle::begin();
    battle.case("connected, then silent", 1..=1, |to| {
        closes(
            attack(Peer::connect(to, "live"), |_| Ok(()))?,
            Duration::from_millis(11_500),
        )
    });
    battle.end();
}
