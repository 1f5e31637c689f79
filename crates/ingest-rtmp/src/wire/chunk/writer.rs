//! Messages in, chunks out.

use bytes::{BufMut, BytesMut};
use smallvec::SmallVec;

use super::{DEFAULT_CHUNK_SIZE, EXTENDED};
use crate::wire::message::MessageType;

/// Writes messages as chunks, with the shortest header that says the same (§5.3.1.2).
///
/// The messages of one writer are not interleaved: each is written whole.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: u32,
    streams: SmallVec<[Last; 6]>,
}

/// The message before on a chunk stream.
#[derive(Debug, Clone, Copy)]
struct Last {
    id: u32,
    timestamp: u32,
    length: u32,
    kind: MessageType,
    stream: u32,
}

impl ChunkWriter {
    /// A writer at the start of a chunk stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: SmallVec::new(),
        }
    }

    /// The chunk size in use, in bytes.
    #[must_use]
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Announces another chunk size (clamped to 1 ..= 0xFFFFFF) and uses it from then on.
    pub fn set_chunk_size(&mut self, size: u32, out: &mut BytesMut) {
        let size = size.clamp(1, EXTENDED);
        self.write(
            2,
            MessageType::SetChunkSize,
            0,
            0,
            &[&size.to_be_bytes()],
            out,
        );
        self.chunk_size = size;
    }

    /// Appends one message, whose body is the concatenation of `body` (cut off at 2^24 - 1 bytes), to `out`. The time
    /// stamp is in milliseconds.
    pub fn write(
        &mut self,
        chunk_stream: u32,
        kind: MessageType,
        stream: u32,
        timestamp: u32,
        body: &[&[u8]],
        out: &mut BytesMut,
    ) {
        let length = body_len(body);
        let now = Last {
            id: chunk_stream,
            timestamp,
            length,
            kind,
            stream,
        };
        let before = self.streams.iter_mut().find(|s| s.id == chunk_stream);
        let delta = |last: &Last| timestamp.wrapping_sub(last.timestamp);
        let (fmt, time) = match &before {
            // A clock that goes back cannot be said as a delta.
            Some(last) if last.stream == stream && delta(last) < 1 << 31 => {
                let same = last.length == length && last.kind == kind;
                (if same { 2 } else { 1 }, delta(last))
            }
            _ => (0, timestamp),
        };
        match before {
            Some(last) => *last = now,
            None => self.streams.push(now),
        }
        put_chunks(fmt, time, &now, self.chunk_size, body, out);
    }
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends one message with a full header (type 0, absolute time stamp in milliseconds), so that a reader may begin with
/// it, in chunks of `chunk_size` bytes.
pub fn put_message(
    chunk_stream: u32,
    kind: MessageType,
    stream: u32,
    timestamp: u32,
    chunk_size: u32,
    body: &[&[u8]],
    out: &mut BytesMut,
) {
    let message = Last {
        id: chunk_stream,
        timestamp,
        length: body_len(body),
        kind,
        stream,
    };
    put_chunks(0, timestamp, &message, chunk_size, body, out);
}

fn body_len(body: &[&[u8]]) -> u32 {
    let len: usize = body.iter().map(|b| b.len()).sum();
    u32::try_from(len).unwrap_or(EXTENDED).min(EXTENDED)
}

fn put_chunks(
    fmt: u8,
    time: u32,
    message: &Last,
    chunk_size: u32,
    body: &[&[u8]],
    out: &mut BytesMut,
) {
    let chunk_size = chunk_size.max(1) as usize;
    let mut left = message.length as usize;
    out.reserve(left.saturating_add(18 + 8 * (left / chunk_size)));
    put_basic(fmt, message.id, out);
    put_u24(time.min(EXTENDED), out);
    if fmt < 2 {
        put_u24(message.length, out);
        out.put_u8(message.kind.into());
    }
    if fmt == 0 {
        out.put_u32_le(message.stream);
    }
    let extended = (time >= EXTENDED).then_some(time);
    if let Some(time) = extended {
        out.put_u32(time);
    }
    let mut room = chunk_size;
    for part in body {
        let (mut part, _) = part.split_at(part.len().min(left));
        while !part.is_empty() {
            if room == 0 {
                put_basic(3, message.id, out);
                if let Some(time) = extended {
                    out.put_u32(time);
                }
                room = chunk_size;
            }
            let (now, later) = part.split_at(part.len().min(room));
            out.put_slice(now);
            room = room.saturating_sub(now.len());
            left = left.saturating_sub(now.len());
            part = later;
        }
    }
}

/// §5.3.1.1.
fn put_basic(fmt: u8, id: u32, out: &mut BytesMut) {
    let fmt = fmt << 6;
    match id {
        2..=63 => out.put_u8(fmt | id as u8),
        64..=319 => {
            out.put_u8(fmt);
            out.put_u8((id - 64) as u8);
        }
        _ => {
            out.put_u8(fmt | 1);
            out.put_u16_le(id.saturating_sub(64).min(0xFFFF) as u16);
        }
    }
}

fn put_u24(value: u32, out: &mut BytesMut) {
    let [_, a, b, c] = value.to_be_bytes();
    out.put_slice(&[a, b, c]);
}
