//! The client session against servers played by hand: moves, time limits, media as frames, and view bytes pushed on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use core_frame::{
    CodecId, MediaFrame, Render, RenderOut, RenderStep, TrackChoice, TrackId, TrackInfo, TrackTable,
};
use flv::amf0::{self, Value};
use ingest_rtmp::client::{Config, Event, Input, Media, Output, Role, Session};
use ingest_rtmp::session::{self, SessionConfig, TimerReason};
use ingest_rtmp::wire::chunk::put_message;
use ingest_rtmp::wire::command::{Command, info};
use ingest_rtmp::wire::message::{Control, MessageType};
use ingest_rtmp::{Error, RtmpRender, enhanced};

use crate::pair::{Pair, config};
use crate::said::Listener;

/// A client, and a server whose every word is ours.
struct Rehearsal {
    client: Session,
    now: Instant,
    events: Vec<Event>,
    up: BytesMut,
    listener: Listener,
}

impl Rehearsal {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        let mut rehearsal = Self {
            client: Session::new(config, now),
            now,
            events: Vec::new(),
            up: BytesMut::new(),
            listener: Listener::new(),
        };
        rehearsal.take();
        rehearsal
    }

    fn greeted(config: Config) -> Self {
        let mut rehearsal = Self::new(config);
        let mut hello = vec![0; 1 + 2 * 1536];
        hello[0] = 3;
        rehearsal.bytes(&hello).unwrap();
        rehearsal
    }

    /// Playing or publishing on message stream 1.
    fn started(config: Config) -> Self {
        let role = config.role;
        let mut rehearsal = Self::greeted(config);
        rehearsal.command("_result", 1.0, Value::Null).unwrap();
        rehearsal.command("_result", 4.0, 1.0.into()).unwrap();
        let code = match role {
            Role::Publish => "NetStream.Publish.Start",
            Role::Play => "NetStream.Play.Start",
        };
        rehearsal.status(code).unwrap();
        assert!(rehearsal.client.is_started());
        rehearsal.heard();
        rehearsal.events.clear();
        rehearsal
    }

    fn take(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Transmit(bytes) => self.up.extend_from_slice(&bytes),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self.client.handle_input(self.now, Input::Bytes(bytes));
        self.take();
        result
    }

    fn message(&mut self, kind: MessageType, time: u32, body: &[u8]) -> Result<(), Error> {
        let mut out = BytesMut::new();
        put_message(5, kind, 1, time, 128, &[body], &mut out);
        self.bytes(&out)
    }

    fn command(&mut self, name: &str, transaction: f64, value: Value) -> Result<(), Error> {
        let body = Command::new(name, transaction, vec![value]).encode();
        self.message(MessageType::Command, 0, &body)
    }

    fn status(&mut self, code: &str) -> Result<(), Error> {
        self.command("onStatus", 0.0, info("status", code, ""))
    }

    fn control(&mut self, control: Control) {
        let (kind, body) = control.encode();
        self.message(kind, 0, &body).unwrap();
    }

    /// What the client said since, a line each.
    fn heard(&mut self) -> String {
        let up = self.up.split();
        self.listener.lines(&up)
    }

    fn timeout(&mut self) -> (Duration, TimerReason) {
        let (at, reason) = self.client.poll_timeout().unwrap();
        let result = self.client.handle_input(at, Input::Timeout);
        assert_eq!(result, Err(Error::Timeout(reason)));
        (at - self.now, reason)
    }
}

fn player() -> Config {
    config("rtmp://h/live/cam?token=x", Role::Play)
}

fn publisher() -> Config {
    config("rtmp://h/live/cam", Role::Publish)
}

#[test]
fn every_step_has_its_time_limit() {
    let second = Duration::from_secs(1);
    let mut silent = Rehearsal::new(player());
    assert_eq!(silent.timeout(), (5 * second, TimerReason::Handshake));
    let mut shaken = Rehearsal::greeted(player());
    assert_eq!(shaken.timeout(), (10 * second, TimerReason::ConnectAnswer));
    let mut connected = Rehearsal::greeted(player());
    connected.command("_result", 1.0, Value::Null).unwrap();
    assert_eq!(
        connected.timeout(),
        (10 * second, TimerReason::StreamAnswer)
    );
    let mut created = Rehearsal::greeted(player());
    created.command("_result", 1.0, Value::Null).unwrap();
    created.command("_result", 4.0, 1.0.into()).unwrap();
    assert_eq!(created.timeout(), (10 * second, TimerReason::StartAnswer));
    let again = created.client.handle_input(created.now, Input::Timeout);
    assert!(matches!(again, Err(Error::Caller(_))), "it has failed");
    // Playing has a limit where one is asked for, and any byte puts it off.
    assert_eq!(Rehearsal::started(player()).client.poll_timeout(), None);
    let mut config = player();
    config.silence = Some(8 * second);
    let mut playing = Rehearsal::started(config.clone());
    playing.now += 7 * second;
    playing.control(Control::PingRequest(1));
    assert_eq!(playing.timeout(), (8 * second, TimerReason::Silence));
    config.role = Role::Publish;
    assert_eq!(Rehearsal::started(config).client.poll_timeout(), None);
}

#[test]
fn a_server_may_send_us_elsewhere() {
    let mut client = Rehearsal::greeted(player());
    let ex = Value::object([
        ("code", Value::from(302.0)),
        ("redirect", "rtmp://other:1936/live".into()),
    ]);
    let Value::Object(mut rejected) = info("error", "NetConnection.Connect.Rejected", "Moved.")
    else {
        panic!("an object");
    };
    rejected.push(("ex".to_owned(), ex));
    let to = match client.command("_error", 1.0, Value::Object(rejected)) {
        Err(Error::Redirected { tc_url }) => tc_url,
        other => panic!("{other:?}"),
    };
    let moved = player().target.moved(Some(&to)).unwrap();
    assert_eq!((moved.host.as_str(), moved.port), ("other", 1936));
    assert_eq!(moved.name, "cam?token=x");

    let mut client = Rehearsal::started(player());
    let mut asked = info("status", "NetConnection.Connect.ReconnectRequest", "Soon.");
    client.command("onStatus", 0.0, asked.clone()).unwrap();
    if let Value::Object(members) = &mut asked {
        members.push(("tcUrl".to_owned(), "/eu".into()));
    }
    client.command("onStatus", 0.0, asked).unwrap();
    let urls: Vec<_> = client
        .events
        .iter()
        .map(|e| match e {
            Event::Reconnect { tc_url } => tc_url.as_deref(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(urls, [None, Some("/eu")]);
}

#[test]
fn the_end_is_told_once_however_the_server_puts_it() {
    let mut client = Rehearsal::started(player());
    client.status("NetStream.Play.UnpublishNotify").unwrap();
    client.control(Control::StreamEof(1));
    client.status("NetStream.Play.Stop").unwrap();
    client.command("close", 0.0, Value::Null).unwrap();
    let ends = client.events.iter().filter(|e| **e == Event::Ended).count();
    assert_eq!(ends, 1, "{:?}", client.events);
    // Words of a server go to logs: short, and one line.
    let long = format!("a\nb\u{1b}{}", "x".repeat(10_000));
    let refused = info("error", "NetStream.Play.Failed", &long);
    let result = client.command("onStatus", 0.0, refused);
    assert_eq!(result, Err(Error::Refused("NetStream.Play.Failed".into())));
    let Some(Event::Status(_, words)) = client.events.last() else {
        panic!("{:?}", client.events);
    };
    assert!(words.starts_with("abx") && words.len() == 256);
}

#[test]
fn servers_are_answered_what_they_wait_for() {
    let mut client = Rehearsal::started(player());
    client.control(Control::SetPeerBandwidth(2_500_000, 2));
    client.control(Control::SetPeerBandwidth(2_500_000, 2));
    client.control(Control::PingRequest(77));
    client.control(Control::WindowAckSize(1_000));
    client.command("onBWDone", 0.0, Value::Null).unwrap();
    client.command("onBWDone", 0.0, Value::Null).unwrap();
    client.message(MessageType::Audio, 0, &[0; 2_000]).unwrap();
    expect_test::expect![[r#"
        < 0: WindowAckSize(2500000)
        < 0: PingResponse(77)
        < 0: Acknowledgement(3313)
        < 0: command _checkbw 8 null
        < 0: Acknowledgement(5408)
    "#]]
    .assert_eq(&client.heard());
}

#[test]
fn connect_names_what_it_is_told_to() {
    let mut config = player();
    config.swf_url = Some("http://h/player.swf".into());
    config.page_url = Some("http://h/".into());
    config.agent = "LNX 9,0,124,2".into();
    config.target = ingest_rtmp::client::Target::of("rtmp://h/live?auth=1", "cam").unwrap();
    let mut client = Rehearsal::greeted(config);
    expect_test::expect![[r#"
        < 0: SetChunkSize(65536)
        < 0: command connect 1 {app: live?auth=1, flashVer: LNX 9,0,124,2, swfUrl: http://h/player.swf, tcUrl: rtmp://h/live?auth=1, fpad: false, capabilities: 15, audioCodecs: 4071, videoCodecs: 252, videoFunction: 1, pageUrl: http://h/, fourCcList: [*], videoFourCcInfoMap: {*: 5}, audioFourCcInfoMap: {*: 5}, capsEx: 15}
    "#]].assert_eq(&client.heard());
}

fn aggregate(parts: &[(u8, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, time, body) in parts {
        out.extend(((u32::from(*kind) << 24) | body.len() as u32).to_be_bytes());
        let [t3, t0, t1, t2] = time.to_be_bytes();
        out.extend([t0, t1, t2, t3, 0, 0, 0]);
        out.extend(*body);
        out.extend((11 + body.len() as u32).to_be_bytes());
    }
    out
}

#[test]
fn media_comes_as_messages_or_as_frames() {
    let cue = amf0::write(&["onCuePoint".into(), Value::object([("name", "ad")])]);
    let metadata = amf0::write(&["onMetaData".into(), Value::object([("title", "News")])]);
    let together = aggregate(&[
        (8, 500, b"\xAF\0\x12\x10"),
        (8, 500, b"\xAF\x01one"),
        (8, 523, b"\xAF\x01two"),
    ]);
    let feed = |client: &mut Rehearsal| {
        let access = amf0::write(&["|RtmpSampleAccess".into(), true.into(), true.into()]);
        client.message(MessageType::Data, 0, &access).unwrap();
        client.message(MessageType::Data, 0, &metadata).unwrap();
        client
            .message(MessageType::Aggregate, 1_000, &together)
            .unwrap();
        client.message(MessageType::Data, 1_030, &cue).unwrap();
    };
    let mut client = Rehearsal::started(player());
    feed(&mut client);
    let told: Vec<_> = client
        .events
        .iter()
        .map(|e| match e {
            Event::Message(m) => (u8::from(m.kind), m.timestamp, m.body.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    let (metadata_len, cue_len) = (metadata.len(), cue.len());
    assert_eq!(
        told,
        [
            (18, 0, metadata_len),
            (8, 1_000, 4),
            (8, 1_000, 5),
            (8, 1_023, 5),
            (18, 1_030, cue_len)
        ]
    );

    let mut config = player();
    config.media = Media::Frames;
    let mut client = Rehearsal::started(config);
    feed(&mut client);
    let mut frames = Vec::new();
    for event in &client.events {
        match event {
            Event::Tags(tags) => assert_eq!(tags.text("title"), Some("News")),
            Event::Track(track) => frames.push(format!("track {}", track.codec)),
            Event::Frame(f) => frames.push(format!("{} at {}", f.codec, f.dts.as_millis())),
            other => panic!("{other:?}"),
        }
    }
    frames.retain(|f| f != "track script");
    assert_eq!(
        frames,
        ["track aac", "aac at 1000", "aac at 1023", "script at 1030"]
    );
    let broken = client.message(MessageType::Aggregate, 0, b"\x08\0\0\xFF");
    assert!(matches!(broken, Err(Error::Media(_))));
}

#[test]
fn view_bytes_may_go_straight_to_a_server() {
    let mut pair = Pair::new("rtmp://h/live/cam", Role::Publish);
    pair.start();
    let server_says = pair.client.enhanced().unwrap();
    assert!(server_says.has(enhanced::RECONNECT | enhanced::MULTITRACK));
    let mut layout = enhanced::layout("", Some(server_says)).unwrap();
    layout.choice = TrackChoice::ALL;
    let stream = pair.client.message_stream();
    let mut render = RtmpRender::new(stream, ingest_rtmp::CHUNK_SIZE).layout(layout);
    let mut out = RenderOut::new();
    let track = |id, codec, config: &'static [u8]| {
        let mut track = TrackInfo::new(TrackId(id), codec);
        track.config = Bytes::from_static(config);
        track
    };
    let table = TrackTable::new([
        track(2, CodecId::Aac, b"\x12\x10"),
        track(13, CodecId::Opus, b"\0\x02\0\0\0\0\xBB\x80\0\0\0"),
    ]);
    render.tracks(&Arc::new(table), &mut out);
    for n in 0..3 {
        let long = Bytes::from(vec![n as u8; 70_000]);
        render.frame(
            &MediaFrame::new_audio(n * 20, long, CodecId::Aac),
            0,
            &mut out,
        );
        let mut second = MediaFrame::new_audio(n * 20, Bytes::from_static(b"two"), CodecId::Opus);
        second.track = TrackId(13);
        render.frame(&second, 0, &mut out);
    }
    render.flush(&mut out);
    for (n, step) in out.drain().enumerate() {
        let slices = match step {
            RenderStep::Preamble(preamble) => preamble.join.clone(),
            RenderStep::Item(item) => item.slices,
        };
        for slice in slices {
            pair.up.extend_from_slice(&slice);
        }
        // The session may speak between items.
        pair.drive().unwrap();
        if n % 3 == 1 {
            let mut ping = BytesMut::new();
            let (kind, body) = Control::PingRequest(n as u32).encode();
            put_message(2, kind, 0, 0, 128, &[&body], &mut ping);
            pair.client
                .handle_input(pair.now, Input::Bytes(&ping))
                .unwrap();
        }
    }
    let mut frames = Vec::new();
    for event in &pair.server_events {
        match event {
            session::Event::Frame(f) => {
                frames.push((f.track.0, f.dts.as_millis(), f.payload.len()))
            }
            session::Event::Damaged(why) => panic!("{why}"),
            _ => {}
        }
    }
    let want: Vec<_> = (0..3)
        .flat_map(|n| [(2, n * 20, 70_000), (13, n * 20, 3)])
        .collect();
    assert_eq!(frames, want);
}

#[test]
fn a_server_that_asks_to_reconnect_is_heard() {
    for enhanced in [true, false] {
        let mut config = publisher();
        config.enhanced = enhanced;
        let mut pair = Pair::with(config, SessionConfig::default(), usize::MAX);
        pair.start();
        assert_eq!(
            pair.server.request_reconnect(Some("rtmp://b/live"), "Bye."),
            enhanced
        );
        pair.drive().unwrap();
        let asked = Event::Reconnect {
            tc_url: Some("rtmp://b/live".to_owned()),
        };
        assert_eq!(pair.client_events.contains(&asked), enhanced);
    }
}
