//! A protocol worker's whole way: claim, publish, take leave; what its readers and rivals see.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, MediaFrame, Result, StreamError, StreamKey};
use millstream_bus::{
    AppSpec, CancellationToken, Engine, InboundProtocol, IngestContext, ProtocolHandler,
    PublishRegistry, StreamState, core_frame,
};

use crate::support::{engine, key, number, session, video};

struct Demo {
    key: StreamKey,
}

#[async_trait]
impl InboundProtocol for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let session = ctx.open_publish(self.key.clone()).await?;
        let mut config =
            MediaFrame::new_video(0, 0, Bytes::from_static(b"sps"), CodecId::H264, false);
        config.flags |= FrameFlags::CONFIG;
        session.publish_frame(config)?;
        session.publish_frame(video(0, true))?;
        shutdown.cancelled().await;
        session.finish().await
    }
}

#[tokio::test]
async fn a_worker_publishes_and_takes_leave() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").gop_cache(8))
        .build();
    let ctx = IngestContext::new(engine.clone());
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { Demo { key: key() }.serve(ctx, shutdown).await }
    });
    let handle = loop {
        if let Ok(handle) = engine.get_stream(&key())
            && handle.replay_buffer().iter().any(MediaFrame::is_keyframe)
        {
            break handle;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(handle.cached_configs().0.as_deref(), Some(&b"sps"[..]));
    assert_eq!(
        handle.replay_buffer().len(),
        1,
        "the configuration is no frame"
    );
    shutdown.cancel();
    worker.await.unwrap().unwrap();
    assert!(engine.get_stream(&key()).is_err(), "the key is free");
    assert_eq!(handle.state(), StreamState::Ended);
}

struct Legacy;

#[async_trait]
impl ProtocolHandler for Legacy {
    fn name(&self) -> &'static str {
        "legacy"
    }

    async fn run(
        &self,
        registry: Arc<dyn PublishRegistry>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let handle = registry.start_publish(&key()).await?;
        handle.publish_frame(video(0, true))?;
        shutdown.cancelled().await;
        registry.end_publish(&key()).await
    }
}

#[tokio::test]
async fn a_handler_is_a_protocol_by_the_bridge() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(Legacy)
        .build();
    let shutdown = CancellationToken::new();
    let run = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.run(shutdown).await }
    });
    while engine.get_stream(&key()).is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(InboundProtocol::name(&Legacy), "legacy");
    shutdown.cancel();
    run.await.unwrap().unwrap();
    assert!(engine.get_stream(&key()).is_err());
}

#[tokio::test]
async fn dropping_the_session_frees_the_key_at_once() {
    let engine = engine();
    let held = session(&engine).await;
    assert!(engine.get_stream(&key()).is_ok());
    drop(held);
    assert!(engine.get_stream(&key()).is_err());
    session(&engine).await;
}

#[tokio::test]
async fn finishing_tells_the_readers() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = engine.get_stream(&key()).unwrap().subscribe_resilient();
    let readers = publisher.publish_frame(video(7, true)).unwrap();
    assert_eq!(readers, 1);
    assert_eq!(reader.recv().await.map(|f| number(&f)), Some(7));
    publisher.publish_frame(video(8, false)).unwrap();
    publisher.finish().await.unwrap();
    let last = reader.recv().await.map(|f| number(&f));
    assert_eq!(
        last,
        Some(8),
        "what was published before the end is delivered"
    );
    assert!(reader.recv().await.is_none());
}

#[tokio::test]
async fn a_second_publisher_and_one_too_many_are_refused() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").max_publishers(2))
        .build();
    let ctx = IngestContext::new(engine.clone());
    let _a = ctx.open_publish(StreamKey::new("live", "a")).await.unwrap();
    let again = ctx.open_publish(StreamKey::new("live", "a")).await;
    assert!(matches!(
        again,
        Err(StreamError::StreamAlreadyPublishing(_))
    ));
    let b = ctx.open_publish(StreamKey::new("live", "b")).await.unwrap();
    let c = ctx.open_publish(StreamKey::new("live", "c")).await;
    assert!(matches!(
        c,
        Err(StreamError::PublisherLimitReached { limit: 2 })
    ));
    let other = ctx.open_publish(StreamKey::new("vod", "a")).await;
    assert!(matches!(other, Err(StreamError::AppNotFound(app)) if app == "vod"));
    b.finish().await.unwrap();
    ctx.open_publish(StreamKey::new("live", "c")).await.unwrap();
}

struct Failing;

#[async_trait]
impl InboundProtocol for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn serve(&self, _ctx: IngestContext, _shutdown: CancellationToken) -> Result<()> {
        Err(StreamError::other("cannot bind"))
    }
}

#[tokio::test]
async fn a_failing_worker_winds_its_siblings_down() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(Demo { key: key() })
        .protocol(Failing)
        .build();
    let error = engine.run(CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot bind");
    assert!(
        engine.get_stream(&key()).is_err(),
        "the sibling took its leave"
    );
}
