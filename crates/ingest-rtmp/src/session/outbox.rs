//! What a session has to say, in order: bytes for the peer and events for the caller.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use core_frame::{MediaFrame, Tags, TrackInfo};
use flv::amf0::{self, Value};

use super::{connect, play, publish};
use crate::wire::chunk::ChunkWriter;
use crate::wire::command::Command;
use crate::wire::message::{Control, MessageType};

/// What comes out of a session.
#[derive(Clone, Debug)]
pub enum Output {
    /// Bytes for the peer.
    Transmit(Bytes),
    /// Something for the caller.
    Event(Event),
}

/// What a session tells its caller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The peer said `connect` and was answered.
    Connected(connect::Connect),
    /// The peer wants to publish: answer with [`Session::accept_publish`](super::Session::accept_publish) or
    /// [`Session::reject`](super::Session::reject). Nothing more is read until then.
    Publish(publish::Request),
    /// The peer wants to play: answer with [`Session::accept_play`](super::Session::accept_play) or
    /// [`Session::reject`](super::Session::reject). Nothing more is read until then.
    Play(play::Request),
    /// The session itself refused a publish or play; the peer has been told.
    Refused {
        /// `publish` or `play`.
        command: &'static str,
        /// The status code it was told.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// A track of the publisher appeared or changed. Comes before the first frame that needs it.
    Track(Box<TrackInfo>),
    /// A frame of the publisher, in the order of arrival; times are those of the wire, in milliseconds, unwrapped.
    Frame(MediaFrame),
    /// What the publisher says about its stream as a whole (`onMetaData`), in place of what it said before; empty when it
    /// took that back (`@clearDataFrame`).
    Tags(Tags),
    /// A message of the publisher that could not be used was left out.
    Damaged(String),
    /// The publisher said that it ends, and stays connected.
    Unpublished,
    /// The player paused (true) or goes on (false).
    Pause(bool),
    /// The player wants this kind of media (true) or not (false).
    Receive(core_frame::MediaKind, bool),
    /// The player said that it ends, and stays connected.
    Stopped,
}

/// Orders what goes out. Bytes are gathered until an event stands between them.
#[derive(Debug)]
pub(super) struct Outbox {
    writer: ChunkWriter,
    bytes: BytesMut,
    queue: VecDeque<Output>,
}

/// Chunk stream of protocol control messages (§5.4).
const CONTROL: u32 = 2;
/// Chunk stream of commands.
const COMMAND: u32 = 3;

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            writer: ChunkWriter::new(),
            bytes: BytesMut::new(),
            queue: VecDeque::new(),
        }
    }

    pub(super) fn raw(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    pub(super) fn control(&mut self, control: Control) {
        if let Control::SetChunkSize(size) = control {
            return self.writer.set_chunk_size(size, &mut self.bytes);
        }
        let (kind, body) = control.encode();
        self.writer
            .write(CONTROL, kind, 0, 0, &[&body], &mut self.bytes);
    }

    /// A command on a message stream (0 is the connection).
    pub(super) fn command(&mut self, stream: u32, command: &Command) {
        let body = command.encode();
        let kind = MessageType::Command;
        self.writer
            .write(COMMAND, kind, stream, 0, &[&body], &mut self.bytes);
    }

    /// A data message.
    pub(super) fn data(&mut self, stream: u32, values: &[Value]) {
        let body = amf0::write(values);
        let kind = MessageType::Data;
        self.writer
            .write(COMMAND, kind, stream, 0, &[&body], &mut self.bytes);
    }

    pub(super) fn status(&mut self, stream: u32, code: &str, description: &str) {
        self.command(stream, &Command::status("status", code, description));
    }

    pub(super) fn error(&mut self, stream: u32, code: &str, description: &str) {
        self.command(stream, &Command::status("error", code, description));
    }

    pub(super) fn event(&mut self, event: Event) {
        self.seal();
        self.queue.push_back(Output::Event(event));
    }

    pub(super) fn next(&mut self) -> Option<Output> {
        if self.queue.is_empty() {
            self.seal();
        }
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.bytes.is_empty()
    }

    fn seal(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = self.bytes.split().freeze();
            self.queue.push_back(Output::Transmit(bytes));
        }
    }
}
