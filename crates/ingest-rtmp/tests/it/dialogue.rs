//! What client and server say to each other, in every form of handshake and any split of the bytes.

use bytes::Bytes;
use flv::TagKind;
use flv::amf0::Value;
use millstream_ingest_rtmp::client::{Event as ClientEvent, Role};
use millstream_ingest_rtmp::session::{Event, Reject, SessionConfig, play};
use millstream_ingest_rtmp::wire::handshake::{Kind, Scheme};
use millstream_ingest_rtmp::{Error, session};

use crate::pair::{Pair, config};

#[test]
fn publish_in_every_handshake_and_any_split() {
    for cut in [1, 13, 1000, usize::MAX] {
        for handshake in [
            Kind::Simple,
            Kind::Digest(Scheme::Zero),
            Kind::Digest(Scheme::One),
        ] {
            let mut config = config("rtmp://h/live/eu/cam?token=s3cret&x=1", Role::Publish);
            config.handshake = handshake;
            let mut pair = Pair::with(config, SessionConfig::default(), cut);
            pair.start();
            let Some(Event::Publish(request)) = pair.server_events.get(1) else {
                panic!("{:?}", pair.server_events);
            };
            assert_eq!(request.key.as_str(), "live/eu/cam");
            assert!(request.token.as_ref().unwrap().matches("s3cret"));
            assert_eq!(request.query.expose(), "token=s3cret&x=1");
            assert_eq!(request.kind, "live");
            assert!(!format!("{request:?}").contains("s3cret"));
        }
    }
}

#[test]
fn a_player_gets_start_and_then_the_end() {
    let mut pair = Pair::new("rtmp://h/live/cam", Role::Play);
    pair.start();
    let codes = |events: &[ClientEvent]| -> Vec<String> {
        let codes = events.iter().filter_map(|e| match e {
            ClientEvent::Status(code, _) => Some(code.clone()),
            ClientEvent::Ended => Some("ended".to_owned()),
            _ => None,
        });
        codes.collect()
    };
    assert_eq!(codes(&pair.client_events), ["NetStream.Play.Reset"]);
    pair.server.end_play(pair.now, play::End::Unpublished);
    pair.drive().unwrap();
    let end = [
        "NetStream.Play.Reset",
        "ended",
        "NetStream.Play.UnpublishNotify",
    ];
    assert_eq!(codes(&pair.client_events), end);
}

#[test]
fn refusals_name_their_status() {
    for (role, reject, code) in [
        (Role::Publish, Reject::BadName, "NetStream.Publish.BadName"),
        (Role::Publish, Reject::Denied, "NetStream.Publish.Denied"),
        (Role::Publish, Reject::Failed, "NetStream.Publish.Failed"),
        (
            Role::Play,
            Reject::NotFound,
            "NetStream.Play.StreamNotFound",
        ),
        (Role::Play, Reject::Denied, "NetStream.Play.Failed"),
        (Role::Play, Reject::Failed, "NetStream.Play.Failed"),
    ] {
        let mut pair = Pair::new("rtmp://h/live/cam", role);
        pair.drive().unwrap();
        pair.server.reject(pair.now, reject, "because").unwrap();
        assert_eq!(pair.drive(), Err(Error::Refused(code.into())));
        let words = ClientEvent::Status(code.into(), "because".into());
        pair.take();
        assert_eq!(pair.client_events.last(), Some(&words));
    }
    let mut full = SessionConfig::default();
    full.refuse = Some("the server is full");
    let mut pair = Pair::with(config("rtmp://h/live/cam", Role::Play), full, usize::MAX);
    assert_eq!(pair.drive(), Err(Error::Limit("the server is full")));
    let error = pair
        .client
        .handle_input(pair.now, session::Input::Bytes(&pair.down))
        .unwrap_err();
    let code = "NetConnection.Connect.Rejected";
    assert_eq!(error, Error::Refused(code.into()));
}

#[test]
fn enhanced_rtmp_is_negotiated_with_those_who_ask() {
    for enhanced in [true, false] {
        let mut config = config("rtmp://h/live/cam", Role::Publish);
        config.enhanced = enhanced;
        let mut pair = Pair::with(config, SessionConfig::default(), usize::MAX);
        pair.drive().unwrap();
        let Some(Event::Connected(connect)) = pair.server_events.first() else {
            panic!("{:?}", pair.server_events);
        };
        assert_eq!(connect.app, "live");
        assert_eq!(connect.enhanced.is_some(), enhanced);
        let Some(ClientEvent::Connected(answer)) = pair.client_events.first() else {
            panic!("{:?}", pair.client_events);
        };
        let info = &answer.args[0];
        assert_eq!(
            info.get("code").and_then(Value::as_str),
            Some("NetConnection.Connect.Success")
        );
        let caps = info.get("capsEx").and_then(Value::as_f64);
        let hevc = info
            .get("videoFourCcInfoMap")
            .and_then(|m| m.get("hvc1"))
            .and_then(Value::as_f64);
        let list = info.get("fourCcList").and_then(Value::items);
        if enhanced {
            assert_eq!((caps, hevc), (Some(15.0), Some(4.0)));
            assert!(list.unwrap().contains(&Value::from("av01")));
        } else {
            assert_eq!((caps, hevc, list), (None, None, None));
        }
    }
}

#[test]
fn a_publisher_may_end_and_publish_again() {
    let mut pair = Pair::new("rtmp://h/live/cam", Role::Publish);
    pair.start();
    pair.client.finish();
    pair.drive().unwrap();
    assert!(matches!(
        pair.server_events.last(),
        Some(Event::Unpublished)
    ));
    // Media that was on its way is forgiven.
    pair.client
        .send(TagKind::Video, 0, &[b"\x27\x01\0\0\0late"])
        .unwrap();
    pair.drive().unwrap();
}

#[test]
fn what_comes_behind_a_request_waits_for_the_answer() {
    let mut pair = Pair::new("rtmp://h/live/cam", Role::Publish);
    pair.drive().unwrap();
    // The client starts to send before it is told that it may: here it is made to by its own server.
    let mut other = Pair::new("rtmp://h/live/cam", Role::Publish);
    other.start();
    let metadata = flv::amf0::write(&[
        "@setDataFrame".into(),
        "onMetaData".into(),
        Value::ecma_array([("title", "News")]),
    ]);
    other.client.send(TagKind::Script, 0, &[&metadata]).unwrap();
    other.take();
    pair.up.extend_from_slice(&other.up);
    let before = pair.server_events.len();
    pair.drive().unwrap();
    assert_eq!(
        pair.server_events.len(),
        before,
        "nothing is read while the answer is due"
    );
    pair.server.accept_publish(pair.now).unwrap();
    pair.drive().unwrap();
    assert!(
        matches!(pair.server_events.last(), Some(Event::Tags(t)) if t.text("title") == Some("News")),
        "{:?}",
        pair.server_events.last()
    );
}

#[test]
fn bytes_are_acknowledged() {
    let mut pair = Pair::new("rtmp://h/live/cam", Role::Publish);
    pair.start();
    let body = vec![0x27; 100_000];
    let mut acks = 0;
    for i in 0..100 {
        // No track was announced, so that nothing but the bytes counts.
        pair.client
            .send(TagKind::Video, i, &[b"\x27\x01\0\0\0", &body])
            .unwrap();
        pair.take();
        let up = pair.up.split();
        pair.server
            .handle_input(pair.now, session::Input::Bytes(&up))
            .unwrap();
        pair.take();
        acks += usize::from(!pair.down.is_empty());
        pair.drive().unwrap();
    }
    assert_eq!(acks, 4, "10 MB in windows of 2.5 MB");
}

#[test]
fn the_contract_is_enforced() {
    let mut pair = Pair::new("rtmp://h/live/cam", Role::Publish);
    assert!(matches!(
        pair.server.accept_publish(pair.now),
        Err(Error::Caller(_))
    ));
    assert!(matches!(
        pair.server.accept_play(pair.now),
        Err(Error::Caller(_))
    ));
    assert!(matches!(
        pair.client.send(TagKind::Audio, 0, &[]),
        Err(Error::Caller(_))
    ));
    let mut bytes = Bytes::from_static(&[3; 1537]);
    pair.server
        .handle_input(pair.now, session::Input::Bytes(&bytes.split_to(1537)))
        .unwrap();
    let again = pair
        .server
        .handle_input(pair.now, session::Input::Bytes(&[0]));
    assert!(
        matches!(again, Err(Error::Caller(_))),
        "output was not taken"
    );
}
