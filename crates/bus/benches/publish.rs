//! What publishing a frame costs the publisher, beside bare `tokio::sync::broadcast` and the crate arcly-stream: with
//! readers that are subscribed but do not wait, and with readers that wait.
//!
//! `cargo bench -p millstream-bus --bench publish`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, StreamKey};
use millstream_bus::{
    AppSpec, Engine, IngestContext, PublishSession, Subscriber, bytes, core_frame,
};
use tokio::sync::broadcast;

const READERS: [usize; 5] = [0, 1, 16, 256, 4096];
/// Frames in a GOP; the GOP is kept by the two engines.
const GOP: u64 = 60;
const RUN: u64 = 20_000;
const RUNS: usize = 25;

fn main() {
    let payload = Bytes::from(vec![7_u8; 8_000]);
    if std::env::var_os("BENCH_ALONE").is_some() {
        // For a profiler: nothing but our own publishing.
        let ours = Ours::new();
        let _held = ours.subscribe(16);
        for round in 0..500 {
            let ns = time(|i| ours.publish(round * RUN + i, &payload));
            if round % 100 == 0 {
                println!("{ns:.1}");
            }
        }
        return;
    }
    println!(
        "publish, ns a frame (median of {RUNS} runs of {RUN} frames; GOP of {GOP} kept; readers subscribed, not waiting)"
    );
    println!(
        "{:>8} {:>12} {:>18} {:>14}",
        "readers", "millstream", "tokio broadcast", "arcly-stream"
    );
    for readers in READERS {
        let ours = Ours::new();
        let held = ours.subscribe(readers);
        let theirs = Tokio::new();
        let held_tokio = theirs.subscribe(readers);
        let arcly = Arcly::new();
        let held_arcly = arcly.subscribe(readers);
        let mut samples = [const { Vec::new() }; 3];
        let mut n = 0;
        for _ in 0..RUNS {
            // One after the other within each round, so that whatever else the machine does hits all alike.
            samples[0].push(time(|i| ours.publish(n + i, &payload)));
            samples[1].push(time(|i| theirs.publish(n + i, &payload)));
            samples[2].push(time(|i| arcly.publish(n + i, &payload)));
            n += RUN;
        }
        let [a, b, c] = samples.map(median);
        println!("{readers:>8} {a:>12.1} {b:>18.1} {c:>14.1}");
        drop((held, held_tokio, held_arcly));
    }
    waiting(&payload);
}

fn time(mut publish: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    for i in 0..RUN {
        publish(i);
    }
    start.elapsed().as_nanos() as f64 / RUN as f64
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Tasks that wait for the next frame on a runtime of two workers; the publisher is a thread of its own.
fn waiting(payload: &Bytes) {
    println!();
    println!("publish with waiting readers: ns a wake (median of 60 publishes, 25 ms apart)");
    println!(
        "{:>8} {:>12} {:>18} {:>14}",
        "readers", "millstream", "tokio broadcast", "arcly-stream"
    );
    for readers in [256, 4096] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let guard = runtime.enter();
        let ours = Ours::new();
        for mut reader in ours.subscribe(readers) {
            runtime.spawn(async move { while reader.next_batch().await.is_some() {} });
        }
        let a = rounds(readers, |n| ours.publish(n, payload));
        drop(ours);
        let theirs = Tokio::new();
        for mut reader in theirs.subscribe(readers) {
            runtime.spawn(async move { while reader.recv().await.is_ok() {} });
        }
        let b = rounds(readers, |n| theirs.publish(n, payload));
        drop(theirs);
        let arcly = Arcly::new();
        for _ in 0..readers {
            let mut reader = arcly.handle.subscribe_resilient();
            runtime.spawn(async move { while reader.recv().await.is_some() {} });
        }
        let c = rounds(readers, |n| arcly.publish(n, payload));
        drop(arcly);
        println!("{readers:>8} {a:>12.1} {b:>18.1} {c:>14.1}");
        drop(guard);
    }
}

fn rounds(readers: usize, mut publish: impl FnMut(u64)) -> f64 {
    let mut samples = Vec::new();
    for n in 0..60 {
        std::thread::sleep(Duration::from_millis(25));
        let start = Instant::now();
        publish(n);
        samples.push(start.elapsed().as_nanos() as f64 / readers as f64);
    }
    median(samples)
}

struct Ours {
    session: PublishSession,
    _engine: Arc<Engine>,
}

impl Ours {
    fn new() -> Self {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let ctx = IngestContext::new(engine.clone());
        let session = std::thread::scope(|s| {
            s.spawn(|| {
                runtime
                    .block_on(ctx.open_publish(StreamKey::new("live", "bench")))
                    .unwrap()
            })
            .join()
            .unwrap()
        });
        Self {
            session,
            _engine: engine,
        }
    }

    fn subscribe(&self, n: usize) -> Vec<Subscriber> {
        (0..n)
            .map(|_| self.session.handle().subscribe_resilient())
            .collect()
    }

    fn publish(&self, n: u64, payload: &Bytes) {
        let ms = n as i64 * 13;
        let frame = MediaFrame::new_video(
            ms,
            ms,
            payload.clone(),
            CodecId::H264,
            n.is_multiple_of(GOP),
        );
        self.session.publish_frame(frame).unwrap();
    }
}

struct Tokio {
    sender: broadcast::Sender<MediaFrame>,
}

impl Tokio {
    fn new() -> Self {
        Self {
            sender: broadcast::channel(1024).0,
        }
    }

    fn subscribe(&self, n: usize) -> Vec<broadcast::Receiver<MediaFrame>> {
        (0..n).map(|_| self.sender.subscribe()).collect()
    }

    fn publish(&self, n: u64, payload: &Bytes) {
        let ms = n as i64 * 13;
        let frame = MediaFrame::new_video(
            ms,
            ms,
            payload.clone(),
            CodecId::H264,
            n.is_multiple_of(GOP),
        );
        let _ = self.sender.send(frame);
    }
}

struct Arcly {
    handle: arcly_stream::StreamHandle,
    _engine: Arc<arcly_stream::Engine>,
}

impl Arcly {
    fn new() -> Self {
        use arcly_stream::bus::PublishRegistry;
        let engine = arcly_stream::Engine::builder()
            .application(arcly_stream::AppSpec::new("live").gop_cache(256))
            .build();
        let key = arcly_stream::StreamKey::new("live", "bench");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let handle = std::thread::scope(|s| {
            s.spawn(|| runtime.block_on(engine.start_publish(&key)).unwrap())
                .join()
                .unwrap()
        });
        Self {
            handle,
            _engine: engine,
        }
    }

    fn subscribe(&self, n: usize) -> Vec<broadcast::Receiver<Arc<arcly_stream::MediaFrame>>> {
        (0..n).map(|_| self.handle.subscribe()).collect()
    }

    fn publish(&self, n: u64, payload: &Bytes) {
        let ms = n as i64 * 13;
        let frame = arcly_stream::MediaFrame::new_video(
            ms,
            ms,
            payload.clone(),
            arcly_stream::CodecId::H264,
            n.is_multiple_of(GOP),
        );
        self.handle.publish_frame(frame).unwrap();
    }
}
