//! What nobody may need any more is let go before the log's bounds are reached.

use millstream_bus::{AppSpec, Engine};

use crate::support::{drain, session, video};

#[tokio::test]
async fn only_the_gop_and_the_lag_are_kept() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").tail_ms(4_000))
        .build();
    let publisher = session(&engine).await;
    // One minute of GOPs of two seconds: far below the log's bounds in bytes and frames.
    for n in 0..1_500 {
        publisher.publish_frame(video(n, n % 50 == 0)).unwrap();
    }
    let kept = publisher.handle().qos().log_frames;
    // Four seconds and a GOP, by whole blocks.
    assert!((100..=100 + 50 + 64).contains(&kept), "{kept} frames kept");
    // A joiner still gets the whole GOP.
    let mut reader = publisher.handle().subscribe_resilient();
    assert_eq!(drain(&mut reader), (1_450..1_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_gop_longer_than_the_tail_stays_whole() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").tail_ms(4_000))
        .build();
    let publisher = session(&engine).await;
    for n in 0..700 {
        publisher.publish_frame(video(n, n % 500 == 0)).unwrap();
    }
    let mut reader = publisher.handle().subscribe_resilient();
    assert_eq!(drain(&mut reader), (500..700).collect::<Vec<_>>());
    for n in 700..990 {
        publisher.publish_frame(video(n, false)).unwrap();
    }
    let mut late = publisher.handle().subscribe_resilient();
    assert_eq!(drain(&mut late), (500..990).collect::<Vec<_>>());
}
