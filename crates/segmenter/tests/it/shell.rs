//! The whole way: published on the bus, read from the window and the storage.

use std::sync::Arc;
use std::time::Duration;

use bus::{AppSpec, Engine, IngestContext};
use core_frame::{CodecId, MediaTime, StreamKey, TrackId};
use millstream_segmenter::{Location, Window, run};
use storage::{MemoryStorage, StorageBackend};

use crate::harness::{Video, audio_info, audio_until, config, merge, samples, video_info};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_stream_is_in_the_window_and_leaves_nothing_behind() {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let key = StreamKey::new("live", "cam");
    let session = IngestContext::new(engine.clone())
        .open_publish(key)
        .await
        .unwrap();
    session
        .set_tracks([video_info(), audio_info(CodecId::Aac, 48_000, 1_024)])
        .unwrap();
    let storage: Arc<dyn StorageBackend> = Arc::new(MemoryStorage::new());
    // Something that a run before this one left, and something of a stream that only sounds alike.
    let leftover = "window/2/live/cam/1/1/7.m4s";
    let neighbour = "window/3/live/cam/x/1/1/7.m4s";
    for k in [leftover, neighbour] {
        storage
            .put(k, bytes::Bytes::from_static(b"old"))
            .await
            .unwrap();
    }
    let window = Window::new();
    let mut versions = window.version_watch();
    let mut c = config();
    c.memory_bytes = 150_000;
    c.linger = Duration::from_millis(600);
    let task = tokio::spawn(run(
        session.handle().clone(),
        c,
        Some(Arc::clone(&storage)),
        Arc::clone(&window),
    ));
    let end = MediaTime::from_secs(60);
    let frames = merge(
        Video::fps(25, 1, 50).until(end),
        audio_until(CodecId::Aac, 48_000, 1_024, end),
    );
    let total = frames.iter().filter(|f| f.track == TrackId::VIDEO).count();
    for batch in frames.chunks(64) {
        session.publish_frames(batch.iter().cloned()).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    session.finish().await.unwrap();
    let wait = versions.wait_for(|_| window.snapshot().ended);
    tokio::time::timeout(Duration::from_secs(5), wait)
        .await
        .unwrap()
        .unwrap();
    // Give the last writes a moment.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let snapshot = window.snapshot();
    let video = snapshot.track(TrackId::VIDEO).unwrap();
    assert_eq!(video.closed.len(), 30);
    let mut spilled = 0;
    let mut count = 0;
    for segment in video.closed.iter() {
        match &segment.location {
            Location::Memory => count += samples(segment) as usize,
            Location::Stored(key) => {
                spilled += 1;
                let bytes = storage.get(key).await.unwrap();
                assert_eq!(bytes.len() as u64, segment.len);
                // Offsets of parts hold in the object.
                for part in &segment.parts {
                    let at = usize::try_from(part.offset).unwrap();
                    assert_eq!(&bytes[at + 4..at + 8], b"moof");
                    let run = bytes[at..].windows(4).position(|w| w == b"trun").unwrap() + at;
                    let n: [u8; 4] = bytes[run + 8..run + 12].try_into().unwrap();
                    count += u32::from_be_bytes(n) as usize;
                }
            }
        }
    }
    assert_eq!(count, total);
    assert!(spilled > 10, "{spilled}");
    assert!(!storage.exists(leftover).await.unwrap());
    let stats = tokio::time::timeout(Duration::from_secs(5), task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(stats.forced_cuts, 0);
    assert_eq!(storage.list("").await.unwrap(), [neighbour]);
    assert!(window.snapshot().tracks.is_empty());
}
