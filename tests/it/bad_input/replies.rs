//! Peers that make the server talk and do not listen (case R15).

use std::time::{Duration, Instant};

use testkit::resources::rss_kib;
use testkit::rtmp::{Amf, Fate, Peer, chunked};

use super::{Battle, attack};
use crate::support::secs;

/// A ping request: user control event 6 and a time.
fn ping() -> Vec<u8> {
    chunked(2, 4, 0, 0, &[0, 6, 0, 0, 0, 1], 128)
}

#[test]
fn r15_floods_of_requests() {
    let mut battle = Battle::begin();
    let pid = battle.server.pid();
    // What the flood may cost at most, in KiB: the replies of one peer are bounded.
    let bounded = move |before: u64, said: String| match rss_kib(pid) {
        Some(rss) if rss < before + 4_096 => Ok(said),
        rss => Err(format!("{said}; memory {before} -> {rss:?} KiB")),
    };
    battle.case("R15 20 000 ping requests, answers read", 0..=1, |to| {
        let before = rss_kib(pid).unwrap_or(0);
        let mut peer = attack(Peer::connect(to, "live"), |p| {
            (0..20).try_for_each(|_| p.write(&ping().repeat(1_000)))
        })?;
        let (fate, said) = peer.fate(secs(2));
        let answers = said.iter().filter(|m| m.kind == 4).count();
        bounded(before, format!("{fate:?}, {answers} answers"))
    });
    battle.case("R15 pings for ever, nothing read", 0..=1, |to| {
        let before = rss_kib(pid).unwrap_or(0);
        let mut sent = 0_u32;
        let begun = Instant::now();
        let peer = attack(Peer::connect(to, "live"), |p| {
            let _ = p
                .socket()
                .set_write_timeout(Some(Duration::from_millis(500)));
            while begun.elapsed() < secs(5) {
                p.write(&ping().repeat(1_000))?;
                sent += 1_000;
            }
            Ok(())
        })?;
        drop(peer);
        bounded(before, format!("{sent} pings in {:?}", begun.elapsed()))
    });
    battle.case(
        "R15 a player that sends commands for ever and never reads",
        0..=2,
        |to| {
            let before = rss_kib(pid).unwrap_or(0);
            let mut sent = 0_u32;
            let begun = Instant::now();
            let _peer = attack(Peer::play(to, "live", "healthy"), |p| {
                let _ = p
                    .socket()
                    .set_write_timeout(Some(Duration::from_millis(500)));
                while begun.elapsed() < secs(5) {
                    p.command(
                        0,
                        &Amf::command("getStreamLength", 9.0)
                            .null()
                            .string("healthy"),
                    )?;
                    sent += 1;
                }
                Ok(())
            })?;
            bounded(before, format!("{sent} commands in {:?}", begun.elapsed()))
        },
    );
    battle.end();
}

#[test]
fn r15_a_player_whose_acknowledgements_are_never_asked_for() {
    let mut battle = Battle::begin();
    battle.case("R15 80 000 acknowledgements by a player", 0..=1, |to| {
        let mut peer = attack(Peer::play(to, "live", "healthy"), |_| Ok(()))?;
        let mut ears = peer.socket().try_clone().map_err(|e| e.to_string())?;
        let reading = std::thread::spawn(move || {
            let (mut part, mut bytes) = ([0; 65_536], 0_usize);
            while let Ok(n @ 1..) = std::io::Read::read(&mut ears, &mut part) {
                bytes += n;
            }
            bytes
        });
        let ack = chunked(2, 3, 0, 0, &[0, 1, 0, 0], 128);
        // Half of what one connection may send in small chunks, for eight seconds.
        let sent = (0..160).try_for_each(|_| {
            std::thread::sleep(Duration::from_millis(50));
            peer.write(&ack.repeat(500))
        });
        // A server that no longer read would have filled both sockets by now.
        std::thread::sleep(secs(1));
        let alive = peer.write(&ack);
        let _ = peer.socket().shutdown(std::net::Shutdown::Both);
        let bytes = reading.join().unwrap_or(0);
        match (sent, alive) {
            (Ok(()), Ok(())) if bytes > 50_000 => Ok(format!("all taken, {bytes} bytes played")),
            other => Err(format!("{other:?}, {bytes} bytes played")),
        }
    });
    battle.case("R15 a player that never reads", 1..=2, |to| {
        let mut peer = attack(Peer::play(to, "live", "healthy"), |_| Ok(()))?;
        let begun = Instant::now();
        // Its socket fills, then nothing moves for the time of a stall.
        std::thread::sleep(secs(25));
        let (fate, said) = peer.fate(secs(20));
        let text = format!(
            "{fate:?} {:?} after it stopped, {} messages",
            begun.elapsed(),
            said.len()
        );
        match fate {
            Fate::Closed(_) => Ok(text),
            Fate::Open => Err(text),
        }
    });
    battle.end();
}
