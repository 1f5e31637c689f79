//! Numbered chunks: order, gaps that end, refusals, and the regressions of the toolkit the names come from.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use core_frame::bytes::Bytes;
use futures_util::{StreamExt, stream};
use millstream_chunk_processor::{
    Checksum, ChunkError, ChunkProcessor, ChunkProcessorConfig, ChunkSequencer, ChunkType,
    MediaChunk, MediaPriority,
};
use testkit::{Link, LinkConfig, VirtualClock};

fn chunk(stream: &str, n: u64) -> MediaChunk {
    let data = Bytes::copy_from_slice(&n.to_be_bytes());
    MediaChunk::new(stream, n, ChunkType::VideoPFrame, data)
}

fn numbers(chunks: &[MediaChunk]) -> Vec<u64> {
    chunks.iter().map(|c| c.sequence_number).collect()
}

#[test]
fn the_defaults_are_those_of_the_documents() {
    let config = ChunkProcessorConfig::default();
    assert_eq!(config.max_buffer_size, 1_024);
    assert_eq!(config.sequence_timeout, Duration::from_secs(5));
    assert!(config.enable_reordering && config.enable_validation);
    assert_eq!(config.max_reorder_window, 32);
    assert_eq!(config.parallel_processing, 4);
    assert!(MediaPriority::High > MediaPriority::Normal);
    assert_eq!(MediaPriority::High as u8, 3);
    assert_eq!(ChunkType::VideoBFrame.priority(), MediaPriority::Low);
}

#[tokio::test(start_paused = true)]
async fn a_lost_chunk_costs_a_gap_and_never_the_stream() {
    let processor = ChunkProcessor::new(ChunkProcessorConfig::default());
    // One chunk every second, number 3 lost; then nothing until the end.
    let chunks = stream::unfold(0_u64, |n| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (n < 20).then(|| (chunk("cam", n), n + 1))
    })
    .filter(|c| std::future::ready(c.sequence_number != 3));
    let begun = tokio::time::Instant::now();
    let out = processor.process_chunk_stream(chunks);
    let mut out = std::pin::pin!(out);
    let mut seen = Vec::new();
    while let Some(c) = out.next().await {
        if c.sequence_number == 4 {
            // Number 4 came at 5 s, and waited for 3 for five more.
            assert_eq!(begun.elapsed(), Duration::from_secs(10));
        }
        seen.push(c.sequence_number);
    }
    assert!(seen.into_iter().eq((0..20).filter(|n| *n != 3)));
    let stats = processor.get_stats();
    assert_eq!((stats.sequence_gaps, stats.chunks_missing), (1, 1));
    assert_eq!((stats.chunks_processed, stats.chunks_dropped), (19, 0));
    assert_eq!(stats.buffer_utilization, 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_gap_ends_though_nothing_arrives_any_more() {
    let processor = ChunkProcessor::new(ChunkProcessorConfig::default());
    let (first, then) = (stream::iter([0, 2]), stream::pending::<u64>());
    let chunks = first.chain(then).map(|n| chunk("cam", n));
    let out = processor.process_chunk_stream(chunks);
    let mut out = std::pin::pin!(out);
    assert_eq!(out.next().await.map(|c| c.sequence_number), Some(0));
    let begun = tokio::time::Instant::now();
    assert_eq!(out.next().await.map(|c| c.sequence_number), Some(2));
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn zero_and_any_other_number_may_be_the_first() {
    let processor = ChunkProcessor::new(ChunkProcessorConfig::default());
    for (stream, first) in [("a", 0), ("b", 1_000_000)] {
        for n in first..first + 5 {
            let out = processor.process_single_chunk(chunk(stream, n)).await;
            assert_eq!(numbers(&out.unwrap()), [n]);
        }
    }
    assert_eq!(processor.get_stats().sequence_gaps, 0);
}

#[test]
fn late_and_double_chunks_are_dropped_and_counted() {
    let (mut order, now) = (
        ChunkSequencer::new(ChunkProcessorConfig::default()),
        Instant::now(),
    );
    let mut out = Vec::new();
    for n in [0, 1, 1, 3, 3, 2, 2, 4] {
        order.push(now, chunk("cam", n), &mut out).unwrap();
    }
    assert_eq!(numbers(&out), [0, 1, 2, 3, 4]);
    let stats = order.stats();
    assert_eq!((stats.chunks_duplicate, stats.chunks_dropped), (3, 3));
    assert_eq!(stats.chunks_reordered, 1);
    order.push(now, chunk("cam", 6), &mut out).unwrap();
    order.expire(now + Duration::from_secs(5), &mut out);
    order.push(now, chunk("cam", 5), &mut out).unwrap();
    assert_eq!(order.stats().chunks_late, 1);
    assert_eq!(numbers(&out), [0, 1, 2, 3, 4, 6]);
}

#[tokio::test]
async fn what_is_refused_says_why_and_the_stream_goes_on() {
    let processor = ChunkProcessor::new(ChunkProcessorConfig::default());
    // A 4K key frame at 80 Mbit/s and one a second is under 8 MiB; larger is refused.
    let large = |bytes| MediaChunk {
        data: Bytes::from(vec![7; bytes]),
        ..chunk("cam", 0)
    };
    assert_eq!(processor.validate_chunk(&large(8 << 20)), Ok(()));
    let error = processor.validate_chunk(&large((8 << 20) + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chunk 0 of cam has 8388609 bytes, 8388608 are allowed"
    );
    let mut broken = large(1 << 20).with_crc32();
    assert_eq!(processor.validate_chunk(&broken), Ok(()));
    broken.data = Bytes::from(vec![8; 1 << 20]);
    let error = processor.process_single_chunk(broken).await.unwrap_err();
    assert!(matches!(error, ChunkError::Checksum { sequence: 0, .. }));
    let mut empty = chunk("cam", 1);
    empty.data = Bytes::new();
    assert!(matches!(
        processor.validate_chunk(&empty),
        Err(ChunkError::Empty { .. })
    ));
    empty.is_final = true;
    assert_eq!(processor.validate_chunk(&empty), Ok(()));
    assert!(matches!(
        processor.validate_chunk(&chunk("", 1)),
        Err(ChunkError::NoStream { sequence: 1 })
    ));
    let mut hashed = chunk("cam", 1);
    hashed.checksum = Some(Checksum::sha256(&hashed.data));
    assert_eq!(
        numbers(&processor.process_single_chunk(hashed).await.unwrap()),
        [1]
    );
    assert_eq!(processor.get_stats().validation_failures, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_checksums_side_by_side_keep_the_order_of_each_stream() {
    let processor = ChunkProcessor::new(ChunkProcessorConfig::default());
    let data = Bytes::from(vec![1; 256 << 10]);
    let chunks = (0..400_u64).map(|n| {
        let mut c = chunk(["a", "b", "c"][(n % 3) as usize], n / 3);
        c.data = data.slice(..(data.len() >> (n % 5)));
        c.with_crc32()
    });
    let chunks: Vec<_> = chunks.collect();
    let out: Vec<_> = processor
        .process_chunk_stream(stream::iter(chunks))
        .collect()
        .await;
    for name in ["a", "b", "c"] {
        let of = out.iter().filter(|c| &*c.stream_id == name);
        let got: Vec<_> = of.map(|c| c.sequence_number).collect();
        assert!(got.iter().copied().eq(0..got.len() as u64), "{name}");
    }
    assert_eq!(out.len(), 400);
}

#[test]
fn a_bad_way_is_put_right() {
    let mut worst = 0;
    for seed in 0..50 {
        let (mut order, mut clock) = (
            ChunkSequencer::new(ChunkProcessorConfig::default()),
            VirtualClock::new(),
        );
        let mut link = Link::new(LinkConfig {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(60),
            loss: 0.02,
            reorder: 0.05,
            duplicate: 0.02,
            seed,
        });
        let (mut out, mut came) = (Vec::new(), BTreeSet::new());
        for n in 0..2_000 {
            link.send(clock.now(), n);
            let now = clock.advance(Duration::from_millis(10));
            while let Some(n) = link.receive(now) {
                came.insert(n);
                order.push(now, chunk("cam", n), &mut out).unwrap();
            }
            order.expire(now, &mut out);
            worst = worst.max((order.stats().buffer_utilization * 1_024.0) as usize);
        }
        let now = clock.advance(Duration::from_secs(10));
        while let Some(n) = link.receive(now) {
            came.insert(n);
            order.push(now, chunk("cam", n), &mut out).unwrap();
        }
        order.flush(&mut out);
        let got = numbers(&out);
        assert!(got.windows(2).all(|w| w[0] < w[1]), "seed {seed}");
        // Whatever the way did not lose comes out, for the window is wider than its disorder; but the first to come begins the stream.
        let stats = order.stats();
        let wanted: Vec<_> = came.into_iter().filter(|&n| n >= got[0]).collect();
        assert_eq!(got, wanted, "seed {seed}: {stats:?}");
        assert_eq!(stats.buffer_utilization, 0.0);
    }
    println!("at most {worst} chunks waited");
    assert!(worst <= 32);
}

#[test]
fn what_is_held_is_bounded_in_chunks_bytes_and_streams() {
    let config = ChunkProcessorConfig {
        max_buffer_size: 50,
        max_buffer_bytes: 200,
        max_streams: 4,
        ..ChunkProcessorConfig::default()
    };
    let (mut order, now) = (ChunkSequencer::new(config), Instant::now());
    let (mut out, mut put) = (Vec::new(), 0);
    for stream in 0..100 {
        for n in [0, 2, 4, 6, 8, 10] {
            put += 1;
            order
                .push(now, chunk(&format!("s{stream}"), n), &mut out)
                .unwrap();
        }
        assert!(order.stats().buffer_utilization <= 0.5);
    }
    order.flush(&mut out);
    assert_eq!(out.len(), put, "nothing was lost on the way");
}

#[test]
fn a_stream_that_ended_may_begin_anew() {
    let (mut order, now) = (
        ChunkSequencer::new(ChunkProcessorConfig::default()),
        Instant::now(),
    );
    let mut out = Vec::new();
    for _ in 0..3 {
        for n in [0, 2, 1, 3] {
            let mut c = chunk("cam", n);
            c.is_final = n == 3;
            order.push(now, c, &mut out).unwrap();
        }
    }
    assert_eq!(numbers(&out), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    assert_eq!(order.stats().chunks_dropped, 0);
}

#[test]
fn without_reordering_chunks_pass_as_they_come() {
    let config = ChunkProcessorConfig {
        enable_reordering: false,
        enable_validation: false,
        ..ChunkProcessorConfig::default()
    };
    let processor = ChunkProcessor::new(config);
    for n in [5, 3, 9] {
        assert_eq!(numbers(&processor.handle_reordering(chunk("", n))), [n]);
    }
}
