//! Readers with a pace of their own: woken in rounds, all together, and never late for the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use core_frame::StreamError;
use millstream_bus::{Pace, SubscribeOptions, core_frame};

use crate::support::{engine, number, session, video};

#[tokio::test]
async fn paced_readers_get_everything_in_fewer_rounds() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let rounds = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let mut reader = publisher
                .handle()
                .subscribe(SubscribeOptions {
                    pace: Pace::Every(Duration::from_millis(50)),
                    ..Default::default()
                })
                .unwrap();
            let rounds = Arc::clone(&rounds);
            tokio::spawn(async move {
                let mut got = Vec::new();
                while let Some(batch) = reader.next_batch().await {
                    rounds.fetch_add(1, Ordering::Relaxed);
                    got.extend(batch.iter().map(|(_, f)| number(f)));
                }
                got
            })
        })
        .collect();
    let begun = Instant::now();
    for n in 1..100 {
        publisher.publish_frame(video(n, false)).unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let took = begun.elapsed();
    publisher.finish().await.unwrap();
    let closed = Instant::now();
    for task in tasks {
        assert_eq!(task.await.unwrap(), (0..100).collect::<Vec<_>>());
    }
    assert!(
        closed.elapsed() < Duration::from_secs(2),
        "the end does not wait"
    );
    // A batch ends with its block too, so allow twice the number of rounds.
    let most = (took.as_millis() / 50 + 3) as usize * 2 * 4;
    let rounds = rounds.load(Ordering::Relaxed);
    assert!(
        rounds <= most,
        "{rounds} batches in {took:?}, {most} allowed"
    );
}

#[test]
fn a_pace_needs_a_runtime() {
    let engine = engine();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let publisher = runtime.block_on(session(&engine));
    let paced = publisher.handle().subscribe(SubscribeOptions {
        pace: Pace::Every(Duration::from_millis(50)),
        ..Default::default()
    });
    assert!(matches!(paced, Err(StreamError::Other(_))));
}

#[test]
fn a_pace_whose_runtime_goes_away_leaves_nobody_waiting() {
    let engine = engine();
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let publisher = runtime.block_on(session(&engine));
    let mut reader = other.block_on(async {
        publisher
            .handle()
            .subscribe(SubscribeOptions {
                pace: Pace::Every(Duration::from_millis(1)),
                ..Default::default()
            })
            .unwrap()
    });
    publisher.publish_frame(video(0, true)).unwrap();
    runtime.block_on(async {
        assert_eq!(reader.recv().await.map(|f| number(&f)), Some(0));
        let waiting =
            tokio::spawn(async move { (reader.recv().await.map(|f| number(&f)), reader) });
        tokio::task::yield_now().await;
        drop(tokio::task::spawn_blocking(move || drop(other)).await);
        publisher.publish_frame(video(1, false)).unwrap();
        let (got, mut reader) = tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(got, Some(1));
        let waiting = tokio::spawn(async move { reader.recv().await.map(|f| number(&f)) });
        tokio::task::yield_now().await;
        publisher.publish_frame(video(2, false)).unwrap();
        assert_eq!(waiting.await.unwrap(), Some(2));
    });
}
