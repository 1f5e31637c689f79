//! The shedding queue: bounds, what goes first, order, and its end.

use std::time::Duration;

use core_frame::bytes::Bytes;
use core_frame::{FrameFlags, MediaFrame, MediaKind};
use futures_util::StreamExt;
use millstream_chunk_processor::{ChunkType, Closed, MediaChunk, MediaPriorityQueue};
use testkit::synth::{Options, Source, read_number};

fn live(seconds: u64, b_frames: u32) -> impl Iterator<Item = MediaFrame> {
    let options = Options::default()
        .b_frames(b_frames)
        .bitrate(2_000_000)
        .frames(seconds * 30);
    Source::new(options).unwrap()
}

async fn drain(queue: &MediaPriorityQueue<MediaFrame>) -> Vec<MediaFrame> {
    queue.close();
    queue.dequeue().collect().await
}

/// Pictures after one that is missing, up to the next key frame, must be missing too, unless what is missing is disposable.
fn assert_no_hole(frames: &[MediaFrame], all: &[MediaFrame]) {
    let kept: Vec<_> = frames.iter().filter_map(read_number).map(|n| n.n).collect();
    assert_eq!(kept.len(), frames.len());
    let mut broken = false;
    let mut got = frames
        .iter()
        .filter(|f| f.kind() == MediaKind::Video)
        .peekable();
    for sent in all.iter().filter(|f| f.kind() == MediaKind::Video) {
        let here = got.next_if(|f| f.dts == sent.dts).is_some();
        broken &= !sent.is_keyframe();
        assert!(!(here && broken), "{} cannot be decoded", sent.dts);
        broken |= !here && !sent.flags.contains(FrameFlags::DISPOSABLE);
    }
}

#[tokio::test]
async fn a_reader_that_stalls_costs_no_more_than_the_budget_and_sees_no_hole() {
    for b_frames in [0, 2] {
        let queue = MediaPriorityQueue::new(1 << 20, Duration::from_secs(3));
        let all: Vec<_> = live(60, b_frames).collect();
        for frame in all.clone() {
            queue.try_enqueue(frame).unwrap();
            assert!(queue.bytes() <= 1 << 20, "{}", queue.bytes());
        }
        assert!(queue.shed() > 0);
        let out = drain(&queue).await;
        assert_no_hole(&out, &all);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let times = out.iter().filter(|f| f.kind() == kind).map(|f| f.dts);
            assert!(times.is_sorted_by(|a, b| a < b));
        }
    }
}

#[tokio::test]
async fn a_slow_reader_loses_pictures_and_no_sound() {
    let queue = MediaPriorityQueue::new(8 << 20, Duration::from_secs(4));
    let all: Vec<_> = live(60, 2).collect();
    let mut out = Vec::new();
    let mut taken = std::pin::pin!(queue.dequeue());
    // The reader takes four of each five.
    for (n, frame) in all.iter().enumerate() {
        queue.try_enqueue(frame.clone()).unwrap();
        if n % 5 != 0 && !queue.is_empty() {
            out.extend(taken.next().await);
        }
    }
    queue.close();
    out.extend(taken.collect::<Vec<_>>().await);
    assert_no_hole(&out, &all);
    let sound = |frames: &[MediaFrame]| {
        let audio = frames.iter().filter(|f| f.kind() == MediaKind::Audio);
        audio.count()
    };
    println!(
        "{} of {} frames, all {} of sound",
        out.len(),
        all.len(),
        sound(&all)
    );
    assert_eq!(sound(&out), sound(&all));
    assert!(out.len() < all.len());
}

#[tokio::test]
async fn disposable_frames_go_before_any_other() {
    let queue = MediaPriorityQueue::new(8 << 20, Duration::from_secs(2));
    // 1.4 s: over half of the budget, under three quarters.
    let all: Vec<_> = live(60, 2)
        .take_while(|f| f.dts.as_millis() < 1_400)
        .collect();
    all.iter()
        .for_each(|f| assert!(queue.try_enqueue(f.clone()).is_ok()));
    let out = drain(&queue).await;
    let gone: Vec<_> = all.iter().filter(|f| !out.contains(f)).collect();
    assert!(!gone.is_empty());
    assert!(
        gone.iter()
            .all(|f| f.flags.contains(FrameFlags::DISPOSABLE))
    );
}

#[tokio::test]
async fn who_can_wait_waits_and_loses_nothing() {
    let queue = MediaPriorityQueue::new(200_000, Duration::from_secs(1));
    let all: Vec<_> = live(20, 2).collect();
    let (writer, sent) = (queue.clone(), all.clone());
    let write = tokio::spawn(async move {
        for frame in sent {
            writer.enqueue(frame).await.unwrap();
        }
        writer.close();
    });
    let out: Vec<_> = queue.dequeue().collect().await;
    write.await.unwrap();
    assert_eq!(out, all);
    assert_eq!(queue.shed(), 0);
}

#[tokio::test]
async fn closing_strands_nothing() {
    let queue: MediaPriorityQueue = MediaPriorityQueue::new(1_000, Duration::from_secs(1));
    let chunk = |n: u64| {
        let data = Bytes::from(vec![0; 400]);
        MediaChunk::new("cam", n, ChunkType::VideoIFrame, data)
    };
    queue.enqueue(chunk(0)).await.unwrap();
    queue.enqueue(chunk(1)).await.unwrap();
    assert_eq!(queue.len(), 2);
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.enqueue(chunk(2)).await }
    });
    tokio::task::yield_now().await;
    queue.close();
    let Closed(back) = waiting.await.unwrap().unwrap_err();
    assert_eq!(back.sequence_number, 2);
    assert!(queue.try_enqueue(chunk(3)).is_err());
    let left: Vec<_> = queue.dequeue().map(|c| c.sequence_number).collect().await;
    assert_eq!(left, [0, 1]);
    assert!(queue.is_empty());
}
