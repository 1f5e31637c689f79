//! Registered readers: listed, limited, counted and ended.

use std::time::Duration;

use core_frame::{Limits, StreamError};
use millstream_bus::{
    AppSpec, EndReason, Engine, ReaderInfo, StreamEvent, SubscribeOptions, TryBatch, core_frame,
};

use crate::support::{drain, engine, session, video};

fn registered() -> SubscribeOptions {
    let remote = "10.0.0.9:1234".parse().ok();
    SubscribeOptions::registered(ReaderInfo::new("rtmp", remote))
}

#[tokio::test]
async fn registered_readers_are_listed() {
    let engine = engine();
    let mut events = engine.events().subscribe();
    let publisher = session(&engine).await;
    let handle = publisher.handle();
    publisher.publish_frame(video(0, true)).unwrap();
    let anonymous = handle.subscribe_resilient();
    let mut reader = handle.subscribe(registered()).unwrap();
    drain(&mut reader);
    reader.delivered(1_234);
    publisher.publish_frame(video(1, false)).unwrap();
    let list = handle.readers();
    assert_eq!(list.len(), 1);
    let r = &list[0];
    assert_eq!(
        (r.id, r.protocol, r.bytes, r.skipped),
        (reader.id(), "rtmp", 1_234, 0)
    );
    assert_eq!(r.remote.unwrap().port(), 1234);
    assert_eq!((r.lag.bytes, r.lag.time.as_millis()), (8, 40));
    assert_eq!(handle.reader_count(), 2);
    let id = reader.id();
    drop((reader, anonymous));
    assert!(handle.readers().is_empty());
    assert_eq!(handle.reader_count(), 0);
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
        .filter_map(|e| match e {
            StreamEvent::ReaderJoined { id, .. } => Some(("joined", id, 0)),
            StreamEvent::ReaderLeft { id, bytes, .. } => Some(("left", id, bytes)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [("joined", id, 0), ("left", id, 1_234)]);
}

#[tokio::test]
async fn the_limit_of_readers_counts_those_who_registered() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").max_readers(2))
        .build();
    let publisher = session(&engine).await;
    let handle = publisher.handle();
    let _internal = handle.subscribe(SubscribeOptions::default()).unwrap();
    let _a = handle.subscribe(registered()).unwrap();
    let b = handle.subscribe(registered()).unwrap();
    let c = handle.subscribe(registered());
    assert!(matches!(
        c,
        Err(StreamError::ReaderLimitReached { limit: 2 })
    ));
    drop(b);
    handle.subscribe(registered()).unwrap();
}

#[tokio::test]
async fn a_kicked_reader_ends_and_the_others_do_not() {
    let engine = engine();
    let publisher = session(&engine).await;
    let handle = publisher.handle().clone();
    let mut other = handle.subscribe(registered()).unwrap();
    let mut reader = handle.subscribe(registered()).unwrap();
    let id = reader.id();
    let token = reader.ended_by_other();
    let waiting = tokio::spawn(async move { (reader.next_batch().await.is_none(), reader) });
    tokio::task::yield_now().await;
    assert!(handle.kick_reader(id));
    assert!(!handle.kick_reader(id), "once");
    assert!(!handle.kick_reader(u64::MAX));
    token.cancelled().await;
    let (ended, reader) = waiting.await.unwrap();
    assert!(ended);
    assert_eq!(reader.end_reason(), Some(EndReason::Kicked));
    publisher.publish_frame(video(0, true)).unwrap();
    assert_eq!(drain(&mut other), [0]);
    assert_eq!(other.end_reason(), None);
}

#[tokio::test]
async fn a_running_engine_gives_up_readers_that_stand_still() {
    let mut limits = Limits::default();
    limits.stall_ms = 300;
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(limits)
        .build();
    let shutdown = millstream_bus::CancellationToken::new();
    let run = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.run(shutdown).await }
    });
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let mut stuck = publisher.handle().subscribe(registered()).unwrap();
    let mut fine = publisher.handle().subscribe(registered()).unwrap();
    let gone = stuck.ended_by_other();
    let reading = tokio::spawn(async move { while fine.next_batch().await.is_some() {} });
    tokio::time::timeout(Duration::from_secs(10), gone.cancelled())
        .await
        .unwrap();
    assert!(matches!(stuck.try_batch(), TryBatch::Ended));
    assert_eq!(stuck.end_reason(), Some(EndReason::Lagging));
    assert!(!reading.is_finished());
    publisher.finish().await.unwrap();
    reading.await.unwrap();
    shutdown.cancel();
    run.await.unwrap().unwrap();
}

#[test]
fn what_moves_between_tasks_may() {
    fn send<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    send::<millstream_bus::Subscriber>();
    send::<millstream_bus::ViewReader>();
    shared::<millstream_bus::StreamHandle>();
    shared::<millstream_bus::PublishSession>();
    shared::<millstream_bus::ViewHandle>();
    shared::<millstream_bus::Batch<core_frame::MediaFrame, core_frame::TrackTable>>();
    shared::<Engine>();
}
