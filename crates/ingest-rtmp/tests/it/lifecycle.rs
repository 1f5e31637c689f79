//! What known clients say in the course of a session, and what they are answered: golden dialogues.

use bytes::BytesMut;
use expect_test::{Expect, expect};
use flv::amf0::{self, Value};
use ingest_rtmp::Error;
use ingest_rtmp::session::{Event, play};
use ingest_rtmp::wire::chunk::put_message;
use ingest_rtmp::wire::message::MessageType;

use crate::pair::Raw;
use crate::said::{Listener, events};

/// A client played by hand. Requests are granted.
pub(crate) struct Script {
    pub(crate) raw: Raw,
    listener: Listener,
    told: usize,
    pub(crate) text: String,
}

pub(crate) fn message(kind: MessageType, stream: u32, time: u32, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_message(5, kind, stream, time, 128, &[body], &mut out);
    out
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            raw: Raw::greeted(),
            listener: Listener::new(),
            told: 0,
            text: String::new(),
        }
    }

    /// Past `connect` with these members, and with one message stream.
    pub(crate) fn connected(members: Vec<(&str, Value)>) -> Self {
        let mut script = Self::new();
        let mut object = vec![("app", Value::from("live"))];
        object.extend(members);
        script.say(0, &["connect".into(), 1.0.into(), Value::object(object)]);
        script.say(0, &["createStream".into(), 2.0.into(), Value::Null]);
        script.text.clear();
        script
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut result = self.raw.send(bytes);
        while result.is_ok() {
            result = match self.raw.events.last() {
                Some(Event::Publish(_)) if !self.raw.server.is_started() => {
                    self.raw.accept_publish()
                }
                Some(Event::Play(_)) if !self.raw.server.is_started() => self.raw.accept_play(),
                _ => break,
            };
        }
        self.hear();
        result
    }

    /// Writes down what the server said and told since.
    pub(crate) fn hear(&mut self) {
        self.raw.take();
        self.text += &events(&self.raw.events[self.told..]);
        self.told = self.raw.events.len();
        let down = self.raw.down.split();
        self.text += &self.listener.lines(&down);
    }

    pub(crate) fn say(&mut self, stream: u32, values: &[Value]) {
        let name = values[0].as_str().unwrap_or_default();
        self.text += &format!("> {stream}: {name}\n");
        self.send(&message(
            MessageType::Command,
            stream,
            0,
            &amf0::write(values),
        ))
        .unwrap();
    }

    fn call(&mut self, stream: u32, name: &str, transaction: f64, args: &[Value]) {
        let mut values = vec![name.into(), transaction.into(), Value::Null];
        values.extend_from_slice(args);
        self.say(stream, &values);
    }

    fn check(&self, expect: Expect) {
        expect.assert_eq(&self.text);
    }
}

#[test]
fn an_encoder_of_the_fmle_family_publishes_twice() {
    let mut encoder = Script::connected(vec![("flashVer", "FMLE/3.0".into())]);
    for _ in 0..2 {
        encoder.call(0, "releaseStream", 2.0, &["cam".into()]);
        encoder.call(0, "FCPublish", 3.0, &["cam".into()]);
        encoder.call(1, "publish", 5.0, &["cam".into(), "live".into()]);
        encoder.call(0, "FCUnpublish", 6.0, &["cam".into()]);
        encoder.call(0, "closeStream", 0.0, &[]);
    }
    encoder.call(0, "deleteStream", 7.0, &[1.0.into()]);
    encoder.check(expect![[r#"
        > 0: releaseStream
        < 0: command _result 2 null undefined
        > 0: FCPublish
        < 0: command _result 3 null undefined
        < 0: command onFCPublish 0 null {level: status, code: NetStream.Publish.Start, description: OK.}
        > 1: publish
        * publish live/cam as live
        < 1: command onStatus 0 null {level: status, code: NetStream.Publish.Start, description: Publishing.}
        > 0: FCUnpublish
        * Unpublished
        < 0: command _result 6 null undefined
        < 0: command onFCUnpublish 0 null {level: status, code: NetStream.Unpublish.Success, description: OK.}
        < 1: command onStatus 0 null {level: status, code: NetStream.Unpublish.Success, description: Publishing has ended.}
        > 0: closeStream
        > 0: releaseStream
        < 0: command _result 2 null undefined
        > 0: FCPublish
        < 0: command _result 3 null undefined
        < 0: command onFCPublish 0 null {level: status, code: NetStream.Publish.Start, description: OK.}
        > 1: publish
        * publish live/cam as live
        < 1: command onStatus 0 null {level: status, code: NetStream.Publish.Start, description: Publishing.}
        > 0: FCUnpublish
        * Unpublished
        < 0: command _result 6 null undefined
        < 0: command onFCUnpublish 0 null {level: status, code: NetStream.Unpublish.Success, description: OK.}
        < 1: command onStatus 0 null {level: status, code: NetStream.Unpublish.Success, description: Publishing has ended.}
        > 0: closeStream
        > 0: deleteStream
    "#]]);
}

#[test]
fn another_stream_on_the_same_connection() {
    let mut encoder = Script::connected(vec![]);
    encoder.call(0, "createStream", 3.0, &[]);
    encoder.call(2, "publish", 0.0, &["cam".into(), "weird".into()]);
    // Deleting the other one changes nothing; Flash ends its publish by publishing false.
    encoder.call(0, "deleteStream", 0.0, &[1.0.into()]);
    encoder.call(2, "publish", 0.0, &[false.into()]);
    encoder.call(1, "publish", 0.0, &["cam".into()]);
    encoder.call(0, "createStream", 4.0, &[]);
    encoder.call(1, "publish", 0.0, &["cam".into()]);
    encoder.check(expect![[r#"
        > 0: createStream
        < 0: command _result 3 null 2
        > 2: publish
        * publish live/cam as live
        < 2: command onStatus 0 null {level: status, code: NetStream.Publish.Start, description: Publishing.}
        > 0: deleteStream
        > 2: publish
        * Unpublished
        < 2: command onStatus 0 null {level: status, code: NetStream.Unpublish.Success, description: Publishing has ended.}
        > 1: publish
        * refused NetStream.Publish.BadName: createStream comes first.
        < 1: command onStatus 0 null {level: error, code: NetStream.Publish.BadName, description: createStream comes first.}
        > 0: createStream
        < 0: command _result 4 null 1
        > 1: publish
        * publish live/cam as live
        < 1: command onStatus 0 null {level: status, code: NetStream.Publish.Start, description: Publishing.}
    "#]]);
}

#[test]
fn a_flash_player_plays_pauses_and_stops() {
    let mut player = Script::connected(vec![("objectEncoding", 3.0.into())]);
    player.call(0, "_checkbw", 3.0, &[]);
    player.call(0, "FCSubscribe", 4.0, &["cam".into()]);
    player.call(0, "getStreamLength", 5.0, &["cam".into()]);
    let play: [Value; 4] = ["cam".into(), (-1000.0).into(), (-1.0).into(), 1.0.into()];
    player.call(1, "play", 0.0, &play);
    player.call(1, "receiveAudio", 0.0, &[false.into()]);
    player.call(1, "pause", 0.0, &[true.into(), 1000.0.into()]);
    player.call(1, "pause", 0.0, &[false.into(), 1000.0.into()]);
    player.call(1, "seek", 0.0, &[5000.0.into()]);
    player.call(1, "play2", 0.0, &[Value::object([("streamName", "cam2")])]);
    player.call(1, "play", 0.0, &[false.into()]);
    player.call(1, "noSuchThing", 9.0, &[]);
    player.check(expect![[r#"
        > 0: _checkbw
        < 0: command _result 3 null undefined
        > 0: FCSubscribe
        < 0: command _result 4 null undefined
        < 0: command onFCSubscribe 0 null {level: status, code: NetStream.Play.Start, description: OK.}
        > 0: getStreamLength
        < 0: command _result 5 null 0
        > 1: play
        * play live/cam on 1: video=main&audio=main&codecs=enhanced
        < 0: StreamBegin(1)
        < 1: command onStatus 0 null {level: status, code: NetStream.Play.Reset, description: Playing and resetting live/cam.}
        < 1: command onStatus 0 null {level: status, code: NetStream.Play.Start, description: Started playing live/cam.}
        > 1: receiveAudio
        * Receive(Audio, false)
        > 1: pause
        * Pause(true)
        < 1: command onStatus 0 null {level: status, code: NetStream.Pause.Notify, description: Paused.}
        < 0: StreamEof(1)
        > 1: pause
        * Pause(false)
        < 0: StreamBegin(1)
        < 1: command onStatus 0 null {level: status, code: NetStream.Unpause.Notify, description: Going on, live.}
        > 1: seek
        < 1: command onStatus 0 null {level: error, code: NetStream.Seek.Failed, description: A live stream cannot be sought.}
        > 1: play2
        < 1: command onStatus 0 null {level: error, code: NetStream.Play.Failed, description: play2 is not known here: play the other stream.}
        > 1: play
        * Stopped
        < 1: command onStatus 0 null {level: status, code: NetStream.Play.Stop, description: Playing has stopped.}
        > 1: noSuchThing
        < 0: command _error 9 null {level: error, code: NetConnection.Call.Failed, description: There is no such method.}
    "#]]);
}

#[test]
fn how_a_play_ends() {
    for (end, expect) in [
        (
            play::End::Unpublished,
            expect![[r#"
            < 0: StreamEof(1)
            < 1: command onStatus 0 null {level: status, code: NetStream.Play.UnpublishNotify, description: The stream has ended.}
        "#]],
        ),
        (
            play::End::Complete,
            expect![[r#"
            < 1: data onPlayStatus {level: status, code: NetStream.Play.Complete, description: This was all of it.}
            < 0: StreamEof(1)
            < 1: command onStatus 0 null {level: status, code: NetStream.Play.Stop, description: Playing has stopped.}
        "#]],
        ),
        (
            play::End::Failed("Too slow."),
            expect![[r#"
            < 1: command onStatus 0 null {level: error, code: NetStream.Play.Failed, description: Too slow.}
        "#]],
        ),
    ] {
        let mut player = Script::connected(vec![]);
        player.call(1, "play", 0.0, &["cam".into()]);
        player.text.clear();
        player.raw.server.end_play(player.raw.now, end);
        player.hear();
        player.check(expect);
    }
}

#[test]
fn what_a_player_asks_for_in_the_query() {
    let mut player = Script::connected(vec![("capsEx", 15.0.into())]);
    player.call(1, "play", 0.0, &["cam?audio=de&token=x".into()]);
    player.call(0, "deleteStream", 0.0, &[1.0.into()]);
    player.call(0, "createStream", 3.0, &[]);
    player.call(1, "play", 0.0, &["cam?form=avi".into()]);
    player.call(1, "play", 0.0, &["cam?video=0".into()]);
    player.check(expect![[r#"
        > 1: play
        * play live/cam on 1: video=all&audio=de&codecs=enhanced&multitrack=yes&nanos=yes
        < 0: StreamBegin(1)
        < 1: command onStatus 0 null {level: status, code: NetStream.Play.Reset, description: Playing and resetting live/cam.}
        < 1: command onStatus 0 null {level: status, code: NetStream.Play.Start, description: Started playing live/cam.}
        > 0: deleteStream
        * Stopped
        < 1: command onStatus 0 null {level: status, code: NetStream.Play.Stop, description: Playing has stopped.}
        > 0: createStream
        < 0: command _result 3 null 1
        > 1: play
        * refused NetStream.Play.Failed: form= takes legacy or enhanced
        < 1: command onStatus 0 null {level: error, code: NetStream.Play.Failed, description: form= takes legacy or enhanced}
        > 1: play
        * refused NetStream.Play.Failed: video= takes main, none, all, a number from 1 to 255 or a language
        < 1: command onStatus 0 null {level: error, code: NetStream.Play.Failed, description: video= takes main, none, all, a number from 1 to 255 or a language}
    "#]]);
}

#[test]
fn the_answer_to_connect() {
    let object = Value::object([
        ("app", Value::from("live")),
        ("objectEncoding", 3.0.into()),
        ("fourCcList", Value::StrictArray(vec!["*".into()])),
    ]);
    let mut player = Script::new();
    player.say(0, &["connect".into(), 1.0.into(), object]);
    player.check(expect![[r#"
        > 0: connect
        * connected live
        < 0: WindowAckSize(2500000)
        < 0: SetPeerBandwidth(2500000, 2)
        < 0: SetChunkSize(65536)
        < 0: command _result 1 {fmsVer: FMS/3,0,1,123, capabilities: 31} {level: status, code: NetConnection.Connect.Success, description: Connection succeeded., objectEncoding: 3, fourCcList: [avc1, hvc1, vvc1, av01, vp08, vp09, mp4a, Opus, .mp3, ac-3, ec-3, fLaC], videoFourCcInfoMap: {avc1: 4, hvc1: 4, vvc1: 4, av01: 4, vp08: 4, vp09: 4}, audioFourCcInfoMap: {mp4a: 4, Opus: 4, .mp3: 4, ac-3: 4, ec-3: 4, fLaC: 4}, capsEx: 15}
    "#]]);
}

#[test]
fn a_server_that_leaves_asks_those_who_understand_to_come_again() {
    for (caps, asked) in [(15.0, true), (14.0, false)] {
        let mut peer = Script::connected(vec![("capsEx", caps.into())]);
        let server = &mut peer.raw.server;
        assert_eq!(
            server.request_reconnect(Some("rtmp://b/live"), "Moving."),
            asked
        );
        assert_eq!(server.request_reconnect(None, ""), asked);
        peer.hear();
        let expect = match asked {
            true => expect![[r#"
                < 0: command onStatus 0 null {level: status, code: NetConnection.Connect.ReconnectRequest, description: Moving., tcUrl: rtmp://b/live}
                < 0: command onStatus 0 null {level: status, code: NetConnection.Connect.ReconnectRequest, description: }
            "#]],
            false => expect![[""]],
        };
        peer.check(expect);
    }
}

fn data(values: &[Value]) -> BytesMut {
    message(MessageType::Data, 1, 40, &amf0::write(values))
}

#[test]
fn data_of_a_publisher() {
    let mut encoder = Script::connected(vec![]);
    encoder.call(1, "publish", 0.0, &["cam".into()]);
    encoder.text.clear();
    let metadata = Value::ecma_array([("title", Value::from("News")), ("width", 64.0.into())]);
    let set = ["@setDataFrame".into(), "onMetaData".into(), metadata];
    encoder.send(&data(&set)).unwrap();
    encoder
        .send(&data(&["@clearDataFrame".into(), "onMetaData".into()]))
        .unwrap();
    let cue = Value::object([("name", "ad"), ("type", "event")]);
    encoder.send(&data(&["onCuePoint".into(), cue])).unwrap();
    // The same in AMF3: a text behind the switch.
    let amf3 = b"\0\x02\0\x0AonTextData\x11\x0A\x0B\x01\x09text\x06\x05hi\x01";
    encoder
        .send(&message(MessageType::DataAmf3, 1, 80, amf3))
        .unwrap();
    // Shared objects are read past, in both forms.
    for kind in [16, 19] {
        encoder
            .send(&message(MessageType::from(kind), 0, 80, &[0xFF; 300]))
            .unwrap();
    }
    encoder.send(&data(&[7.0.into()])).unwrap();
    encoder.check(expect![[r#"
        * tags title=Text("News")
        * tags
        * frame script 40 ms
        * frame script 80 ms
        * Damaged("bad AMF at byte 1: unknown type marker (§2.1)")
    "#]]);
}

#[test]
fn script_messages_are_bounded_by_the_second() {
    let mut encoder = Script::connected(vec![]);
    encoder.call(1, "publish", 0.0, &["cam".into()]);
    for second in 0..3 {
        let before = encoder.raw.events.len();
        for n in 0..1_000 {
            let text = Value::object([("n", f64::from(n))]);
            encoder.send(&data(&["onTextData".into(), text])).unwrap();
        }
        let told = &encoder.raw.events[before..];
        let frames = told.iter().filter(|e| matches!(e, Event::Frame(_))).count();
        let damaged = told
            .iter()
            .filter(|e| matches!(e, Event::Damaged(_)))
            .count();
        assert_eq!((frames, damaged), (100, 1), "in second {second}");
        encoder.raw.now += std::time::Duration::from_secs(1);
    }
    let before = encoder.raw.events.len();
    for _ in 0..10 {
        let text = "x".repeat(60_000);
        encoder
            .send(&data(&["onTextData".into(), text.into()]))
            .unwrap();
    }
    let told = &encoder.raw.events[before..];
    let frames = told.iter().filter(|e| matches!(e, Event::Frame(_))).count();
    assert_eq!(frames, 4, "256 KiB");
}
