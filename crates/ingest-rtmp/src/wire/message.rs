//! Messages (RTMP 1.0 §5.4, §6, §7.1) and the protocol control messages among them.

use bytes::{BufMut, Bytes, BytesMut};

/// What a message is (§7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// 1: the sender's chunk size.
    SetChunkSize,
    /// 2: the message begun on a chunk stream will not be completed.
    Abort,
    /// 3: bytes received so far.
    Acknowledgement,
    /// 4: stream begin, ping and the like.
    UserControl,
    /// 5: how many bytes the sender sends between acknowledgements.
    WindowAckSize,
    /// 6: limits what the receiver of this message sends unacknowledged.
    SetPeerBandwidth,
    /// 8: audio.
    Audio,
    /// 9: video.
    Video,
    /// 15: data in AMF3.
    DataAmf3,
    /// 17: command in AMF3.
    CommandAmf3,
    /// 18: data in AMF0 (`onMetaData`).
    Data,
    /// 20: command in AMF0.
    Command,
    /// 22: several audio, video and data messages in one.
    Aggregate,
    /// Anything else.
    Other(u8),
}

impl From<u8> for MessageType {
    fn from(id: u8) -> Self {
        match id {
            1 => Self::SetChunkSize,
            2 => Self::Abort,
            3 => Self::Acknowledgement,
            4 => Self::UserControl,
            5 => Self::WindowAckSize,
            6 => Self::SetPeerBandwidth,
            8 => Self::Audio,
            9 => Self::Video,
            15 => Self::DataAmf3,
            17 => Self::CommandAmf3,
            18 => Self::Data,
            20 => Self::Command,
            22 => Self::Aggregate,
            id => Self::Other(id),
        }
    }
}

impl From<MessageType> for u8 {
    fn from(kind: MessageType) -> Self {
        match kind {
            MessageType::SetChunkSize => 1,
            MessageType::Abort => 2,
            MessageType::Acknowledgement => 3,
            MessageType::UserControl => 4,
            MessageType::WindowAckSize => 5,
            MessageType::SetPeerBandwidth => 6,
            MessageType::Audio => 8,
            MessageType::Video => 9,
            MessageType::DataAmf3 => 15,
            MessageType::CommandAmf3 => 17,
            MessageType::Data => 18,
            MessageType::Command => 20,
            MessageType::Aggregate => 22,
            MessageType::Other(id) => id,
        }
    }
}

/// A message as it came off the chunk stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The chunk stream it came on.
    pub chunk_stream: u32,
    /// Milliseconds on the sender's clock; wraps at 2^32.
    pub timestamp: u32,
    /// What it is.
    pub kind: MessageType,
    /// The message stream it belongs to; 0 is the connection itself.
    pub stream: u32,
    /// Its body.
    pub body: Bytes,
}

/// Protocol control messages (§5.4) and user control messages (§7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// The sender's chunk size in bytes.
    SetChunkSize(u32),
    /// The chunk stream whose message is not completed.
    Abort(u32),
    /// Bytes received so far; wraps at 2^32.
    Acknowledgement(u32),
    /// Bytes between acknowledgements.
    WindowAckSize(u32),
    /// Window in bytes, and its limit type (0 hard, 1 soft, 2 dynamic).
    SetPeerBandwidth(u32, u8),
    /// The message stream can be used.
    StreamBegin(u32),
    /// Playback of the message stream is over.
    StreamEof(u32),
    /// No more data for a while.
    StreamDry(u32),
    /// The client's buffer: message stream, milliseconds.
    SetBufferLength(u32, u32),
    /// The message stream is a recording.
    StreamIsRecorded(u32),
    /// "Are you there": the sender's clock in milliseconds.
    PingRequest(u32),
    /// The same clock value back.
    PingResponse(u32),
    /// A user control event we have no word for.
    OtherEvent(u16),
}

impl Control {
    /// Reads a control message; `None` for other kinds of message.
    ///
    /// # Errors
    /// The rule that a too short body or a zero window breaks.
    pub fn parse(message: &Message) -> Result<Option<Self>, &'static str> {
        let body = &message.body;
        let word = |at: usize| {
            body.get(at..)
                .and_then(|b| b.first_chunk())
                .map(|b| u32::from_be_bytes(*b))
        };
        let first = || word(0).ok_or("control message needs 4 bytes (§5.4)");
        Ok(Some(match message.kind {
            MessageType::SetChunkSize => Self::SetChunkSize(first()?),
            MessageType::Abort => Self::Abort(first()?),
            MessageType::Acknowledgement => Self::Acknowledgement(first()?),
            MessageType::WindowAckSize => match first()? {
                0 => return Err("Window Acknowledgement Size is 0 (§5.4.4)"),
                size => Self::WindowAckSize(size),
            },
            MessageType::SetPeerBandwidth => {
                let size = first()?;
                let limit = body
                    .get(4)
                    .ok_or("Set Peer Bandwidth needs 5 bytes (§5.4.5)")?;
                Self::SetPeerBandwidth(size, *limit)
            }
            MessageType::UserControl => {
                let event = body
                    .first_chunk()
                    .map(|b| u16::from_be_bytes(*b))
                    .ok_or("user control message needs 2 bytes (§6.2)")?;
                let value = || word(2).ok_or("user control event is too short (§7.1.7)");
                match event {
                    0 => Self::StreamBegin(value()?),
                    1 => Self::StreamEof(value()?),
                    2 => Self::StreamDry(value()?),
                    3 => {
                        let ms = word(6).ok_or("Set Buffer Length needs 10 bytes (§7.1.7)")?;
                        Self::SetBufferLength(value()?, ms)
                    }
                    4 => Self::StreamIsRecorded(value()?),
                    6 => Self::PingRequest(value()?),
                    7 => Self::PingResponse(value()?),
                    event => Self::OtherEvent(event),
                }
            }
            _ => return Ok(None),
        }))
    }

    /// The message that says this: its type and body. It belongs on chunk stream 2, message stream 0 (§5.4).
    #[must_use]
    pub fn encode(self) -> (MessageType, Bytes) {
        let mut body = BytesMut::with_capacity(10);
        let kind = match self {
            Self::SetChunkSize(value) => put(&mut body, MessageType::SetChunkSize, value),
            Self::Abort(value) => put(&mut body, MessageType::Abort, value),
            Self::Acknowledgement(value) => put(&mut body, MessageType::Acknowledgement, value),
            Self::WindowAckSize(value) => put(&mut body, MessageType::WindowAckSize, value),
            Self::SetPeerBandwidth(value, limit) => {
                let kind = put(&mut body, MessageType::SetPeerBandwidth, value);
                body.put_u8(limit);
                kind
            }
            Self::StreamBegin(value) => event(&mut body, 0, &[value]),
            Self::StreamEof(value) => event(&mut body, 1, &[value]),
            Self::StreamDry(value) => event(&mut body, 2, &[value]),
            Self::SetBufferLength(stream, ms) => event(&mut body, 3, &[stream, ms]),
            Self::StreamIsRecorded(value) => event(&mut body, 4, &[value]),
            Self::PingRequest(value) => event(&mut body, 6, &[value]),
            Self::PingResponse(value) => event(&mut body, 7, &[value]),
            Self::OtherEvent(id) => event(&mut body, id, &[]),
        };
        (kind, body.freeze())
    }
}

fn put(body: &mut BytesMut, kind: MessageType, value: u32) -> MessageType {
    body.put_u32(value);
    kind
}

fn event(body: &mut BytesMut, id: u16, values: &[u32]) -> MessageType {
    body.put_u16(id);
    for value in values {
        body.put_u32(*value);
    }
    MessageType::UserControl
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: MessageType, body: impl Into<Bytes>) -> Message {
        Message {
            chunk_stream: 2,
            timestamp: 0,
            kind,
            stream: 0,
            body: body.into(),
        }
    }

    #[test]
    fn control_messages_make_the_round_trip() {
        use Control::*;
        for control in [
            SetChunkSize(4096),
            Abort(5),
            Acknowledgement(u32::MAX),
            WindowAckSize(2_500_000),
            SetPeerBandwidth(2_500_000, 2),
            StreamBegin(1),
            StreamEof(1),
            StreamDry(1),
            SetBufferLength(1, 3_000),
            StreamIsRecorded(1),
            PingRequest(77),
            PingResponse(77),
            OtherEvent(31),
        ] {
            let (kind, body) = control.encode();
            assert_eq!(
                Control::parse(&message(kind, body.clone())),
                Ok(Some(control))
            );
            for len in 0..body.len() {
                let cut = Control::parse(&message(kind, body.slice(..len)));
                assert!(cut.is_err(), "{control:?} cut to {len}: {cut:?}");
            }
        }
    }

    #[test]
    fn every_type_id_makes_the_round_trip() {
        for id in 0..=u8::MAX {
            assert_eq!(u8::from(MessageType::from(id)), id);
        }
    }

    #[test]
    fn a_window_of_zero_is_refused() {
        assert!(Control::parse(&message(MessageType::WindowAckSize, vec![0; 4])).is_err());
        assert_eq!(
            Control::parse(&message(MessageType::Audio, vec![])),
            Ok(None)
        );
    }
}
