//! Readers that fall behind: what they lose, where they resume, and what they are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use core_frame::{DropTail, FrameFlags, Limits};
use millstream_bus::{
    AppSpec, EndReason, Engine, KeepAll, ReaderInfo, Start, StreamEvent, SubscribeOptions,
    Subscriber, TryBatch, core_frame,
};

use crate::support::{audio, drain, engine, key, number, session, video};

fn small() -> Limits {
    let mut limits = Limits::default();
    limits.log_frames = 64;
    limits
}

fn reader(handle: &millstream_bus::StreamHandle, options: SubscribeOptions) -> Subscriber {
    handle.subscribe(options).unwrap()
}

#[tokio::test]
async fn a_reader_that_the_log_left_behind_resumes_at_the_newest_sync_point() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(small())
        .build();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let mut late = reader(
        publisher.handle(),
        SubscribeOptions {
            shed: Some(Arc::new(KeepAll)),
            ..Default::default()
        },
    );
    assert_eq!(drain(&mut late), [0]);
    for n in 1..=205 {
        publisher.publish_frame(video(n, n % 20 == 0)).unwrap();
    }
    let TryBatch::Batch(batch) = late.try_batch() else {
        panic!("there is something to read");
    };
    let (seq, first) = batch.iter().next().unwrap();
    assert_eq!((seq, number(first)), (200, 200), "the newest key frame");
    assert!(batch.is_sync(seq));
    assert_eq!(batch.skipped(), 199, "frames 1 to 199");
    assert_eq!(late.skipped(), 199);
    let held = publisher.handle().qos().log_frames;
    assert!(held <= 64, "{held} frames held");
}

#[tokio::test]
async fn without_a_sync_point_left_it_waits_for_the_next() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(small())
        .build();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let mut late = publisher.handle().subscribe_resilient();
    assert_eq!(drain(&mut late), [0]);
    for n in 1..200 {
        publisher.publish_frame(video(n, false)).unwrap();
    }
    assert_eq!(drain(&mut late), [0_u64; 0], "never on a delta frame");
    publisher.publish_frame(video(200, true)).unwrap();
    publisher.publish_frame(video(201, false)).unwrap();
    assert_eq!(drain(&mut late), [200, 201]);
    assert_eq!(late.skipped(), 199);
}

#[tokio::test]
async fn over_the_budget_it_skips_and_the_stream_says_so() {
    let engine = engine();
    let mut events = engine.events().subscribe();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let mut late = reader(
        publisher.handle(),
        SubscribeOptions::registered(ReaderInfo::new("test", None)),
    );
    assert_eq!(drain(&mut late), [0]);
    // 40 ms a frame: 100 frames are 4 s, over the default of 3 s.
    for n in 1..=105 {
        publisher.publish_frame(video(n, n % 50 == 0)).unwrap();
    }
    assert_eq!(drain(&mut late), (100..=105).collect::<Vec<_>>());
    assert_eq!(late.skipped(), 99);
    let told = std::iter::from_fn(|| events.try_recv().ok())
        .find_map(|e| match e {
            StreamEvent::ReaderLagging { id, skipped, .. } => Some((id, skipped)),
            _ => None,
        })
        .unwrap();
    assert_eq!(told, (late.id(), 99));
    assert_eq!(publisher.handle().readers()[0].skipped, 99);
}

#[tokio::test]
async fn replay_is_no_lag() {
    let engine = engine();
    let publisher = session(&engine).await;
    for n in 0..200 {
        publisher.publish_frame(video(n, n == 0)).unwrap();
    }
    // Eight seconds of GOP: a joiner gets all of it, whatever the budget.
    let mut late = publisher.handle().subscribe_resilient();
    assert_eq!(drain(&mut late).len(), 200);
}

#[tokio::test]
async fn disposable_frames_go_first_then_the_tail_then_the_rest() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let policy = Arc::new(DropTail {
        time: Duration::from_secs(4),
        bytes: u64::MAX,
        inside_gop: true,
    });
    let mut late = reader(
        publisher.handle(),
        SubscribeOptions {
            shed: Some(policy),
            ..Default::default()
        },
    );
    assert_eq!(drain(&mut late), [0]);
    // Odd frames are disposable; sound beside each picture; 40 ms apart; a key frame at 90, 3.6 s behind the first.
    for n in 1..=92_u64 {
        let mut frame = video(n, n == 90);
        frame
            .flags
            .set(FrameFlags::DISPOSABLE, n % 2 == 1 && n != 90);
        publisher.publish_frame(frame).unwrap();
        publisher.publish_frame(audio(n)).unwrap();
    }
    let mut pictures = Vec::new();
    let mut sounds = Vec::new();
    while let TryBatch::Batch(batch) = late.try_batch() {
        for (_, f) in &batch {
            match f.kind() {
                core_frame::MediaKind::Video => pictures.push(number(f)),
                _ => sounds.push(number(f)),
            }
        }
    }
    assert_eq!(sounds, (1..=92).collect::<Vec<_>>(), "sound goes last");
    // Frame n is (92 - n) * 40 ms behind: over 3 s (n < 17) the tail of the GOP goes, and as it has gone it stays away
    // until the next key frame.
    assert_eq!(pictures, [90, 91, 92]);
    assert_eq!(late.skipped(), 89);
}

#[tokio::test]
async fn a_policy_that_would_tear_a_hole_closes_the_gop() {
    struct DropThirty;
    impl core_frame::ShedPolicy for DropThirty {
        fn decide(
            &self,
            item: &dyn core_frame::ItemMarks,
            _lag: core_frame::Lag,
        ) -> core_frame::ShedDecision {
            if item.dts() == core_frame::MediaTime::from_millis(30 * 40) {
                core_frame::ShedDecision::Drop
            } else {
                core_frame::ShedDecision::Keep
            }
        }
    }
    let engine = engine();
    let publisher = session(&engine).await;
    let mut late = reader(
        publisher.handle(),
        SubscribeOptions {
            shed: Some(Arc::new(DropThirty)),
            ..Default::default()
        },
    );
    for n in 0..60 {
        publisher.publish_frame(video(n, n % 40 == 0)).unwrap();
    }
    let want: Vec<u64> = (0..30).chain(40..60).collect();
    assert_eq!(drain(&mut late), want, "30 is needed by 31 to 39");
}

#[tokio::test]
async fn a_lossless_reader_pins_the_log_up_to_its_bound() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").spool_bytes(8 * 500))
        .limits(small())
        .build();
    let publisher = session(&engine).await;
    let mut recorder = reader(publisher.handle(), SubscribeOptions::everything());
    for n in 0..300 {
        publisher.publish_frame(video(n, n % 30 == 0)).unwrap();
    }
    assert!(publisher.handle().qos().log_frames >= 300);
    assert_eq!(drain(&mut recorder), (0..300).collect::<Vec<_>>());
    publisher.publish_frame(video(300, true)).unwrap();
    assert!(
        publisher.handle().qos().log_frames <= 64,
        "nothing is pinned any more"
    );
    for n in 301..2_000 {
        publisher.publish_frame(video(n, n % 30 == 0)).unwrap();
    }
    let got = drain(&mut recorder);
    let held = publisher.handle().qos().log_bytes;
    assert!(held <= 8 * 500 + 8 * 64, "{held} bytes held");
    assert!(
        got[0].is_multiple_of(30) && got[0] > 301,
        "resumes at a sync point: {}",
        got[0]
    );
    assert_eq!(recorder.skipped(), got[0] - 300);
    assert_eq!(got, (got[0]..2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_idle_reader_pins_nothing_and_a_batch_keeps_what_it_lends() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(small())
        .build();
    let publisher = session(&engine).await;
    let idle = publisher.handle().subscribe_resilient();
    let mut writing = publisher.handle().subscribe_resilient();
    publisher.publish_frame(video(0, true)).unwrap();
    let TryBatch::Batch(batch) = writing.try_batch() else {
        panic!("there is something to read");
    };
    for n in 1..1_000 {
        publisher.publish_frame(video(n, false)).unwrap();
    }
    assert!(publisher.handle().qos().log_frames <= 64);
    assert_eq!(
        batch.iter().map(|(_, f)| number(f)).collect::<Vec<_>>(),
        [0]
    );
    drop((idle, batch));
}

#[tokio::test]
async fn a_reader_without_progress_is_given_up() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let mut stuck = publisher.handle().subscribe_resilient();
    let t0 = Instant::now();
    let at = |s| t0 + Duration::from_secs(s);
    assert!(!stuck.stalled(at(0)));
    assert!(!stuck.stalled(at(9)));
    assert_eq!(drain(&mut stuck), [0]);
    assert!(!stuck.stalled(at(20)), "it has read");
    assert!(!stuck.stalled(at(60)), "there is nothing to read");
    publisher.publish_frame(video(1, false)).unwrap();
    assert!(!stuck.stalled(at(61)));
    assert!(stuck.stalled(at(71)));
    assert_eq!(stuck.end_reason(), Some(EndReason::Lagging));
    assert!(matches!(stuck.try_batch(), TryBatch::Ended));
}

#[tokio::test]
async fn lag_is_what_is_left_to_read() {
    let engine = engine();
    let publisher = session(&engine).await;
    publisher.publish_frame(video(0, true)).unwrap();
    let mut reader = reader(
        publisher.handle(),
        SubscribeOptions {
            start: Start::Oldest,
            ..Default::default()
        },
    );
    assert_eq!(drain(&mut reader), [0]);
    for n in 1..=10 {
        publisher.publish_frame(video(n, false)).unwrap();
    }
    assert_eq!(reader.lag().bytes, 80);
    assert_eq!(reader.lag().time.as_millis(), 400);
    drain(&mut reader);
    assert_eq!(reader.lag(), core_frame::Lag::default());
    assert_eq!(key().as_str(), "live/cam");
}

#[tokio::test]
async fn tracks_that_are_far_apart_are_no_lag() {
    let engine = engine();
    let publisher = session(&engine).await;
    let mut reader = publisher.handle().subscribe_resilient();
    let mut got = Vec::new();
    // The sound is 2.6 s ahead of the picture all the time: over three quarters of the budget.
    for n in 0..500 {
        publisher
            .publish_frames([audio(n + 65), video(n, n % 100 == 0)])
            .unwrap();
        if n % 7 == 0 {
            got.extend(drain(&mut reader));
        }
    }
    got.extend(drain(&mut reader));
    assert_eq!(reader.skipped(), 0);
    assert_eq!(got.len(), 2 * 500);
}
