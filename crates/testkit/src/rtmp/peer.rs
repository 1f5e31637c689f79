//! One connection: handshake, chunks and messages, over blocking sockets.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::Random;
use crate::rtmp::Amf;

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// RTMP message type id.
    pub kind: u8,
    /// Message stream id.
    pub stream: u32,
    /// Milliseconds.
    pub timestamp: u32,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// True when the body holds this text (status codes stand in the clear in AMF).
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|w| w == text.as_bytes())
    }
}

/// How a connection stands after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The other side closed it, after this long.
    Closed(Duration),
    /// It is still open.
    Open,
}

/// Where a peer connects to and, since servers count by address, where from: all of 127.0.0.0/8 is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub to: SocketAddr,
    /// The peer's own address; `None` leaves it to the system.
    pub from: Option<Ipv4Addr>,
}

impl From<SocketAddr> for Target {
    fn from(to: SocketAddr) -> Self {
        Self { to, from: None }
    }
}

impl Target {
    /// A TCP connection.
    ///
    /// # Errors
    /// No connection within 3 s.
    pub fn dial(self) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.to), Type::STREAM, None)?;
        if let Some(from) = self.from {
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        socket.connect_timeout(&self.to.into(), Duration::from_secs(3))?;
        Ok(socket.into())
    }
}

/// A client's side of an RTMP connection.
#[derive(Debug)]
pub struct Peer {
    socket: TcpStream,
    input: Vec<u8>,
    chunk_size: usize,
    streams: HashMap<u32, Assembly>,
}

#[derive(Clone, Debug, Default)]
struct Assembly {
    timestamp: u32,
    delta: u32,
    length: usize,
    kind: u8,
    stream: u32,
    extended: bool,
    body: Vec<u8>,
}

impl Peer {
    /// A TCP connection on which nothing has been said.
    ///
    /// # Errors
    /// No connection.
    pub fn open(to: impl Into<Target>) -> io::Result<Self> {
        let socket = to.into().dial()?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.set_write_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self {
            socket,
            input: Vec::new(),
            chunk_size: 128,
            streams: HashMap::new(),
        })
    }

    /// A connection with the handshake done.
    ///
    /// # Errors
    /// No connection, or a peer that does not shake hands.
    pub fn greet(to: impl Into<Target>) -> io::Result<Self> {
        let mut peer = Self::open(to)?;
        let mut hello = vec![3, 0, 0, 0, 0, 0, 0, 0, 0];
        hello.extend_from_slice(&Random::new(7).bytes(1_528));
        peer.write(&hello)?;
        let mut answer = vec![0; 1 + 2 * 1_536];
        peer.socket.read_exact(&mut answer)?;
        peer.write(answer.get(1..1_537).unwrap_or_default())?;
        Ok(peer)
    }

    /// Greeted, and connected to an application.
    ///
    /// # Errors
    /// The server refused, or did not answer in 5 s.
    pub fn connect(to: impl Into<Target>, app: &str) -> io::Result<Self> {
        let to = to.into();
        let mut peer = Self::greet(to)?;
        peer.command(0, &connect_command(to.to, app))?;
        peer.expect("_result")?;
        Ok(peer)
    }

    /// Connected, with message stream 1 made.
    ///
    /// # Errors
    /// The server refused, or did not answer in 5 s.
    pub fn with_stream(to: impl Into<Target>, app: &str) -> io::Result<Self> {
        let mut peer = Self::connect(to, app)?;
        peer.command(0, &Amf::command("createStream", 2.0).null())?;
        peer.expect("_result")?;
        Ok(peer)
    }

    /// Publishing.
    ///
    /// # Errors
    /// The server refused (its status is in the message), or did not answer in 5 s.
    pub fn publish(to: impl Into<Target>, app: &str, name: &str) -> io::Result<Self> {
        let mut peer = Self::with_stream(to, app)?;
        peer.command(1, &publish_command(name))?;
        peer.expect("NetStream.Publish.Start")?;
        Ok(peer)
    }

    /// Playing: messages come from [`Self::receive`].
    ///
    /// # Errors
    /// The server refused, or did not answer in 5 s.
    pub fn play(to: impl Into<Target>, app: &str, name: &str) -> io::Result<Self> {
        let mut peer = Self::with_stream(to, app)?;
        peer.command(1, &Amf::command("play", 4.0).null().string(name))?;
        peer.expect("NetStream.Play.Start")?;
        Ok(peer)
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// A message of type `kind` in 128-byte chunks, time stamp 0.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn message(&mut self, kind: u8, stream: u32, body: &[u8]) -> io::Result<()> {
        let chunk_stream = if kind < 7 { 2 } else { 3 };
        self.write(&chunked(chunk_stream, kind, stream, 0, body, 128))
    }

    /// An AMF0 command on a message stream.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn command(&mut self, stream: u32, command: &Amf) -> io::Result<()> {
        self.message(20, stream, &command.clone().finish())
    }

    /// The next message. Chunk size changes are followed.
    ///
    /// # Errors
    /// `UnexpectedEof` when the other side closed, `WouldBlock` or `TimedOut` when nothing comes in time.
    pub fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.next_buffered() {
                if message.kind == 1
                    && let Some(size) = message.body.first_chunk::<4>()
                {
                    self.chunk_size = u32::from_be_bytes(*size).max(1) as usize;
                    continue;
                }
                return Ok(message);
            }
            let mut part = [0; 65_536];
            match self.socket.read(&mut part)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => self
                    .input
                    .extend_from_slice(part.get(..n).unwrap_or_default()),
            }
        }
    }

    /// Reads messages until one says `text`.
    ///
    /// # Errors
    /// The server says `_error` or a status of level error first, closes, or is silent for 5 s.
    pub fn expect(&mut self, text: &str) -> io::Result<Message> {
        loop {
            let message = self.receive()?;
            if message.says(text) {
                return Ok(message);
            }
            if message.kind == 20 && (message.says("_error") || message.says("\u{5}error")) {
                let said = String::from_utf8_lossy(&message.body).into_owned();
                return Err(io::Error::other(format!("refused: {said:?}")));
            }
        }
    }

    /// Reads for up to `within`: what was said, and whether the connection was closed.
    #[must_use]
    pub fn fate(&mut self, within: Duration) -> (Fate, Vec<Message>) {
        let begun = Instant::now();
        let mut said = Vec::new();
        // Short reads, so that the end of the time is noticed.
        if self
            .socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .is_err()
        {
            return (Fate::Closed(begun.elapsed()), said);
        }
        while begun.elapsed() < within {
            match self.receive() {
                Ok(message) => said.push(message),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return (Fate::Closed(begun.elapsed()), said),
            }
        }
        (Fate::Open, said)
    }

    /// The socket, for what needs a second handle.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Takes one chunk off the input; the message it completes, if any, else looks for the next.
    fn next_buffered(&mut self) -> Option<Message> {
        loop {
            let mut at = Cursor::new(&self.input);
            let first = at.byte()?;
            let format = first >> 6;
            let id = match first & 0x3F {
                0 => 64 + u32::from(at.byte()?),
                1 => 64 + u32::from(at.byte()?) + 256 * u32::from(at.byte()?),
                id => u32::from(id),
            };
            let mut chunk = self.streams.get(&id).cloned().unwrap_or_default();
            let mut time = 0;
            if format < 3 {
                time = at.number(3)?;
            }
            if format < 2 {
                chunk.length = at.number(3)? as usize;
                chunk.kind = at.byte()?;
            }
            if format == 0 {
                chunk.stream = at.number(4)?.swap_bytes();
            }
            if format < 3 {
                chunk.extended = time == 0xFF_FFFF;
            }
            if chunk.extended {
                let extended = at.number(4)?;
                time = if format < 3 { extended } else { time };
            }
            let begins = chunk.body.is_empty();
            match format {
                0 => (chunk.timestamp, chunk.delta) = (time, 0),
                1 | 2 => {
                    chunk.delta = time;
                    chunk.timestamp = chunk.timestamp.wrapping_add(time);
                }
                _ if begins => chunk.timestamp = chunk.timestamp.wrapping_add(chunk.delta),
                _ => {}
            }
            let size = self
                .chunk_size
                .min(chunk.length.saturating_sub(chunk.body.len()));
            chunk.body.extend_from_slice(at.bytes(size)?);
            let used = at.used;
            self.input.drain(..used);
            let done = chunk.body.len() >= chunk.length;
            let body = if done {
                std::mem::take(&mut chunk.body)
            } else {
                Vec::new()
            };
            let message = Message {
                kind: chunk.kind,
                stream: chunk.stream,
                timestamp: chunk.timestamp,
                body,
            };
            self.streams.insert(id, chunk);
            if done {
                return Some(message);
            }
        }
    }
}

/// A `connect` command of one who understands Enhanced RTMP's codecs (and expects H.264 and AAC in the old form).
fn connect_command(to: SocketAddr, app: &str) -> Amf {
    let url = format!("rtmp://{to}/{app}");
    let mut codecs = vec![10, 0, 0, 0, 4];
    for name in ["hvc1", "av01", "vp09", "Opus"] {
        codecs.extend_from_slice(&Amf::new().string(name).finish());
    }
    Amf::command("connect", 1.0).object_with(
        &[("app", app), ("type", "nonprivate"), ("tcUrl", &url)],
        &[("fourCcList", &codecs)],
    )
}

/// A `publish` command.
fn publish_command(name: &str) -> Amf {
    Amf::command("publish", 3.0)
        .null()
        .string(name)
        .string("live")
}

/// A message as chunks of `size` bytes: a type 0 header, then type 3.
#[must_use]
pub fn chunked(
    chunk_stream: u8,
    kind: u8,
    stream: u32,
    time: u32,
    body: &[u8],
    size: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 32);
    out.push(chunk_stream);
    out.extend_from_slice(
        time.min(0xFF_FFFF)
            .to_be_bytes()
            .get(1..)
            .unwrap_or_default(),
    );
    out.extend_from_slice(
        (body.len() as u32)
            .to_be_bytes()
            .get(1..)
            .unwrap_or_default(),
    );
    out.push(kind);
    out.extend_from_slice(&stream.to_le_bytes());
    for (n, part) in body.chunks(size.max(1)).enumerate() {
        if n > 0 {
            out.push(0xC0 | chunk_stream);
        }
        if time >= 0xFF_FFFF {
            out.extend_from_slice(&time.to_be_bytes());
        }
        out.extend_from_slice(part);
    }
    out
}

/// Reading forward; `None` where the input ends too early.
struct Cursor<'a> {
    input: &'a [u8],
    used: usize,
}

impl<'a> Cursor<'a> {
    fn new(input: &'a [u8]) -> Self {
        Self { input, used: 0 }
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let part = self.input.get(self.used..self.used.checked_add(count)?)?;
        self.used += count;
        Some(part)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        let part = self.bytes(bytes)?;
        Some(part.iter().fold(0, |n, &b| n << 8 | u32::from(b)))
    }
}
