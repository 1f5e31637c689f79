//! Chunks in, messages out: interleaving, header compression, extended time stamps and the bounds on all of it.

use bytes::Bytes;

use super::stream::{Stream, TINY};
use super::{ChunkLimits, DEFAULT_CHUNK_SIZE, EXTENDED};
use crate::Error;
use crate::wire::message::{Message, MessageType};

/// Longest header: basic 3, message 11, extended time stamp 4.
const MAX_HEAD: usize = 18;

/// Reassembles messages from a chunk stream whose bytes may be split anywhere.
///
/// Set Chunk Size and Abort are part of the chunk stream and take effect here, before the next chunk is read; the
/// messages themselves are yielded too.
///
/// Where peers disobey: a type 1 header on a fresh chunk stream counts from time 0 on message stream 0 (librtmp opens its
/// control stream so); a type 3 chunk inside a message may lack the extended time stamp it should repeat (old encoders),
/// which is told by its value; a new header inside a message drops what had come of that message, so two messages are
/// never mixed; an Abort of an unknown or idle chunk stream does nothing.
#[derive(Debug)]
pub struct ChunkReader {
    streams: Vec<Stream>,
    /// The chunk stream used last: most chunks follow one of their own.
    last: usize,
    chunk_size: usize,
    limits: ChunkLimits,
    /// A header that is not complete yet.
    head: [u8; MAX_HEAD],
    head_len: usize,
    /// Payload still to come of the chunk at hand, on `streams[last]`.
    in_chunk: Option<usize>,
    /// Bytes held in partly received messages.
    partial: usize,
    tiny: u32,
    tiny_limit: u32,
    offset: u64,
}

/// A header as it stands on the wire.
struct Head {
    fmt: u8,
    stream: u32,
    /// Time stamp or delta.
    time: u32,
    extended: Option<u32>,
    length: usize,
    type_id: u8,
    message_stream: u32,
    /// Bytes it took.
    len: usize,
}

impl ChunkReader {
    /// A reader at the start of a chunk stream. `offset` is where that is in the connection, for error messages.
    #[must_use]
    pub const fn new(limits: ChunkLimits, offset: u64) -> Self {
        Self {
            streams: Vec::new(),
            last: 0,
            chunk_size: DEFAULT_CHUNK_SIZE as usize,
            limits,
            head: [0; MAX_HEAD],
            head_len: 0,
            in_chunk: None,
            partial: 0,
            tiny: 0,
            tiny_limit: u32::MAX,
            offset,
        }
    }

    /// Sets other bounds; they hold from the next header on.
    pub const fn set_limits(&mut self, limits: ChunkLimits) {
        self.limits = limits;
    }

    /// How many chunks of under 64 bytes are welcome until this is called again: a budget of work, since each chunk costs
    /// the same whatever it carries.
    pub const fn allow_tiny_chunks(&mut self, count: u32) {
        self.tiny = 0;
        self.tiny_limit = count;
    }

    /// The peer's chunk size in bytes.
    #[must_use]
    pub const fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Bytes read so far, counted from the start of the connection.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of memory held for messages that are not complete.
    #[must_use]
    pub fn held(&self) -> usize {
        self.streams
            .iter()
            .fold(0, |sum, s| sum.saturating_add(s.body.capacity()))
    }

    /// Reads from the front of `input` until a message is complete. `None` means that the input is used up.
    ///
    /// # Errors
    /// [`Error::Protocol`] for what breaks §5.3 and [`Error::Limit`] for what goes over a bound; the stream cannot be
    /// read any further then.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            if self.in_chunk.is_none() && !self.head(input)? {
                return Ok(None);
            }
            if let Some(message) = self.payload(input)? {
                self.apply(&message)?;
                return Ok(Some(message));
            }
            if self.in_chunk.is_some() && input.is_empty() && self.head_len == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads one chunk header. False when the input ended before it did.
    fn head(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        if self.head_len == 0
            && let Some(head) = self.parse(input)?
        {
            *input = input.get(head.len..).unwrap_or_default();
            self.offset = self.offset.wrapping_add(head.len as u64);
            self.begin(&head)?;
            return Ok(true);
        }
        // The rare header that was split: gather it byte by byte.
        loop {
            let gathered = self.head;
            if let Some(head) = self.parse(gathered.get(..self.head_len).unwrap_or_default())? {
                // An absent extended time stamp leaves up to three bytes that belong to what follows.
                self.consume_head(head.len);
                self.begin(&head)?;
                return Ok(true);
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(false);
            };
            if let Some(slot) = self.head.get_mut(self.head_len) {
                *slot = byte;
            }
            self.head_len = self.head_len.saturating_add(1).min(MAX_HEAD);
            *input = rest;
        }
    }

    fn consume_head(&mut self, n: usize) {
        let n = n.min(self.head_len);
        self.head.copy_within(n..self.head_len, 0);
        self.head_len = self.head_len.saturating_sub(n);
        self.offset = self.offset.wrapping_add(n as u64);
    }

    /// A header at the front of `bytes`, or `None` when more bytes are needed to tell.
    fn parse(&self, bytes: &[u8]) -> Result<Option<Head>, Error> {
        let mut rest = bytes;
        let Some([first]) = take(&mut rest) else {
            return Ok(None);
        };
        let stream = match first & 0x3F {
            0 => match take(&mut rest) {
                Some([low]) => u32::from(low) + 64,
                None => return Ok(None),
            },
            1 => match take(&mut rest) {
                Some(two) => u32::from(u16::from_le_bytes(two)) + 64,
                None => return Ok(None),
            },
            id => u32::from(id),
        };
        let fmt = first >> 6;
        let known = self.find(stream).and_then(|at| self.streams.get(at));
        let mut head = Head {
            fmt,
            stream,
            time: 0,
            extended: None,
            length: known.map_or(0, |k| k.length),
            type_id: known.map_or(0, |k| k.type_id),
            message_stream: known.map_or(0, |k| k.message_stream),
            len: 0,
        };
        if fmt >= 2 && known.is_none() {
            return Err(self.broken("type 2 or 3 header on a fresh chunk stream (§5.3.1.2)"));
        }
        if fmt < 3 {
            let Some(time) = take(&mut rest) else {
                return Ok(None);
            };
            head.time = u24(time);
        }
        if fmt < 2 {
            let (Some(length), Some([type_id])) = (take(&mut rest), take(&mut rest)) else {
                return Ok(None);
            };
            head.length = u24(length) as usize;
            head.type_id = type_id;
        }
        if fmt == 0 {
            let Some(message_stream) = take(&mut rest) else {
                return Ok(None);
            };
            head.message_stream = u32::from_le_bytes(message_stream);
        }
        if fmt < 3 && head.time == EXTENDED {
            let Some(extended) = take(&mut rest) else {
                return Ok(None);
            };
            head.time = u32::from_be_bytes(extended);
            head.extended = Some(head.time);
        }
        if let (3, Some(known)) = (fmt, known)
            && let Some(sent) = known.extended
        {
            let same = sent.to_be_bytes();
            let at_hand = rest.get(..4).unwrap_or(rest);
            let present = !known.open || same.starts_with(at_hand);
            if present && take::<4>(&mut rest).is_none() {
                return Ok(None);
            }
            head.extended = Some(sent);
        }
        head.len = bytes.len().saturating_sub(rest.len());
        Ok(Some(head))
    }

    /// Takes a header into the state of its chunk stream.
    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        let at = match self.find(head.stream) {
            Some(at) => at,
            None if self.streams.len() >= self.limits.chunk_streams as usize => {
                return Err(Error::Limit("chunk streams of a connection"));
            }
            None => {
                self.streams.push(Stream {
                    id: head.stream,
                    ..Stream::default()
                });
                self.streams.len().saturating_sub(1)
            }
        };
        self.last = at;
        let too_long = head.length > self.limits.message_bytes as usize;
        let Some(stream) = self.streams.get_mut(at) else {
            return Ok(());
        };
        if !(head.fmt == 3 && stream.open) {
            self.partial = self.partial.saturating_sub(stream.body.len());
            stream.body = Vec::new();
            stream.open = true;
            if head.fmt < 3 {
                stream.delta = head.time;
                stream.extended = head.extended;
            }
            stream.timestamp = match head.fmt {
                0 => head.time,
                _ => stream.timestamp.wrapping_add(stream.delta),
            };
            stream.length = head.length;
            stream.type_id = head.type_id;
            stream.message_stream = head.message_stream;
        }
        if too_long {
            return Err(Error::Limit("bytes of a message"));
        }
        let chunk = self
            .chunk_size
            .min(stream.length.saturating_sub(stream.body.len()));
        self.in_chunk = Some(chunk);
        if chunk < TINY {
            self.tiny = self.tiny.saturating_add(1);
            if self.tiny > self.tiny_limit {
                return Err(Error::Limit("tiny chunks a second"));
            }
        }
        Ok(())
    }

    /// Takes payload of the chunk at hand; yields the message that it completes.
    fn payload(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        let Some(wanted) = self.in_chunk else {
            return Ok(None);
        };
        let held = self.head;
        let from_head = self.head_len > 0;
        let from = match held.get(..self.head_len) {
            Some(held) if from_head => held,
            _ => *input,
        };
        let Some(stream) = self.streams.get_mut(self.last) else {
            return Ok(None);
        };
        let now = from.get(..wanted).unwrap_or(from);
        let taken = now.len();
        let body = if taken == stream.length {
            // The copy from the read buffer, when the message lies there in one piece.
            Some(Bytes::copy_from_slice(now))
        } else {
            stream.gather(now, from.len());
            None
        };
        let left = wanted.saturating_sub(taken);
        self.in_chunk = (left > 0).then_some(left);
        if from_head {
            self.consume_head(taken);
        } else {
            *input = input.get(taken..).unwrap_or_default();
            self.offset = self.offset.wrapping_add(taken as u64);
        }
        let Some(stream) = self.streams.get_mut(self.last) else {
            return Ok(None);
        };
        let mut gathered = if body.is_some() { 0 } else { taken };
        if left == 0 && body.is_none() && self.head_len == 0 {
            let before = input.len();
            let (bytes, tiny) = stream.plain_chunks(self.chunk_size, input);
            let consumed = before.saturating_sub(input.len());
            self.offset = self.offset.wrapping_add(consumed as u64);
            gathered = gathered.saturating_add(bytes);
            self.tiny = self.tiny.saturating_add(tiny);
            if self.tiny > self.tiny_limit {
                return Err(Error::Limit("tiny chunks a second"));
            }
        }
        self.partial = self.partial.saturating_add(gathered);
        let body = match body {
            Some(body) => body,
            None if stream.body.len() < stream.length => {
                if self.partial > self.limits.partial_bytes as usize {
                    return Err(Error::Limit("bytes of partly received messages"));
                }
                return Ok(None);
            }
            None => {
                self.partial = self.partial.saturating_sub(stream.body.len());
                Bytes::from(std::mem::take(&mut stream.body))
            }
        };
        stream.open = false;
        Ok(Some(Message {
            chunk_stream: stream.id,
            timestamp: stream.timestamp,
            kind: MessageType::from(stream.type_id),
            stream: stream.message_stream,
            body,
        }))
    }

    /// The two messages that steer the chunk stream itself (§5.4.1, §5.4.2).
    fn apply(&mut self, message: &Message) -> Result<(), Error> {
        let value = message.body.first_chunk().map(|b| u32::from_be_bytes(*b));
        match (message.kind, value) {
            (MessageType::SetChunkSize, Some(1..=0x7FFF_FFFF)) => {
                // No message is longer than 24 bits tell.
                self.chunk_size = value.unwrap_or(DEFAULT_CHUNK_SIZE).min(EXTENDED) as usize;
                Ok(())
            }
            (MessageType::SetChunkSize, _) => {
                Err(self.broken("Set Chunk Size must be 1 to 0x7FFFFFFF (§5.4.1)"))
            }
            (MessageType::Abort, Some(id)) => {
                if let Some(stream) = self.find(id).and_then(|at| self.streams.get_mut(at)) {
                    self.partial = self.partial.saturating_sub(stream.body.len());
                    stream.body = Vec::new();
                    stream.open = false;
                }
                Ok(())
            }
            (MessageType::Abort, None) => Err(self.broken("Abort needs 4 bytes (§5.4.2)")),
            _ => Ok(()),
        }
    }

    fn find(&self, id: u32) -> Option<usize> {
        if self.streams.get(self.last).is_some_and(|s| s.id == id) {
            return Some(self.last);
        }
        self.streams.iter().position(|s| s.id == id)
    }

    fn broken(&self, rule: &'static str) -> Error {
        Error::protocol(self.offset, rule)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn u24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}
