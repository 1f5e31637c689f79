//! Many joins, leaves and reads while frames are published: nothing lost, nothing doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use core_frame::Limits;
use millstream_bus::{AppSpec, Engine, KeepAll, Pace, SubscribeOptions, Subscriber, core_frame};

use crate::support::{engine, number, session, video};

const JOINS: u64 = 10_000;

/// Reads `n` frames and checks that they are consecutive and begin at a key frame.
async fn read(reader: &mut Subscriber, n: usize) -> u64 {
    let mut last = None;
    let mut left = n;
    while left > 0 {
        let batch = reader.next_batch().await.expect("the stream goes on");
        for (seq, frame) in &batch {
            let at = number(frame);
            assert_eq!(seq, at, "sequence numbers are the frames' own");
            match last {
                None => assert!(frame.is_keyframe(), "starts at {at}, a delta frame"),
                Some(last) => assert_eq!(at, last + 1, "lost or doubled"),
            }
            last = Some(at);
            left = left.saturating_sub(1);
        }
        assert_eq!(batch.skipped(), 0);
    }
    last.expect("n > 0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_joins_under_publish_lose_and_double_nothing() {
    // Large enough that a reader which the machine does not run for a while is not left behind.
    let mut limits = Limits::default();
    limits.log_frames = 1 << 20;
    limits.log_ms = u64::from(u32::MAX);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(limits)
        .build();
    let publisher = Arc::new(session(&engine).await);
    let handle = publisher.handle().clone();
    let stop = Arc::new(AtomicBool::new(false));
    let published = Arc::new(AtomicU64::new(0));
    let thread = std::thread::spawn({
        let (publisher, stop, published) = (publisher.clone(), stop.clone(), published.clone());
        move || {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                publisher.publish_frame(video(n, n % 37 == 0)).unwrap();
                n += 1;
                published.store(n, Ordering::Release);
                if n % 8 == 0 {
                    std::thread::sleep(Duration::from_micros(20));
                }
            }
        }
    });
    while published.load(Ordering::Acquire) == 0 {
        tokio::task::yield_now().await;
    }
    let tasks: Vec<_> = (0..16)
        .map(|t| {
            let handle = handle.clone();
            tokio::spawn(async move {
                for i in 0..JOINS / 16 {
                    let pace = if i % 16 == 5 {
                        Pace::Every(Duration::from_millis(1))
                    } else {
                        Pace::EachFrame
                    };
                    let options = SubscribeOptions {
                        shed: Some(Arc::new(KeepAll)),
                        pace,
                        ..SubscribeOptions::default()
                    };
                    let mut reader = handle.subscribe(options).unwrap();
                    // Beyond the replay, so that every reader crosses the seam.
                    read(&mut reader, 40 + (i + t) as usize % 9).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert_eq!(handle.reader_count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_before_the_end_is_delivered_to_all() {
    for round in 0..200 {
        let engine = engine();
        let publisher = session(&engine).await;
        publisher.publish_frame(video(0, true)).unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let options = SubscribeOptions {
                    shed: Some(Arc::new(KeepAll)),
                    ..SubscribeOptions::default()
                };
                let mut reader = publisher.handle().subscribe(options).unwrap();
                tokio::spawn(async move {
                    let mut got = 0;
                    while let Some(batch) = reader.next_batch().await {
                        for (_, frame) in &batch {
                            assert_eq!(number(frame), got);
                            got += 1;
                        }
                    }
                    got
                })
            })
            .collect();
        let last = 1 + round % 70;
        for n in 1..last {
            publisher.publish_frame(video(n, false)).unwrap();
        }
        if round % 2 == 0 {
            publisher.finish().await.unwrap();
        } else {
            drop(publisher);
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), last);
        }
    }
}
