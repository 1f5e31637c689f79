//! RTMP players.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::Limits;
use flv::{Demuxer, Event, Events, TagKind};
use ingest_rtmp::client::{Event as RtmpEvent, Output, Role};
use ingest_rtmp::wire::message::{Message, MessageType};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::play::Run;
use super::rtmp_skim::{ChunkSkim, Seen};
use super::session::Figures;
use crate::net::Socket;
use crate::rtmp::Connection;
use crate::{Error, Result};

thread_local! {
    /// The buffer that all counting sessions of a thread read into, one after the other.
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

/// Waits for bytes, reads them into the shared buffer and hands them to `on`. `None` at the end.
pub(crate) async fn read_shared<T>(
    stream: &mut Socket,
    mut on: impl FnMut(&[u8]) -> Result<T>,
) -> Result<Option<T>> {
    poll_fn(|cx| {
        SHARED.with_borrow_mut(|buf| {
            let mut read = ReadBuf::new(buf);
            match Pin::new(&mut *stream).poll_read(cx, &mut read) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(e)) => Poll::Ready(Err(e.into())),
                Poll::Ready(Ok(())) if read.filled().is_empty() => Poll::Ready(Ok(None)),
                Poll::Ready(Ok(())) => Poll::Ready(on(read.filled()).map(Some)),
            }
        })
    })
    .await
}

/// Plays until the stream ends. Cancel-safe only as a whole: the figures stay, the connection goes.
pub(crate) async fn play(run: &Run, url: &str, figures: &mut Figures) -> Result<()> {
    let timeout = run.options.timeout;
    let seed = figures.session as u64;
    let connection = Connection::open(url, Role::Play, seed, run.dialer()?).await?;
    if run.is_probe(figures.session) {
        read_all(connection, figures, timeout).await
    } else {
        count(connection, figures, timeout).await
    }
}

/// A player that reads every frame.
async fn read_all(mut c: Connection, figures: &mut Figures, timeout: Duration) -> Result<()> {
    let mut frames = Frames::new();
    let mut sent = 0;
    loop {
        let event = if figures.has_started() {
            c.next().await?
        } else {
            let next = tokio::time::timeout(timeout, c.next());
            next.await.map_err(|_| no_media(timeout))??
        };
        figures.bytes = c.bytes_in;
        if c.bytes_out != sent && !figures.has_started() {
            // The last thing sent before media comes is the request to play.
            sent = c.bytes_out;
            figures.request(Instant::now());
        }
        match event {
            None | Some(RtmpEvent::Ended) => return Ok(()),
            Some(RtmpEvent::Message(m)) => {
                if let Some((kind, body)) = message(&m) {
                    frames.push(kind, m.timestamp, body, figures);
                }
            }
            Some(_) => {}
        }
    }
}

/// The media in a message.
pub(crate) fn message(message: &Message) -> Option<(TagKind, Bytes)> {
    let kind = match message.kind {
        MessageType::Audio => TagKind::Audio,
        MessageType::Video => TagKind::Video,
        MessageType::Data => TagKind::Script,
        _ => return None,
    };
    Some((kind, message.body.clone()))
}

/// Messages read to the frames in them.
pub(crate) struct Frames {
    demuxer: Demuxer,
    events: Events,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
            demuxer: Demuxer::new(&Limits::default()),
            events: Events::new(),
        }
    }

    pub(crate) fn push(&mut self, kind: TagKind, time: u32, body: Bytes, figures: &mut Figures) {
        // Broken media is the prober's business; here it is a frame that is missing.
        let _ = self.demuxer.push(kind, time, body, &mut self.events);
        take(figures, Instant::now(), &mut self.events);
    }
}

/// Counts the frames among the events, and reads their numbers.
pub(crate) fn take(figures: &mut Figures, now: Instant, events: &mut Events) {
    for event in events.drain() {
        let Event::Frame(frame) = event else { continue };
        let is_video = frame.kind() == core_frame::MediaKind::Video;
        figures.media(now, is_video && frame.is_keyframe());
        figures.time(now, frame.dts.to_duration());
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
    let (session, stream) = c.parts();
    loop {
        let mut started = false;
        while let Some(output) = session.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    figures.request(Instant::now());
                    stream.write_all(&bytes).await?;
                }
                Output::Event(RtmpEvent::Started) => started = true,
                Output::Event(RtmpEvent::Ended) => return Ok(()),
                Output::Event(_) => {}
            }
        }
        if started {
            break;
        }
        let read = read_shared(stream, |bytes| {
            counter.feed(&mut skim, bytes, figures)?;
            Connection::input(session, bytes)
        });
        let read = tokio::time::timeout_at(deadline, read).await;
        if read.map_err(|_| no_media(timeout))??.is_none() {
            return Err(Error::Empty);
        }
    }
    loop {
        let has_started = figures.has_started();
        let read = read_shared(stream, |bytes| counter.feed(&mut skim, bytes, figures));
        let read = if has_started {
            read.await?
        } else {
            let read = tokio::time::timeout_at(deadline, read).await;
            read.map_err(|_| no_media(timeout))??
        };
        if read.is_none() || counter.ended {
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
            figures.time(now, Duration::from_millis(u64::from(ms)));
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
