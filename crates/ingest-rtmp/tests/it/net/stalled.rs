//! G5: two hundred players that never read cost little, are dropped in time, and harm nobody.

use std::time::{Duration, Instant};

use millstream_ingest_rtmp::client::Role;

use super::stage::{Stage, key, source};
use crate::rig::{Client, until};

const PLAYERS: u64 = 200;

fn kib(file: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text
        .lines()
        .find(|l| l.starts_with(word))
        .unwrap_or_default();
    let number = line.split_whitespace().nth(1);
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Pages of kernel memory in all TCP sockets, in KiB.
fn kernel_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text
        .lines()
        .find(|l| l.starts_with("TCP:"))
        .unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|w| *w != "mem");
    let pages: u64 = words.nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_that_never_read() {
    let stage = Stage::new();
    let source = source(&stage.engine, 14);
    let url = format!("rtmp://{}/live/cam", stage.address);
    until("it is published", || {
        stage.engine.get_stream(&key()).is_ok()
    })
    .await;
    let handle = stage.engine.get_stream(&key()).unwrap();
    let mut good = Client::open(&url, Role::Play).await;
    good.start().await.unwrap();
    let good = tokio::spawn(async move {
        let (mut bodies, mut slowest) = (Vec::new(), Duration::ZERO);
        let mut last = Instant::now();
        while let Ok(Some(event)) = good.next().await {
            use millstream_ingest_rtmp::client::Event;
            match event {
                Event::Message(m) if m.body.len() > 20 && m.chunk_stream != 5 => {
                    slowest = slowest.max(last.elapsed());
                    last = Instant::now();
                    bodies.push(m.timestamp);
                }
                Event::Ended => break,
                _ => {}
            }
        }
        (bodies, slowest)
    });
    let (memory, kernel) = (kib("/proc/self/status", "VmRSS"), kernel_kib());
    let mut stuck = Vec::new();
    for _ in 0..PLAYERS {
        let mut client = Client::open(&url, Role::Play).await;
        client.start().await.unwrap();
        // The socket alone stays: the client's own memory is none of the server's.
        stuck.push(client.stream);
    }
    let start = Instant::now();
    let (mut most, mut most_kernel) = (0, 0);
    while handle.reader_count() > 1 && start.elapsed() < Duration::from_secs(30) {
        most = most.max(kib("/proc/self/status", "VmRSS").saturating_sub(memory));
        most_kernel = most_kernel.max(kernel_kib().saturating_sub(kernel));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let dropped = start.elapsed();
    println!(
        "{PLAYERS} stalled: {} KiB each in the process, {} KiB each in the kernel (both ends), the last dropped after {dropped:?}",
        most / PLAYERS,
        most_kernel / PLAYERS
    );
    assert_eq!(handle.reader_count(), 1, "the good one stays");
    assert!(most / PLAYERS < 64, "{} KiB each", most / PLAYERS);
    // 10 s without progress, after the buffers of both kernels are full.
    assert!(dropped < Duration::from_secs(14), "{dropped:?}");
    let sent = source.await.unwrap().len();
    stage.engine.shutdown(Duration::from_secs(1)).await;
    let (bodies, slowest) = good.await.unwrap();
    println!(
        "the good one: {} messages of {sent}, longest pause {slowest:?}",
        bodies.len()
    );
    assert!(bodies.len() >= sent, "{} of {sent}", bodies.len());
    drop(stuck);
}
