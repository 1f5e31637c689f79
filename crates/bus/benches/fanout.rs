//! What a delivered frame costs the whole process: 77 frames a second to 256 reader tasks, and as fast as it goes, beside
//! bare `tokio::sync::broadcast` and the crate arcly-stream.
//!
//! `cargo bench -p millstream-bus --bench fanout`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, StreamKey};
use millstream_bus::{
    AppSpec, Engine, IngestContext, Pace, PublishSession, SubscribeOptions, bytes, core_frame,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;

const READERS: usize = 256;
const FPS: u32 = 77;
const ROUNDS: usize = 5;

fn main() {
    let secs = std::env::var("BENCH_SECS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(3_u64);
    if let Ok(name) = std::env::var("BENCH_ALONE") {
        // For a profiler: one kind only.
        for kind in Kind::ALL.into_iter().filter(|k| k.name().contains(&name)) {
            let (delivered, cpu) = paced(kind, Duration::from_secs(secs));
            let each = cpu.as_secs_f64() * 1e6 / delivered as f64;
            println!("{:<34} {delivered:>12} {each:>14.3}", kind.name());
        }
        return;
    }
    println!(
        "paced: {FPS} frames/s to {READERS} reader tasks, 2 workers; CPU of the whole process, us a delivered frame"
    );
    println!("(median of {ROUNDS} runs of {secs} s, one kind after the other in each round)");
    println!(
        "{:<38} {:>8} {:>14} {:>10}",
        "", "median", "from-to", "of tokio"
    );
    let mut samples = Kind::ALL.map(|kind| (kind, Vec::new()));
    for _ in 0..ROUNDS {
        for (kind, samples) in &mut samples {
            let (delivered, cpu) = paced(*kind, Duration::from_secs(secs));
            samples.push(cpu.as_secs_f64() * 1e6 / delivered as f64);
        }
    }
    let mut base = 0.0;
    for (kind, mut samples) in samples {
        samples.sort_by(f64::total_cmp);
        let median = samples[samples.len() / 2];
        if kind == Kind::Tokio {
            base = median;
        }
        let spread = format!("{:.2}-{:.2}", samples[0], samples[samples.len() - 1]);
        let name = kind.name();
        println!(
            "{name:<38} {median:>8.3} {spread:>14} {:>9.2}x",
            median / base
        );
    }
    println!();
    println!(
        "warm: one thread, each publish followed by all {READERS} readers, again and again: ns a delivered frame"
    );
    println!(
        "{:<34} {:>12} {:>14} {:>12}",
        "", "median", "quartiles", "of tokio"
    );
    let kinds = [Kind::Tokio, Kind::Arcly, Kind::Each, Kind::EachRecv];
    let mut samples = [const { Vec::new() }; 4];
    for _ in 0..7 {
        for (kind, samples) in kinds.into_iter().zip(&mut samples) {
            samples.push(warm(kind));
        }
    }
    let mut base = 0.0;
    for (kind, mut samples) in kinds.into_iter().zip(samples) {
        samples.sort_by(f64::total_cmp);
        let median = samples[samples.len() / 2];
        if kind == Kind::Tokio {
            base = median;
        }
        let spread = format!("{:.0}-{:.0}", samples[1], samples[samples.len() - 2]);
        println!(
            "{:<34} {median:>12.1} {spread:>14} {:>11.2}x",
            kind.name(),
            median / base
        );
    }
    println!();
    println!(
        "free running: bursts of 64 frames as fast as 256 readers let the publisher run, 2 workers, 2 s each"
    );
    println!("{:<34} {:>16}", "", "frames a CPU-s");
    for kind in [Kind::Tokio, Kind::Arcly, Kind::Each] {
        let (delivered, cpu) = free(kind, Duration::from_secs(2));
        println!(
            "{:<34} {:>14.1} M",
            kind.name(),
            delivered as f64 / cpu.as_secs_f64() / 1e6
        );
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Tokio,
    Arcly,
    Each,
    EachRecv,
    Paced(u64),
    /// Nothing is delivered: tasks that wait are woken this often. What any design with a task a reader pays.
    Floor(u64),
    /// Nothing is delivered and nobody is woken: what the bench itself costs.
    Publisher,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Tokio,
        Self::Arcly,
        Self::Each,
        Self::EachRecv,
        Self::Paced(20),
        Self::Paced(33),
        Self::Paced(40),
        Self::Paced(60),
        Self::Floor(13),
        Self::Floor(33),
        Self::Publisher,
    ];

    fn name(self) -> String {
        match self {
            Self::Tokio => "tokio broadcast".into(),
            Self::Arcly => "arcly-stream".into(),
            Self::Each => "millstream, each frame, batches".into(),
            Self::EachRecv => "millstream, each frame, recv()".into(),
            Self::Paced(ms) => format!("millstream, paced {ms} ms"),
            Self::Floor(ms) => format!("(only waking the tasks, every {ms} ms)"),
            Self::Publisher => "(only the publisher's timer)".into(),
        }
    }
}

/// One source of frames with its readers.
enum Source {
    Tokio(broadcast::Sender<MediaFrame>),
    Arcly(
        arcly_stream::StreamHandle,
        #[allow(dead_code)] Arc<arcly_stream::Engine>,
    ),
    Ours(PublishSession, #[allow(dead_code)] Arc<Engine>),
    Nothing,
}

impl Source {
    async fn new(kind: Kind, readers: usize, count: &Arc<AtomicU64>) -> Self {
        match kind {
            Kind::Tokio => {
                let sender = broadcast::channel(1024).0;
                for _ in 0..readers {
                    let mut reader: broadcast::Receiver<MediaFrame> = sender.subscribe();
                    let count = Arc::clone(count);
                    tokio::spawn(async move {
                        let mut local = Local::new(count);
                        loop {
                            match reader.recv().await {
                                Ok(frame) => local.add(frame.payload.len()),
                                Err(broadcast::error::RecvError::Lagged(_)) => {}
                                Err(broadcast::error::RecvError::Closed) => return,
                            }
                        }
                    });
                }
                Self::Tokio(sender)
            }
            Kind::Arcly => {
                use arcly_stream::bus::PublishRegistry;
                let engine = arcly_stream::Engine::builder()
                    .application(arcly_stream::AppSpec::new("live").gop_cache(256))
                    .build();
                let key = arcly_stream::StreamKey::new("live", "bench");
                let handle = engine.start_publish(&key).await.unwrap();
                for _ in 0..readers {
                    let mut reader = handle.subscribe_resilient();
                    let count = Arc::clone(count);
                    tokio::spawn(async move {
                        let mut local = Local::new(count);
                        while let Some(frame) = reader.recv().await {
                            local.add(frame.data.len());
                        }
                    });
                }
                Self::Arcly(handle, engine)
            }
            Kind::Publisher => Self::Nothing,
            Kind::Floor(ms) => {
                let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
                for _ in 0..readers {
                    tokio::spawn(wait_again_and_again(Arc::clone(&wakers)));
                }
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        let woken = std::mem::take(&mut *wakers.lock().unwrap());
                        woken.into_iter().for_each(Waker::wake);
                    }
                });
                Self::Nothing
            }
            Kind::Each | Kind::EachRecv | Kind::Paced(_) => {
                let engine = Engine::builder().application(AppSpec::new("live")).build();
                let session = IngestContext::new(engine.clone())
                    .open_publish(StreamKey::new("live", "bench"))
                    .await
                    .unwrap();
                let pace = match kind {
                    Kind::Paced(ms) => Pace::Every(Duration::from_millis(ms)),
                    _ => Pace::EachFrame,
                };
                for _ in 0..readers {
                    let options = SubscribeOptions {
                        pace,
                        ..SubscribeOptions::default()
                    };
                    let mut reader = session.handle().subscribe(options).unwrap();
                    let count = Arc::clone(count);
                    let mut local = Local::new(count);
                    if kind == Kind::EachRecv {
                        tokio::spawn(async move {
                            while let Some(frame) = reader.recv().await {
                                local.add(frame.payload.len());
                            }
                        });
                        continue;
                    }
                    tokio::spawn(async move {
                        while let Some(batch) = reader.next_batch().await {
                            for (_, frame) in &batch {
                                local.add(frame.payload.len());
                            }
                        }
                    });
                }
                Self::Ours(session, engine)
            }
        }
    }

    fn publish(&self, n: u64, payload: &Bytes) {
        let ms = (n * 1000 / u64::from(FPS)) as i64;
        let key = n.is_multiple_of(60);
        match self {
            Self::Nothing => {}
            Self::Tokio(sender) => {
                let _ = sender.send(MediaFrame::new_video(
                    ms,
                    ms,
                    payload.clone(),
                    CodecId::H264,
                    key,
                ));
            }
            Self::Ours(session, _) => {
                let frame = MediaFrame::new_video(ms, ms, payload.clone(), CodecId::H264, key);
                session.publish_frame(frame).unwrap();
            }
            Self::Arcly(handle, _) => {
                let codec = arcly_stream::CodecId::H264;
                let frame =
                    arcly_stream::MediaFrame::new_video(ms, ms, payload.clone(), codec, key);
                handle.publish_frame(frame).unwrap();
            }
        }
    }
}

async fn wait_again_and_again(wakers: Arc<Mutex<Vec<Waker>>>) {
    loop {
        let mut woken = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut woken, true) {
                return Poll::Ready(());
            }
            wakers.lock().unwrap().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Counts what a reader got, with little noise of its own.
struct Local {
    frames: u64,
    bytes: usize,
    total: Arc<AtomicU64>,
}

impl Local {
    fn new(total: Arc<AtomicU64>) -> Self {
        Self {
            frames: 0,
            bytes: 0,
            total,
        }
    }

    fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes = std::hint::black_box(self.bytes + bytes);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.total.fetch_add(self.frames, Ordering::Relaxed);
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
}

fn paced(kind: Kind, span: Duration) -> (u64, Duration) {
    let runtime = runtime();
    let count = Arc::new(AtomicU64::new(0));
    let cpu = runtime.block_on(async {
        let source = Source::new(kind, READERS, &count).await;
        let publisher = tokio::spawn(async move {
            let payload = Bytes::from(vec![7; 8_000]);
            let mut tick = tokio::time::interval(Duration::from_secs(1) / FPS);
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let before = cpu_time();
            let end = tokio::time::Instant::now() + span;
            let mut n = 0;
            while tokio::time::Instant::now() < end {
                tick.tick().await;
                source.publish(n, &payload);
                n += 1;
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
            cpu_time() - before
        });
        publisher.await.unwrap()
    });
    // Readers end with their source; the runtime waits for them.
    runtime.shutdown_timeout(Duration::from_secs(5));
    let delivered = match kind {
        // As many as the others deliver in this time.
        Kind::Floor(_) | Kind::Publisher => span.as_secs() * u64::from(FPS) * READERS as u64,
        _ => count.load(Ordering::Relaxed),
    };
    (delivered, cpu)
}

fn warm(kind: Kind) -> f64 {
    let runtime = Builder::new_current_thread().build().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let source = Source::new(kind, READERS, &count).await;
        let payload = Bytes::from(vec![7; 8_000]);
        let mut n = 0;
        let mut rounds = async |rounds: u64| {
            for _ in 0..rounds {
                source.publish(n, &payload);
                n += 1;
                // The runtime runs 61 tasks between two looks at this one.
                for _ in 0..READERS / 61 + 2 {
                    tokio::task::yield_now().await;
                }
            }
        };
        rounds(200).await;
        let start = std::time::Instant::now();
        rounds(2_000).await;
        start.elapsed().as_nanos() as f64 / 2_000.0 / READERS as f64
    })
}

fn free(kind: Kind, span: Duration) -> (u64, Duration) {
    let runtime = runtime();
    let count = Arc::new(AtomicU64::new(0));
    let cpu = runtime.block_on(async {
        let source = Source::new(kind, READERS, &count).await;
        let publisher = tokio::spawn(async move {
            let payload = Bytes::from(vec![7; 8_000]);
            let before = cpu_time();
            let end = tokio::time::Instant::now() + span;
            let mut n = 0;
            while tokio::time::Instant::now() < end {
                for _ in 0..64 {
                    source.publish(n, &payload);
                    n += 1;
                }
                tokio::task::yield_now().await;
            }
            cpu_time() - before
        });
        publisher.await.unwrap()
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    (count.load(Ordering::Relaxed), cpu)
}

/// Time on a CPU of all threads of this process, in nanoseconds: the first field of each thread's schedstat.
fn cpu_time() -> Duration {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanos += text
            .split(' ')
            .next()
            .and_then(|f| f.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Duration::from_nanos(nanos)
}
