//! Who gets in: authenticators, limits on sessions, operators who end sessions, and connections that never begin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bus::{Authenticator, Engine, PlayRequest, PublishRequest};
use core_frame::{Result, StreamError, StreamKey};
use flv::TagKind;
use millstream_ingest_rtmp::Error;
use millstream_ingest_rtmp::client::{Event, Role};
use millstream_ingest_rtmp::wire::message::MessageType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rig::{Client, Rig, config, until};

const OPUS: &[u8] = b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0";

struct Token;

#[async_trait]
impl Authenticator for Token {
    async fn publish(&self, request: &PublishRequest) -> Result<()> {
        check(request.token.as_ref())
    }

    async fn play(&self, request: &PlayRequest) -> Result<()> {
        check(request.token.as_ref())
    }
}

fn check(token: Option<&core_frame::Secret>) -> Result<()> {
    match token {
        Some(token) if token.matches("good") => Ok(()),
        _ => Err(StreamError::Unauthorized("bad token".into())),
    }
}

fn refused(code: &str) -> std::result::Result<(), Error> {
    Err(Error::Refused(code.into()))
}

async fn publisher(rig: &Rig, path: &str) -> Client {
    let mut client = rig.client(path, Role::Publish).await;
    client.start().await.unwrap();
    client.send(TagKind::Audio, 0, &[OPUS]).await;
    client
        .send(TagKind::Audio, 0, &[b"\x91Opus", b"first"])
        .await;
    client
}

#[tokio::test]
async fn tokens_in_the_name_and_in_the_app() {
    let mut config = config();
    config.denied_delay = (Duration::from_millis(200), Duration::from_millis(201));
    let rig = Rig::with(config, Engine::builder().authenticator(Arc::new(Token)));
    let mut first = publisher(&rig, "live/cam?token=good").await;
    let key = StreamKey::new("live", "cam");
    // A second publisher with a bad token is refused for that, late, and the first is not touched.
    let asked = Instant::now();
    let mut second = rig.client("live/cam?token=bad", Role::Publish).await;
    assert_eq!(second.start().await, refused("NetStream.Publish.Denied"));
    assert!(asked.elapsed() >= Duration::from_millis(200));
    let mut second = rig.client("live/cam?token=good", Role::Publish).await;
    assert_eq!(second.start().await, refused("NetStream.Publish.BadName"));
    let mut player = rig.client("live/cam", Role::Play).await;
    assert_eq!(player.start().await, refused("NetStream.Play.Failed"));
    let mut player = rig.client("live/cam?token=good", Role::Play).await;
    player.start().await.unwrap();
    first
        .send(TagKind::Audio, 20, &[b"\x91Opus", b"second"])
        .await;
    let handle = rig.engine.get_stream(&key).unwrap();
    until("the first goes on", || handle.qos().frames_in == 2).await;
}

#[tokio::test]
async fn too_many_failed_log_ins_are_not_even_asked() {
    let mut config = config();
    config.limits.auth_failures_per_minute = 2;
    config.denied_delay = (Duration::ZERO, Duration::ZERO);
    let rig = Rig::with(config, Engine::builder().authenticator(Arc::new(Token)));
    for _ in 0..2 {
        let mut bad = rig.client("live/cam?token=bad", Role::Publish).await;
        assert_eq!(bad.start().await, refused("NetStream.Publish.Denied"));
    }
    let mut late = rig.client("live/cam?token=good", Role::Publish).await;
    assert_eq!(late.start().await, refused("NetStream.Publish.Denied"));
}

#[tokio::test]
async fn a_full_server_says_so_at_once() {
    let mut config = config();
    config.limits.sessions = 2;
    let rig = Rig::with(config, Engine::builder());
    let _publisher = publisher(&rig, "live/cam").await;
    let mut player = rig.client("live/cam", Role::Play).await;
    player.start().await.unwrap();
    let asked = Instant::now();
    let mut more = rig.client("live/cam", Role::Play).await;
    assert_eq!(
        more.start().await,
        refused("NetConnection.Connect.Rejected")
    );
    assert!(asked.elapsed() < Duration::from_millis(500));
    drop(player);
    let key = StreamKey::new("live", "cam");
    let handle = rig.engine.get_stream(&key).unwrap();
    until("the player is gone", || handle.reader_count() == 0).await;
    for _ in 0..100 {
        let mut next = rig.client("live/cam", Role::Play).await;
        if next.start().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no room was made");
}

#[tokio::test]
async fn half_handshakes_are_closed_and_publishers_get_in_meanwhile() {
    let mut config = config();
    config.limits.handshake_ms = 400;
    let rig = Rig::with(config, Engine::builder());
    let mut stuck = Vec::new();
    for n in 0..200_u32 {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        let hello = [3_u8; 101];
        stream
            .write_all(&hello[..1 + n as usize % 100])
            .await
            .unwrap();
        stuck.push(stream);
    }
    let _publisher = publisher(&rig, "live/cam").await;
    let start = Instant::now();
    for mut stream in stuck {
        let mut buffer = [0; 16];
        let read = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut buffer));
        let closed = read.await.expect("closed in time");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert!(
        rig.engine
            .get_stream(&StreamKey::new("live", "cam"))
            .is_ok()
    );
}

#[tokio::test]
async fn http_on_the_port_is_closed_at_once() {
    let rig = Rig::new();
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut buffer = [0; 16];
    let read = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer));
    assert!(matches!(read.await.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn operators_end_players_and_publishers() {
    let rig = Rig::new();
    let mut publisher = publisher(&rig, "live/cam").await;
    let handle = rig
        .engine
        .get_stream(&StreamKey::new("live", "cam"))
        .unwrap();
    let mut player = rig.client("live/cam", Role::Play).await;
    player.start().await.unwrap();
    until("it plays", || handle.reader_count() == 1).await;
    let reader = handle.readers().pop().unwrap();
    assert_eq!(reader.protocol, "rtmp");
    assert!(handle.kick_reader(reader.id));
    let told = async {
        loop {
            if let Some(end) = player.next().await.transpose().unwrap().err() {
                return end;
            }
        }
    };
    assert_eq!(told.await, Error::Refused("NetStream.Play.Failed".into()));
    assert!(handle.kick_publisher());
    assert_eq!(
        publisher.next().await,
        Err(Error::Refused("NetStream.Publish.Failed".into()))
    );
    // Both addresses may come back.
    let _again = self::publisher(&rig, "live/cam").await;
}

#[tokio::test]
async fn a_player_pauses_and_goes_on() {
    let rig = Rig::new();
    let mut publisher = publisher(&rig, "live/cam").await;
    let mut player = rig.client("live/cam", Role::Play).await;
    player.start().await.unwrap();
    let handle = rig
        .engine
        .get_stream(&StreamKey::new("live", "cam"))
        .unwrap();
    until("it plays", || handle.reader_count() == 1).await;
    let pause = |on: bool| {
        let args = vec![on.into(), 0.0.into()];
        let body = millstream_ingest_rtmp::wire::command::Command::new("pause", 0.0, args).encode();
        let mut bytes = bytes::BytesMut::new();
        let kind = MessageType::Command;
        millstream_ingest_rtmp::wire::chunk::put_message(
            8,
            kind,
            1,
            0,
            65_536,
            &[&body],
            &mut bytes,
        );
        bytes
    };
    player.stream.write_all(&pause(true)).await.unwrap();
    until("it pauses", || handle.reader_count() == 0).await;
    publisher
        .send(TagKind::Audio, 20, &[b"\x91Opus", b"missed"])
        .await;
    player.stream.write_all(&pause(false)).await.unwrap();
    until("it goes on", || handle.reader_count() == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    publisher
        .send(TagKind::Audio, 40, &[b"\x91Opus", b"after"])
        .await;
    let mut statuses = Vec::new();
    loop {
        match player.next().await.unwrap().unwrap() {
            Event::Status(code, _) => statuses.push(code),
            Event::Message(m) if m.body.ends_with(b"after") => break,
            _ => {}
        }
    }
    assert!(
        statuses.contains(&"NetStream.Pause.Notify".to_owned()),
        "{statuses:?}"
    );
    assert!(
        statuses.contains(&"NetStream.Unpause.Notify".to_owned()),
        "{statuses:?}"
    );
}
