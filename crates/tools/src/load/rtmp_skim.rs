//! RTMP chunks read for their headers alone: what a counting player needs, at a few nanoseconds a chunk.

/// Something a counting player must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// An audio or video message, complete.
    Media {
        /// Message type: 8 or 9.
        kind: u8,
        /// Its time.
        timestamp_ms: u32,
        /// A key frame with media in it (not a codec configuration).
        is_key: bool,
    },
    /// The server wants an acknowledgement each so many bytes.
    AckWindow(u32),
    /// The server wants this echoed.
    Ping(u32),
    /// The stream ended.
    Eof,
}

/// Handshake packets S0, S1 and S2.
const HANDSHAKE: usize = 1 + 2 * 1_536;
/// The longest chunk header: basic 3, message 11, extended time 4.
const HEADER_MAX: usize = 18;
/// Control messages are this short; of longer messages only the first bytes are looked at.
const HEAD: usize = 12;

/// Follows the chunks of one connection from its first byte. It trusts the server: this is a load generator.
#[derive(Debug)]
pub(crate) struct ChunkSkim {
    handshake_left: usize,
    chunk_size: usize,
    streams: Vec<Stream>,
    /// The stream the chunk at hand belongs to, and what is left of the chunk.
    current: usize,
    chunk_left: usize,
    /// A header that was cut by the end of a read.
    cut: [u8; HEADER_MAX],
    cut_len: usize,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    timestamp: u32,
    delta: u32,
    len: usize,
    kind: u8,
    extended: bool,
    /// Bytes of the message at hand that are still to come.
    left: usize,
    head: [u8; HEAD],
}

struct Header {
    size: usize,
    id: u32,
    format: u8,
    timestamp: u32,
    len: usize,
    kind: u8,
    extended: bool,
}

impl ChunkSkim {
    pub(crate) const fn new() -> Self {
        Self {
            handshake_left: HANDSHAKE,
            chunk_size: 128,
            streams: Vec::new(),
            current: 0,
            chunk_left: 0,
            cut: [0; HEADER_MAX],
            cut_len: 0,
        }
    }

    /// Takes the next bytes. `on` is told what was seen, in order. False when the bytes are no RTMP.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(Seen)) -> bool {
        let skip = self.handshake_left.min(bytes.len());
        self.handshake_left -= skip;
        bytes = &bytes[skip..];
        while !bytes.is_empty() {
            if self.chunk_left == 0 {
                let Some(header) = self.header(&mut bytes) else {
                    return true;
                };
                if !self.begin(&header) {
                    return false;
                }
            }
            let Some(stream) = self.streams.get_mut(self.current) else {
                return false;
            };
            let take = self.chunk_left.min(bytes.len());
            let done = stream.len - stream.left;
            if done < HEAD {
                let n = take.min(HEAD - done);
                stream.head[done..done + n].copy_from_slice(&bytes[..n]);
            }
            bytes = &bytes[take..];
            self.chunk_left -= take;
            stream.left -= take;
            if stream.left == 0
                && self.chunk_left == 0
                && let Some(seen) = stream.complete(&mut self.chunk_size)
            {
                on(seen);
            }
        }
        true
    }

    /// The header at the front, put together over reads; `None` until it is whole.
    fn header(&mut self, bytes: &mut &[u8]) -> Option<Header> {
        if self.cut_len == 0
            && let Some(header) = self.parse(bytes)
        {
            *bytes = &bytes[header.size..];
            return Some(header);
        }
        while let Some((first, rest)) = bytes.split_first() {
            *self.cut.get_mut(self.cut_len)? = *first;
            self.cut_len += 1;
            *bytes = rest;
            let cut = self.cut;
            if let Some(header) = self.parse(&cut[..self.cut_len]) {
                self.cut_len = 0;
                return Some(header);
            }
        }
        None
    }

    /// RTMP 1.0 §5.3.1.
    fn parse(&self, b: &[u8]) -> Option<Header> {
        let first = *b.first()?;
        let format = first >> 6;
        let (id, basic) = match first & 0x3F {
            0 => (64 + u32::from(*b.get(1)?), 2),
            1 => (64 + u32::from(*b.get(1)?) + 256 * u32::from(*b.get(2)?), 3),
            id => (u32::from(id), 1),
        };
        let known = self.streams.iter().find(|s| s.id == id);
        let message = match format {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let fields = b.get(basic..basic + message)?;
        let u24 = |at: usize| {
            let f = &fields[at..at + 3];
            u32::from_be_bytes([0, f[0], f[1], f[2]])
        };
        let (mut timestamp, extended) = match format {
            3 => known.map_or((0, false), |s| (s.delta, s.extended)),
            _ => (u24(0), u24(0) == 0xFF_FFFF),
        };
        let mut size = basic + message;
        if extended {
            let word = b.get(size..size + 4)?;
            timestamp = u32::from_be_bytes(word.try_into().ok()?);
            size += 4;
        }
        let (len, kind) = match format {
            0 | 1 => (u24(3) as usize, fields[6]),
            _ => known.map_or((0, 0), |s| (s.len, s.kind)),
        };
        Some(Header {
            size,
            id,
            format,
            timestamp,
            len,
            kind,
            extended,
        })
    }

    fn begin(&mut self, header: &Header) -> bool {
        self.current = match self.streams.iter().position(|s| s.id == header.id) {
            Some(at) => at,
            None if header.format != 0 && header.format != 1 => return false,
            None => {
                self.streams.push(Stream::new(header.id));
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[self.current];
        if stream.left == 0 {
            stream.extended = header.extended;
            (stream.len, stream.kind, stream.left) = (header.len, header.kind, header.len);
            match header.format {
                0 => (stream.timestamp, stream.delta) = (header.timestamp, header.timestamp),
                // A type 3 that begins a message repeats the delta, or after a type 0 its time as delta.
                _ => {
                    stream.delta = header.timestamp;
                    stream.timestamp = stream.timestamp.wrapping_add(header.timestamp);
                }
            }
        }
        self.chunk_left = stream.left.min(self.chunk_size);
        true
    }
}

impl Stream {
    const fn new(id: u32) -> Self {
        Self {
            id,
            timestamp: 0,
            delta: 0,
            len: 0,
            kind: 0,
            extended: false,
            left: 0,
            head: [0; HEAD],
        }
    }

    fn complete(&mut self, chunk_size: &mut usize) -> Option<Seen> {
        let head = &self.head[..self.len.min(HEAD)];
        let word = |at: usize| {
            let bytes = head.get(at..at + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        match self.kind {
            1 => {
                *chunk_size = (word(0)? & 0x7FFF_FFFF).max(1) as usize;
                None
            }
            4 => match (head.first(), head.get(1)) {
                (Some(0), Some(1)) => Some(Seen::Eof),
                (Some(0), Some(6)) => Some(Seen::Ping(word(2)?)),
                _ => None,
            },
            5 => Some(Seen::AckWindow(word(0)?)),
            8 | 9 => Some(Seen::Media {
                kind: self.kind,
                timestamp_ms: self.timestamp,
                is_key: self.kind == 9 && is_key_body(head),
            }),
            _ => None,
        }
    }
}

/// True for a video body with frame type 1 that holds coded frames, legacy or Enhanced.
pub(crate) fn is_key_body(body: &[u8]) -> bool {
    match body {
        [first, ..] if first & 0x80 != 0 => {
            first >> 4 & 7 == 1 && matches!(first & 0x0F, 1 | 3 | 7)
        }
        [first, packet, ..] => first >> 4 == 1 && *packet == 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use ingest_rtmp::wire::chunk::ChunkWriter;
    use ingest_rtmp::wire::message::{Control, MessageType};

    fn stream() -> (Vec<u8>, Vec<Seen>) {
        let mut out = BytesMut::new();
        let mut writer = ChunkWriter::new();
        let mut want = Vec::new();
        let control = |writer: &mut ChunkWriter, out: &mut BytesMut, c: Control| {
            let (kind, body) = c.encode();
            writer.write(2, kind, 0, 0, &[&body], out);
        };
        control(&mut writer, &mut out, Control::WindowAckSize(2_500_000));
        want.push(Seen::AckWindow(2_500_000));
        for (n, len) in [3_usize, 100, 128, 129, 5_000, 70_000, 1, 0, 300]
            .iter()
            .enumerate()
        {
            if n == 4 {
                writer.set_chunk_size(4_096, &mut out);
            }
            let timestamp = match n {
                6 => 0x0100_0000,
                7 => 0x0100_0028,
                n => n as u32 * 40,
            };
            let mut body = vec![0x27, 1, 0, 0, 0];
            body[0] = if n == 5 { 0x17 } else { 0x27 };
            body.resize(*len, 0xAB);
            let (kind, id, number) = match n % 3 {
                0 => (MessageType::Audio, 70, 8),
                _ => (MessageType::Video, 6, 9),
            };
            writer.write(id, kind, 1, timestamp, &[&body], &mut out);
            want.push(Seen::Media {
                kind: number,
                timestamp_ms: timestamp,
                is_key: n == 5,
            });
        }
        control(&mut writer, &mut out, Control::PingRequest(77));
        want.push(Seen::Ping(77));
        control(&mut writer, &mut out, Control::StreamEof(1));
        want.push(Seen::Eof);
        let mut bytes = vec![3; HANDSHAKE];
        bytes.extend_from_slice(&out);
        (bytes, want)
    }

    #[test]
    fn sees_the_same_however_it_is_cut() {
        let (bytes, want) = stream();
        // An empty message has no chunk data; it is seen with the header of the next.
        for piece in [1, 2, 3, 11, 12, 13, 127, 4_096, bytes.len()] {
            let mut skim = ChunkSkim::new();
            let mut seen = Vec::new();
            for part in bytes.chunks(piece) {
                assert!(skim.feed(part, |s| seen.push(s)));
            }
            assert_eq!(seen, want, "in {piece}s");
        }
    }

    #[test]
    fn noise_does_not_panic() {
        let mut x = 1_u64;
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..200)
                .map(|_| {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (x >> 56) as u8
                })
                .collect();
            let mut skim = ChunkSkim::new();
            skim.handshake_left = 0;
            for part in noise.chunks(7) {
                if !skim.feed(part, |_| ()) {
                    break;
                }
            }
        }
    }
}
