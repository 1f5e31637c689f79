//! Commands (RTMP 1.0 §7.1.1, §7.2): a name, a transaction, an object and arguments, in AMF0.

use bytes::Bytes;
use core_frame::Limits;
use flv::amf0::{self, Value};

use super::message::{Message, MessageType};

/// A remote call, or the answer to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// `connect`, `publish`, `_result`, `onStatus`, …
    pub name: String,
    /// Pairs the answer with the call; 0 where no answer is wanted.
    pub transaction: f64,
    /// The command object, null in most commands.
    pub object: Value,
    /// What follows.
    pub args: Vec<Value>,
}

impl Command {
    /// A command with a null object.
    #[must_use]
    pub fn new(name: &str, transaction: f64, args: Vec<Value>) -> Self {
        Self {
            name: name.to_owned(),
            transaction,
            object: Value::Null,
            args,
        }
    }

    /// `onStatus` with an information object (§7.2.2): `level` is `status` or `error`.
    #[must_use]
    pub fn status(level: &str, code: &str, description: &str) -> Self {
        Self::new("onStatus", 0.0, vec![info(level, code, description)])
    }

    /// Reads a command message: AMF0, or in the form of type 17 AMF0 whose values may be switched to AMF3.
    ///
    /// # Errors
    /// Where the body is neither, passes a limit, or does not begin with a name.
    pub fn parse(message: &Message, limits: &Limits) -> Result<Self, amf0::Error> {
        let mut reader = match message.kind {
            MessageType::CommandAmf3 => amf0::Reader::of_amf3_message(&message.body, limits),
            _ => amf0::Reader::new(&message.body, limits),
        };
        let name = match reader.read()? {
            Value::String(name) => name,
            _ => {
                return Err(amf0::Error {
                    offset: 0,
                    rule: "a command begins with its name (§7.2)",
                });
            }
        };
        // Some senders leave out what they think is not needed.
        let transaction = reader.next().transpose()?.and_then(|v| v.as_f64());
        let object = reader.next().transpose()?.unwrap_or(Value::Null);
        Ok(Self {
            name,
            transaction: transaction.unwrap_or(0.0),
            object,
            args: reader.collect::<Result<_, _>>()?,
        })
    }

    /// The body of a command message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = amf0::Writer::new();
        writer
            .string(&self.name)
            .number(self.transaction)
            .value(&self.object);
        for arg in &self.args {
            writer.value(arg);
        }
        writer.finish()
    }

    /// The text of argument `at`.
    #[must_use]
    pub fn text(&self, at: usize) -> Option<&str> {
        self.args.get(at).and_then(Value::as_str)
    }

    /// The number in argument `at`.
    #[must_use]
    pub fn number(&self, at: usize) -> Option<f64> {
        self.args.get(at).and_then(Value::as_f64)
    }

    /// The boolean in argument `at`.
    #[must_use]
    pub fn flag(&self, at: usize) -> Option<bool> {
        self.args.get(at).and_then(Value::as_bool)
    }
}

/// An information object: `level`, `code` and `description`.
#[must_use]
pub fn info(level: &str, code: &str, description: &str) -> Value {
    Value::object([
        ("level", level),
        ("code", code),
        ("description", description),
    ])
}

/// The body of a data message from its name on, where that is AMF0; the AMF3 form has a selector before it.
pub(crate) fn data_body(message: &Message) -> &[u8] {
    match message.kind {
        MessageType::DataAmf3 => message.body.strip_prefix(&[0]).unwrap_or(&message.body),
        _ => &message.body,
    }
}

/// Data messages that are about the connection and not of the stream: `|RtmpSampleAccess`, and the statuses and play
/// statuses that some servers send as data.
pub(crate) fn is_aside(message: &Message) -> bool {
    const ASIDE: [&[u8]; 3] = [
        b"\x02\x00\x11|RtmpSampleAccess",
        b"\x02\x00\x08onStatus",
        b"\x02\x00\x0ConPlayStatus",
    ];
    let is_data = matches!(message.kind, MessageType::Data | MessageType::DataAmf3);
    is_data
        && ASIDE
            .iter()
            .any(|name| data_body(message).starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: MessageType, body: Bytes) -> Message {
        Message {
            chunk_stream: 3,
            timestamp: 0,
            kind,
            stream: 0,
            body,
        }
    }

    #[test]
    fn round_trip_in_both_forms() {
        let command = Command {
            name: "connect".into(),
            transaction: 1.0,
            object: Value::object([("app", "live")]),
            args: vec![Value::Null, true.into(), "x".into(), 5.0.into()],
        };
        let limits = Limits::default();
        let body = command.encode();
        let back = Command::parse(&message(MessageType::Command, body.clone()), &limits);
        assert_eq!(back.unwrap(), command);
        let amf3 = [&[0][..], &body].concat();
        let back = Command::parse(&message(MessageType::CommandAmf3, amf3.into()), &limits);
        assert_eq!(back.unwrap(), command);
        assert_eq!(
            (command.text(2), command.number(3), command.flag(1)),
            (Some("x"), Some(5.0), Some(true))
        );
        for len in 0..body.len() {
            let _ = Command::parse(&message(MessageType::Command, body.slice(..len)), &limits);
        }
    }

    #[test]
    fn values_may_be_switched_to_amf3() {
        // What Flash Player sends with objectEncoding 3: the name and the number in AMF0, the rest behind the switch.
        let body =
            b"\0\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x11\x0A\x0B\x01\x07app\x06\x09live\x01";
        let body = Bytes::from_static(body);
        let limits = Limits::default();
        let command = Command::parse(&message(MessageType::CommandAmf3, body.clone()), &limits);
        let app = command.unwrap().object.get("app").cloned();
        assert_eq!(app, Some(Value::from("live")));
        for len in 0..body.len() {
            let cut = message(MessageType::CommandAmf3, body.slice(..len));
            let _ = Command::parse(&cut, &limits);
        }
    }

    #[test]
    fn a_lone_name_is_a_command() {
        let body = amf0::write(&["_checkbw".into()]);
        let command = Command::parse(&message(MessageType::Command, body), &Limits::default());
        assert_eq!(command.unwrap(), Command::new("_checkbw", 0.0, vec![]));
        let body = amf0::write(&[1.0.into()]);
        assert!(Command::parse(&message(MessageType::Command, body), &Limits::default()).is_err());
    }
}
