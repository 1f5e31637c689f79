//! G9: past the limits, newcomers are told so at once, and those who are there lose nothing.

use std::time::{Duration, Instant};

use bus::Engine;
use core_frame::StreamKey;
use flv::TagKind;
use millstream_ingest_rtmp::Error;
use millstream_ingest_rtmp::client::{Event, Role};

use crate::rig::{Client, Rig, config, until};

const OPUS: &[u8] = b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_at_once_and_harms_nobody() {
    let mut config = config();
    config.limits.sessions = 2;
    let rig = Rig::with(config, Engine::builder());
    let mut publisher = rig.client("live/cam", Role::Publish).await;
    publisher.start().await.unwrap();
    publisher.send(TagKind::Audio, 0, &[OPUS]).await;
    publisher
        .send(TagKind::Audio, 0, &[b"\x91Opus", b"0"])
        .await;
    let mut player = rig.client("live/cam", Role::Play).await;
    player.start().await.unwrap();
    let handle = rig
        .engine
        .get_stream(&StreamKey::new("live", "cam"))
        .unwrap();
    until("it plays", || handle.reader_count() == 1).await;
    let counting = tokio::spawn(async move {
        let mut got = Vec::new();
        while let Ok(Some(event)) = player.next().await {
            match event {
                Event::Message(m) if m.body.starts_with(b"\x91Opus") => {
                    got.push(String::from_utf8_lossy(&m.body[5..]).into_owned());
                }
                Event::Ended => break,
                _ => {}
            }
        }
        got
    });
    let publishing = tokio::spawn(async move {
        for n in 1..=100_u32 {
            let body = n.to_string();
            let message: [&[u8]; 2] = [b"\x91Opus", body.as_bytes()];
            publisher.send(TagKind::Audio, n * 10, &message).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        publisher.session.finish();
        publisher.flush().await;
        publisher
    });
    let mut times = Vec::new();
    let mut unheard = 0;
    let flood: Vec<_> = (0..300)
        .map(|_| {
            let url = rig.url("live/cam");
            tokio::spawn(async move {
                let asked = Instant::now();
                let mut more = Client::open(&url, Role::Play).await;
                let end = loop {
                    match more.next().await {
                        Ok(Some(_)) => {}
                        Ok(None) => break Ok(()),
                        Err(e) => break Err(e),
                    }
                };
                (end, asked.elapsed())
            })
        })
        .collect();
    for more in flood {
        match more.await.unwrap() {
            (Err(Error::Refused(code)), time) => {
                assert_eq!(code, "NetConnection.Connect.Rejected");
                times.push(time);
            }
            // Too many were being told at once: these were closed.
            (Ok(()), _) => unheard += 1,
            (other, _) => panic!("{other:?}"),
        }
    }
    times.sort_unstable();
    println!(
        "{} refused, {unheard} closed, p50 {:?}, p99 {:?}",
        times.len(),
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    assert!(times.len() >= 64, "{} were told", times.len());
    let mut alone = rig.client("live/cam", Role::Play).await;
    let asked = Instant::now();
    let refused = alone.start().await;
    let waited = asked.elapsed();
    assert_eq!(
        refused,
        Err(Error::Refused("NetConnection.Connect.Rejected".into()))
    );
    println!("one alone: {waited:?}");
    assert!(waited < Duration::from_millis(50), "{waited:?}");
    let _publisher = publishing.await.unwrap();
    let got = counting.await.unwrap();
    let all: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
    assert_eq!(got, all, "the player loses nothing");
}
