//! What a server said, as text: one line a message, for golden dialogues.

use std::fmt::Write as _;

use bytes::Bytes;
use core_frame::Limits;
use flv::amf0::{self, Value};
use ingest_rtmp::session::Event;
use ingest_rtmp::wire::chunk::{ChunkLimits, ChunkReader};
use ingest_rtmp::wire::message::{Control, Message, MessageType};

/// Reads what a server sends, across calls.
pub(crate) struct Listener {
    reader: ChunkReader,
    handshake: usize,
}

impl Listener {
    pub(crate) fn new() -> Self {
        Self {
            reader: ChunkReader::new(ChunkLimits::publishing(&Limits::default()), 0),
            handshake: 1 + 2 * 1536,
        }
    }

    pub(crate) fn messages(&mut self, bytes: &[u8]) -> Vec<Message> {
        let skip = self.handshake.min(bytes.len());
        self.handshake -= skip;
        let (mut rest, mut out) = (&bytes[skip..], Vec::new());
        while let Some(message) = self.reader.read(&mut rest).unwrap() {
            out.push(message);
        }
        out
    }

    /// The messages, a line each.
    pub(crate) fn lines(&mut self, bytes: &[u8]) -> String {
        let mut out = String::new();
        for message in self.messages(bytes) {
            let stream = message.stream;
            let what = match message.kind {
                MessageType::Command => format!("command {}", values(&message.body)),
                MessageType::Data => format!("data {}", values(&message.body)),
                _ => match Control::parse(&message).unwrap() {
                    Some(control) => format!("{control:?}"),
                    None => format!("{:?} {} bytes", message.kind, message.body.len()),
                },
            };
            writeln!(out, "< {stream}: {what}").unwrap();
        }
        out
    }
}

fn values(body: &Bytes) -> String {
    let values = amf0::read(body, &Limits::default()).unwrap();
    let texts: Vec<String> = values.iter().map(value).collect();
    texts.join(" ")
}

fn value(v: &Value) -> String {
    if let Some(members) = v.members() {
        let members: Vec<String> = members
            .iter()
            .map(|(k, v)| format!("{k}: {}", value(v)))
            .collect();
        return format!("{{{}}}", members.join(", "));
    }
    if let Some(items) = v.items() {
        let items: Vec<String> = items.iter().map(value).collect();
        return format!("[{}]", items.join(", "));
    }
    match v {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        Value::Boolean(b) => b.to_string(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// What the session told its caller, a line each.
pub(crate) fn events(events: &[Event]) -> String {
    let mut out = String::new();
    for event in events {
        let line = match event {
            Event::Connected(c) => format!("connected {}", c.app),
            Event::Publish(r) => format!("publish {} as {}", r.key, r.kind),
            Event::Play(r) => format!("play {} on {}: {}", r.key, r.stream, r.layout),
            Event::Refused { code, reason, .. } => format!("refused {code}: {reason}"),
            Event::Track(t) => format!("track {} {}", t.id, t.codec),
            Event::Frame(f) => format!("frame {} {} ms", f.codec, f.dts.as_millis()),
            Event::Tags(t) => {
                let tags: Vec<String> = t.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
                format!("tags {}", tags.join(" "))
            }
            other => format!("{other:?}"),
        };
        writeln!(out, "* {}", line.trim_end()).unwrap();
    }
    out
}
