//! Every payload that comes out of RTMP play equals the one that went in, for those who were there and those who join.

use std::time::Duration;

use bytes::Bytes;
use core_frame::{MediaFrame, MediaKind, StreamKey, TrackInfo};
use flv::TagKind;
use flv::amf0::Value;
use millstream_ingest_rtmp::Error;
use millstream_ingest_rtmp::client::{Event, Role};
use millstream_ingest_rtmp::net::FanOut;
use millstream_ingest_rtmp::wire::message::MessageType;
use sha2::{Digest, Sha256};
use synth::{Options, Source};

use crate::rig::{Client, Rig, config, until};

fn hash(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Tracks and message bodies of numbered frames.
struct Material {
    tracks: Vec<TrackInfo>,
    frames: Vec<(TagKind, u32, Bytes, bool)>,
}

fn material(count: usize) -> Material {
    let options = Options::default()
        .fps(25)
        .gop(50)
        .b_frames(2)
        .bitrate(6_000_000);
    let source = Source::new(options).unwrap();
    let tracks = source.tracks();
    let body = |frame: MediaFrame| {
        let track = tracks.iter().find(|t| t.id == frame.track).unwrap();
        let head = flv::body_head(&frame, track).unwrap();
        let kind = match frame.kind() {
            MediaKind::Video => TagKind::Video,
            _ => TagKind::Audio,
        };
        let key = kind == TagKind::Video && frame.is_keyframe();
        let body = [head.as_ref(), &frame.payload].concat();
        (kind, flv::timestamp_ms(frame.dts), body.into(), key)
    };
    Material {
        frames: source.take(count).map(body).collect(),
        tracks,
    }
}

async fn configure(client: &mut Client, tracks: &[TrackInfo]) {
    let metadata = Value::ecma_array([("width", 64.0)]);
    let metadata = flv::amf0::write(&["@setDataFrame".into(), "onMetaData".into(), metadata]);
    client.send(TagKind::Script, 0, &[&metadata]).await;
    for track in tracks {
        let kind = match track.kind() {
            MediaKind::Video => TagKind::Video,
            _ => TagKind::Audio,
        };
        let header = flv::sequence_header(track).unwrap();
        client.send(kind, 0, &[&header]).await;
    }
}

async fn publish(client: &mut Client, frames: &[(TagKind, u32, Bytes, bool)]) {
    for (n, (kind, time, body, _)) in frames.iter().enumerate() {
        client.send(*kind, *time, &[body]).await;
        if n % 30 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Reads to the end; the hashes of media bodies, without configurations.
async fn play(mut client: Client, tracks: Vec<TrackInfo>) -> Vec<[u8; 32]> {
    let headers: Vec<_> = tracks.iter().filter_map(flv::sequence_header).collect();
    let (mut got, mut configured) = (Vec::new(), 0);
    while let Some(event) = client.next().await.unwrap() {
        match event {
            Event::Message(m) if m.kind == MessageType::Data => {}
            Event::Message(m) if headers.contains(&m.body) => configured += 1,
            Event::Message(m) => got.push(hash(&m.body)),
            Event::Ended => {
                assert_eq!(configured, 2, "each configuration once");
                return got;
            }
            _ => {}
        }
    }
    panic!("closed without an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_every_fan_out_profile() {
    for fan_out in [
        FanOut::LatencyFirst,
        FanOut::Default,
        FanOut::ThroughputFirst,
    ] {
        let mut config = config();
        config.fan_out = fan_out;
        // Faster than life, so that nobody is behind by the clock of the media.
        let mut limits = core_frame::Limits::default();
        limits.lag_ms = 1_000_000;
        limits.log_ms = 1_000_000;
        limits.lag_bytes = 1 << 30;
        let rig = Rig::with(config, bus::Engine::builder().limits(limits));
        let Material { tracks, frames } = material(500);
        let (before, after) = frames.split_at(380);
        let mut publisher = rig.client("live/cam", Role::Publish).await;
        publisher.start().await.unwrap();
        configure(&mut publisher, &tracks).await;
        let key = StreamKey::new("live", "cam");
        until("the stream has its tracks", || {
            rig.engine
                .get_stream(&key)
                .is_ok_and(|s| s.tracks().tracks.len() == 2)
        })
        .await;
        let handle = rig.engine.get_stream(&key).unwrap();

        let mut early = rig.client("live/cam", Role::Play).await;
        early.start().await.unwrap();
        let early = tokio::spawn(play(early, tracks.clone()));
        until("the first plays", || handle.reader_count() == 1).await;
        publish(&mut publisher, before).await;
        until("the first frames are in", || handle.qos().frames_in == 380).await;
        // The view has seen them too.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let mut late = rig.client("live/cam", Role::Play).await;
        late.start().await.unwrap();
        let late = tokio::spawn(play(late, tracks));
        until("the second plays", || handle.reader_count() == 2).await;
        publish(&mut publisher, after).await;
        until("all frames are in", || handle.qos().frames_in == 500).await;
        publisher.session.finish();
        publisher.flush().await;

        let sent: Vec<_> = frames.iter().map(|(_, _, body, _)| hash(body)).collect();
        let early = early.await.unwrap();
        assert_eq!(early.len(), sent.len(), "{fan_out:?}");
        assert!(early == sent, "{fan_out:?}: early player");
        let key_frame = before.iter().rposition(|(_, _, _, key)| *key).unwrap();
        let late = late.await.unwrap();
        assert_eq!(late.len(), sent.len() - key_frame, "{fan_out:?}");
        assert!(late == sent[key_frame..], "{fan_out:?}: late player");
    }
}

#[tokio::test]
async fn refusals_over_the_wire() {
    let rig = Rig::new();
    let mut nobody = rig.client("live/nobody", Role::Play).await;
    let code = |code: &str| Err(Error::Refused(code.into()));
    assert_eq!(nobody.start().await, code("NetStream.Play.StreamNotFound"));
    let mut first = rig.client("live/cam", Role::Publish).await;
    first.start().await.unwrap();
    let mut second = rig.client("live/cam", Role::Publish).await;
    assert_eq!(second.start().await, code("NetStream.Publish.BadName"));
    let mut bad = rig.client("live/..", Role::Publish).await;
    assert_eq!(bad.start().await, code("NetStream.Publish.BadName"));
}

#[tokio::test]
async fn shutdown_tells_everybody_and_returns() {
    let rig = Rig::new();
    let mut publisher = rig.client("live/cam", Role::Publish).await;
    publisher.start().await.unwrap();
    let Material { tracks, frames } = material(20);
    configure(&mut publisher, &tracks).await;
    publish(&mut publisher, &frames).await;
    let mut player = rig.client("live/cam", Role::Play).await;
    player.start().await.unwrap();
    let _idle = rig.client("live/idle", Role::Play).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    rig.shutdown.cancel();
    // Whoever understands it is asked to come back, and then told why it is left.
    async fn told(client: &mut Client) -> (bool, String) {
        let mut events = Vec::new();
        let code = loop {
            match client.next().await {
                Err(Error::Refused(code)) => break code,
                Ok(Some(event)) => events.push(event),
                other => panic!("{other:?}"),
            }
        };
        // What came in one piece with the refusal.
        client.flush().await;
        events.extend(client.events.drain(..));
        let asked = events.contains(&Event::Reconnect { tc_url: None });
        (asked, code)
    }
    let (played, published) = tokio::join!(told(&mut player), told(&mut publisher));
    assert_eq!(played, (true, "NetStream.Play.Failed".to_owned()));
    assert_eq!(published, (true, "NetStream.Publish.Failed".to_owned()));
    let served = tokio::time::timeout(Duration::from_secs(3), rig.served).await;
    served.expect("serve returns").unwrap().unwrap();
}
