//! The engine as a whole: applications, events, observers, QoS, shutdown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use core_frame::{MediaFrame, StreamError, StreamKey};
use millstream_bus::{
    AppSpec, Engine, IngestContext, Observer, StreamEvent, StreamState, SubscribeOptions,
    core_frame,
};

use crate::support::{audio, engine, key, number, session, video};

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn event(&self, event: &StreamEvent) {
        self.0
            .lock()
            .unwrap()
            .push(format!("{} {}", event.key(), event.name()));
    }
}

#[tokio::test]
async fn observers_and_listeners_hear_the_same() {
    let notes = Arc::new(Notes::default());
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(notes.clone())
        .build();
    let mut events = engine.events().subscribe();
    let publisher = session(&engine).await;
    publisher
        .publish_frames([video(0, true), audio(0)])
        .unwrap();
    publisher.finish().await.unwrap();
    let heard: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
        .map(|e| format!("{} {}", e.key(), e.name()))
        .collect();
    assert_eq!(
        heard,
        [
            "live/cam published",
            "live/cam state_changed",
            "live/cam tracks_changed",
            "live/cam unpublished",
            "live/cam state_changed",
        ]
    );
    assert_eq!(*notes.0.lock().unwrap(), heard);
}

#[tokio::test]
async fn any_application_can_be_allowed() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").max_publishers(0))
        .allow_any_app(AppSpec::new("any").max_publishers(1))
        .build();
    let ctx = IngestContext::new(engine.clone());
    assert!(
        ctx.open_publish(key()).await.is_err(),
        "named ones keep their own rules"
    );
    let a = ctx
        .open_publish(StreamKey::new("a/b", "cam"))
        .await
        .unwrap();
    let second = ctx.open_publish(StreamKey::new("a/b", "two")).await;
    assert!(matches!(
        second,
        Err(StreamError::PublisherLimitReached { limit: 1 })
    ));
    let _c = ctx.open_publish(StreamKey::new("c", "cam")).await.unwrap();
    let keys: Vec<_> = engine
        .streams()
        .iter()
        .map(|s| s.key().to_string())
        .collect();
    assert_eq!(keys, ["a/b/cam", "c/cam"]);
    drop(a);
    assert_eq!(engine.streams().len(), 1);
}

#[tokio::test]
async fn qos_counts_what_comes_in() {
    let engine = engine();
    let publisher = session(&engine).await;
    // 25 pictures and 25 sounds a second, 8 bytes each, for 2.4 s.
    for n in 0..60 {
        publisher
            .publish_frames([video(n, n % 10 == 0), audio(n)])
            .unwrap();
    }
    let qos = publisher.handle().qos();
    assert_eq!((qos.frames_in, qos.bytes_in), (120, 960));
    assert_eq!(qos.log_frames, 120);
    assert_eq!(qos.log_time.as_millis(), 59 * 40);
    for track in &qos.tracks {
        assert_eq!((track.frames, track.bytes), (60, 480));
        assert_eq!(track.bitrate_bps, 25 * 8 * 8);
        assert!((track.fps - 25.0).abs() < 0.01, "{}", track.fps);
    }
    assert!(qos.last_frame_age.unwrap() < Duration::from_secs(5));
}

#[tokio::test]
async fn shutdown_waits_until_readers_have_everything() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher
        .handle()
        .subscribe(SubscribeOptions::everything())
        .unwrap();
    publisher
        .publish_frames((0..200).map(|n| video(n, n == 0)))
        .unwrap();
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        while let Some(frame) = reader.recv().await {
            got.push(number(&frame));
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        got
    });
    engine.shutdown(Duration::from_secs(20)).await;
    assert_eq!(publisher.handle().state(), StreamState::Ended);
    assert!(publisher.kicked().is_cancelled());
    assert!(publisher.publish_frame(video(200, true)).is_err());
    assert_eq!(reading.await.unwrap(), (0..200).collect::<Vec<_>>());
    let late = IngestContext::new(engine.clone()).open_publish(key()).await;
    assert!(matches!(late, Err(StreamError::ShuttingDown)));
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let engine = engine();
    let publisher = session(&engine).await;
    let _stuck = publisher.handle().subscribe_resilient();
    publisher.publish_frame(video(0, true)).unwrap();
    let begun = std::time::Instant::now();
    engine.shutdown(Duration::from_millis(50)).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_engine_that_is_dropped_ends_its_streams() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher.handle().subscribe_resilient();
    publisher.publish_frame(video(0, true)).unwrap();
    let handle = publisher.handle().clone();
    drop(publisher);
    drop(engine);
    assert_eq!(handle.state(), StreamState::Ended);
    assert_eq!(
        reader.recv().await.as_ref().map(MediaFrame::is_keyframe),
        Some(true)
    );
    assert!(reader.recv().await.is_none());
}
