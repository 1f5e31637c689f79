//! A stream's filter: what it is told, and that its steps become the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{
    EpochReason, FilterOut, FrameFilter, MediaFrame, MediaTime, Repair, Repairs, TrackTable,
};
use millstream_bus::{AppSpec, Engine, SubscribeOptions, TryBatch, bytes, core_frame};

use crate::support::{drain, number, session, video};

/// Holds frames back by two and notes what it was told.
struct Holding {
    held: VecDeque<MediaFrame>,
    notes: Arc<Mutex<Vec<String>>>,
    repairs: Repairs,
}

impl FrameFilter for Holding {
    fn tracks(&mut self, table: &TrackTable) {
        let configs: Vec<_> = table.tracks.iter().map(|t| t.config.clone()).collect();
        self.notes
            .lock()
            .unwrap()
            .push(format!("tracks {configs:?}"));
    }

    fn publisher_changed(&mut self, _now: Instant) {
        self.notes.lock().unwrap().push("publisher".into());
    }

    fn frame(&mut self, _now: Instant, frame: MediaFrame, out: &mut FilterOut) {
        if number(&frame) == 5 {
            self.repairs.add(Repair::Gap);
            out.epoch(frame.dts, EpochReason::Jump);
        }
        self.held.push_back(frame);
        if self.held.len() > 2 {
            out.frame(self.held.pop_front().unwrap());
        }
    }

    fn flush(&mut self, _now: Instant, out: &mut FilterOut) {
        self.notes.lock().unwrap().push("flush".into());
        for frame in self.held.drain(..) {
            out.frame(frame);
        }
    }

    fn repairs(&self) -> Repairs {
        self.repairs
    }
}

fn with_filter(app: AppSpec) -> (Arc<Engine>, Arc<Mutex<Vec<String>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notes);
    let engine = Engine::builder()
        .application(app)
        .filter(Arc::new(move |_| {
            Box::new(Holding {
                held: VecDeque::new(),
                notes: Arc::clone(&told),
                repairs: Repairs::default(),
            })
        }))
        .build();
    (engine, notes)
}

#[tokio::test]
async fn the_log_holds_what_the_filter_lets_out() {
    let (engine, notes) = with_filter(AppSpec::new("live"));
    let publisher = session(&engine).await;
    let mut reader = publisher
        .handle()
        .subscribe(SubscribeOptions::everything())
        .unwrap();
    publisher.publish_frame(video(0, true)).unwrap();
    publisher.publish_frame(video(1, false)).unwrap();
    assert_eq!(drain(&mut reader), [0_u64; 0], "both held back");
    for n in 2..8 {
        publisher.publish_frame(video(n, false)).unwrap();
    }
    let mut epochs = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        epochs.extend(batch.iter().map(|(_, f)| (number(f), f.epoch.0)));
    }
    assert_eq!(epochs, [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]);
    let handle = publisher.handle().clone();
    assert_eq!(handle.repairs().count(Repair::Gap), 1);
    let qos = handle.qos();
    assert_eq!(qos.frames_in, 8, "what came in, not what is out");
    assert!(qos.last_frame_age.unwrap() < Duration::from_secs(5));
    publisher.finish().await.unwrap();
    assert_eq!(
        drain(&mut reader),
        [6, 7],
        "what was held back comes before the end"
    );
    assert_eq!(*notes.lock().unwrap(), ["tracks [b\"\"]", "flush"]);
}

#[tokio::test]
async fn a_change_of_tracks_finds_nothing_held_back() {
    let (engine, notes) = with_filter(AppSpec::new("live"));
    let publisher = session(&engine).await;
    let config = |text: &'static str| {
        let mut frame = video(0, false);
        frame.payload = Bytes::from_static(text.as_bytes());
        frame.with_flags(core_frame::FrameFlags::CONFIG)
    };
    let mut reader = publisher
        .handle()
        .subscribe(SubscribeOptions::everything())
        .unwrap();
    publisher
        .publish_frames([
            config("one"),
            video(0, true),
            video(1, false),
            config("one"),
            config("two"),
        ])
        .unwrap();
    publisher.publish_frames([video(2, true)]).unwrap();
    publisher.finish().await.unwrap();
    let mut seen = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        let config = batch.header().video().unwrap().config.clone();
        seen.extend(batch.iter().map(|(_, f)| (number(f), config.clone())));
    }
    let want: [(u64, &[u8]); 3] = [(0, b"one"), (1, b"one"), (2, b"two")];
    assert_eq!(seen.len(), 3);
    for ((n, config), (want_n, want)) in seen.iter().zip(want) {
        assert_eq!((*n, &config[..]), (want_n, want));
    }
    assert_eq!(
        *notes.lock().unwrap(),
        ["tracks [b\"one\"]", "flush", "tracks [b\"two\"]", "flush"]
    );
}

#[tokio::test]
async fn the_filter_outlives_its_publisher() {
    let (engine, notes) = with_filter(AppSpec::new("live").grace(Duration::from_secs(60)));
    let first = session(&engine).await;
    let mut reader = first
        .handle()
        .subscribe(SubscribeOptions::everything())
        .unwrap();
    first
        .publish_frames((0..4).map(|n| video(n, n == 0)))
        .unwrap();
    drop(first);
    let second = session(&engine).await;
    second
        .publish_frames((100..104).map(|n| video(n, n == 100)))
        .unwrap();
    let mut seen = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        seen.extend(batch.iter().map(|(_, f)| (number(f), f.epoch.0)));
    }
    assert_eq!(seen, [(0, 0), (1, 0), (2, 0), (3, 0), (100, 1), (101, 1)]);
    let notes = notes.lock().unwrap();
    assert!(notes.contains(&"publisher".to_owned()), "{notes:?}");
    assert_eq!(MediaTime::ZERO, MediaTime::from_millis(0));
}
