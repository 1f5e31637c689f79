//! Publishers come, go, come back, take over, fall silent and are thrown out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use core_frame::{Result, Secret, StreamError};
use millstream_bus::{
    AppSpec, Authenticator, Engine, IngestContext, Peer, PlayRequest, PlaybackRegistry,
    PublishRequest, PublishSession, StreamEvent, StreamState, TryBatch, UnpublishReason,
    core_frame,
};

use crate::support::{drain, engine, key, number, session, video};

fn request(ip: &str, token: Option<&str>) -> PublishRequest {
    let remote: SocketAddr = format!("{ip}:5000").parse().unwrap();
    PublishRequest::new(key())
        .peer(Peer::new("rtmp").remote(remote).user_agent("OBS"))
        .token(token.map(Secret::new))
}

async fn claim(engine: &Arc<Engine>, request: PublishRequest) -> Result<PublishSession> {
    IngestContext::new(engine.clone())
        .open_publish_as(request)
        .await
}

#[tokio::test]
async fn a_silent_publisher_is_taken_over_by_the_same_one_only() {
    let app = AppSpec::new("live").takeover(Some(Duration::from_millis(20)));
    for (first, second, works) in [
        (request("10.0.0.1", None), request("10.0.0.1", None), true),
        (request("10.0.0.1", None), request("10.0.0.2", None), false),
        (
            request("10.0.0.1", Some("a")),
            request("10.0.0.2", Some("a")),
            true,
        ),
        (
            request("10.0.0.1", Some("a")),
            request("10.0.0.1", Some("b")),
            false,
        ),
        (
            request("10.0.0.1", Some("a")),
            request("10.0.0.1", None),
            false,
        ),
    ] {
        let engine = Engine::builder().application(app.clone()).build();
        let mut events = engine.events().subscribe();
        let old = claim(&engine, first).await.unwrap();
        let info = old.handle().publisher().unwrap();
        assert_eq!(
            (info.protocol, info.user_agent.as_deref()),
            ("rtmp", Some("OBS"))
        );
        let mut reader = old.handle().subscribe_resilient();
        old.publish_frame(video(0, true)).unwrap();
        let at_once = claim(&engine, second.clone()).await;
        assert!(at_once.is_err(), "it has just sent something");
        tokio::time::sleep(Duration::from_millis(25)).await;
        let new = claim(&engine, second).await;
        assert_eq!(new.is_ok(), works);
        let Ok(new) = new else { continue };
        assert!(old.kicked().is_cancelled());
        let late = old.publish_frame(video(1, false));
        assert!(matches!(late, Err(StreamError::Ended)));
        drop(old);
        new.publish_frame(video(0, true)).unwrap();
        let mut seen = Vec::new();
        while let TryBatch::Batch(batch) = reader.try_batch() {
            seen.extend(batch.iter().map(|(_, f)| (number(f), f.epoch.0)));
        }
        assert_eq!(seen, [(0, 0), (0, 1)], "the stream goes on in a new epoch");
        assert_eq!(new.handle().state(), StreamState::Publishing);
        let left = std::iter::from_fn(|| events.try_recv().ok()).find_map(|e| match e {
            StreamEvent::Unpublished { reason, .. } => Some(reason),
            _ => None,
        });
        assert_eq!(left, Some(UnpublishReason::TakenOver));
    }
}

#[tokio::test]
async fn a_stream_outlives_its_publisher_for_the_grace() {
    let app = AppSpec::new("live").grace(Duration::from_millis(80));
    let engine = Engine::builder().application(app).build();
    let first = session(&engine).await;
    first
        .publish_frames([video(0, true), video(1, false)])
        .unwrap();
    let mut reader = first.handle().subscribe_resilient();
    let handle = first.handle().clone();
    drop(first);
    assert_eq!(handle.state(), StreamState::Grace);
    assert!(engine.get_stream(&key()).is_ok(), "players may still join");
    let second = session(&engine).await;
    assert_eq!(handle.state(), StreamState::Publishing);
    second
        .publish_frames([video(0, true), video(1, false)])
        .unwrap();
    let mut times = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        times.extend(batch.iter().map(|(_, f)| f.dts));
    }
    assert_eq!(times.len(), 4);
    assert!(times.is_sorted(), "one timeline: {times:?}");
    second.finish().await.unwrap();
    assert_eq!(
        handle.state(),
        StreamState::Grace,
        "leave too, unless configured otherwise"
    );
    let end = tokio::time::timeout(Duration::from_secs(5), reader.recv()).await;
    assert!(end.unwrap().is_none(), "nobody came back");
    assert_eq!(handle.state(), StreamState::Ended);
    assert!(engine.get_stream(&key()).is_err());
}

#[tokio::test]
async fn taking_leave_can_end_the_stream_at_once() {
    let app = AppSpec::new("live")
        .grace(Duration::from_secs(60))
        .end_on_unpublish(true);
    let engine = Engine::builder().application(app).build();
    let publisher = session(&engine).await;
    let handle = publisher.handle().clone();
    publisher.finish().await.unwrap();
    assert_eq!(handle.state(), StreamState::Ended);
    let publisher = session(&engine).await;
    let handle = publisher.handle().clone();
    drop(publisher);
    assert_eq!(handle.state(), StreamState::Grace);
}

#[tokio::test]
async fn an_operator_ends_a_publisher() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher.handle().subscribe_resilient();
    publisher.publish_frame(video(0, true)).unwrap();
    let kicked = publisher.kicked();
    assert!(engine.get_stream(&key()).unwrap().kick_publisher());
    kicked.cancelled().await;
    assert!(publisher.publish_frame(video(1, false)).is_err());
    assert_eq!(drain(&mut reader), [0]);
    assert!(reader.recv().await.is_none());
    assert!(engine.get_stream(&key()).is_err());
    assert!(
        !publisher.handle().kick_publisher(),
        "there is none any more"
    );
    let again = session(&engine).await;
    assert!(
        publisher.finish().await.is_err(),
        "it has nothing left to finish"
    );
    assert!(
        engine.get_stream(&key()).is_ok(),
        "and does not end its successor"
    );
    drop(again);
}

#[tokio::test]
async fn the_reaper_ends_those_who_send_nothing() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .idle_timeout(Duration::from_secs(10))
        .build();
    let mut events = engine.events().subscribe();
    let publisher = session(&engine).await;
    let t0 = Instant::now();
    let at = |s| t0 + Duration::from_secs(s);
    assert_eq!(engine.reap_idle(at(5)), 0);
    publisher.publish_frame(video(0, true)).unwrap();
    assert_eq!(engine.reap_idle(at(12)), 0, "it has sent something since");
    assert_eq!(engine.reap_idle(at(20)), 0);
    assert_eq!(engine.reap_idle(at(23)), 1);
    assert!(publisher.kicked().is_cancelled());
    assert!(engine.get_stream(&key()).is_err());
    let reason = std::iter::from_fn(|| events.try_recv().ok()).find_map(|e| match e {
        StreamEvent::Unpublished { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason, Some(UnpublishReason::Idle));
}

struct Doorman;

#[async_trait]
impl Authenticator for Doorman {
    async fn publish(&self, request: &PublishRequest) -> Result<()> {
        match &request.token {
            Some(token) if token.matches("secret") => Ok(()),
            _ => Err(StreamError::Unauthorized("no such token".into())),
        }
    }

    async fn play(&self, request: &PlayRequest) -> Result<()> {
        if request.query == "vip=1" {
            return Ok(());
        }
        Err(StreamError::Unauthorized("members only".into()))
    }
}

#[tokio::test]
async fn the_authenticator_says_who_may() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(Arc::new(Doorman))
        .build();
    let wrong = claim(&engine, request("10.0.0.1", Some("guess"))).await;
    assert!(matches!(wrong, Err(StreamError::Unauthorized(_))));
    assert!(
        engine.streams().is_empty(),
        "a refused publisher leaves no trace"
    );
    let publisher = claim(&engine, request("10.0.0.1", Some("secret")))
        .await
        .unwrap();
    let play = PlayRequest::new(key()).peer(Peer::new("hls"));
    let refused = engine.open_play(play.clone()).await;
    assert!(matches!(refused, Err(StreamError::Unauthorized(_))));
    let handle = engine.open_play(play.query("vip=1")).await.unwrap();
    assert_eq!(handle.key(), publisher.key());
    let none = PlayRequest::new(core_frame::StreamKey::new("live", "none")).query("vip=1");
    let none = engine.open_play(none).await;
    assert!(matches!(none, Err(StreamError::StreamNotFound(_))));
}

#[tokio::test]
async fn a_publisher_hears_that_a_key_frame_is_wanted() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut asked = publisher.handle().keyframe_requests();
    assert!(!asked.take());
    let handle = engine.get_stream(&key()).unwrap();
    handle.request_keyframe();
    handle.request_keyframe();
    asked.next().await.unwrap();
    assert!(!asked.take(), "two requests at a time are one");
    // A reader that has nowhere to start asks by itself.
    let _reader = handle.subscribe(Default::default()).unwrap();
    assert!(asked.take());
    publisher.publish_frame(video(0, true)).unwrap();
    let _reader = handle.subscribe(Default::default()).unwrap();
    assert!(!asked.take());
}
