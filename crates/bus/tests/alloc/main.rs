//! What a frame costs in memory once everything is warm: nothing. A binary of its own, because it counts every allocation
//! of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, StreamKey};
use millstream_bus::{
    AppSpec, Engine, IngestContext, ReaderInfo, SubscribeOptions, TryBatch, bytes, core_frame,
};

mod counting;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// One test, so that no other one allocates meanwhile.
#[test]
fn a_frame_allocates_nothing_and_an_idle_reader_weighs_little() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let session = runtime
        .block_on(IngestContext::new(engine.clone()).open_publish(StreamKey::new("live", "cam")))
        .unwrap();
    let handle = session.handle().clone();
    let payload = Bytes::from(vec![7; 1_000]);
    let mut n = 0_u64;
    let mut publish = |count: u64| {
        for _ in 0..count {
            let ms = n as i64 * 13;
            let key = n.is_multiple_of(60);
            let frame = MediaFrame::new_video(ms, ms, payload.clone(), CodecId::H264, key);
            session.publish_frame(frame).unwrap();
            n += 1;
        }
    };

    // Readers in step and readers that are always behind, by batches; one that holds on to what it was lent; and tasks
    // that wait, so that publishing wakes them.
    let mut keen: Vec<_> = (0..8).map(|_| handle.subscribe_resilient()).collect();
    let mut slow: Vec<_> = (0..8).map(|_| handle.subscribe_resilient()).collect();
    let mut writing = handle.subscribe_resilient();
    let mut held = None;
    let mut waiting: Vec<_> = (0..8).map(|_| handle.subscribe_resilient()).collect();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut round = |rounds: u64| {
        let mut frames = 0;
        for i in 0..rounds {
            publish(5);
            for reader in &mut waiting {
                let mut cx = Context::from_waker(&waker);
                while let Poll::Ready(Some(batch)) = reader.poll_batch(&mut cx) {
                    frames += batch.len();
                }
            }
            for reader in &mut keen {
                while let TryBatch::Batch(batch) = reader.try_batch() {
                    frames += batch
                        .iter()
                        .map(|(_, f)| f.payload.len() / 1_000)
                        .sum::<usize>();
                }
            }
            if i % 40 == 0 {
                for reader in &mut slow {
                    while let TryBatch::Batch(batch) = reader.try_batch() {
                        frames += batch.len();
                    }
                }
            }
            if i % 100 == 0 {
                held = match writing.try_batch() {
                    TryBatch::Batch(batch) => Some(batch),
                    _ => None,
                };
            }
        }
        frames
    };
    round(2_000);
    let (before, _) = counting::snapshot();
    let frames = round(10_000);
    let (after, _) = counting::snapshot();
    assert!(frames > 400_000, "{frames} frames read");
    assert_eq!(
        after - before,
        0,
        "allocations for 50000 frames published, {frames} read"
    );
    let woken = wakes.0.load(Ordering::Relaxed);
    assert!(woken >= 8 * 11_999, "each round woke each of them: {woken}");
    drop((keen, slow, held, writing, waiting));

    for registered in [false, true] {
        const IDLE: usize = 2_048;
        let mut idle = Vec::with_capacity(IDLE);
        let (_, before) = counting::snapshot();
        for _ in 0..IDLE {
            let options = SubscribeOptions {
                reader: registered.then(|| ReaderInfo::new("test", None)),
                ..SubscribeOptions::default()
            };
            let mut reader = Box::new(handle.subscribe(options).unwrap());
            while let TryBatch::Batch(_) = reader.try_batch() {}
            idle.push(reader);
        }
        let (_, after) = counting::snapshot();
        let each = (after - before) / IDLE;
        assert!(each <= 1_024, "{each} bytes a reader");
        println!("an idle reader (registered: {registered}) weighs {each} bytes");
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
