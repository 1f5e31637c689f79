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

    /// Reads a command message. The AMF3 form (type 17) is read when its values are AMF0, which is what senders of it do
    /// until they need more.
    ///
    /// # Errors
    /// Where the body is no AMF0, passes a limit, or does not begin with a name.
    pub fn parse(message: &Message, limits: &Limits) -> Result<Self, amf0::Error> {
        let body = amf0_part(message);
        let mut reader = amf0::Reader::new(body, limits);
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

/// The AMF0 bytes of a command or data message: the AMF3 forms have one more byte in front.
pub(crate) fn amf0_part(message: &Message) -> &[u8] {
    match (message.kind, message.body.split_first()) {
        (MessageType::CommandAmf3 | MessageType::DataAmf3, Some((0, rest))) => rest,
        _ => &message.body,
    }
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
    fn a_lone_name_is_a_command() {
        let body = amf0::write(&["_checkbw".into()]);
        let command = Command::parse(&message(MessageType::Command, body), &Limits::default());
        assert_eq!(command.unwrap(), Command::new("_checkbw", 0.0, vec![]));
        let body = amf0::write(&[1.0.into()]);
        assert!(Command::parse(&message(MessageType::Command, body), &Limits::default()).is_err());
    }
}
