//! A server session under operations of a hostile peer and of its own caller. What must hold is kept in a few numbers
//! beside it.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use core_frame::Limits;
use flv::amf0::{self, Value};
use ingest_rtmp::Error;
use ingest_rtmp::session::{Event, Input as Given, Output, Reject, Session, SessionConfig, play};
use ingest_rtmp::wire::chunk::ChunkWriter;
use ingest_rtmp::wire::message::{Control, MessageType};

use super::input::Input;
use super::rtmp_words::{HEADS, NAMES, OTHERS, aggregate};

/// Bytes that a peer may hear in a second of session time whatever it says, beside answers to pings and acknowledgements:
/// the handshake, and the answers to the commands that are allowed in a second.
const SAID: usize = 64 * 1_024;
/// What comes behind an unanswered request, room that grows by doubling, and the session's own.
const SLACK: usize = 2 * 256 * 1_024 + 64 * 1_024;

/// What the caller has been asked, or has allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Free,
    Asked(Wish),
    Granted(Wish),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Publish,
    Play,
}

/// Operations on a server session, one after the other; see `Run::step`. The same operations with the peer's bytes cut
/// otherwise have the same events.
pub fn rtmp_server_session(data: &[u8]) {
    let mut input = Input(data);
    let cut = usize::from(input.byte()).max(1);
    let whole = Run::of(input, usize::MAX);
    let pieces = Run::of(input, cut);
    assert_eq!(whole.story, pieces.story, "cut into pieces of {cut}");
}

struct Run {
    session: Session,
    now: Instant,
    writer: ChunkWriter,
    cut: usize,
    stage: Stage,
    /// True once a publish was granted: from then on more may be held.
    published: bool,
    /// Bytes said, and inputs taken, since the last pause.
    said: usize,
    inputs: usize,
    pings: usize,
    failed: bool,
    story: Vec<String>,
}

impl Run {
    fn of(mut input: Input<'_>, cut: usize) -> Self {
        let now = Instant::now();
        let mut run = Self {
            session: Session::new(SessionConfig::default(), now),
            now,
            writer: ChunkWriter::new(),
            cut,
            stage: Stage::Free,
            published: false,
            said: 0,
            inputs: 0,
            pings: 0,
            failed: false,
            story: Vec::new(),
        };
        while !input.is_empty() && !run.failed {
            run.step(&mut input);
            run.check();
        }
        if run.failed {
            for again in [Given::Timeout, Given::Bytes(&[3])] {
                let again = run.session.handle_input(run.now, again);
                assert!(matches!(again, Err(Error::Caller(_))), "it goes on");
            }
            assert!(run.session.poll_output().is_none());
        }
        run
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 24 {
            // C0, C1 and C2.
            0 => {
                let mut hello = vec![input.byte(); 1 + 2 * 1_536];
                hello[0] = 3;
                self.bytes(&hello);
            }
            1 => {
                let app = input.of(&["live", "live?token=x", "eu/live", "", "..", "\n"]);
                let odd = input.byte();
                let list = Value::StrictArray(vec![input.of(&["*", "hvc1", "Opus", "\0"]).into()]);
                let mut about = vec![("app", Value::from(app))];
                if odd & 1 != 0 {
                    about.push(("objectEncoding", f64::from(odd >> 6).into()));
                }
                if odd & 2 != 0 {
                    about.push(("fourCcList", list));
                    about.push(("capsEx", f64::from(odd >> 4).into()));
                }
                if odd & 4 != 0 {
                    about.push(("tcUrl", "rtmp://h/live".into()));
                }
                let transaction = if odd & 8 != 0 { f64::NAN } else { 1.0 };
                self.command(
                    0,
                    &["connect".into(), transaction.into(), Value::object(about)],
                );
            }
            2 => self.command(0, &["createStream".into(), 2.0.into(), Value::Null]),
            3 => {
                let (stream, name) = (u32::from(input.byte() % 4), input.of(&NAMES));
                let kind = input.of(&["live", "record", "append", ""]);
                self.command(
                    stream,
                    &[
                        "publish".into(),
                        3.0.into(),
                        Value::Null,
                        name.into(),
                        kind.into(),
                    ],
                );
            }
            4 => {
                let (stream, name) = (u32::from(input.byte() % 4), input.of(&NAMES));
                let start = f64::from(input.byte()) - 2.0;
                let reset = Value::Boolean(input.byte() & 1 == 0);
                self.command(
                    stream,
                    &[
                        "play".into(),
                        3.0.into(),
                        Value::Null,
                        name.into(),
                        start.into(),
                        1.0.into(),
                        reset,
                    ],
                );
            }
            5 | 6 => {
                let (name, stream) = (input.of(&OTHERS), u32::from(input.byte() % 4));
                let mut values = vec![name.into(), f64::from(input.byte()).into(), Value::Null];
                match input.byte() % 4 {
                    0 => values.push(f64::from(input.byte()).into()),
                    1 => values.push(Value::Boolean(input.byte() & 1 == 0)),
                    2 => values.push(input.of(&NAMES).into()),
                    _ => {}
                }
                self.command(stream, &values);
            }
            // Media, of which the input has the end.
            7..=9 => {
                let (kind, head) = input.of(&HEADS);
                let (stream, time) = (u32::from(input.byte() % 3), input.word());
                let body = [head, input.row()].concat();
                self.message(MessageType::from(kind), stream, time, &body);
            }
            10 => {
                let time = input.word();
                let body = aggregate(input);
                self.message(MessageType::Aggregate, 1, time, &body);
            }
            11 => {
                let value = input.word();
                let (kind, body) = input
                    .of(&[
                        Control::Abort(value),
                        Control::Acknowledgement(value),
                        Control::WindowAckSize(value),
                        Control::SetPeerBandwidth(value, 1),
                        Control::SetBufferLength(value, value),
                        Control::PingRequest(value),
                        Control::PingResponse(value),
                        Control::StreamBegin(value),
                        Control::StreamEof(value),
                    ])
                    .encode();
                self.pings += usize::from(kind == MessageType::UserControl);
                self.message(kind, 0, 0, &body);
            }
            12 => {
                let mut out = BytesMut::new();
                self.writer.set_chunk_size(input.word(), &mut out);
                self.bytes(&out);
            }
            // A message of any kind.
            13 => {
                let (kind, stream, time) = (input.byte(), input.byte(), input.word());
                let body = input.row();
                self.message(MessageType::from(kind), u32::from(stream), time, body);
            }
            14 => {
                let bytes = input.row();
                self.bytes(bytes);
            }
            // The beginning of a message that declares more than it brings; `Abort` may follow.
            15 => {
                let (chunk_stream, kind, length) =
                    (2 + input.byte() % 60, input.byte(), input.word());
                let mut out = BytesMut::new();
                out.put_u8(chunk_stream);
                out.put_slice(&[0, 0, 0]);
                out.put_slice(&length.to_be_bytes()[1..]);
                out.put_u8(kind);
                out.put_u32_le(1);
                out.put_slice(input.row());
                self.bytes(&out);
            }
            // Much of one thing.
            16 => {
                let (kind, length) = (input.of(&[8_u8, 9, 18, 20, 22, 4]), input.half());
                let body = vec![input.byte(); usize::from(length)];
                for time in 0..u32::from(input.byte() % 8) {
                    self.message(MessageType::from(kind), 1, time, &body);
                }
            }
            17 | 18 => self.pause(Duration::from_millis(u64::from(input.byte()) * 32)),
            19 | 20 => self.grant(),
            21 => self.refuse(input),
            22 => self.end(input),
            _ => {
                let to = input.of(&[None, Some("rtmp://elsewhere/live"), Some("")]);
                self.session.request_reconnect(to, "Soon.");
                self.take(Ok(()));
            }
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
        // Handshakes and floods are alike all through: they are not worth the smallest pieces.
        let cut = match bytes.len() {
            0..2_048 => self.cut,
            _ => self.cut.saturating_mul(64),
        };
        for piece in bytes.chunks(cut) {
            if self.failed {
                return;
            }
            self.inputs += 1;
            let result = self.session.handle_input(self.now, Given::Bytes(piece));
            self.take(result);
        }
    }

    fn pause(&mut self, time: Duration) {
        self.now += time;
        if time >= Duration::from_secs(1) {
            (self.said, self.inputs, self.pings) = (0, 0, 0);
        }
        let due = self.session.poll_timeout();
        let late = due.is_some_and(|(at, _)| self.now >= at);
        let result = self.session.handle_input(self.now, Given::Timeout);
        assert_eq!(late, matches!(result, Err(Error::Timeout(_))));
        self.take(result);
    }

    fn grant(&mut self) {
        let Stage::Asked(wish) = self.stage else {
            assert!(self.session.accept_publish(self.now).is_err());
            assert!(self.session.accept_play(self.now).is_err());
            return;
        };
        self.stage = Stage::Granted(wish);
        let result = match wish {
            Wish::Publish => {
                self.published = true;
                self.session.accept_publish(self.now)
            }
            Wish::Play => self.session.accept_play(self.now),
        };
        self.take(result);
    }

    fn refuse(&mut self, input: &mut Input<'_>) {
        let reject = input.of(&[
            Reject::BadName,
            Reject::Denied,
            Reject::NotFound,
            Reject::Failed,
        ]);
        let asked = matches!(self.stage, Stage::Asked(_));
        if asked {
            self.stage = Stage::Free;
        }
        let result = self.session.reject(self.now, reject, "No.");
        if asked {
            self.take(result);
        } else {
            assert!(matches!(result, Err(Error::Caller(_))));
        }
    }

    fn end(&mut self, input: &mut Input<'_>) {
        let ended = match input.byte() % 4 {
            0 => {
                self.session.end_publish(self.now, "The end.");
                Wish::Publish
            }
            n => {
                let ends = [
                    play::End::Unpublished,
                    play::End::Complete,
                    play::End::Failed("no"),
                ];
                self.session.end_play(self.now, ends[usize::from(n) - 1]);
                Wish::Play
            }
        };
        if self.stage == Stage::Granted(ended) {
            self.stage = Stage::Free;
        }
        self.take(Ok(()));
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
            self.story.push(error.to_string());
            self.failed = true;
        }
    }

    fn event(&mut self, event: &Event) {
        let stage = self.stage;
        assert!(!matches!(stage, Stage::Asked(_)), "{event:?} while asked");
        match event {
            Event::Publish(_) | Event::Play(_) => {
                assert_eq!(stage, Stage::Free);
                let publish = matches!(event, Event::Publish(_));
                self.stage = Stage::Asked(if publish { Wish::Publish } else { Wish::Play });
            }
            Event::Track(_) | Event::Frame(_) | Event::Tags(_) | Event::Damaged(_) => {
                assert_eq!(stage, Stage::Granted(Wish::Publish), "{event:?}");
            }
            Event::Unpublished => {
                assert_eq!(stage, Stage::Granted(Wish::Publish));
                self.stage = Stage::Free;
            }
            Event::Stopped => {
                assert_eq!(stage, Stage::Granted(Wish::Play));
                self.stage = Stage::Free;
            }
            Event::Pause(_) | Event::Receive(..) => {
                assert_eq!(stage, Stage::Granted(Wish::Play));
            }
            _ => {}
        }
        self.story.push(format!("{event:?}"));
    }

    fn check(&self) {
        let limits = Limits::default();
        let partial = if self.published {
            limits.rtmp_partial_bytes
        } else {
            limits.rtmp_partial_bytes_before_publish
        };
        let held = self.session.held();
        assert!(held <= 2 * partial as usize + SLACK, "{held} bytes held");
        // An acknowledgement has 16 bytes and is due at most once an input; a ping is answered with 18.
        let most = SAID + 16 * self.inputs + 32 * self.pings;
        assert!(self.said <= most, "{} bytes said", self.said);
        let started = matches!(self.stage, Stage::Granted(_));
        assert_eq!(self.session.is_started(), started);
        let waits = self.stage == Stage::Free && !self.failed;
        assert!(self.failed || self.session.poll_timeout().is_some() == waits);
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::seeds;
    use super::*;

    #[test]
    fn the_seeds_reach_what_they_are_to_test() {
        let story: String = seeds("rtmp_server_session")
            .iter()
            .flat_map(|seed| Run::of(Input(&seed[1..]), usize::MAX).story)
            .collect();
        let all = [
            "Connected(",
            "Publish(",
            "Play(",
            "Track(",
            "Frame(",
            "Tags(",
            "Unpublished",
            "Stopped",
            "Pause(",
            "Receive(",
            "timed out",
        ];
        for event in all {
            assert!(story.contains(event), "no {event} in {story}");
        }
    }
}
