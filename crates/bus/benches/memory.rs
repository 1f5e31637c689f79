//! What a frame allocates once everything is warm, and what an idle reader weighs.
//!
//! `cargo bench -p millstream-bus --bench memory`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, StreamKey};
use millstream_bus::{
    AppSpec, Engine, IngestContext, ReaderInfo, SubscribeOptions, TryBatch, bytes, core_frame,
};

#[path = "../tests/alloc/counting.rs"]
mod counting;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let session = runtime
        .block_on(IngestContext::new(engine.clone()).open_publish(StreamKey::new("live", "bench")))
        .unwrap();
    let payload = Bytes::from(vec![7; 1_000]);
    let publish = |n: u64| {
        let ms = n as i64 * 13;
        let key = n.is_multiple_of(60);
        let frame = MediaFrame::new_video(ms, ms, payload.clone(), CodecId::H264, key);
        session.publish_frame(frame).unwrap();
    };
    let mut readers: Vec<_> = (0..16)
        .map(|_| session.handle().subscribe_resilient())
        .collect();
    let mut read = || {
        let mut frames = 0;
        for reader in &mut readers {
            while let TryBatch::Batch(batch) = reader.try_batch() {
                frames += batch.len();
            }
        }
        frames
    };
    let mut n = 0;
    for _ in 0..10_000 {
        publish(n);
        n += 1;
        if n.is_multiple_of(10) {
            read();
        }
    }
    let (before, _) = counting::snapshot();
    let mut frames = 0;
    for _ in 0..100_000 {
        publish(n);
        n += 1;
        if n.is_multiple_of(10) {
            frames += read();
        }
    }
    let (after, _) = counting::snapshot();
    println!(
        "allocations for 100000 frames published and {frames} delivered to 16 readers: {}",
        after - before
    );

    drop(readers);
    drop(engine);

    for (what, registered) in [("anonymous", false), ("registered", true)] {
        const IDLE: usize = 4_096;
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let session = runtime
            .block_on(
                IngestContext::new(engine.clone()).open_publish(StreamKey::new("live", "idle")),
            )
            .unwrap();
        let frame = MediaFrame::new_video(0, 0, payload.clone(), CodecId::H264, true);
        session.publish_frame(frame).unwrap();
        let mut idle = Vec::with_capacity(IDLE);
        let (_, before) = counting::snapshot();
        for _ in 0..IDLE {
            let options = SubscribeOptions {
                reader: registered.then(|| ReaderInfo::new("bench", None)),
                ..SubscribeOptions::default()
            };
            let mut reader = Box::new(session.handle().subscribe(options).unwrap());
            while let TryBatch::Batch(_) = reader.try_batch() {}
            idle.push(reader);
        }
        let (_, after) = counting::snapshot();
        println!(
            "bytes an idle {what} reader, cursor and its share of the stream's lists included: {}",
            (after - before) / IDLE
        );
    }
}
