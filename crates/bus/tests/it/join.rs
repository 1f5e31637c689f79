//! Where readers start, and what they get from there.

use millstream_bus::{AppSpec, Engine, Start, SubscribeOptions};

use crate::support::{drain, engine, key, session, video};

#[tokio::test]
async fn a_joiner_gets_the_gop_and_then_what_follows() {
    let engine = engine();
    let publisher = session(&engine).await;
    for n in 0..25 {
        publisher.publish_frame(video(n, n % 10 == 0)).unwrap();
    }
    let handle = engine.get_stream(&key()).unwrap();
    let mut newest = handle.subscribe(SubscribeOptions::default()).unwrap();
    let mut live = handle
        .subscribe(SubscribeOptions {
            start: Start::Live,
            ..Default::default()
        })
        .unwrap();
    let mut oldest = handle.subscribe(SubscribeOptions::everything()).unwrap();
    for n in 25..35 {
        publisher.publish_frame(video(n, n % 10 == 0)).unwrap();
    }
    assert_eq!(drain(&mut newest), (20..35).collect::<Vec<_>>());
    assert_eq!(drain(&mut live), (30..35).collect::<Vec<_>>());
    assert_eq!(drain(&mut oldest), (0..35).collect::<Vec<_>>());
    assert_eq!(newest.skipped() + live.skipped() + oldest.skipped(), 0);
}

#[tokio::test]
async fn a_gop_beyond_the_cache_is_not_replayed() {
    for (app, replayed) in [
        (AppSpec::new("live").gop_cache(5), true),
        (AppSpec::new("live").gop_cache(4), false),
        (AppSpec::new("live").gop_cache(0), false),
        (AppSpec::new("live").gop_cache_bytes(40), true),
        (AppSpec::new("live").gop_cache_bytes(39), false),
        (AppSpec::new("live").gop_cache_ms(160), true),
        (AppSpec::new("live").gop_cache_ms(159), false),
    ] {
        let engine = Engine::builder().application(app.clone()).build();
        let publisher = session(&engine).await;
        for n in 0..5 {
            publisher.publish_frame(video(n, n == 0)).unwrap();
        }
        let mut reader = publisher.handle().subscribe_resilient();
        publisher.publish_frame(video(5, true)).unwrap();
        let want: Vec<u64> = if replayed { (0..6).collect() } else { vec![5] };
        assert_eq!(drain(&mut reader), want, "{app:?}");
    }
}
