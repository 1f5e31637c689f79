//! Loom models of the log: joining, closing, falling behind, being ended, leaving; each under every interleaving.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p millstream-bus --lib models`
//!
//! Each model is one that fails when the code is wrong in the way it is there for; how that was seen stands beside it.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use core_frame::{Epoch, FrameFlags, ItemMarks, Limits, MediaKind, MediaTime, TrackId};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::{Bounds, Cursor, EndReason, Item, Join, Log, TryBatch};
use crate::{Start, TrackMask};

#[derive(Clone, Copy, Debug)]
struct Numbered {
    n: u64,
    key: bool,
}

impl ItemMarks for Numbered {
    fn flags(&self) -> FrameFlags {
        if self.key {
            FrameFlags::KEY
        } else {
            FrameFlags::empty()
        }
    }
    fn kind(&self) -> MediaKind {
        MediaKind::Video
    }
    fn track(&self) -> TrackId {
        TrackId::VIDEO
    }
    fn epoch(&self) -> Epoch {
        Epoch(0)
    }
    fn dts(&self) -> MediaTime {
        MediaTime::ZERO
    }
    fn bytes(&self) -> usize {
        1
    }
}

impl Item for Numbered {
    type Intake = ();
}

type TestLog = Log<Numbered, ()>;
type TestCursor = Cursor<Numbered, ()>;

fn log(items: u64) -> Arc<TestLog> {
    let mut bounds = Bounds::of(&Limits::default());
    bounds.items = items;
    Arc::new(Log::new(bounds, Arc::new(())))
}

fn publish(log: &TestLog, n: u64, key: bool) {
    log.write(|state| state.push(Numbered { n, key }, key));
}

fn join(log: &Arc<TestLog>, id: u64) -> TestCursor {
    let join = Join {
        start: Start::NewestSync,
        tracks: TrackMask::ALL,
        shed: None,
        lossless: false,
        info: None,
        hook: None,
        pace: None,
    };
    log.join(id, Instant::now(), join)
}

fn take(cursor: &mut TestCursor, got: &mut Vec<u64>) {
    while let TryBatch::Batch(batch) = cursor.try_batch() {
        for (seq, item) in &batch {
            assert_eq!(seq, item.n, "the slot holds the item of its number");
            got.push(item.n);
        }
    }
}

/// A waker that remembers that it was woken. Like a task's, it makes what happened before the wake seen by the poll after it.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.swap(true, Ordering::AcqRel);
    }
}

fn woken() -> (Arc<Woken>, Waker) {
    let flag = Arc::new(Woken(AtomicBool::new(false)));
    (Arc::clone(&flag), Waker::from(flag))
}

/// Polls once: `Some(true)` for a batch, `Some(false)` for nothing yet, `None` for the end.
fn poll(cursor: &mut TestCursor, waker: &Waker, got: &mut Vec<u64>) -> Option<bool> {
    match cursor.poll_batch(&mut Context::from_waker(waker)) {
        Poll::Ready(Some(batch)) => {
            got.extend(batch.iter().map(|(_, item)| item.n));
            Some(true)
        }
        Poll::Ready(None) => None,
        Poll::Pending => Some(false),
    }
}

/// A reader that joins while items are published gets every one from a sync point on.
///
/// Seen to fail when a read takes its items under one lock and notes the log's end as its new position under another.
#[test]
fn join_loses_and_doubles_nothing() {
    loom::model(|| {
        let log = log(100);
        publish(&log, 0, true);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                publish(&log, 1, false);
                publish(&log, 2, true);
                publish(&log, 3, false);
            }
        });
        let mut cursor = join(&log, 1);
        let mut got = Vec::new();
        take(&mut cursor, &mut got);
        publisher.join().unwrap();
        take(&mut cursor, &mut got);
        let first = got[0];
        assert!(first == 0 || first == 2, "starts at a sync point: {got:?}");
        assert_eq!(got, (first..4).collect::<Vec<_>>());
    });
}

/// A reader that waits is woken for what is published, and then sees it.
///
/// Seen to fail when a round of waking does not bump the version, and when a read arms its waker after it has released the
/// lock in which it found nothing.
#[test]
fn publishing_wakes() {
    loom::model(|| {
        let log = log(100);
        let mut cursor = join(&log, 1);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                publish(&log, 0, true);
                publish(&log, 1, false);
            }
        });
        let mut got = Vec::new();
        let (flag, waker) = woken();
        while poll(&mut cursor, &waker, &mut got) == Some(true) {
            flag.0.swap(false, Ordering::AcqRel);
        }
        publisher.join().unwrap();
        if got.len() < 2 {
            // A task would be polled again only if it was woken.
            assert!(flag.0.swap(false, Ordering::AcqRel), "left waiting");
            while poll(&mut cursor, &waker, &mut got) == Some(true) {}
        }
        assert_eq!(got, [0, 1]);
    });
}

/// A waiting reader is woken for the end, and gets everything before it.
///
/// Seen to fail when the end is looked for before the items, and when closing wakes nobody.
#[test]
fn close_delivers_everything() {
    loom::model(|| {
        let log = log(100);
        publish(&log, 0, true);
        let mut cursor = join(&log, 1);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                publish(&log, 1, false);
                log.close();
            }
        });
        let mut got = Vec::new();
        let (flag, waker) = woken();
        let mut state = Some(true);
        while state == Some(true) {
            flag.0.swap(false, Ordering::AcqRel);
            state = poll(&mut cursor, &waker, &mut got);
        }
        publisher.join().unwrap();
        if state.is_some() {
            assert!(flag.0.swap(false, Ordering::AcqRel), "left waiting");
            while poll(&mut cursor, &waker, &mut got) == Some(true) {}
        }
        assert_eq!(got, [0, 1]);
        assert_eq!(cursor.end_reason(), Some(EndReason::Ended));
    });
}

/// A reader that falls behind resumes at a sync point, and what it was lent stays what it was while blocks are recycled.
///
/// Seen to fail when a displaced cursor goes on at the oldest item, and when `evict` does not forget a sync point that left.
#[test]
fn lag_resumes_at_a_sync_point() {
    loom::model(|| {
        let log = log(3);
        publish(&log, 0, true);
        let mut cursor = join(&log, 1);
        let publisher = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for n in 1..7 {
                    publish(&log, n, n == 5);
                }
            }
        });
        let mut got = Vec::new();
        let first = cursor.try_batch();
        take(&mut cursor, &mut got);
        publisher.join().unwrap();
        take(&mut cursor, &mut got);
        let mut all = Vec::new();
        if let TryBatch::Batch(first) = &first {
            for (seq, item) in first {
                assert_eq!(seq, item.n, "lent, and then overwritten");
                all.push(seq);
            }
        }
        all.extend(&got);
        assert_eq!(all.last(), Some(&6));
        for pair in all.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(
                gap == 1 || pair[1] == 5,
                "a delta frame after a gap: {all:?}"
            );
        }
        assert_eq!(cursor.skipped(), 7 - all.len() as u64, "{all:?}");
    });
}

/// A reader that is ended while it is about to wait sees it, or is woken.
///
/// Seen to fail when `end_reader` does not bump the version.
#[test]
fn ending_a_reader_is_seen() {
    loom::model(|| {
        let log = log(100);
        publish(&log, 0, true);
        let mut cursor = join(&log, 7);
        let operator = thread::spawn({
            let log = Arc::clone(&log);
            move || assert!(log.end_reader(7, EndReason::Kicked))
        });
        let (flag, waker) = woken();
        let mut cx = Context::from_waker(&waker);
        let pending = loop {
            match cursor.poll_batch(&mut cx) {
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => break false,
                Poll::Pending => break true,
            }
        };
        operator.join().unwrap();
        if pending {
            assert!(
                flag.0.swap(false, Ordering::AcqRel),
                "ended, and left waiting"
            );
            assert!(cursor.poll_batch(&mut cx).is_ready());
        }
        assert_eq!(cursor.end_reason(), Some(EndReason::Kicked));
    });
}

/// A reader that leaves takes only its own waker with it.
///
/// Seen to fail when `disarm` does not tell the reader that moved into the gap its new place.
#[test]
fn leaving_disturbs_nobody() {
    loom::model(|| {
        let log = log(100);
        publish(&log, 0, true);
        let mut cursors: Vec<_> = (0..3).map(|id| join(&log, id)).collect();
        let flags: Vec<_> = cursors
            .iter_mut()
            .map(|cursor| {
                let (flag, waker) = woken();
                let mut cx = Context::from_waker(&waker);
                while cursor.poll_batch(&mut cx).is_ready() {}
                flag
            })
            .collect();
        let mut last = cursors.pop().unwrap();
        let middle = cursors.pop().unwrap();
        let first = cursors.pop().unwrap();
        let leaver = thread::spawn(move || drop(first));
        let other = thread::spawn(move || drop(middle));
        leaver.join().unwrap();
        other.join().unwrap();
        // Armed again with another waker: it must take the place of its own old one.
        let (again, waker) = woken();
        let mut cx = Context::from_waker(&waker);
        assert!(last.poll_batch(&mut cx).is_pending());
        publish(&log, 1, false);
        assert!(again.0.swap(false, Ordering::AcqRel));
        assert!(!flags[2].0.swap(false, Ordering::AcqRel), "replaced");
    });
}
