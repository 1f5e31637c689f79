//! RTMP: chunks, messages, and sessions that are fed bytes.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use core_frame::Limits;
use flv::amf0::Value;
use ingest_rtmp::Error;
use ingest_rtmp::client::{self, Config, Media, Role, Target};
use ingest_rtmp::session::{Event, Input as Given, Output, Session, SessionConfig};
use ingest_rtmp::wire::chunk::{ChunkLimits, ChunkReader, ChunkWriter};
use ingest_rtmp::wire::command::{Command, info};
use ingest_rtmp::wire::handshake::{Kind, Scheme, ServerHandshake};
use ingest_rtmp::wire::message::{Control, Message, MessageType};

use super::input::Input;

/// A chunk stream, cut by its first byte.
pub fn rtmp_chunk(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let limits = Limits::default();
    let mut reader = ChunkReader::new(ChunkLimits::before_publish(&limits), 0);
    for mut part in rest.chunks(usize::from(*first).max(1)) {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => drop(message),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(reader.held() <= 4 << 20, "more held than allowed");
    }
}

/// One message: its type, then its body, as control message and as command.
pub fn rtmp_message(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else {
        return;
    };
    let message = Message {
        chunk_stream: 3,
        timestamp: 0,
        kind: MessageType::from(*kind),
        stream: 0,
        body: Bytes::copy_from_slice(body),
    };
    let _ = Control::parse(&message);
    let _ = Command::parse(&message, &Limits::default());
}

/// A server session: bytes and pauses, cut by their own lengths.
pub fn rtmp_server_bytes(data: &[u8]) {
    let begun = Instant::now();
    let mut now = begun;
    let mut session = Session::new(SessionConfig::default(), now);
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first() {
        let (part, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let result = if *length == 0 {
            now += Duration::from_millis(700);
            session.handle_input(now, Given::Timeout)
        } else {
            session.handle_input(now, Given::Bytes(part))
        };
        let mut result = result;
        while let Some(output) = session.poll_output() {
            result = result.and(match output {
                Output::Event(Event::Publish(_)) => session.accept_publish(now),
                Output::Event(Event::Play(_)) => session.accept_play(now),
                _ => Ok(()),
            });
        }
        if result.is_err() {
            return;
        }
    }
}

/// A client session and a server that says anything. The first byte chooses what the client wants and how far the server
/// is good; the second how its bytes are cut, which must make no difference. Then come the server's messages, bytes
/// outside of any, and pauses.
pub fn rtmp_client_session(data: &[u8]) {
    let mut input = Input(data);
    let (setup, cut) = (input.byte(), usize::from(input.byte()).max(1));
    let whole = Visit::play(setup, usize::MAX, input);
    let pieces = Visit::play(setup, cut, input);
    assert_eq!(whole.story, pieces.story, "cut into pieces of {cut}");
}

struct Visit {
    session: client::Session,
    now: Instant,
    writer: ChunkWriter,
    cut: usize,
    /// The client's events, and the error at the end.
    story: Vec<String>,
    heard: usize,
    said: usize,
    ended: bool,
    failed: bool,
}

impl Visit {
    fn play(setup: u8, cut: usize, mut input: Input<'_>) -> Self {
        let target = Target::parse("rtmp://server/live/cam?token=x").expect("a URL");
        let role = [Role::Publish, Role::Play][usize::from(setup & 1)];
        let mut config = Config::new(target, role);
        config.media = [Media::Messages, Media::Frames][usize::from(setup >> 1 & 1)];
        config.enhanced = setup & 4 == 0;
        if setup & 8 != 0 {
            config.handshake = Kind::Digest(Scheme::One);
        }
        config.silence = (setup & 16 != 0).then_some(Duration::from_secs(3));
        let now = Instant::now();
        let mut visit = Self {
            session: client::Session::new(config, now),
            now,
            writer: ChunkWriter::new(),
            cut,
            story: Vec::new(),
            heard: 0,
            said: 0,
            ended: false,
            failed: false,
        };
        visit.welcome(setup >> 5, role);
        while !input.is_empty() && !visit.failed {
            visit.step(&mut input);
        }
        if visit.failed {
            let again = visit.session.handle_input(visit.now, Given::Timeout);
            assert!(matches!(again, Err(Error::Caller(_))), "it goes on");
        }
        visit
    }

    /// What a good server says, up to this step.
    fn welcome(&mut self, steps: u8, role: Role) {
        let hello = self.take(Ok(()));
        if steps == 0 {
            return;
        }
        let mut answer = BytesMut::new();
        let _ = ServerHandshake::new(1).read(&mut &hello[..], &mut answer);
        self.bytes(&answer);
        let code = match role {
            Role::Publish => "NetStream.Publish.Start",
            Role::Play => "NetStream.Play.Start",
        };
        let commands = [
            Command::new("_result", 1.0, vec![Value::Null]),
            Command::new("_result", 4.0, vec![1.0.into()]),
            Command::new("onStatus", 0.0, vec![info("status", code, "")]),
        ];
        for command in commands.iter().take(usize::from(steps) - 1) {
            self.message(MessageType::Command, 0, 0, &command.encode());
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            // Bytes outside of any message.
            0 => self.bytes(input.row()),
            1 => {
                let mut out = BytesMut::new();
                self.writer.set_chunk_size(input.word(), &mut out);
                self.bytes(&out);
            }
            2 => {
                self.now += Duration::from_millis(u64::from(input.byte()) * 64);
                let late = self.session.poll_timeout();
                let late = late.is_some_and(|(at, _)| self.now >= at);
                let result = self.session.handle_input(self.now, Given::Timeout);
                assert_eq!(late, matches!(result, Err(Error::Timeout(_))));
                self.take(result);
            }
            3 => {
                self.session.finish();
                self.take(Ok(()));
            }
            4 => {
                let sent = self
                    .session
                    .send(flv::TagKind::Audio, input.word(), &[b"\xAF\x01unit"]);
                assert_eq!(sent.is_ok(), self.session.is_started());
                self.take(Ok(()));
            }
            kind => {
                let time = input.word();
                let body = input.long_row();
                self.message(MessageType::from(kind), 1, time, body);
            }
        }
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
            self.heard += piece.len();
            let result = self.session.handle_input(self.now, Given::Bytes(piece));
            self.take(result);
        }
    }

    /// Takes what the client says and tells.
    fn take(&mut self, result: Result<(), Error>) -> Vec<u8> {
        let mut said = Vec::new();
        while let Some(output) = self.session.poll_output() {
            let event = match output {
                client::Output::Transmit(bytes) => {
                    said.extend_from_slice(&bytes);
                    continue;
                }
                client::Output::Event(event) => event,
            };
            match &event {
                client::Event::Started => assert!(self.session.is_started() || result.is_err()),
                client::Event::Ended => {
                    assert!(!std::mem::replace(&mut self.ended, true), "ended twice");
                }
                _ => {}
            }
            self.story.push(format!("{event:?}"));
        }
        self.said += said.len();
        // A handshake and a few commands; for every message an answer of its size, for every byte an acknowledgement.
        assert!(
            self.said <= 16 * 1_024 + 20 * self.heard,
            "{} bytes said to {}",
            self.said,
            self.heard
        );
        if let Err(error) = result {
            assert!(!matches!(error, Error::Caller(_)), "{error}");
            self.story.push(error.to_string());
            self.failed = true;
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::seeds;
    use super::*;

    #[test]
    fn the_seeds_reach_what_they_are_to_test() {
        let story: String = seeds("rtmp_client_session")
            .iter()
            .flat_map(|seed| Visit::play(seed[0], usize::MAX, Input(&seed[2..])).story)
            .collect();
        let all = [
            "Connected(",
            "Started",
            "Message(",
            "Track(",
            "Frame(",
            "Reconnect",
            "Ended",
            "rtmp://b/live",
            "timed out",
        ];
        for event in all {
            assert!(story.contains(event), "no {event} in {story}");
        }
    }
}
