//! The connecting side as a state machine: connect, then publish or play one stream. What pulls and pushes, load
//! generators, tests and probes stand on.

mod config;
mod connect;
mod event;
mod target;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::BytesMut;
use flv::TagKind;
use flv::amf0::Value;

use crate::Error;
use crate::enhanced::Enhanced;
use crate::media::{self, Ingest};
use crate::session::TimerReason;
use crate::wire::aggregate::Aggregate;
use crate::wire::chunk::{ChunkLimits, ChunkReader, ChunkWriter};
use crate::wire::command::{Command, is_aside};
use crate::wire::handshake::{ClientHandshake, PACKET};
use crate::wire::message::{Control, Message, MessageType};

pub use crate::session::Input;
pub use config::{Config, Media, Role};
pub use event::{Event, Output};
pub use target::{BadUrl, Target};

/// A client session, from the first byte of the handshake to the end of the connection.
///
/// **After each call take everything out by [`Session::poll_output`]; the first bytes are there from the start. After an
/// error, send what is still there to send and close the connection.**
#[derive(Debug)]
pub struct Session {
    config: Config,
    opened: Instant,
    handshake: Option<ClientHandshake>,
    reader: ChunkReader,
    writer: ChunkWriter,
    bytes: BytesMut,
    queue: VecDeque<Output>,
    step: Step,
    stream: u32,
    enhanced: Option<Enhanced>,
    ingest: Option<Box<Ingest>>,
    heard: Instant,
    received: u64,
    acknowledged: u64,
    ack_window: u64,
    /// The window that the server was told of.
    told_window: u32,
    checked_bandwidth: bool,
    ended: bool,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Shaking,
    Connecting,
    /// Waiting for a message stream, since then.
    Creating(Instant),
    /// Waiting for consent, since then.
    Starting(Instant),
    Started,
}

/// Transactions, which pair answers with calls.
const CONNECT: f64 = 1.0;
const CREATE: f64 = 4.0;

impl Session {
    /// A session that is opened at `now`; its first bytes are ready to be sent.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut bytes = BytesMut::new();
        let mut handshake = ClientHandshake::new(config.handshake, config.seed);
        handshake.start(&mut bytes);
        let limits = ChunkLimits::publishing(&config.limits);
        let ingest = match config.media {
            Media::Frames => Some(Box::new(Ingest::new(&config.limits))),
            Media::Messages => None,
        };
        Self {
            opened: now,
            handshake: Some(handshake),
            reader: ChunkReader::new(limits, 1 + 2 * PACKET as u64),
            writer: ChunkWriter::new(),
            bytes,
            queue: VecDeque::new(),
            step: Step::Shaking,
            stream: 0,
            enhanced: None,
            ingest,
            heard: now,
            received: 0,
            acknowledged: 0,
            ack_window: 2_500_000,
            told_window: 0,
            checked_bandwidth: false,
            ended: false,
            failed: false,
            config,
        }
    }

    /// Takes bytes of the server, split anywhere, or the news that time is up.
    ///
    /// # Errors
    /// Why the connection is to be closed: the server broke the protocol, refused ([`Error::Refused`]), sends us
    /// elsewhere ([`Error::Redirected`]) or is late.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Caller("input after an error"));
        }
        let result = match self.poll_timeout() {
            Some((deadline, reason)) if now >= deadline => Err(Error::Timeout(reason)),
            _ => match input {
                Input::Bytes(bytes) => self.read(now, bytes),
                Input::Timeout => Ok(()),
            },
        };
        self.failed = result.is_err();
        result
    }

    /// The next thing to send or to know, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.queue.is_empty() {
            self.seal();
        }
        self.queue.pop_front()
    }

    /// When to come back with [`Input::Timeout`], and what the session waits for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimerReason)> {
        let limits = &self.config.limits;
        match self.step {
            Step::Shaking => Some((self.opened + limits.handshake(), TimerReason::Handshake)),
            Step::Connecting => Some((self.opened + limits.connect(), TimerReason::ConnectAnswer)),
            Step::Creating(since) => Some((since + limits.start(), TimerReason::StreamAnswer)),
            Step::Starting(since) => Some((since + limits.start(), TimerReason::StartAnswer)),
            Step::Started if self.config.role == Role::Play => self
                .config
                .silence
                .map(|silence| (self.heard + silence, TimerReason::Silence)),
            Step::Started => None,
        }
    }

    /// True from [`Event::Started`] on.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.step == Step::Started
    }

    /// What the server said about Enhanced RTMP in its answer to `connect`.
    #[must_use]
    pub const fn enhanced(&self) -> Option<&Enhanced> {
        self.enhanced.as_ref()
    }

    /// The message stream that media goes on; 0 until the server has made one.
    ///
    /// A publisher may write the items of an [`RtmpRender`](crate::render::RtmpRender) view with this message stream and
    /// the chunk size of its [`Config`] straight to the socket, from [`Event::Started`] on, whole items at a time, with
    /// bytes of the session between them: the session speaks on other chunk streams. Who does so must not use
    /// [`Session::send`], whose headers lean on the messages that it sent itself.
    #[must_use]
    pub const fn message_stream(&self) -> u32 {
        self.stream
    }

    /// Sends a media message of a publisher: the concatenation of `body`, with its time in milliseconds.
    ///
    /// # Errors
    /// [`Error::Caller`] before [`Event::Started`].
    pub fn send(&mut self, kind: TagKind, timestamp: u32, body: &[&[u8]]) -> Result<(), Error> {
        if self.step != Step::Started {
            return Err(Error::Caller("media before publishing began"));
        }
        let (chunk_stream, kind) = crate::render::carrier(kind);
        let stream = self.stream;
        self.writer
            .write(chunk_stream, kind, stream, timestamp, body, &mut self.bytes);
        Ok(())
    }

    /// Ends publishing or playing in the polite way.
    pub fn finish(&mut self) {
        if self.step != Step::Started {
            return;
        }
        if self.config.role == Role::Publish {
            let name = Value::from(self.config.target.name.as_str());
            self.command(0, &Command::new("FCUnpublish", 6.0, vec![name]));
        }
        let id = Value::from(self.stream);
        self.command(0, &Command::new("deleteStream", 7.0, vec![id]));
    }

    fn read(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Error> {
        self.heard = now;
        self.received = self.received.wrapping_add(bytes.len() as u64);
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(&mut bytes, &mut self.bytes)? {
                return Ok(());
            }
            self.handshake = None;
            self.step = Step::Connecting;
            self.writer
                .set_chunk_size(self.config.chunk_size, &mut self.bytes);
            let connect = connect::command(&self.config);
            self.command(0, &connect);
        }
        while let Some(message) = self.reader.read(&mut bytes)? {
            self.message(now, message)?;
        }
        if self.received.wrapping_sub(self.acknowledged) >= self.ack_window {
            self.acknowledged = self.received;
            // The counter of §5.4.3 has 32 bits and wraps.
            self.control(Control::Acknowledgement(self.received as u32));
        }
        Ok(())
    }

    fn message(&mut self, now: Instant, message: Message) -> Result<(), Error> {
        match message.kind {
            MessageType::Command | MessageType::CommandAmf3 => {
                let command = Command::parse(&message, &self.config.limits)
                    .map_err(|e| Error::protocol(self.reader.offset(), e.rule))?;
                self.answer(now, command)
            }
            MessageType::Audio
            | MessageType::Video
            | MessageType::Data
            | MessageType::DataAmf3
            | MessageType::Aggregate => self.media(now, message),
            _ => match Control::parse(&message) {
                Ok(Some(control)) => {
                    self.controlled(control);
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(rule) => Err(Error::protocol(self.reader.offset(), rule)),
            },
        }
    }

    fn media(&mut self, now: Instant, message: Message) -> Result<(), Error> {
        if is_aside(&message) {
            return Ok(());
        }
        let Some(mut ingest) = self.ingest.take() else {
            if message.kind != MessageType::Aggregate {
                self.event(Event::Message(message));
                return Ok(());
            }
            for inner in Aggregate::new(message) {
                let inner = inner.map_err(|rule| Error::protocol(self.reader.offset(), rule))?;
                self.event(Event::Message(inner));
            }
            return Ok(());
        };
        let result = ingest.message(now, &message, &mut |media| {
            self.event(match media {
                media::Media::Track(track) => Event::Track(track),
                media::Media::Frame(frame) => Event::Frame(frame),
                media::Media::Tags(tags) => Event::Tags(tags),
                media::Media::Damaged(why) => Event::Damaged(why),
            });
        });
        self.ingest = Some(ingest);
        result
    }

    fn controlled(&mut self, control: Control) {
        match control {
            Control::WindowAckSize(size) => self.ack_window = u64::from(size),
            // §5.4.5: answered by the window, unless that is what was said last.
            Control::SetPeerBandwidth(size, _) if size > 0 && size != self.told_window => {
                self.told_window = size;
                self.control(Control::WindowAckSize(size));
            }
            Control::PingRequest(time) => self.control(Control::PingResponse(time)),
            Control::StreamEof(_) if self.step == Step::Started => self.end(),
            _ => {}
        }
    }

    fn answer(&mut self, now: Instant, command: Command) -> Result<(), Error> {
        let is_ours = |transaction| command.transaction == transaction;
        match (command.name.as_str(), self.step) {
            ("_result", Step::Connecting) if is_ours(CONNECT) => {
                self.step = Step::Creating(now);
                self.enhanced = connect::enhanced(&command);
                self.create();
                self.event(Event::Connected(command));
            }
            ("_result", Step::Creating(_)) if is_ours(CREATE) => {
                self.stream = command.number(0).unwrap_or(1.0) as u32;
                self.step = Step::Starting(now);
                self.start();
            }
            ("_error", Step::Connecting) if is_ours(CONNECT) => {
                return Err(self.refused(&command));
            }
            ("_error", Step::Creating(_)) if is_ours(CREATE) => {
                return Err(self.refused(&command));
            }
            ("onStatus", _) => return self.status(&command),
            // Flash Media Server and its kin measure the way to us; they are content with the question back.
            ("onBWDone", _) if !self.checked_bandwidth => {
                self.checked_bandwidth = true;
                self.command(0, &Command::new("_checkbw", 8.0, Vec::new()));
            }
            ("close", _) => self.end(),
            _ => {}
        }
        Ok(())
    }

    fn status(&mut self, command: &Command) -> Result<(), Error> {
        let status = connect::Status::of(command);
        match status.code.as_str() {
            "NetStream.Publish.Start" | "NetStream.Play.Start" => {
                if matches!(self.step, Step::Starting(_)) {
                    self.step = Step::Started;
                    self.event(Event::Started);
                }
                return Ok(());
            }
            "NetConnection.Connect.ReconnectRequest" => {
                let tc_url = status.tc_url;
                self.event(Event::Reconnect { tc_url });
                return Ok(());
            }
            _ if status.is_error => return Err(self.refused(command)),
            _ => {}
        }
        let ends = matches!(
            status.code.as_str(),
            "NetStream.Play.UnpublishNotify"
                | "NetStream.Play.Stop"
                | "NetStream.Play.Complete"
                | "NetConnection.Connect.Closed"
                | "NetConnection.Connect.AppShutdown"
        );
        self.event(Event::Status(status.code, status.description));
        if ends && self.step == Step::Started {
            self.end();
        }
        Ok(())
    }

    /// The words of a refusal, and then the refusal itself.
    fn refused(&mut self, command: &Command) -> Error {
        let status = connect::Status::of(command);
        self.event(Event::Status(status.code, status.description));
        connect::refused(command)
    }

    fn create(&mut self) {
        if self.config.role == Role::Publish {
            let name = self.config.target.name.clone();
            let name = || vec![Value::from(name.as_str())];
            self.command(0, &Command::new("releaseStream", 2.0, name()));
            self.command(0, &Command::new("FCPublish", 3.0, name()));
        }
        self.command(0, &Command::new("createStream", CREATE, Vec::new()));
    }

    fn start(&mut self) {
        let name = Value::from(self.config.target.name.as_str());
        let stream = self.stream;
        match self.config.role {
            Role::Publish => {
                let args = vec![name, Value::from("live")];
                self.command(stream, &Command::new("publish", 5.0, args));
            }
            Role::Play => {
                let args = vec![name, Value::from(-2000.0)];
                self.command(stream, &Command::new("play", 5.0, args));
                self.control(Control::SetBufferLength(stream, 1_000));
            }
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.event(Event::Ended);
        }
    }

    fn command(&mut self, stream: u32, command: &Command) {
        let body = command.encode();
        let kind = MessageType::Command;
        self.writer
            .write(3, kind, stream, 0, &[&body], &mut self.bytes);
    }

    fn control(&mut self, control: Control) {
        let (kind, body) = control.encode();
        self.writer.write(2, kind, 0, 0, &[&body], &mut self.bytes);
    }

    fn event(&mut self, event: Event) {
        self.seal();
        self.queue.push_back(Output::Event(event));
    }

    fn seal(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = self.bytes.split().freeze();
            self.queue.push_back(Output::Transmit(bytes));
        }
    }
}
