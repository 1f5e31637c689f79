//! Many connections and much work (cases R2 and R4).

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use testkit::Random;
use testkit::resources::cpu_seconds;
use testkit::rtmp::{Peer, Publisher, Target, chunked};
use testkit::synth::Options;

use super::{Battle, attack};
use crate::support::secs;

#[test]
fn r2_a_thousand_half_handshakes() {
    let mut battle = Battle::begin();
    battle.case(
        "R2 1000 half handshakes from 20 addresses",
        0..=1_100,
        |to| {
            let begun = Instant::now();
            let sockets: Vec<_> = (0..1_000_u32)
                .map(|n| {
                    let from = Some(Ipv4Addr::new(127, 0, 1, (n % 20) as u8 + 1));
                    let dialled = Target { from, ..to }.dial();
                    let mut socket = dialled.map_err(|e| format!("{n}: {e}"))?;
                    // One that is refused at once has been answered.
                    let _ = socket
                        .write_all(&[&[3][..], &Random::new(u64::from(n)).bytes(100)].concat());
                    socket
                        .set_read_timeout(Some(Duration::from_millis(8_000)))
                        .map_err(|e| e.to_string())?;
                    Ok((socket, Instant::now()))
                })
                .collect::<Result<_, String>>()?;
            let opened = begun.elapsed();
            // A new publisher comes in meanwhile.
            let late = Publisher::start(to, "live", "meanwhile", Options::default())
                .map_err(|e| format!("no new publisher: {e}"))?;
            let mut longest = Duration::ZERO;
            for (mut socket, since) in sockets {
                let mut part = [0; 8_192];
                loop {
                    match socket.read(&mut part) {
                        Ok(0) => break,
                        Ok(_) => {}
                        Err(e)
                            if matches!(
                                e.kind(),
                                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                            ) =>
                        {
                            return Err("one was still open after 8 s".to_owned());
                        }
                        Err(_) => break,
                    }
                }
                longest = longest.max(since.elapsed());
            }
            late.stop().map_err(|e| e.to_string())?;
            let said = format!("opened in {opened:?}, all closed, the longest lived {longest:?}");
            if longest < Duration::from_millis(6_500) {
                Ok(said)
            } else {
                Err(said)
            }
        },
    );
    battle.end();
}

#[test]
fn r4_one_byte_chunks() {
    let mut battle = Battle::begin();
    let pid = battle.server.pid();
    // What the healthy stream alone costs.
    let quiet = (cpu_seconds(pid).unwrap(), Instant::now());
    std::thread::sleep(secs(2));
    let idle = (cpu_seconds(pid).unwrap() - quiet.0) / quiet.1.elapsed().as_secs_f64();
    battle.case(
        "R4 20 kB messages in 1-byte chunks by a publisher",
        1..=4,
        |to| {
            let (cpu, begun) = (cpu_seconds(pid).unwrap(), Instant::now());
            let message = chunked(6, 9, 1, 0, &[0x27; 20_000], 1);
            let mut sent = 0;
            let mut peer = attack(Peer::publish(to, "live", "r4"), |p| {
                p.message(1, 0, &1_u32.to_be_bytes())?;
                for _ in 0..500 {
                    p.write(&message)?;
                    sent += 1;
                }
                Ok(())
            })?;
            let (fate, _) = peer.fate(secs(3));
            let (used, wall) = (cpu_seconds(pid).unwrap() - cpu, begun.elapsed());
            // Over the time in which the budget is counted, and the healthy stream's own share taken off.
            let share = used / wall.as_secs_f64().max(1.0) - idle;
            let said = format!(
                "{fate:?} after {sent} messages and {wall:?}, {used:.2} CPU s, {:.0} % of a core",
                share * 100.0
            );
            let closed = !matches!(fate, testkit::rtmp::Fate::Open);
            if closed && share < 0.2 {
                Ok(said)
            } else {
                Err(said)
            }
        },
    );
    battle.end();
}
