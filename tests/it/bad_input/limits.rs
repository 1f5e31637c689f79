//! More than there is room for (cases G5, G9 and F15).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use testkit::resources::{cpu_seconds, open_files, rss_kib};
use testkit::rtmp::{Fate, Peer, Target};
use testkit::{Program, Server};

use super::{Battle, attack};
use crate::support::secs;

/// An address of its own for the nth peer of a case.
fn from(to: Target, n: usize) -> Target {
    let from = Some(Ipv4Addr::new(127, 0, 5, (n % 250) as u8 + 1));
    Target { from, ..to }
}

/// One HTTP request from an address of our own: the whole answer, and how long it took.
fn http(to: Target, path: &str) -> std::io::Result<(String, Duration)> {
    let begun = Instant::now();
    let mut socket = to.dial()?;
    socket.set_read_timeout(Some(secs(5)))?;
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let took = begun.elapsed();
    Ok((String::from_utf8_lossy(&answer).into_owned(), took))
}

#[test]
fn g9_rtmp_past_the_limit() {
    let server = Server::start(&["--set", "limits.sessions=40"]).unwrap();
    let mut battle = Battle::begin_on(server, "healthy");
    battle.case("G9 60 players where 40 sessions are allowed", 1..=6, |to| {
        let (mut playing, mut refused, mut longest) = (Vec::new(), 0, Duration::ZERO);
        let mut words = std::collections::BTreeMap::new();
        for n in 0..60 {
            let begun = Instant::now();
            match Peer::play(from(to, n), "live", "healthy") {
                Ok(peer) => playing.push(peer),
                Err(e) => {
                    refused += 1;
                    longest = longest.max(begun.elapsed());
                    let said = e.to_string();
                    let known = ["NetConnection.Connect.Rejected", "NetStream.Play.Failed"];
                    let code = known.into_iter().find(|c| said.contains(c));
                    *words.entry(code.unwrap_or("closed")).or_insert(0) += 1;
                }
            }
        }
        let all_play = playing.iter_mut().all(|p| {
            let (fate, said) = p.fate(Duration::from_millis(300));
            fate == Fate::Open && said.iter().any(|m| m.kind == 9)
        });
        let said = format!(
            "{} play ({all_play}), {refused} refused with {words:?}, the slowest after {longest:?}",
            playing.len()
        );
        let fair = (30..=40).contains(&playing.len());
        let told = !words.contains_key("closed");
        if fair && told && all_play && longest < Duration::from_millis(250) {
            Ok(said)
        } else {
            Err(said)
        }
    });
    battle.end();
}

#[test]
fn g9_http_past_the_limit() {
    let server = Server::start(&["--set", "limits.sessions=40"]).unwrap();
    let address = server.http();
    let mut battle = Battle::begin_on(server, "healthy");
    battle.case(
        "G9 60 HTTP-FLV players where 40 sessions are allowed",
        0..=30,
        |to| {
            let to = Target { to: address, ..to };
            let (mut playing, mut refused, mut longest) = (Vec::new(), 0, Duration::ZERO);
            for n in 0..60 {
                let begun = Instant::now();
                let mut socket = from(to, n).dial().map_err(|e| format!("{n}: {e}"))?;
                let ask = "GET /live/healthy.flv HTTP/1.1\r\nHost: x\r\n\r\n";
                socket
                    .write_all(ask.as_bytes())
                    .map_err(|e| e.to_string())?;
                socket
                    .set_read_timeout(Some(secs(5)))
                    .map_err(|e| e.to_string())?;
                let mut head = [0; 512];
                let got = socket.read(&mut head).map_err(|e| format!("{n}: {e}"))?;
                let head = String::from_utf8_lossy(&head[..got]).to_ascii_lowercase();
                if head.starts_with("http/1.1 200") {
                    playing.push(socket);
                } else if head.starts_with("http/1.1 503") && head.contains("retry-after:") {
                    refused += 1;
                    longest = longest.max(begun.elapsed());
                } else {
                    return Err(format!("{n}: {head}"));
                }
            }
            let said = format!(
                "{} play, {refused} got 503 with Retry-After, the slowest after {longest:?}",
                playing.len()
            );
            let fair = (30..=40).contains(&playing.len());
            if fair && longest < Duration::from_millis(250) {
                Ok(said)
            } else {
                Err(said)
            }
        },
    );
    battle.case("G9 room again once they have left", 0..=1, |to| {
        let to = Target { to: address, ..to };
        let end = Instant::now() + secs(3);
        loop {
            match http(to, "/live/healthy/index.m3u8") {
                Ok((answer, took)) if answer.starts_with("HTTP/1.1 200") => {
                    return Ok(format!("200 after {took:?}"));
                }
                other if Instant::now() > end => return Err(format!("{other:?}")),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    });
    battle.end();
}

#[test]
fn g5_stalled_readers() {
    const STALLED: usize = 200;
    let mut battle = Battle::begin();
    let pid = battle.server.pid();
    battle.case("G5 200 players that never read", 0..=300, |to| {
        let before = rss_kib(pid).unwrap_or(0);
        let mut stalled: Vec<Peer> = (0..STALLED)
            .filter_map(|n| attack(Peer::play(from(to, n), "live", "healthy"), |_| Ok(())).ok())
            .collect();
        if stalled.len() < STALLED {
            return Err(format!("{} could play at all", stalled.len()));
        }
        // Long enough to fill the sockets (the stream is small) and to be noticed.
        std::thread::sleep(secs(20));
        let grown = rss_kib(pid).unwrap_or(0).saturating_sub(before);
        let each = grown / STALLED as u64;
        let closed = stalled
            .iter_mut()
            .filter_map(|p| {
                // What the kernel still holds is read first, then the close is seen.
                let (fate, _) = p.fate(Duration::from_millis(60));
                matches!(fate, Fate::Closed(_)).then_some(())
            })
            .count();
        let said = format!("{each} KiB each at the most, {closed} closed after 20 s");
        if each < 64 { Ok(said) } else { Err(said) }
    });
    battle.end();
}

#[test]
fn f15_no_file_descriptors_left() {
    let server = Server::start(&[]).unwrap();
    let (rtmp, address) = (server.rtmp(), server.http());
    let mut battle = Battle::begin_on(server, "healthy");
    let pid = battle.server.pid();
    battle.case("F15 eight descriptors left, sixty connections", 0..=12, |to| {
        let open = open_files(pid).ok_or("no server")?;
        let limit = |soft: usize| {
            Program::new("prlimit")
                .args([format!("--pid={pid}"), format!("--nofile={soft}:4096")])
                .run()
                .map_err(|e| e.to_string())
        };
        limit(open + 8)?;
        let quiet = cpu_seconds(pid).unwrap_or(0.0);
        std::thread::sleep(secs(2));
        let idle = cpu_seconds(pid).unwrap_or(0.0) - quiet;
        let sockets: Vec<TcpStream> = (0..60)
            .filter_map(|n| {
                let to = if n % 2 == 0 { rtmp } else { address };
                from(Target { to, ..to.into() }, n).dial().ok()
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        let used = cpu_seconds(pid).unwrap_or(0.0);
        std::thread::sleep(secs(2));
        let share = (cpu_seconds(pid).unwrap_or(0.0) - used - idle) / 2.0;
        let held = sockets.len();
        drop(sockets);
        let begun = Instant::now();
        let again = loop {
            let plays = Peer::play(to, "live", "healthy");
            let page = http(Target { to: address, ..to }, "/healthz");
            match (plays, page) {
                (Ok(_), Ok((answer, _))) if answer.starts_with("HTTP/1.1 200") => {
                    break begun.elapsed();
                }
                (plays, page) if begun.elapsed() > secs(5) => {
                    return Err(format!("not even after 5 s: {:?} {page:?}", plays.err()));
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        limit(4_096)?;
        let said = format!(
            "{held} connections, {:.1} % of a core beyond the stream's own, both ports take again {again:?} after",
            share * 100.0
        );
        if share < 0.05 && again < Duration::from_millis(1_500) {
            Ok(said)
        } else {
            Err(said)
        }
    });
    battle.end();
}
