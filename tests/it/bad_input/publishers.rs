//! Two publishers and one key (case R10).

use std::time::{Duration, Instant};

use testkit::Server;
use testkit::rtmp::{Fate, Peer, Publisher, Reader, Target};
use testkit::synth::Options;

use super::{Battle, Outcome, attack, says};
use crate::support::secs;

const GUARDED: [&str; 2] = ["--set", "auth.publish_token=good"];

/// Asks to publish `name` and says how that went: the status, and how long it took.
fn publish(to: Target, name: &str) -> Result<(Option<Peer>, String), String> {
    let begun = Instant::now();
    match Peer::publish(to, "live", name) {
        Ok(peer) => Ok((Some(peer), format!("accepted after {:?}", begun.elapsed()))),
        Err(e) => Ok((None, format!("{e} after {:?}", begun.elapsed()))),
    }
}

/// The one who publishes a stream, as the API tells it.
fn publisher_of(server: &Server, key: &str) -> String {
    server.api(&format!("streams/{key}"))["publisher"].to_string()
}

#[test]
fn r10_a_second_publisher() {
    let server = Server::start(&GUARDED).unwrap();
    let http = server.http();
    let mut battle = Battle::begin_on(server, "healthy?token=good");
    let holder = publisher_of(&battle.server, "live/healthy");
    let holds = || {
        let (_, body) = testkit::request(http, "GET", "api/v1/streams/live/healthy")
            .map_err(|e| e.to_string())?;
        let stream: serde_json::Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        let now = stream["publisher"].to_string();
        (now == holder)
            .then_some(())
            .ok_or(format!("{holder} became {now}"))
    };
    battle.case("R10 a good token, while the first sends", 0..=1, |to| {
        let (peer, said) = publish(to, "healthy?token=good")?;
        holds()?;
        match peer {
            None if said.contains("NetStream.Publish.BadName") => Ok(said),
            _ => Err(said),
        }
    });
    for name in ["healthy?token=bad", "healthy"] {
        battle.case(&format!("R10 {name}"), 1..=1, |to| {
            let mut peer = attack(Peer::with_stream(to, "live"), |_| Ok(()))?;
            let ask = testkit::rtmp::Amf::command("publish", 3.0)
                .null()
                .string(name)
                .string("live");
            peer.command(1, &ask).map_err(|e| e.to_string())?;
            // The answer to a wrong token is held back for 2 to 4 s.
            let said = says(
                peer,
                &["NetStream.Publish.Denied", "NetStream.Publish.BadName"],
                secs(6),
            )?;
            holds()?;
            Ok(said)
        });
    }
    battle.end();
}

#[test]
fn r10_the_first_has_fallen_silent() {
    let server = Server::start(&GUARDED).unwrap();
    let mut battle = Battle::begin_on(server, "healthy?token=good");
    battle.case("R10 take-over of a silent publisher", 0..=8, |to| {
        let first = Publisher::start(to, "live", "r10?token=good", Options::default())
            .map_err(|e| e.to_string())?;
        let reader = Reader::start(to, "live", "r10").map_err(|e| e.to_string())?;
        if !reader.wait_for(30, secs(10)) {
            return Err("the first stream does not play".to_owned());
        }
        // Politely gone would free the key; this one only falls silent.
        let silent = first.freeze().map_err(|e| e.to_string())?;
        let outcome = second_takes_over(to, &reader);
        drop(silent);
        outcome
    });
    battle.end();
}

/// Refused while the first may come back, let in soon after 2 s, and the reader goes on.
fn second_takes_over(to: Target, reader: &Reader) -> Outcome {
    let begun = Instant::now();
    let at_once = publish(to, "r10?token=good")?;
    if at_once.0.is_some() {
        return Err("a newcomer is let in at once".to_owned());
    }
    let second = loop {
        match Publisher::start(to, "live", "r10?token=good", Options::default()) {
            Ok(second) => break second,
            Err(e) if begun.elapsed() > secs(6) => return Err(format!("never let in: {e}")),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    };
    let after = begun.elapsed();
    if after < Duration::from_millis(1_500) {
        return Err(format!("let in after {after:?} already"));
    }
    let seen = reader.check().video.seen;
    if !reader.wait_for(30, secs(10)) {
        return Err(format!("the reader stays at {seen} frames"));
    }
    second.stop().map_err(|e| e.to_string())?;
    Ok(format!("taken over after {after:?}, the reader goes on"))
}

#[test]
fn r10_another_address_may_not_take_over() {
    // Without tokens the address is all there is to know a publisher by.
    let mut battle = Battle::begin();
    battle.case("R10 take-over from another address", 0..=20, |to| {
        let first =
            Publisher::start(to, "live", "r10b", Options::default()).map_err(|e| e.to_string())?;
        std::thread::sleep(secs(1));
        let silent = first.freeze().map_err(|e| e.to_string())?;
        std::thread::sleep(Duration::from_millis(2_500));
        let stranger = Target {
            from: Some(std::net::Ipv4Addr::new(127, 0, 3, 77)),
            ..to
        };
        let (peer, said) = publish(stranger, "r10b")?;
        if peer.is_some() {
            return Err(format!("a stranger took over: {said}"));
        }
        let (mut peer, said) = match publish(to, "r10b")? {
            (Some(peer), said) => (peer, said),
            (None, said) => return Err(format!("its own address was refused: {said}")),
        };
        let (fate, _) = peer.fate(Duration::from_millis(300));
        drop(silent);
        match fate {
            Fate::Open => Ok(format!("a stranger is refused, its own address {said}")),
            Fate::Closed(_) => Err("let in, and closed at once".to_owned()),
        }
    });
    battle.end();
}
