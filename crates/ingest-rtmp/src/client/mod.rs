//! The connecting side as a state machine, in its simplest form: connect, then publish or play one stream. What load
//! generators, tests and probes need.

mod target;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use core_frame::Limits;
use flv::TagKind;
use flv::amf0::Value;

use crate::Error;
use crate::wire::chunk::{ChunkLimits, ChunkReader, ChunkWriter};
use crate::wire::command::Command;
use crate::wire::handshake::{ClientHandshake, Kind, PACKET};
use crate::wire::message::{Control, Message, MessageType};

pub use target::{BadUrl, Target};

/// What the client is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Send media.
    Publish,
    /// Receive media.
    Play,
}

/// Options of a client session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to go.
    pub target: Target,
    /// What for.
    pub role: Role,
    /// Bounds on what the server sends.
    pub limits: Limits,
    /// The form of the handshake.
    pub handshake: Kind,
    /// Varies the bytes of the handshake.
    pub seed: u64,
    /// Size of the chunks we send, in bytes.
    pub chunk_size: u32,
    /// How we name ourselves (`flashVer`).
    pub agent: String,
    /// Say which codecs of Enhanced RTMP are understood, and multitrack.
    pub enhanced: bool,
}

impl Config {
    /// The usual options.
    #[must_use]
    pub fn new(target: Target, role: Role) -> Self {
        Self {
            target,
            role,
            limits: Limits::default(),
            handshake: Kind::Simple,
            seed: 0,
            chunk_size: crate::CHUNK_SIZE,
            agent: "FMLE/3.0 (compatible; Millstream)".to_owned(),
            enhanced: true,
        }
    }
}

/// What comes out of a client session.
#[derive(Clone, Debug)]
pub enum Output {
    /// Bytes for the server.
    Transmit(Bytes),
    /// Something for the caller.
    Event(Event),
}

/// What a client session tells its caller.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server answered `connect`: the whole command, with what it says about Enhanced RTMP.
    Connected(Command),
    /// Publishing or playing has begun.
    Started,
    /// A status beside the flow: its code and description.
    Status(String, String),
    /// Media of the stream that is played: audio, video or data.
    Message(Message),
    /// The stream that was played has ended.
    Ended,
}

/// A client session. Has no timers: the caller bounds how long it waits for [`Event::Started`].
///
/// **After each call take everything out by [`Session::poll_output`]; the first bytes are there from the start.**
#[derive(Debug)]
pub struct Session {
    config: Config,
    handshake: Option<ClientHandshake>,
    reader: ChunkReader,
    writer: ChunkWriter,
    bytes: BytesMut,
    events: VecDeque<Output>,
    step: Step,
    stream: u32,
    received: u64,
    acknowledged: u64,
    ack_window: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting,
    Creating,
    Starting,
    Started,
}

const CONNECT: f64 = 1.0;
const CREATE: f64 = 4.0;

impl Session {
    /// A session whose first bytes are ready to be sent.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut bytes = BytesMut::new();
        let mut handshake = ClientHandshake::new(config.handshake, config.seed);
        handshake.start(&mut bytes);
        let limits = ChunkLimits::publishing(&config.limits);
        Self {
            handshake: Some(handshake),
            reader: ChunkReader::new(limits, 1 + 2 * PACKET as u64),
            writer: ChunkWriter::new(),
            bytes,
            events: VecDeque::new(),
            step: Step::Connecting,
            stream: 0,
            received: 0,
            acknowledged: 0,
            ack_window: 2_500_000,
            config,
        }
    }

    /// Takes bytes of the server, split anywhere.
    ///
    /// # Errors
    /// Why the connection is to be closed: the server broke the protocol or refused.
    pub fn handle_input(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.received = self.received.wrapping_add(bytes.len() as u64);
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(&mut bytes, &mut self.bytes)? {
                return Ok(());
            }
            self.handshake = None;
            self.connect();
        }
        while let Some(message) = self.reader.read(&mut bytes)? {
            self.message(message)?;
        }
        if self.received.wrapping_sub(self.acknowledged) >= self.ack_window {
            self.acknowledged = self.received;
            self.control(Control::Acknowledgement(self.received as u32));
        }
        Ok(())
    }

    /// The next thing to send or to know, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.events.is_empty() {
            self.seal();
        }
        self.events.pop_front()
    }

    /// Sends a media message of a publisher: the concatenation of `body`, with its time in milliseconds.
    ///
    /// # Errors
    /// [`Error::Caller`] before [`Event::Started`].
    pub fn send(&mut self, kind: TagKind, timestamp: u32, body: &[&[u8]]) -> Result<(), Error> {
        if self.step != Step::Started {
            return Err(Error::Caller("media before publishing began"));
        }
        let (chunk_stream, kind) = match kind {
            TagKind::Audio => (4, MessageType::Audio),
            TagKind::Script => (5, MessageType::Data),
            TagKind::Video => (6, MessageType::Video),
        };
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

    fn connect(&mut self) {
        self.writer
            .set_chunk_size(self.config.chunk_size, &mut self.bytes);
        let target = &self.config.target;
        let mut object = vec![
            ("app".to_owned(), Value::from(target.app.as_str())),
            ("type".to_owned(), Value::from("nonprivate")),
            (
                "flashVer".to_owned(),
                Value::from(self.config.agent.as_str()),
            ),
            ("tcUrl".to_owned(), Value::from(target.tc_url.as_str())),
        ];
        if self.config.enhanced {
            let any = || Value::object([("*", 7.0)]);
            object.push((
                "fourCcList".to_owned(),
                Value::StrictArray(vec!["*".into()]),
            ));
            object.push(("videoFourCcInfoMap".to_owned(), any()));
            object.push(("audioFourCcInfoMap".to_owned(), any()));
            object.push(("capsEx".to_owned(), Value::from(2.0 + 4.0 + 8.0)));
        }
        self.command(
            0,
            &Command {
                name: "connect".to_owned(),
                transaction: CONNECT,
                object: Value::Object(object),
                args: Vec::new(),
            },
        );
    }

    fn message(&mut self, message: Message) -> Result<(), Error> {
        match message.kind {
            MessageType::Audio | MessageType::Video | MessageType::Data => {
                self.event(Event::Message(message));
                Ok(())
            }
            MessageType::Command | MessageType::CommandAmf3 => {
                let command = Command::parse(&message, &self.config.limits)
                    .map_err(|e| Error::protocol(self.reader.offset(), e.rule))?;
                self.answer(command)
            }
            _ => {
                match Control::parse(&message) {
                    Ok(Some(Control::WindowAckSize(size))) => self.ack_window = u64::from(size),
                    Ok(Some(Control::PingRequest(time))) => {
                        self.control(Control::PingResponse(time));
                    }
                    Ok(Some(Control::StreamEof(_))) if self.step == Step::Started => {
                        self.event(Event::Ended);
                    }
                    Ok(_) => {}
                    Err(rule) => return Err(Error::protocol(self.reader.offset(), rule)),
                }
                Ok(())
            }
        }
    }

    fn answer(&mut self, command: Command) -> Result<(), Error> {
        let refused = || {
            let code = command.args.first().and_then(|i| i.get("code"));
            Error::Refused(code.and_then(Value::as_str).unwrap_or("_error").to_owned())
        };
        match (command.name.as_str(), self.step) {
            ("_result", Step::Connecting) if command.transaction == CONNECT => {
                self.step = Step::Creating;
                self.create();
                self.event(Event::Connected(command));
            }
            ("_result", Step::Creating) if command.transaction == CREATE => {
                self.stream = command.number(0).unwrap_or(1.0) as u32;
                self.step = Step::Starting;
                self.start();
            }
            ("_error", Step::Connecting | Step::Creating)
                if command.transaction == CONNECT || command.transaction == CREATE =>
            {
                return Err(refused());
            }
            ("onStatus", _) => {
                let text = |key| {
                    let value = command.args.first().and_then(|i| i.get(key));
                    value.and_then(Value::as_str).unwrap_or_default()
                };
                match text("code") {
                    "NetStream.Publish.Start" | "NetStream.Play.Start" => {
                        self.step = Step::Started;
                        self.event(Event::Started);
                    }
                    _ if text("level") == "error" => return Err(refused()),
                    code => {
                        let status = Event::Status(code.to_owned(), text("description").to_owned());
                        self.event(status);
                    }
                }
            }
            _ => {}
        }
        Ok(())
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
        self.events.push_back(Output::Event(event));
    }

    fn seal(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = self.bytes.split().freeze();
            self.events.push_back(Output::Transmit(bytes));
        }
    }
}
