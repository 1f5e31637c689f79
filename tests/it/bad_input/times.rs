//! Aggregates and times that mean harm (cases R13 and R14).

use std::time::Duration;

use core_frame::MediaKind;
use testkit::rtmp::{Fate, Peer, audio_body, chunked, sequence_headers, unwrap_video, video_body};
use testkit::synth::{Options, Source};

use super::{Battle, Outcome, attack, closes};
use crate::support::secs;

#[test]
fn r13_an_aggregate_of_items_that_claim_too_much() {
    let mut battle = Battle::begin();
    // An item: type, 24-bit size, 24+8 bits of time, 24-bit stream id, the data, and its length again.
    let item = |claimed: u32| {
        let size = claimed.to_be_bytes();
        let mut item = vec![9, size[1], size[2], size[3], 0, 0, 0, 0, 0, 0, 0];
        item.extend_from_slice(&[0x27; 16]);
        item.extend_from_slice(&27_u32.to_be_bytes());
        item
    };
    battle.case("R13 200 items of 16 MiB each", 1..=1, |to| {
        let aggregate = item(0xFF_FFFF).repeat(200);
        let peer = attack(Peer::publish(to, "live", "r13"), |p| {
            p.message(22, 1, &aggregate)
        })?;
        closes(peer, secs(2))
    });
    battle.case("R13 aggregates before publish", 1..=1, |to| {
        let aggregate = item(16).repeat(50);
        let peer = attack(Peer::connect(to, "live"), |p| p.message(22, 1, &aggregate))?;
        let mut peer = peer;
        let (fate, said) = peer.fate(secs(1));
        Ok(format!("{fate:?}, said {}", super::summary(&said)))
    });
    battle.end();
}

/// Publishes real pictures and sound under these times, in turn, and tells what a player gets.
fn play_times(to: testkit::rtmp::Target, name: &str, times: &[u32]) -> Outcome {
    let source = Source::new(Options::default()).map_err(|e| e.to_string())?;
    let tracks = source.tracks();
    let mut publisher = attack(Peer::publish(to, "live", name), |p| {
        p.message(1, 0, &1_000_u32.to_be_bytes())?;
        for (kind, body) in sequence_headers(&tracks) {
            p.write(&chunked(6, kind, 1, 0, &body, 1_000))?;
        }
        Ok(())
    })?;
    let mut player = Peer::play(to, "live", name).map_err(|e| e.to_string())?;
    let mut sent = 0_u64;
    for (frame, time) in source.zip(times.iter().cycle()).take(300) {
        let (kind, lane, body) = match frame.kind() {
            MediaKind::Video => (9, 6, video_body(&frame)),
            _ => (8, 4, audio_body(&frame)),
        };
        // Chunks of 1000 bytes, so that the extended time stands on type 3 chunks as well.
        publisher
            .write(&chunked(lane, kind, 1, *time, &body, 1_000))
            .map_err(|e| format!("the publisher was cut off after {sent} frames: {e}"))?;
        sent += u64::from(kind == 9);
        // All at once would be more than a reader may lag.
        std::thread::sleep(Duration::from_millis(4));
    }
    let (fate, said) = player.fate(secs(2));
    let (mut last, mut back, mut pictures) = (None::<u32>, 0, 0_u64);
    for message in said.iter().filter(|m| m.kind == 9) {
        if unwrap_video(&message.body).is_none_or(|t| t.config) {
            continue;
        }
        pictures += 1;
        // A difference in the wire's 32 bits, as a player takes it.
        let step = message
            .timestamp
            .wrapping_sub(last.unwrap_or(message.timestamp)) as i32;
        back += u32::from(step < 0);
        last = Some(message.timestamp);
    }
    let text = format!("{pictures} of {sent} pictures, {back} steps back, player {fate:?}");
    // The player joins while the first are on their way; it misses none of what follows a key frame.
    if fate == Fate::Open && back == 0 && pictures + 5 >= sent {
        Ok(text)
    } else {
        Err(text)
    }
}

#[test]
fn r14_times_that_jump() {
    let mut battle = Battle::begin();
    let cases: [(&str, &[u32]); 5] = [
        (
            "0, 40, 2^32-2, 5, 2^31-1, 1",
            &[0, 40, 0xFFFF_FFFE, 5, 0x7FFF_FFFF, 1],
        ),
        ("always the same", &[7]),
        (
            "always back",
            &[500_000, 400_000, 300_000, 200_000, 100_000],
        ),
        (
            "around 2^24",
            &[0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0x100_0001],
        ),
        ("half the clock to and fro", &[0, 0x8000_0000]),
    ];
    for (n, (name, times)) in cases.into_iter().enumerate() {
        battle.case(&format!("R14 {name}"), 0..=2, |to| {
            play_times(to, &format!("r14-{n}"), times)
        });
    }
    battle.case("R14 deltas that overflow", 0..=2, |to| {
        let mut peer = attack(Peer::publish(to, "live", "r14-delta"), |p| {
            p.write(&chunked(4, 8, 1, 0xFFFF_FFF0, &[0xAF, 1, 2, 3], 128))?;
            // Type 1, 2 and 3 chunks with deltas of 24 and 32 bits.
            for _ in 0..100 {
                p.write(b"\x44\xff\xff\xff\x00\x00\x04\x08\xff\xff\xff\xff\xaf\x01\x02\x03")?;
                p.write(b"\x84\xff\xff\xfe\xaf\x01\x02\x03")?;
                p.write(b"\xc4\xaf\x01\x02\x03")?;
            }
            Ok(())
        })?;
        let (fate, said) = peer.fate(secs(1));
        Ok(format!("{fate:?}, said {}", super::summary(&said)))
    });
    battle.end();
}
