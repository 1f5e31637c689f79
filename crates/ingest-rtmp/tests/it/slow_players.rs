//! A player that does not read is closed after the stall limit, one that talks without reading is closed at the bound of
//! its replies, and neither harms the others.

use std::time::{Duration, Instant};

use flv::TagKind;
use millstream_ingest_rtmp::client::{Event, Role};
use tokio::io::AsyncWriteExt;

use crate::rig::{Client, Rig, config, until};

const OPUS: &[u8] = b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_that_never_reads_is_closed() {
    let mut config = config();
    config.limits.stall_ms = 1_000;
    let rig = Rig::with(config, bus::Engine::builder());
    let mut publisher = rig.client("live/cam", Role::Publish).await;
    publisher.start().await.unwrap();
    publisher.send(TagKind::Audio, 0, &[OPUS]).await;
    let mut good = rig.client("live/cam", Role::Play).await;
    let mut bad = rig.client("live/cam", Role::Play).await;
    publisher
        .send(TagKind::Audio, 0, &[b"\x91Opus", b"first"])
        .await;
    good.start().await.unwrap();
    bad.start().await.unwrap();
    let key = core_frame::StreamKey::new("live", "cam");
    let handle = rig.engine.get_stream(&key).unwrap();
    until("both play", || handle.reader_count() == 2).await;

    let body = vec![7; 60_000];
    let (mut sent, mut got) = (1_u32, 0_u32);
    let start = Instant::now();
    let mut closed = None;
    let mut read = async |good: &mut Client, quiet: u64| {
        let quiet = Duration::from_millis(quiet);
        while let Ok(Ok(Some(event))) = tokio::time::timeout(quiet, good.next()).await {
            let is_media = |body: &[u8]| body.starts_with(b"\x91Opus");
            got += u32::from(matches!(event, Event::Message(m) if is_media(&m.body)));
        }
    };
    while start.elapsed() < Duration::from_secs(4) {
        let head = b"\x91Opus";
        publisher
            .send(TagKind::Audio, sent * 20, &[head, &body])
            .await;
        sent += 1;
        read(&mut good, 2).await;
        if handle.reader_count() == 1 && closed.is_none() {
            closed = Some(start.elapsed());
        }
    }
    read(&mut good, 300).await;
    let closed = closed.expect("the player that never read is closed");
    assert!(closed < Duration::from_secs(3), "{closed:?}");
    assert_eq!(got, sent, "the good player loses nothing");
}

#[tokio::test]
async fn a_player_that_talks_and_never_reads_is_closed() {
    let rig = Rig::new();
    let mut publisher = rig.client("live/cam", Role::Publish).await;
    publisher.start().await.unwrap();
    publisher.send(TagKind::Audio, 0, &[OPUS]).await;
    publisher
        .send(TagKind::Audio, 0, &[b"\x91Opus", b"first"])
        .await;
    let mut player = rig.client("live/cam", Role::Play).await;
    player.start().await.unwrap();
    // getStreamLength, over and over, slowly enough for the budget of commands.
    let command = millstream_ingest_rtmp::wire::command::Command::new(
        "getStreamLength",
        9.0,
        vec!["cam".into()],
    );
    let body = command.encode();
    let mut bytes = bytes::BytesMut::new();
    let kind = millstream_ingest_rtmp::wire::message::MessageType::Command;
    millstream_ingest_rtmp::wire::chunk::put_message(3, kind, 0, 0, 65_536, &[&body], &mut bytes);
    let handle = rig
        .engine
        .get_stream(&core_frame::StreamKey::new("live", "cam"))
        .unwrap();
    let flood = bytes.repeat(1_000);
    let _ = player.stream.write_all(&flood).await;
    until("it is closed", || handle.reader_count() == 0).await;
}
