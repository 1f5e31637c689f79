//! Carries a stream out to a remote server, and goes on over losses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{EndReason, Engine, ReaderInfo, Start, StreamHandle, SubscribeOptions};
use bytes::BytesMut;
use core_frame::{Preamble, StreamKey};
use flv::{Layout, TagKind};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::connection::{LINGER, sleep_until};
use super::link::{Report, wait};
use super::retry::Attempts;
use super::{Client, Connect, Link, LinkEnd, Retry};
use crate::client::{Event, Role, Target};
use crate::enhanced;
use crate::net::writer::Outgoing;
use crate::net::{Error, FanOut, view};
use crate::render::DATA;
use crate::wire::chunk::put_message;
use crate::wire::message::MessageType;

/// `@setDataFrame` as an AMF0 string: asks the server to keep what follows for those who join later.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";
/// A stream that appears is seen by its event; this is for the event that was missed.
const LOOK: Duration = Duration::from_secs(2);

/// Publishes a stream of the engine on a remote server.
///
/// It waits until the stream is there and has tracks, begins at the newest key frame, and goes on over the stream's grace.
/// It is a reader of the stream like a player, with the same bytes, the same shedding, the same limits. After a loss it
/// goes on with the first key frame that the server has not had: nothing is sent twice.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Push {
    /// The stream here.
    pub key: StreamKey,
    /// Where to publish it.
    pub target: Target,
    /// How to reach the server.
    pub connect: Connect,
    /// When to try again.
    pub retry: Retry,
    /// The price of a byte against its delay; players with the same share their bytes with it.
    pub fan_out: FanOut,
    /// What to send, in which form. `None`: what the server says it takes, and to one that says nothing the first video
    /// and the first audio track.
    pub layout: Option<Layout>,
    /// When the stream ends, the link ends too. Otherwise it waits for the stream to come back.
    pub end_with_stream: bool,
}

impl Push {
    /// With the usual options.
    #[must_use]
    pub fn new(key: StreamKey, target: Target) -> Self {
        Self {
            key,
            target,
            connect: Connect::default(),
            retry: Retry::default(),
            fan_out: FanOut::default(),
            layout: None,
            end_with_stream: false,
        }
    }

    /// Runs it as a task, until the token is cancelled or its options end it. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(self, engine: Arc<Engine>, stop: CancellationToken) -> Link {
        let (report, link) = Report::new();
        let running = Running {
            attempts: Attempts::new(self.retry.clone()),
            push: self,
            engine,
            report,
            stop,
            sent: None,
        };
        tokio::spawn(running.run());
        link
    }
}

struct Running {
    push: Push,
    engine: Arc<Engine>,
    attempts: Attempts,
    report: Report,
    stop: CancellationToken,
    /// The newest frame of the present stream that was written, by its sequence number.
    sent: Option<u64>,
}

/// How a connection ended.
enum Outcome {
    /// We were told to stop.
    Stopped,
    /// The stream here has ended.
    Ended,
    /// The server sends us elsewhere, or to the same place again.
    Moved(Target),
}

impl Running {
    async fn run(mut self) {
        let end = loop {
            self.report.idle();
            let Some(handle) = self.stream().await else {
                break LinkEnd::Stopped;
            };
            self.sent = None;
            if let Err(end) = self.carry(&handle).await {
                break end;
            }
            if self.push.end_with_stream {
                break LinkEnd::Finished;
            }
        };
        tracing::debug!(stream = %self.push.key, ?end, "rtmp push: ended");
        self.report.end(end);
    }

    /// The stream, once it is there and has tracks; `None` when we are told to stop.
    async fn stream(&self) -> Option<StreamHandle> {
        let mut events = self.engine.events().subscribe();
        loop {
            if let Ok(handle) = self.engine.get_stream(&self.push.key)
                && !handle.tracks().tracks.is_empty()
            {
                return Some(handle);
            }
            let ours = async {
                loop {
                    match events.recv().await {
                        Ok(event) if *event.key() == self.push.key => return,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => return,
                        // The engine is gone.
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            tokio::select! {
                () = ours => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// Carries one stream, from now to its end, over as many connections as it takes.
    async fn carry(&mut self, handle: &StreamHandle) -> Result<(), LinkEnd> {
        loop {
            self.report.connecting(self.attempts.number());
            let error = match self.once(handle).await {
                Ok(Outcome::Stopped) => return Err(LinkEnd::Stopped),
                Ok(Outcome::Ended) => return Ok(()),
                Ok(Outcome::Moved(target)) => {
                    self.push.target = target;
                    if self.attempts.may_move(self.report.up_for()) {
                        continue;
                    }
                    Error::Moved
                }
                // The stream ended before a reader could begin.
                Err(Error::Stream(core_frame::StreamError::Ended)) => return Ok(()),
                Err(error) => error,
            };
            tracing::debug!(stream = %self.push.key, %error, "rtmp push: lost");
            let until = self.report.lost(&mut self.attempts, &error)?;
            if !wait(until, &self.stop).await {
                return Err(LinkEnd::Stopped);
            }
        }
    }

    /// One connection, from the name to its end.
    async fn once(&mut self, handle: &StreamHandle) -> Result<Outcome, Error> {
        let connect = &self.push.connect;
        let config = connect.config(self.push.target.clone(), Role::Publish);
        let started = async {
            let mut client = Client::open(connect, config).await?;
            client.start().await?;
            Ok::<_, Error>(client)
        };
        let started = tokio::select! {
            started = started => started,
            () = self.stop.cancelled() => return Ok(Outcome::Stopped),
        };
        let mut client = match started {
            Ok(client) => client,
            Err(Error::Session(crate::Error::Redirected { tc_url })) => {
                return self.moved(Some(&tc_url));
            }
            Err(e) => return Err(e),
        };
        self.report.up(client.remote());
        let result = self.publish(handle, &mut client).await;
        if matches!(result, Ok(_) | Err(Error::Stream(_) | Error::Kicked)) {
            client.finish().await;
        }
        result
    }

    async fn publish(
        &mut self,
        handle: &StreamHandle,
        client: &mut Client,
    ) -> Result<Outcome, Error> {
        let layout = match &self.push.layout {
            Some(layout) => layout.clone(),
            None => enhanced::layout("", client.session().enhanced()).unwrap_or_default(),
        };
        let (stream, chunk_size) = (
            client.session().message_stream(),
            self.push.connect.chunk_size,
        );
        let view = view::open(handle, &layout, stream, chunk_size, self.push.fan_out)?;
        let remote = client.remote();
        let options = |start| SubscribeOptions {
            start,
            ..SubscribeOptions::registered(ReaderInfo::new("rtmp-push", Some(remote)))
        };
        let mut reader = view.reader(options(Start::NewestSync))?;
        // What is being written, and whether some of it is: the session may speak between messages only.
        let mut out: Option<Outgoing> = None;
        let mut begun = false;
        let mut leaving: Option<Result<Outcome, Error>> = None;
        let stall = self.push.connect.limits.stall();
        let mut deadline = Instant::now() + stall;
        let mut skipped = 0;
        loop {
            if !begun {
                client.write()?;
            }
            if let Some(batch) = out.as_mut().filter(|_| !client.has_unsent()) {
                let n = batch.write(&mut client.transport)?;
                begun |= n > 0;
                client.wrote(n as u64);
                self.report.counters.bytes(n as u64);
                reader.delivered(n as u64);
                if n > 0 && leaving.is_none() {
                    deadline = Instant::now() + stall;
                }
                if batch.is_done() {
                    out = None;
                    begun = false;
                    continue;
                }
            }
            while let Some(event) = client.try_next() {
                if let Event::Reconnect { tc_url } = event {
                    leaving.get_or_insert_with(|| self.moved(tc_url.as_deref()));
                }
            }
            if client.has_news() {
                // An error, or a close: `next` tells which.
                return match client.next().await {
                    Err(e) => Err(e),
                    Ok(_) => Err(Error::Closed),
                };
            }
            if out.is_none()
                && let Some(outcome) = leaving
            {
                return outcome;
            }
            let busy = out.is_some() || client.has_to_write();
            tokio::select! {
                batch = reader.next_batch(), if !busy => {
                    let Some(batch) = batch else {
                        return match reader.end_reason() {
                            Some(EndReason::Kicked) => Err(Error::Kicked),
                            Some(EndReason::Lagging) => Err(Error::Stalled(stall.as_millis() as u64)),
                            _ => Ok(Outcome::Ended),
                        };
                    };
                    if leaving.is_none() {
                        deadline = Instant::now() + stall;
                    }
                    let Some((first, last)) = ends(&batch) else { continue };
                    if batch.is_join() && self.sent.is_some_and(|sent| first <= sent) {
                        // The server has had this key frame: the next one to come is the first that it has not.
                        drop(batch);
                        reader = view.reader(options(Start::Live))?;
                        continue;
                    }
                    self.sent = Some(last);
                    self.report.counters.frames(batch.len() as u64);
                    self.report.counters.skipped(reader.skipped() - skipped);
                    skipped = reader.skipped();
                    let leave = announce(client, handle, &layout, &batch, chunk_size);
                    out = Some(Outgoing::leaving(batch, leave));
                }
                ready = client.transport.readable() => {
                    ready?;
                    client.feed()?;
                }
                ready = client.transport.writable(), if busy => ready?,
                () = sleep_until(Some(deadline)), if busy => {
                    return Err(Error::Stalled(stall.as_millis() as u64));
                }
                // A message that is begun gets a little time to be completed.
                () = self.stop.cancelled(), if leaving.is_none() => {
                    leaving = Some(Ok(Outcome::Stopped));
                    deadline = Instant::now() + LINGER;
                }
            }
        }
    }

    fn moved(&self, tc_url: Option<&str>) -> Result<Outcome, Error> {
        match self.push.target.moved(tc_url) {
            Ok(target) => Ok(Outcome::Moved(target)),
            Err(_) => Err(Error::Moved),
        }
    }
}

/// Source sequence numbers of the first and the last frame of a batch.
fn ends(batch: &bus::Batch<core_frame::ViewItem, Preamble>) -> Option<(u64, u64)> {
    let first = batch.iter().next()?.1.seq;
    let last = batch.iter().last()?.1.seq;
    Some((first, last))
}

/// Says the metadata in the form that servers keep, ahead of a batch that has it in the form for players; returns how many
/// bytes at the front of the batch that makes superfluous.
fn announce(
    client: &mut Client,
    handle: &StreamHandle,
    layout: &Layout,
    batch: &bus::Batch<core_frame::ViewItem, Preamble>,
    chunk_size: u32,
) -> usize {
    let Some(preamble) = batch.new_header() else {
        return 0;
    };
    let table = handle.tracks();
    let headers = layout.plan(&table).headers();
    let Some((TagKind::Script, body)) = headers.first() else {
        return 0;
    };
    let stream = client.session().message_stream();
    let time = flv::timestamp_ms(table.epoch.origin);
    let message = |body: &[&[u8]]| {
        let mut bytes = BytesMut::new();
        let kind = MessageType::Data;
        put_message(DATA, kind, stream, time, chunk_size, body, &mut bytes);
        bytes
    };
    let plain = message(&[body]);
    let headers = match batch.is_join() {
        true => &preamble.join,
        false => &preamble.update,
    };
    let is_there = headers.first().is_some_and(|h| h.starts_with(&plain));
    if is_there || batch.is_join() {
        client.say(&message(&[SET_DATA_FRAME, body]));
    }
    if is_there { plain.len() } else { 0 }
}
