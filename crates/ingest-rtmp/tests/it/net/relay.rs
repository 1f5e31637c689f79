//! A stream goes A → push → B → pull → C, and each leg is lost on the way.

use std::time::{Duration, Instant};

use bus::IngestContext;
use millstream_ingest_rtmp::net::client::{LinkEnd, LinkState, Pull, Push};
use millstream_ingest_rtmp::net::{Config, FanOut};
use tokio_util::sync::CancellationToken;

use super::stage::{Stage, engine, key, reader, source, source_with, up};
use crate::rig::until;

const ONE_GOP: usize = 25 + 47 + 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_legs_without_a_loss_carry_every_byte() {
    let mut config = Config::new(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    config.fan_out = FanOut::LatencyFirst;
    let (a, b, c) = (engine(), Stage::with(config), engine());
    let stop = CancellationToken::new();
    let mut push = Push::new(key(), b.target());
    push.fan_out = FanOut::LatencyFirst;
    let mut push = push.spawn(a.clone(), stop.clone());
    let pull = Pull::new(b.target(), key()).spawn(IngestContext::new(c.clone()), stop.clone());
    let (direct, books) = (reader(&a, stop.clone()), reader(&c, stop.clone()));
    let sent = source(&a, 3).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let counts = (push.counts(), pull.counts());
    stop.cancel();
    let books = books.await.unwrap();
    let gaps = books.check(&sent);
    assert!(gaps.is_empty(), "{gaps:?}");
    let (middle, high) = books.behind(&direct.await.unwrap());
    println!("two legs add p50 {middle:?}, p99 {high:?}");
    assert!(middle < Duration::from_millis(150), "{middle:?}");
    assert_eq!(
        books.hashes.first(),
        sent.first(),
        "from the first frame on"
    );
    assert_eq!(books.hashes.len(), sent.len());
    assert_eq!(counts.0.frames, sent.len() as u64);
    assert_eq!(counts.1.frames, sent.len() as u64);
    for engine in [&b.engine, &c] {
        let tags = engine.get_stream(&key()).unwrap().tracks();
        assert_eq!(tags.tags.text("title"), Some("a relay"));
    }
    assert_eq!(push.ended().await, LinkEnd::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_is_cut_off_goes_on_where_it_was() {
    let (b, c) = (Stage::new(), engine());
    let stop = CancellationToken::new();
    // One GOP, so that no key frame falls into the pause and the server still has what is missing.
    let source = source_with(&b.engine, 5, 250);
    let pull = Pull::new(b.target(), key()).spawn(IngestContext::new(c.clone()), stop.clone());
    let books = reader(&c, stop.clone());
    up("the pull", &pull).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let handle = b.engine.get_stream(&key()).unwrap();
    let id = handle.readers().pop().unwrap().id;
    assert!(handle.kick_reader(id));
    let sent = source.await.unwrap();
    let counts = pull.counts();
    stop.cancel();
    let books = books.await.unwrap();
    let gaps = books.check(&sent);
    // What was in flight when it was cut off is replayed, and what came twice is left out.
    assert!(gaps.is_empty(), "{gaps:?}");
    assert_eq!(books.hashes.last(), sent.last());
    assert_eq!((counts.attempts, counts.connects), (2, 2));
    assert!(counts.skipped > 0, "{counts:?}");
    let epoch = c.get_stream(&key()).unwrap().tracks().epoch.id;
    assert_eq!(epoch.0, 0, "readers are not told of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_legs_come_back_after_the_server_between_them() {
    let (a, mut b, c) = (engine(), Stage::new(), engine());
    let stop = CancellationToken::new();
    let push = Push::new(key(), b.target()).spawn(a.clone(), stop.clone());
    let pull = Pull::new(b.target(), key()).spawn(IngestContext::new(c.clone()), stop.clone());
    let books = reader(&c, stop.clone());
    let source = source(&a, 9);
    up("the pull", &pull).await;
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    b.kill().await;
    for (what, link) in [("push", &push), ("pull", &pull)] {
        until(what, || !matches!(link.state(), LinkState::Up { .. })).await;
    }
    b.revive();
    let sent = source.await.unwrap();
    let counts = (push.counts(), pull.counts());
    stop.cancel();
    let books = books.await.unwrap();
    let gaps = books.check(&sent);
    // One loss, one gap: the pause before the new attempt, and up to a GOP until the next key frame.
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].1 < 4 * ONE_GOP, "{gaps:?}");
    assert_eq!(books.hashes.last(), sent.last());
    assert!(
        counts.0.connects == 2 && counts.1.connects >= 2,
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_end_with_their_stream_where_they_are_told_to() {
    let (a, b, c) = (engine(), Stage::new(), engine());
    let stop = CancellationToken::new();
    let mut push = Push::new(key(), b.target());
    push.end_with_stream = true;
    let mut push = push.spawn(a.clone(), stop.clone());
    assert_eq!(push.state(), LinkState::Idle);
    let source = source(&a, 1);
    let mut pull = Pull::new(b.target(), key());
    pull.end_with_stream = true;
    let mut pull = pull.spawn(IngestContext::new(c.clone()), stop.clone());
    up("the pull", &pull).await;
    source.await.unwrap();
    let handle = a.get_stream(&key()).unwrap();
    assert!(!handle.kick_publisher(), "it has finished");
    // The grace is over at once.
    a.shutdown(Duration::from_secs(1)).await;
    assert_eq!(push.ended().await, LinkEnd::Finished);
    // The publisher of B said that it ended; B's grace ends with its shut-down.
    b.engine.shutdown(Duration::from_secs(1)).await;
    assert_eq!(pull.ended().await, LinkEnd::Finished);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_so_many_times() {
    let c = engine();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/secret", listener.local_addr().unwrap());
    drop(listener);
    let target = millstream_ingest_rtmp::client::Target::parse(&url).unwrap();
    let mut pull = Pull::new(target, key());
    pull.retry.first = Duration::from_millis(10);
    pull.retry.limit = Some(3);
    let mut link = pull.spawn(IngestContext::new(c), CancellationToken::new());
    let LinkEnd::Failed(why) = link.ended().await else {
        panic!("it gave up");
    };
    assert_eq!(link.counts().attempts, 3);
    assert!(why.contains("refused") && !why.contains("secret"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_follows_a_server_that_leaves() {
    let (other, c) = (Stage::new(), engine());
    let mut config = Config::new(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    config.reconnect_to = Some(format!("rtmp://{}/live", other.address));
    let mut first = Stage::with(config);
    let _sources = (source(&first.engine, 60), source(&other.engine, 60));
    let stop = CancellationToken::new();
    let pull = Pull::new(first.target(), key()).spawn(IngestContext::new(c), stop.clone());
    let is_at = |address| matches!(pull.state(), LinkState::Up { remote, .. } if remote == address);
    until("it plays the first", || is_at(first.address)).await;
    let left = Instant::now();
    first.kill().await;
    until("it plays the other", || is_at(other.address)).await;
    assert!(left.elapsed() < Duration::from_millis(1_500), "no pause");
    assert_eq!(pull.counts().attempts, 2);
    stop.cancel();
}
