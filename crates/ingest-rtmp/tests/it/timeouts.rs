//! A peer that does not get on in time is told nothing and closed at the moment the limits name.

use std::time::Duration;

use millstream_ingest_rtmp::Error;
use millstream_ingest_rtmp::client::Role;
use millstream_ingest_rtmp::session::{Input, Reject, TimerReason};

use crate::pair::{Pair, Raw};

#[test]
fn half_a_handshake_is_closed_after_five_seconds_however_it_drips() {
    let mut raw = Raw::new();
    let start = raw.now;
    raw.send(&[3]).unwrap();
    for _ in 0..49 {
        raw.now += Duration::from_millis(100);
        raw.send(&[0]).unwrap();
    }
    let (deadline, reason) = raw.server.poll_timeout().unwrap();
    assert_eq!(
        (deadline - start, reason),
        (Duration::from_secs(5), TimerReason::Handshake)
    );
    raw.now = deadline;
    assert_eq!(raw.send(&[0]), Err(Error::Timeout(TimerReason::Handshake)));
}

#[test]
fn silence_after_the_handshake_and_after_connect() {
    let mut raw = Raw::greeted();
    let (deadline, reason) = raw.server.poll_timeout().unwrap();
    assert_eq!(
        (deadline - raw.now, reason),
        (Duration::from_secs(10), TimerReason::Connect)
    );
    let timeout = raw.server.handle_input(deadline, Input::Timeout);
    assert_eq!(timeout, Err(Error::Timeout(TimerReason::Connect)));

    let mut pair = Pair::new("rtmp://h/live/cam", Role::Publish);
    let start = pair.now;
    pair.wait(Duration::from_secs(3));
    pair.drive().unwrap();
    assert_eq!(pair.server.poll_timeout(), None, "our own answer is due");
    pair.server.reject(pair.now, Reject::Denied, "no").unwrap();
    pair.take();
    let (deadline, reason) = pair.server.poll_timeout().unwrap();
    assert_eq!(reason, TimerReason::Start);
    assert!(deadline <= start + Duration::from_secs(13));
    let timeout = pair.server.handle_input(deadline, Input::Timeout);
    assert_eq!(timeout, Err(Error::Timeout(TimerReason::Start)));
}

#[test]
fn a_timeout_before_its_time_is_nothing() {
    let mut raw = Raw::new();
    raw.server.handle_input(raw.now, Input::Timeout).unwrap();
    raw.send(&[3]).unwrap();
}

#[test]
fn a_stream_that_runs_has_no_deadline() {
    for role in [Role::Publish, Role::Play] {
        let mut pair = Pair::new("rtmp://h/live/cam", role);
        pair.start();
        assert_eq!(pair.server.poll_timeout(), None);
        assert!(pair.server.is_started());
    }
}
