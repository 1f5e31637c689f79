//! Track tables and epochs travel with the frames: for those who join, and for those who skip.

use bytes::Bytes;
use core_frame::{
    CodecId, Epoch, EpochReason, FrameFlags, MediaFrame, MediaTime, Repair, TagValue, Tags,
    TrackId, TrackInfo,
};
use millstream_bus::{
    IngestContext, KeepAll, PublishRequest, StreamEvent, SubscribeOptions, TryBatch, bytes,
    core_frame,
};

use crate::support::{audio, engine, key, number, session, video};

fn track(id: TrackId, codec: CodecId, config: &'static [u8]) -> TrackInfo {
    let mut info = TrackInfo::new(id, codec);
    info.config = Bytes::from_static(config);
    info
}

#[tokio::test]
async fn the_table_comes_before_the_first_frame_that_needs_it() {
    let engine = engine();
    let mut events = engine.events().subscribe();
    let publisher = session(&engine).await;
    publisher
        .set_tracks([
            track(TrackId::AUDIO, CodecId::Aac, b"asc"),
            track(TrackId::VIDEO, CodecId::H264, b"one"),
        ])
        .unwrap();
    let mut reader = publisher.handle().subscribe_resilient();
    publisher.publish_frame(video(0, true)).unwrap();
    publisher.publish_frame(audio(0)).unwrap();
    // The same configuration again is no change; another one opens an epoch.
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"one"))
        .unwrap();
    publisher.publish_frame(video(1, false)).unwrap();
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"two"))
        .unwrap();
    publisher.publish_frame(video(2, true)).unwrap();

    let mut seen = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        if let Some(table) = batch.new_header() {
            let config = table.video().unwrap().config.clone();
            seen.push(format!(
                "table {} epoch {} at {} video {:?}",
                table.generation, table.epoch.id, table.epoch.origin, config
            ));
        }
        for (_, frame) in &batch {
            assert_eq!(frame.epoch, batch.header().epoch.id);
            seen.push(format!("{} {}", frame.kind(), number(frame)));
        }
    }
    assert_eq!(
        seen,
        [
            "table 1 epoch 0 at 0s video b\"one\"",
            "video 0",
            "audio 0",
            "video 1",
            "table 2 epoch 1 at 0.08s video b\"two\"",
            "video 2",
        ]
    );
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
        .filter_map(|e| match e {
            StreamEvent::TracksChanged { tracks, .. } => {
                Some(format!("tracks {}", tracks.generation))
            }
            StreamEvent::EpochOpened { epoch, reason, .. } => Some(format!("{epoch} {reason:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["tracks 1", "tracks 2", "1 Codec"]);
    let wall = publisher.handle().tracks().epoch.wall;
    assert!(
        wall.unix_nanos() > 1_700_000_000_000_000_000,
        "mapped to the wall clock"
    );
}

#[tokio::test]
async fn a_reader_that_skipped_still_sees_the_change() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"one"))
        .unwrap();
    publisher.publish_frame(video(0, true)).unwrap();
    let mut late = publisher.handle().subscribe_resilient();
    assert!(matches!(late.try_batch(), TryBatch::Batch(_)));
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"two"))
        .unwrap();
    for n in 1..=150 {
        publisher.publish_frame(video(n, n % 50 == 1)).unwrap();
    }
    let TryBatch::Batch(batch) = late.try_batch() else {
        panic!("there is something to read");
    };
    assert!(batch.skipped() > 0);
    let table = batch.new_header().unwrap();
    assert_eq!(table.video().unwrap().config, b"two"[..]);
    assert_eq!(table.epoch.id, Epoch(1));
    assert_eq!(late.header().unwrap().epoch.id, Epoch(1));
}

#[tokio::test]
async fn a_joiner_gets_the_table_of_the_frame_it_starts_with() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"one"))
        .unwrap();
    publisher.publish_frame(video(0, true)).unwrap();
    publisher.publish_frame(video(1, false)).unwrap();
    // Announced, but no frame of it yet: the kept GOP still belongs to the old table.
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"two"))
        .unwrap();
    let mut joiner = publisher.handle().subscribe_resilient();
    let TryBatch::Batch(batch) = joiner.try_batch() else {
        panic!("the kept GOP");
    };
    assert!(batch.is_join());
    assert_eq!(
        batch.new_header().unwrap().video().unwrap().config,
        b"one"[..]
    );
    assert_eq!(
        publisher.handle().tracks().video().unwrap().config,
        b"two"[..]
    );
}

#[tokio::test]
async fn configuration_frames_change_the_table_and_are_not_stored() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher
        .handle()
        .subscribe(SubscribeOptions {
            shed: Some(std::sync::Arc::new(KeepAll)),
            ..SubscribeOptions::everything()
        })
        .unwrap();
    let config = |bytes: &'static [u8]| {
        MediaFrame::new_video(0, 0, Bytes::from_static(bytes), CodecId::H264, false)
            .with_flags(FrameFlags::CONFIG)
    };
    let sound = MediaFrame::new_audio(0, Bytes::from_static(b"asc"), CodecId::Aac)
        .with_flags(FrameFlags::CONFIG);
    publisher
        .publish_frames([config(b"one"), sound, video(0, true), audio(0)])
        .unwrap();
    publisher
        .publish_frames([config(b"one"), video(1, true)])
        .unwrap();
    let TryBatch::Batch(batch) = reader.try_batch() else {
        panic!("there is something to read");
    };
    assert_eq!(batch.len(), 3, "one table, three frames");
    let (v, a) = publisher.handle().cached_configs();
    assert_eq!(
        (v.as_deref(), a.as_deref()),
        (Some(&b"one"[..]), Some(&b"asc"[..]))
    );
    assert_eq!(publisher.handle().tracks().epoch.id, Epoch(0));
}

#[tokio::test]
async fn without_a_filter_decode_times_still_never_go_back() {
    let engine = engine();
    let mut events = engine.events().subscribe();
    let publisher = session(&engine).await;
    let mut reader = publisher
        .handle()
        .subscribe(SubscribeOptions::everything())
        .unwrap();
    let at = |ms: i64, key| MediaFrame::new_video(ms, ms, Bytes::new(), CodecId::H264, key);
    // A small step back, a clock that restarts (and its sound with it), and hostile values.
    publisher
        .publish_frames([at(10_000, true), at(9_990, false), at(10_040, false)])
        .unwrap();
    publisher
        .publish_frames([at(0, true), at(40, false)])
        .unwrap();
    publisher
        .publish_frame(MediaFrame::new_audio(20, Bytes::new(), CodecId::Aac))
        .unwrap();
    publisher
        .publish_frames([at(i64::MAX, false), at(i64::MIN, false), at(80, true)])
        .unwrap();
    let mut last = std::collections::HashMap::new();
    let mut times = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        for (_, frame) in &batch {
            let before = last
                .insert(frame.track, frame.dts)
                .unwrap_or(MediaTime::MIN);
            assert!(frame.dts >= before, "{} after {before}", frame.dts);
            times.push((frame.dts.as_millis(), frame.epoch.0));
        }
    }
    assert_eq!(
        times[..6],
        [
            (10_000, 0),
            (10_000, 0),
            (10_040, 0),
            (10_040, 1),
            (10_080, 1),
            (10_060, 1)
        ]
    );
    assert_eq!(times.len(), 9);
    let repairs = publisher.handle().repairs();
    assert!(repairs.count(Repair::Reorder) >= 1 && repairs.count(Repair::Jump) >= 1);
    let opened = std::iter::from_fn(|| events.try_recv().ok()).find_map(|e| match e {
        StreamEvent::EpochOpened { epoch, reason, .. } => Some((epoch, reason)),
        _ => None,
    });
    assert_eq!(opened, Some((Epoch(1), EpochReason::Jump)));
}

#[tokio::test]
async fn what_the_sender_says_of_the_stream_travels_with_the_table() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher.handle().subscribe_resilient();
    let mut tags = Tags::default();
    tags.set("title", TagValue::Text("one".to_owned()));
    publisher.set_tags(tags.clone()).unwrap();
    publisher
        .set_tracks([track(TrackId::VIDEO, CodecId::H264, b"one")])
        .unwrap();
    publisher.publish_frame(video(0, true)).unwrap();
    // Said again, it is no change; said anew, it is one, and opens no epoch.
    publisher.set_tags(tags.clone()).unwrap();
    publisher.publish_frame(video(1, false)).unwrap();
    tags.set("title", TagValue::Text("two".to_owned()));
    publisher.set_tags(tags).unwrap();
    publisher.publish_frame(video(2, false)).unwrap();

    let mut seen = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        if let Some(table) = batch.new_header() {
            let title = table.tags.text("title").map(str::to_owned);
            seen.push((title, table.tracks.len(), table.epoch.id));
        }
    }
    let title = |text: &str| (Some(text.to_owned()), 1, Epoch(0));
    assert_eq!(seen, [title("one"), title("two")]);
}

#[tokio::test]
async fn the_publish_url_names_the_languages() {
    let engine = engine();
    let request = PublishRequest::new(key()).query("token=x&lang=en,de");
    let publisher = IngestContext::new(engine.clone() as _)
        .open_publish_as(request)
        .await
        .unwrap();
    let audio = |id| track(TrackId(id), CodecId::Aac, b"asc");
    publisher
        .set_track(track(TrackId::VIDEO, CodecId::H264, b"one"))
        .unwrap();
    publisher.set_track(audio(13)).unwrap();
    publisher.set_track(audio(2)).unwrap();
    let languages = || -> Vec<_> {
        let table = publisher.handle().tracks();
        let audio = table.tracks.iter().filter(|t| t.id != TrackId::VIDEO);
        audio
            .map(|t| (t.id.0, t.language.clone().unwrap_or_default()))
            .collect()
    };
    let said = |id, language: &str| (id, language.to_owned());
    assert_eq!(
        languages(),
        [said(2, "en"), said(13, "de")],
        "whatever came first"
    );
    // The sender's own word counts more.
    let mut own = audio(15);
    own.language = Some("fr".to_owned());
    publisher.set_tracks([audio(2), audio(13), own]).unwrap();
    assert_eq!(languages(), [said(2, "en"), said(13, "de"), said(15, "fr")]);
    let before = publisher.handle().tracks().generation;
    publisher.set_track(audio(13)).unwrap();
    assert_eq!(publisher.handle().tracks().generation, before, "no change");
}
