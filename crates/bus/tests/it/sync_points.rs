//! Where a reader may start: primary video, other video, sound only, and streams without key frames.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, MediaFrame, MediaTime, TrackId, TrackInfo};
use millstream_bus::{
    AppSpec, Engine, SubscribeOptions, SyncPolicy, TrackMask, TryBatch, bytes, core_frame,
};
use std::time::Duration;

use crate::support::{audio, drain, engine, number, session, video};

fn second(n: u64, key: bool) -> MediaFrame {
    let mut frame = video(n, key);
    frame.track = TrackId(5);
    frame
}

#[tokio::test]
async fn other_video_is_held_back_until_its_own_sync_point() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher
        .set_tracks([TrackId::VIDEO, TrackId(5)].map(|id| TrackInfo::new(id, CodecId::H264)))
        .unwrap();
    publisher
        .publish_frames([
            second(0, true),
            video(0, true),
            second(1, false),
            video(1, false),
        ])
        .unwrap();
    let mut reader = publisher.handle().subscribe_resilient();
    publisher
        .publish_frames([
            second(2, false),
            second(3, true),
            video(3, false),
            second(4, false),
        ])
        .unwrap();
    let mut seen = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        seen.extend(batch.iter().map(|(_, f)| (f.track.0, number(f))));
    }
    assert_eq!(seen, [(1, 0), (1, 1), (5, 3), (1, 3), (5, 4)]);
    assert_eq!(reader.skipped(), 0, "holding back is no loss");
}

#[tokio::test]
async fn a_track_selected_later_begins_at_its_own_sync_point() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher
        .handle()
        .subscribe(SubscribeOptions {
            tracks: TrackMask::of([TrackId::VIDEO]),
            ..Default::default()
        })
        .unwrap();
    publisher
        .publish_frames([video(0, true), second(0, true), audio(0)])
        .unwrap();
    assert_eq!(drain(&mut reader), [0]);
    reader.set_tracks(TrackMask::ALL.without(TrackId::VIDEO));
    publisher
        .publish_frames([video(1, false), second(1, false), audio(1), second(2, true)])
        .unwrap();
    let mut seen = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        seen.extend(batch.iter().map(|(_, f)| (f.track.0, number(f))));
    }
    assert_eq!(seen, [(2, 1), (5, 2)]);
}

#[tokio::test]
async fn sound_alone_starts_anywhere() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frames((0..10).map(audio)).unwrap();
    let mut reader = publisher.handle().subscribe_resilient();
    publisher.publish_frame(audio(10)).unwrap();
    assert_eq!(drain(&mut reader), [9, 10]);
    // The same for a reader that wants no video, where video never has a key frame.
    let mut listener = publisher
        .handle()
        .subscribe(SubscribeOptions {
            tracks: TrackMask::of([TrackId::AUDIO]),
            ..Default::default()
        })
        .unwrap();
    publisher
        .publish_frames([video(11, false), audio(11), video(12, false), audio(12)])
        .unwrap();
    assert_eq!(drain(&mut listener), [10, 11, 12]);
}

#[tokio::test]
async fn without_key_frames_recovery_points_and_then_anything() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").sync_policy(SyncPolicy {
            recovery_after: Duration::from_secs(4),
            any_after: Some(Duration::from_secs(10)),
        }))
        .build();
    let publisher = session(&engine).await;
    let at = |s: i64, flags| {
        let time = MediaTime::from_secs(s);
        let payload = Bytes::copy_from_slice(&s.to_be_bytes());
        MediaFrame::new(TrackId::VIDEO, CodecId::H264, time, payload).with_flags(flags)
    };
    let mut reader = publisher.handle().subscribe_resilient();
    let (none, point) = (FrameFlags::empty(), FrameFlags::RECOVERY_POINT);
    publisher
        .publish_frames([
            at(0, none),
            at(2, point),
            at(3, none),
            at(5, point),
            at(6, none),
        ])
        .unwrap();
    assert_eq!(
        drain(&mut reader),
        [5, 6],
        "the first recovery point after four seconds"
    );
    assert_eq!(publisher.handle().qos().unclean_starts, 0);
    let mut next = publisher.handle().subscribe_resilient();
    assert_eq!(
        drain(&mut next),
        [5, 6],
        "it is a sync point for others too"
    );
    publisher
        .publish_frames((7..=16).map(|s| at(s, none)))
        .unwrap();
    let mut third = publisher.handle().subscribe_resilient();
    assert_eq!(
        drain(&mut third),
        [15, 16],
        "ten seconds with nothing to start at"
    );
    assert_eq!(publisher.handle().qos().unclean_starts, 1);
    // Once there was a key frame, only key frames and recovery points will do.
    publisher.publish_frame(at(20, FrameFlags::KEY)).unwrap();
    publisher
        .publish_frames((21..=40).map(|s| at(s, none)))
        .unwrap();
    let mut last = publisher.handle().subscribe_resilient();
    assert_eq!(drain(&mut last), (20..=40).collect::<Vec<_>>());
    assert_eq!(publisher.handle().qos().unclean_starts, 1);
}

#[tokio::test]
async fn video_that_is_announced_and_never_comes_does_not_keep_the_sound_away() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher
        .set_tracks([
            TrackInfo::new(TrackId::VIDEO, CodecId::H264),
            TrackInfo::new(TrackId::AUDIO, CodecId::Aac),
        ])
        .unwrap();
    let mut reader = publisher.handle().subscribe_resilient();
    publisher.publish_frames((0..=260).map(audio)).unwrap();
    // 40 ms a frame: the bound of ten seconds is at frame 250.
    assert_eq!(drain(&mut reader), (250..=260).collect::<Vec<_>>());
}
