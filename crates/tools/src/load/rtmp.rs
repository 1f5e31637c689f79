//! RTMP players.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::Limits;
use flv::{Demuxer, Event, Events, TagKind};
use ingest_rtmp::client::{Event as RtmpEvent, Output, Role};
use ingest_rtmp::wire::message::{Message, MessageType};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::play::Run;
use super::rtmp_skim::{ChunkSkim, Seen};
use super::session::Figures;
use crate::rtmp::Connection;
use crate::{Error, Result};

thread_local! {
    /// The buffer that all counting sessions of a thread read into, one after the other.
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

/// Reads what is there into the shared buffer and hands it to `on`. `None` when nothing is there, 0 at the end.
pub(crate) fn read_shared(
    stream: &TcpStream,
    on: impl FnOnce(&[u8]) -> Result<()>,
) -> Result<Option<usize>> {
    SHARED.with_borrow_mut(|buf| match stream.try_read(buf) {
        Ok(n) => {
            on(&buf[..n])?;
            Ok(Some(n))
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e.into()),
    })
}

/// Plays until the stream ends. Cancel-safe only as a whole: the figures stay, the connection goes.
pub(crate) async fn play(run: &Run, url: &str, figures: &mut Figures) -> Result<()> {
    let timeout = run.options.timeout;
    let connection = Connection::open(url, Role::Play, figures.session as u64, timeout).await?;
    if run.is_probe(figures.session) {
        read_all(connection, figures, timeout).await
    } else {
        count(connection, figures, timeout).await
    }
}

/// A player that reads every frame.
async fn read_all(mut c: Connection, figures: &mut Figures, timeout: Duration) -> Result<()> {
    let mut demuxer = Demuxer::new(&Limits::default());
    let mut events = Events::new();
    let mut sent = 0;
    loop {
        let event = if figures.has_started() {
            c.next().await?
        } else {
            let next = tokio::time::timeout(timeout, c.next());
            next.await.map_err(|_| no_media(timeout))??
        };
        let now = Instant::now();
        figures.bytes = c.bytes_in;
        if c.bytes_out != sent && !figures.has_started() {
            // The last thing sent before media comes is the request to play.
            sent = c.bytes_out;
            figures.request(now);
        }
        match event {
            None | Some(RtmpEvent::Ended) => return Ok(()),
            Some(RtmpEvent::Message(message)) => {
                let Some((kind, body)) = media(message.kind, &message) else {
                    continue;
                };
                // Broken media is the prober's business; here it is a frame that is missing.
                let _ = demuxer.push(kind, message.timestamp, body, &mut events);
                take(figures, now, &mut events);
            }
            Some(_) => {}
        }
    }
}

fn media(kind: MessageType, message: &Message) -> Option<(TagKind, Bytes)> {
    let kind = match kind {
        MessageType::Audio => TagKind::Audio,
        MessageType::Video => TagKind::Video,
        MessageType::Data => TagKind::Script,
        _ => return None,
    };
    Some((kind, message.body.clone()))
}

/// Counts the frames among the events, and reads their numbers.
pub(crate) fn take(figures: &mut Figures, now: Instant, events: &mut Events) {
    for event in events.drain() {
        let Event::Frame(frame) = event else { continue };
        let is_video = frame.kind() == core_frame::MediaKind::Video;
        figures.media(now, is_video && frame.is_keyframe());
        figures.player.media(now, frame.dts.to_duration());
        if let Some(numbers) = &mut figures.numbers {
            numbers.frame(&frame);
        }
    }
}

/// A player that only counts. The client session speaks until the stream has begun; behind that the headers of the
/// chunks are enough.
async fn count(mut c: Connection, figures: &mut Figures, timeout: Duration) -> Result<()> {
    let mut skim = ChunkSkim::new();
    let mut counter = Counter::default();
    let deadline = tokio::time::Instant::now() + timeout;
    let mut speaking = true;
    while speaking {
        while let Some(output) = c.session.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    figures.request(Instant::now());
                    c.stream.write_all(&bytes).await?;
                }
                Output::Event(RtmpEvent::Started) => speaking = false,
                Output::Event(RtmpEvent::Ended) => return Ok(()),
                Output::Event(_) => {}
            }
        }
        if !speaking {
            break;
        }
        let readable = tokio::time::timeout_at(deadline, c.stream.readable());
        readable.await.map_err(|_| no_media(timeout))??;
        let session = &mut c.session;
        let read = read_shared(&c.stream, |bytes| {
            counter.feed(&mut skim, bytes, figures)?;
            Ok(session.handle_input(bytes)?)
        })?;
        if read == Some(0) {
            return Err(Error::Empty);
        }
    }
    let Connection { mut stream, .. } = c;
    loop {
        if figures.has_started() {
            stream.readable().await?;
        } else {
            let readable = tokio::time::timeout_at(deadline, stream.readable());
            readable.await.map_err(|_| no_media(timeout))??;
        }
        let read = read_shared(&stream, |bytes| counter.feed(&mut skim, bytes, figures))?;
        if read == Some(0) || counter.ended {
            return Ok(());
        }
        if let Some(answer) = counter.answer() {
            stream.write_all(&answer).await?;
        }
    }
}

fn no_media(after: Duration) -> Error {
    Error::Timeout {
        what: "media",
        after,
    }
}

/// What a counting player owes the server.
struct Counter {
    window: u64,
    total: u64,
    /// Bytes since the last acknowledgement.
    unacknowledged: u64,
    ping: Option<u32>,
    ended: bool,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            window: 2_500_000,
            total: 0,
            unacknowledged: 0,
            ping: None,
            ended: false,
        }
    }
}

impl Counter {
    fn feed(&mut self, skim: &mut ChunkSkim, bytes: &[u8], figures: &mut Figures) -> Result<()> {
        let now = Instant::now();
        figures.bytes += bytes.len() as u64;
        self.total += bytes.len() as u64;
        self.unacknowledged += bytes.len() as u64;
        let mut newest = None;
        let is_rtmp = skim.feed(bytes, |seen| match seen {
            Seen::Media {
                timestamp_ms,
                is_key,
                ..
            } => {
                figures.media(now, is_key);
                newest = Some(timestamp_ms);
            }
            Seen::AckWindow(window) => self.window = u64::from(window.max(1)),
            Seen::Ping(time) => self.ping = Some(time),
            Seen::Eof => self.ended = true,
        });
        if let Some(ms) = newest {
            figures
                .player
                .media(now, Duration::from_millis(u64::from(ms)));
        }
        if is_rtmp {
            Ok(())
        } else {
            Err(Error::Media("the server's chunks make no sense".to_owned()))
        }
    }

    /// An acknowledgement or the echo of a ping, when one is due (RTMP 1.0 §5.4.3, §7.1.7).
    fn answer(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        if let Some(time) = self.ping.take() {
            out.extend_from_slice(&[2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 7]);
            out.extend_from_slice(&time.to_be_bytes());
        }
        if self.unacknowledged >= self.window {
            self.unacknowledged = 0;
            out.extend_from_slice(&[2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0]);
            out.extend_from_slice(&(self.total as u32).to_be_bytes());
        }
        (!out.is_empty()).then_some(out)
    }
}
