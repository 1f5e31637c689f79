//! Views: rendered once, read by many, joined without a seam.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use core_frame::{
    MediaFrame, Preamble, Render, RenderOut, Slices, TrackChoice, TrackId, TrackTable, ViewItem,
};
use millstream_bus::{
    Batch, CancellationToken, EndReason, KeepAll, Pace, ReaderInfo, StreamHandle, SubscribeOptions,
    TrackMask, ViewHandle, ViewReader, ViewSpec, bytes, core_frame,
};

use crate::support::{audio, drain, engine, number, session, video};

/// Writes each frame's number as text, and says at the start which tracks there are.
struct Numbers {
    generation: u32,
}

impl Render for Numbers {
    fn tracks(&mut self, table: &Arc<TrackTable>, out: &mut RenderOut) {
        self.generation += 1;
        let text = format!("{} tracks;", table.tracks.len());
        out.preamble(Preamble {
            generation: self.generation,
            epoch: table.epoch.id,
            join: std::iter::once(Bytes::from(text)).collect(),
            ..Preamble::default()
        });
    }

    fn frame(&mut self, frame: &MediaFrame, seq: u64, out: &mut RenderOut) {
        let text = Bytes::from(format!("{} ", number(frame)));
        out.item(ViewItem::of(frame, seq, std::iter::once(text).collect()));
    }

    fn end(&mut self, out: &mut RenderOut) {
        let last = video(0, false);
        let text: Slices = std::iter::once(Bytes::from_static(b"end")).collect();
        out.item(ViewItem::of(&last, u64::MAX, text));
    }
}

fn open(handle: &StreamHandle, name: &str, pace: Pace) -> ViewHandle {
    open_counted(handle, name, pace, &Arc::default())
}

/// Counts how often the renderer is made.
fn open_counted(
    handle: &StreamHandle,
    name: &str,
    pace: Pace,
    made: &Arc<AtomicUsize>,
) -> ViewHandle {
    let made = Arc::clone(made);
    let spec = ViewSpec::new(name, pace, move || {
        made.fetch_add(1, Ordering::Relaxed);
        Box::new(Numbers { generation: 0 })
    });
    handle.view(spec).unwrap()
}

async fn text_until(reader: &mut ViewReader, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let Some(batch) = reader.next_batch().await else {
            text.push_str("<end>");
            return text;
        };
        if let Some(preamble) = batch.new_header() {
            for slice in &preamble.join {
                text.push_str(std::str::from_utf8(slice).unwrap());
            }
        }
        for (_, item) in batch.iter() {
            for slice in &item.slices {
                text.push_str(std::str::from_utf8(slice).unwrap());
            }
        }
    }
    text
}

#[tokio::test]
async fn one_rendering_serves_all_readers() {
    for pace in [Pace::EachFrame, Pace::Every(Duration::from_millis(50))] {
        let engine = engine();
        let publisher = session(&engine).await;
        for n in 0..12 {
            publisher.publish_frame(video(n, n % 5 == 0)).unwrap();
        }
        let made = Arc::default();
        let view = open_counted(publisher.handle(), "numbers", pace, &made);
        let mut first = view.reader(SubscribeOptions::default()).unwrap();
        let text = text_until(&mut first, "11 ").await;
        assert_eq!(text, "1 tracks;10 11 ", "the kept GOP comes first");
        publisher.publish_frame(video(12, false)).unwrap();
        assert_eq!(text_until(&mut first, "12 ").await, "12 ");
        let again = open_counted(publisher.handle(), "numbers", pace, &made);
        let mut second = again.reader(SubscribeOptions::default()).unwrap();
        assert_eq!(text_until(&mut second, "12 ").await, "1 tracks;10 11 12 ");
        assert_eq!(made.load(Ordering::Relaxed), 1);
        publisher.publish_frame(audio(12)).unwrap();
        publisher.finish().await.unwrap();
        for reader in [&mut first, &mut second] {
            assert_eq!(text_until(reader, "never").await, "2 tracks;12 end<end>");
        }
    }
}

/// The frame numbers in a batch of the view.
fn numbers(batch: &Batch<ViewItem, Preamble>) -> Vec<u64> {
    batch
        .iter()
        .map(|(_, item)| {
            let text = std::str::from_utf8(&item.slices[0]).unwrap();
            text.trim().parse().unwrap_or(u64::MAX)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_of_a_view_lose_and_double_nothing() {
    let mut limits = core_frame::Limits::default();
    limits.log_frames = 1 << 20;
    limits.log_ms = u64::from(u32::MAX);
    let engine = millstream_bus::Engine::builder()
        .application(millstream_bus::AppSpec::new("live"))
        .limits(limits)
        .build();
    let publisher = Arc::new(session(&engine).await);
    publisher.publish_frame(video(0, true)).unwrap();
    let handle = publisher.handle().clone();
    let stop = CancellationToken::new();
    let publishing = std::thread::spawn({
        let (publisher, stop) = (publisher.clone(), stop.clone());
        move || {
            let mut n = 1;
            while !stop.is_cancelled() {
                publisher.publish_frame(video(n, n % 23 == 0)).unwrap();
                n += 1;
                if n % 4 == 0 {
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
        }
    });
    let tasks: Vec<_> = (0..8)
        .map(|t| {
            let handle = handle.clone();
            tokio::spawn(async move {
                for i in 0..125 {
                    let (name, pace) = match (t + i) % 2 {
                        0 => ("each", Pace::EachFrame),
                        _ => ("every", Pace::Every(Duration::from_millis(2))),
                    };
                    let view = open(&handle, name, pace);
                    let options = SubscribeOptions {
                        shed: Some(Arc::new(KeepAll)),
                        ..SubscribeOptions::default()
                    };
                    let mut reader = view.reader(options).unwrap();
                    let mut last = None;
                    let mut left = 40_i32;
                    while left > 0 {
                        let batch = reader.next_batch().await.unwrap();
                        assert_eq!(batch.is_join(), last.is_none());
                        for n in numbers(&batch) {
                            match last {
                                None => assert_eq!(n % 23, 0, "starts at {n}"),
                                Some(last) => assert_eq!(n, last + 1),
                            }
                            last = Some(n);
                            left -= 1;
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    stop.cancel();
    publishing.join().unwrap();
}

#[tokio::test]
async fn readers_of_a_view_are_readers_of_the_stream() {
    let engine = engine();
    let publisher = session(&engine).await;
    let handle = publisher.handle();
    let view = open(handle, "listed", Pace::EachFrame);
    let mut reader = view
        .reader(SubscribeOptions::registered(ReaderInfo::new("flv", None)))
        .unwrap();
    publisher.publish_frame(video(0, true)).unwrap();
    assert_eq!(text_until(&mut reader, "0 ").await, "1 tracks;0 ");
    reader.delivered(99);
    let list = handle.readers();
    assert_eq!(list.len(), 1);
    assert_eq!(
        (list[0].protocol, list[0].view.as_deref(), list[0].bytes),
        ("flv", Some("listed"), 99)
    );
    assert_eq!(handle.reader_count(), 1, "the view itself is no reader");
    assert!(handle.kick_reader(reader.id()));
    assert!(reader.next_batch().await.is_none());
    assert_eq!(reader.end_reason(), Some(EndReason::Kicked));
    drop(reader);
    assert_eq!(handle.reader_count(), 0);
}

#[tokio::test]
async fn a_view_nobody_uses_goes_after_a_while_and_comes_again() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let made = Arc::default();
    let view = open_counted(publisher.handle(), "lingering", Pace::EachFrame, &made);
    let mut reader = view.reader(SubscribeOptions::default()).unwrap();
    drop(view);
    tokio::time::sleep(Duration::from_millis(3_300)).await;
    publisher.publish_frame(video(1, false)).unwrap();
    assert_eq!(
        text_until(&mut reader, "1 ").await,
        "1 tracks;0 1 ",
        "its reader keeps it"
    );
    drop(reader);
    let again = open_counted(publisher.handle(), "lingering", Pace::EachFrame, &made);
    drop(again);
    tokio::time::sleep(Duration::from_millis(3_300)).await;
    let view = open_counted(publisher.handle(), "lingering", Pace::EachFrame, &made);
    let mut reader = view.reader(SubscribeOptions::default()).unwrap();
    assert_eq!(text_until(&mut reader, "1 ").await, "1 tracks;0 1 ");
    assert_eq!(made.load(Ordering::Relaxed), 2, "made anew");
}

struct Panics;

impl Render for Panics {
    fn tracks(&mut self, _table: &Arc<TrackTable>, _out: &mut RenderOut) {}

    fn frame(&mut self, frame: &MediaFrame, _seq: u64, _out: &mut RenderOut) {
        assert!(number(frame) < 2, "a bug in a renderer");
    }
}

#[tokio::test]
async fn a_renderer_that_panics_ends_its_readers_and_nothing_else() {
    let engine = engine();
    let publisher = session(&engine).await;
    let spec = || ViewSpec::new("panics", Pace::EachFrame, || Box::new(Panics));
    let view = publisher.handle().view(spec()).unwrap();
    let mut reader = view.reader(SubscribeOptions::default()).unwrap();
    let mut frames = publisher.handle().subscribe_resilient();
    publisher
        .publish_frames((0..4).map(|n| video(n, n == 0)))
        .unwrap();
    assert!(reader.next_batch().await.is_none());
    assert_eq!(reader.end_reason(), Some(EndReason::Ended));
    assert_eq!(drain(&mut frames).len(), 4);
    assert!(publisher.publish_frame(video(4, false)).is_ok());
}

#[tokio::test]
async fn a_view_of_the_sound_alone_starts_anywhere() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher
        .publish_frames([video(0, true), audio(0), video(1, false), audio(1)])
        .unwrap();
    let spec = ViewSpec::new("sound", Pace::EachFrame, || {
        Box::new(Numbers { generation: 0 })
    })
    .tracks(TrackMask::of([TrackId::AUDIO]));
    let view = publisher.handle().view(spec).unwrap();
    let mut first = view.reader(SubscribeOptions::default()).unwrap();
    assert_eq!(text_until(&mut first, "1 ").await, "2 tracks;0 1 ");
    let mut second = view.reader(SubscribeOptions::default()).unwrap();
    publisher
        .publish_frames([video(2, false), audio(2)])
        .unwrap();
    assert_eq!(
        text_until(&mut second, "2 ").await,
        "2 tracks;1 2 ",
        "the newest item is a start"
    );
}

#[tokio::test]
async fn a_view_reader_that_is_behind_resumes_at_a_sync_point() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let view = open(publisher.handle(), "behind", Pace::EachFrame);
    let mut late = view.reader(SubscribeOptions::default()).unwrap();
    assert_eq!(text_until(&mut late, "0 ").await, "1 tracks;0 ");
    for n in 1..=105 {
        publisher.publish_frame(video(n, n % 50 == 0)).unwrap();
    }
    let mut watch = view.reader(SubscribeOptions::default()).unwrap();
    text_until(&mut watch, "105 ").await;
    assert_eq!(
        text_until(&mut late, "105 ").await,
        "100 101 102 103 104 105 "
    );
    assert_eq!(late.skipped(), 99);
}

#[tokio::test]
async fn a_stream_that_has_ended_has_no_views() {
    let engine = engine();
    let publisher = session(&engine).await;
    let handle = publisher.handle().clone();
    publisher.finish().await.unwrap();
    let view = handle.view(ViewSpec::new("x", Pace::EachFrame, || Box::new(Panics)));
    assert!(matches!(view, Err(core_frame::StreamError::Ended)));
}

#[tokio::test]
async fn a_view_of_the_second_video_starts_at_its_own_key_frames() {
    let engine = engine();
    let publisher = session(&engine).await;
    let second = |n, key| {
        let mut frame = video(n, key);
        frame.track = TrackId(12);
        frame
    };
    // The second one's key frames come a frame after the first one's.
    for n in 0..14 {
        publisher.publish_frame(video(n, n % 5 == 0)).unwrap();
        publisher.publish_frame(second(n, n % 5 == 1)).unwrap();
        publisher.publish_frame(audio(n)).unwrap();
    }
    let of = |query: &str| {
        let choice = TrackChoice::from_query(query).unwrap();
        let spec = ViewSpec::new(choice.to_string(), Pace::EachFrame, || {
            Box::new(Numbers { generation: 0 })
        });
        publisher.handle().view(spec.choice(choice)).unwrap()
    };
    let text = async |query: &str, end: &str| {
        let mut reader = of(query).reader(SubscribeOptions::default()).unwrap();
        text_until(&mut reader, end).await
    };
    assert_eq!(
        text("video=2&audio=none", "13 ").await,
        "3 tracks;11 12 13 "
    );
    assert_eq!(
        text("video=2", "13 13 ").await,
        "3 tracks;11 11 12 12 13 13 "
    );
    assert_eq!(
        text("audio=none", "13 ").await,
        "3 tracks;10 11 12 13 ",
        "the first one has the stream's own sync points"
    );
    // Sound alone is joined anywhere: its view begins where the stream's newest sync point is.
    let sound = text("video=none", "13 ").await;
    assert!(
        sound.starts_with("3 tracks;1") && sound.ends_with("13 "),
        "{sound}"
    );
}
