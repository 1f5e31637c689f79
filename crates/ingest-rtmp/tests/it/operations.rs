//! A server session driven by operations read from bytes: what the property tests and the fuzz target share. A model
//! beside the session knows what may happen next; whatever else happens is a panic.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use core_frame::Limits;
use flv::amf0::{self, Value};
use ingest_rtmp::Error;
use ingest_rtmp::session::{Event, Input, Output, Reject, Session, SessionConfig, play};
use ingest_rtmp::wire::chunk::ChunkWriter;
use ingest_rtmp::wire::message::{Control, MessageType};

/// Bytes that one operation may make the session say: the answer to a command and to what it sets off.
const SAID: usize = 4 * 1024;
/// Bytes that an operation may lay on top of what the limits allow to be held: room that grows by doubling.
const SLACK: usize = 64 * 1024;

const NAMES: [&str; 24] = [
    "connect",
    "createStream",
    "publish",
    "play",
    "deleteStream",
    "closeStream",
    "pause",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "FCUnsubscribe",
    "getStreamLength",
    "_checkbw",
    "checkBandwidth",
    "play2",
    "_result",
    "_error",
    "onStatus",
    "nonsense",
    "",
];

const STREAMS: [&str; 8] = [
    "cam",
    "cam?video=all&audio=all",
    "cam?form=legacy&token=x",
    "cam?video=0",
    "eu/cam",
    "../../x",
    "a\nb",
    "",
];

/// Bodies of audio, video and data messages, sound and unsound.
const BODIES: [&[u8]; 16] = [
    b"\xAF\0\x12\x10",
    b"\xAF\x01unit",
    b"\xAF\0\xFF\xFF",
    b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0",
    b"\x91Opusunit",
    b"\x95\x01Opus\x03second track",
    b"\x95\x05Opus\x03",
    b"\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE1",
    b"\x27\x01\0\0\0\0\0\0\x04zzzz",
    b"\x90av01\x81\0\0\0",
    b"\x02\0\x0DonMetaData",
    b"\x02\0\x0AonMetaData\x03\0\x05title\x02\0\x04News\0\0\x09",
    b"\x02\0\x0F@clearDataFrame",
    b"\x02\0\x0AonCuePoint\x03\0\x04name\x02\0\x02ad\0\0\x09",
    b"\0\x02\0\x0AonTextData\x11\x06\x05hi",
    b"",
];

/// What the session is doing, as the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    AskedToPublish,
    AskedToPlay,
    Publishing,
    Playing,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The events, as text, and the error that ended it.
    pub(crate) story: Vec<String>,
    /// Frames that a publisher brought.
    pub(crate) frames: usize,
    /// How often publishing and playing were granted.
    pub(crate) granted: usize,
}

struct Machine {
    session: Session,
    now: Instant,
    /// How the peer's bytes are cut.
    cut: usize,
    writer: ChunkWriter,
    doing: Doing,
    said: usize,
    ended: bool,
    outcome: Outcome,
}

/// Takes bytes from the front of the input; zeros at its end.
struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u32 {
        let odd = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0x00FF_FFFF];
        match self.byte() {
            n @ 0..=5 => odd[usize::from(n)],
            n => u32::from_be_bytes([0, 0, n, self.byte()]),
        }
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

/// Runs the operations that `data` spells against a session, its bytes cut into pieces of `cut`.
///
/// # Panics
/// When the session does what it must not do.
pub(crate) fn run(data: &[u8], cut: usize) -> Outcome {
    let now = Instant::now();
    let mut machine = Machine {
        session: Session::new(SessionConfig::default(), now),
        now,
        cut: cut.max(1),
        writer: ChunkWriter::new(),
        doing: Doing::Nothing,
        said: 0,
        ended: false,
        outcome: Outcome::default(),
    };
    let mut dice = Dice(data);
    machine.begin(dice.byte());
    while !dice.0.is_empty() && !machine.ended {
        machine.said = 0;
        machine.step(&mut dice);
        machine.check();
    }
    if machine.ended {
        let again = machine.session.handle_input(machine.now, Input::Timeout);
        assert!(
            matches!(again, Err(Error::Caller(_))),
            "it goes on after an error"
        );
    }
    machine.outcome
}

impl Machine {
    /// Most of a session lies behind a beginning that chance hardly finds.
    fn begin(&mut self, how: u8) {
        let how = how % 6;
        if how == 0 {
            return;
        }
        let mut hello = vec![0; 1 + 2 * 1536];
        hello[0] = 3;
        self.bytes(&hello);
        if how >= 2 {
            let caps = if how == 5 { 15.0 } else { 0.0 };
            let object = Value::object([("app", Value::from("live")), ("capsEx", caps.into())]);
            self.command(0, &["connect".into(), 1.0.into(), object]);
            self.command(0, &["createStream".into(), 2.0.into(), Value::Null]);
        }
        let start = ["publish", "play"][usize::from(how > 3)];
        if how >= 3 {
            self.command(1, &[start.into(), 3.0.into(), Value::Null, "cam".into()]);
            self.grant();
        }
    }

    fn step(&mut self, dice: &mut Dice<'_>) {
        match dice.byte() % 32 {
            0..=7 => {
                let values = command(dice);
                let stream = u32::from(dice.byte() % 4);
                self.command(stream, &values);
            }
            // Media before its time is the end, so that it is not to be the rule.
            8..=19 if self.doing != Doing::Publishing && dice.byte() > 9 => {}
            8..=19 => {
                let at = usize::from(dice.byte()) % BODIES.len();
                let body = BODIES[at];
                let kind = match (dice.byte(), at) {
                    (0..=60, _) => dice.of(&[8, 9, 18, 15, 22]),
                    (_, 0..=6) => 8,
                    (_, 7..=9) => 9,
                    _ => 18,
                };
                let kind = MessageType::from(kind);
                let (stream, time) = (u32::from(dice.byte() % 2), dice.word());
                if kind == MessageType::Aggregate {
                    let body = aggregate(dice);
                    self.message(kind, stream, time, &body);
                } else {
                    self.message(kind, stream, time, body);
                }
            }
            20 if dice.byte() > 64 => {}
            20 => {
                let (kind, stream, time) = (dice.byte(), u32::from(dice.byte()), dice.word());
                let body = dice.bytes();
                self.message(MessageType::from(kind), stream, time, body);
            }
            21 | 22 => {
                let value = dice.word();
                let (kind, body) = dice
                    .of(&[
                        Control::Abort(value),
                        Control::Acknowledgement(value),
                        Control::WindowAckSize(value),
                        Control::SetPeerBandwidth(value, 2),
                        Control::SetBufferLength(1, value),
                        Control::PingRequest(value),
                        Control::PingResponse(value),
                        Control::StreamEof(value),
                    ])
                    .encode();
                self.message(kind, 0, 0, &body);
            }
            23 => {
                let mut out = BytesMut::new();
                self.writer
                    .set_chunk_size(dice.word().min(70_000), &mut out);
                self.bytes(&out);
            }
            // After bytes out of any frame little is understood.
            24 if dice.byte() < 32 => self.bytes(dice.bytes()),
            24 => {}
            25 | 26 => {
                self.now += Duration::from_millis(u64::from(dice.byte()) * 16);
                self.timeout();
            }
            27..=29 => self.grant(),
            _ => self.caller(dice.byte()),
        }
    }

    fn command(&mut self, stream: u32, values: &[Value]) {
        let body = amf0::write(values);
        self.message(MessageType::Command, stream, 0, &body);
    }

    fn message(&mut self, kind: MessageType, stream: u32, time: u32, body: &[u8]) {
        let mut out = BytesMut::new();
        let chunk_stream = 3 + u32::from(u8::from(kind)) % 4;
        self.writer
            .write(chunk_stream, kind, stream, time, &[body], &mut out);
        self.bytes(&out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.cut) {
            if self.ended {
                return;
            }
            let result = self.session.handle_input(self.now, Input::Bytes(piece));
            self.take(result);
        }
    }

    fn timeout(&mut self) {
        if self.ended {
            return;
        }
        let late = self
            .session
            .poll_timeout()
            .is_some_and(|(at, _)| self.now >= at);
        let result = self.session.handle_input(self.now, Input::Timeout);
        assert_eq!(late, matches!(result, Err(Error::Timeout(_))));
        self.take(result);
    }

    /// Answers a request with yes.
    fn grant(&mut self) {
        let (doing, result) = match self.doing {
            Doing::AskedToPublish => (Doing::Publishing, self.session.accept_publish(self.now)),
            Doing::AskedToPlay => (Doing::Playing, self.session.accept_play(self.now)),
            _ => {
                assert!(self.session.accept_publish(self.now).is_err());
                assert!(self.session.accept_play(self.now).is_err());
                return;
            }
        };
        self.doing = doing;
        self.outcome.granted += 1;
        self.take(result);
    }

    /// What a caller does on its own account.
    fn caller(&mut self, what: u8) {
        match (what % 5, self.doing) {
            (0, Doing::AskedToPublish | Doing::AskedToPlay) => {
                let rejects = [
                    Reject::BadName,
                    Reject::Denied,
                    Reject::NotFound,
                    Reject::Failed,
                ];
                self.doing = Doing::Nothing;
                let reject = rejects[usize::from(what) / 5 % 4];
                let result = self.session.reject(self.now, reject, "no");
                self.take(result);
            }
            (1, doing) => {
                self.session.end_publish(self.now, "The end.");
                if doing == Doing::Publishing {
                    self.doing = Doing::Nothing;
                }
                self.take(Ok(()));
            }
            (2, doing) => {
                let ends = [
                    play::End::Unpublished,
                    play::End::Complete,
                    play::End::Failed("no"),
                ];
                self.session
                    .end_play(self.now, ends[usize::from(what) / 5 % 3]);
                if doing == Doing::Playing {
                    self.doing = Doing::Nothing;
                }
                self.take(Ok(()));
            }
            (3, _) => {
                self.session
                    .request_reconnect(Some("rtmp://b/live"), "Soon.");
                self.take(Ok(()));
            }
            _ => {}
        }
    }

    fn take(&mut self, result: Result<(), Error>) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) => self.said += bytes.len(),
                Output::Event(event) => self.event(&event),
            }
        }
        if let Err(error) = result {
            assert!(!matches!(error, Error::Caller(_)), "{error}");
            self.outcome.story.push(error.to_string());
            self.ended = true;
        }
    }

    fn event(&mut self, event: &Event) {
        let doing = self.doing;
        assert!(
            !matches!(doing, Doing::AskedToPublish | Doing::AskedToPlay),
            "{event:?} while a request waits"
        );
        match event {
            Event::Publish(_) => {
                assert_eq!(doing, Doing::Nothing);
                self.doing = Doing::AskedToPublish;
            }
            Event::Play(_) => {
                assert_eq!(doing, Doing::Nothing);
                self.doing = Doing::AskedToPlay;
            }
            Event::Track(_) | Event::Frame(_) | Event::Tags(_) | Event::Damaged(_) => {
                assert_eq!(doing, Doing::Publishing, "{event:?}");
                self.outcome.frames += usize::from(matches!(event, Event::Frame(_)));
            }
            Event::Unpublished => {
                assert_eq!(doing, Doing::Publishing);
                self.doing = Doing::Nothing;
            }
            Event::Stopped => {
                assert_eq!(doing, Doing::Playing);
                self.doing = Doing::Nothing;
            }
            Event::Pause(_) | Event::Receive(..) => assert_eq!(doing, Doing::Playing),
            _ => {}
        }
        self.outcome.story.push(format!("{event:?}"));
    }

    /// What holds between operations.
    fn check(&self) {
        // The chunk size of the peer may make an acknowledgement due with every piece.
        let acknowledgements = 70_000 / self.cut.min(70_000) * 16;
        assert!(
            self.said <= SAID + acknowledgements,
            "{} bytes said",
            self.said
        );
        let limits = Limits::default();
        let partial = match self.doing {
            Doing::Publishing => limits.rtmp_partial_bytes,
            // What a publisher left when it ended may still be there.
            _ if self.outcome.granted > 0 => limits.rtmp_partial_bytes,
            _ => limits.rtmp_partial_bytes_before_publish,
        };
        let most = 2 * partial as usize + 256 * 1024 + SLACK;
        assert!(
            self.session.held() <= most,
            "{} bytes held",
            self.session.held()
        );
        let is_started = matches!(self.doing, Doing::Publishing | Doing::Playing);
        assert_eq!(self.session.is_started(), is_started);
        if !self.ended {
            let waits_for_peer = self.doing == Doing::Nothing;
            assert_eq!(self.session.poll_timeout().is_some(), waits_for_peer);
        }
    }
}

fn command(dice: &mut Dice<'_>) -> Vec<Value> {
    // A second `connect` is the end.
    let from = usize::from(dice.byte() > 8);
    let name = dice.of(&NAMES[from..]);
    let mut values = vec![name.into(), f64::from(dice.byte() % 8).into()];
    if name == "connect" {
        let codes = Value::StrictArray(vec![dice.of(&["*", "hvc1", "Opus"]).into()]);
        values.push(Value::object([
            (
                "app",
                Value::from(dice.of(&["live", "live?token=x", "", "../x"])),
            ),
            ("objectEncoding", f64::from(dice.byte() % 4).into()),
            ("fourCcList", codes),
        ]));
        return values;
    }
    values.push(Value::Null);
    for _ in 0..dice.byte() % 5 {
        values.push(match dice.byte() % 5 {
            0 | 1 => dice.of(&STREAMS).into(),
            2 => f64::from(dice.byte() % 20).into(),
            3 => dice.byte().is_multiple_of(2).into(),
            _ => Value::Null,
        });
    }
    values
}

/// An aggregate of bodies, whose last length may lie.
fn aggregate(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..dice.byte() % 4 {
        let (kind, body) = (dice.of(&[8_u8, 9, 18, 15, 20]), dice.of(&BODIES));
        let kind = if dice.byte() == 0 { 22 } else { kind };
        let lie = u32::from(dice.byte() == 0) * 1_000;
        out.extend((u32::from(kind) << 24 | (body.len() as u32 + lie)).to_be_bytes());
        let [t3, t0, t1, t2] = dice.word().to_be_bytes();
        out.extend([t0, t1, t2, t3, 0, 0, 0]);
        out.extend(body);
        out.extend((11 + body.len() as u32).to_be_bytes());
    }
    out
}
