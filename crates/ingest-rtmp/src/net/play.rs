//! A player's connection: from the request to the end of the stream.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant;

use bus::{
    EndReason, PlayRequest, ReaderInfo, StreamHandle, SubscribeOptions, TrackMask, ViewHandle,
    ViewReader,
};
use core_frame::{MediaKind, StreamError};

use super::connection::{Connection, LINGER, Next};
use super::writer::Outgoing;
use super::{Error, view};
use crate::session::Event;
use crate::session::play::{End, Request};

pub(super) async fn run(connection: &mut Connection, request: Request) -> Result<Next, Error> {
    let stream = request.stream;
    let opened = open(connection, request).await;
    let (handle, view) = match opened {
        Ok(opened) => opened,
        Err(e) => {
            connection.refuse("play", &e).await?;
            return Ok(Next::Listen);
        }
    };
    let reader = match view.reader(options(connection, TrackMask::ALL)) {
        Ok(reader) => reader,
        Err(e) => {
            connection.refuse("play", &e).await?;
            return Ok(Next::Listen);
        }
    };
    connection.ticket.started();
    tracing::info!(parent: &connection.span, stream = %handle.key(), message_stream = stream, "playing");
    let accepted = connection.session.accept_play(Instant::now());
    connection.take(accepted)?;
    connection.write_replies()?;
    let mut player = Player {
        handle,
        view,
        reader: Some(reader),
        video: true,
        audio: true,
    };
    player.run(connection).await
}

async fn open(
    connection: &Connection,
    request: Request,
) -> Result<(StreamHandle, ViewHandle), StreamError> {
    let Some(playback) = &connection.shared.playback else {
        return Err(StreamError::other("playing is switched off"));
    };
    connection.may_log_in()?;
    let wanted = PlayRequest::new(request.key)
        .peer(connection.peer())
        .token(request.token)
        .query(request.query.expose());
    // An authenticator may be slow; the shut-down does not wait for it.
    let handle = tokio::select! {
        opened = playback.open_play(wanted) => opened?,
        () = connection.shared.stop.cancelled() => return Err(StreamError::ShuttingDown),
    };
    let config = &connection.shared.config;
    let view = view::open(
        &handle,
        &request.layout,
        request.stream,
        config.chunk_size,
        config.fan_out,
    )?;
    Ok((handle, view))
}

fn options(connection: &Connection, tracks: TrackMask) -> SubscribeOptions {
    let info = ReaderInfo::new("rtmp", Some(connection.remote));
    SubscribeOptions {
        tracks,
        ..SubscribeOptions::registered(info)
    }
}

struct Player {
    handle: StreamHandle,
    view: ViewHandle,
    /// None while paused.
    reader: Option<ViewReader>,
    video: bool,
    audio: bool,
}

/// What there is to do.
enum Step {
    Batch(Outgoing),
    Ended,
    Readable,
    ShutDown,
}

impl Player {
    async fn run(&mut self, connection: &mut Connection) -> Result<Next, Error> {
        let shared = Arc::clone(&connection.shared);
        let mut stopped = pin!(shared.stop.cancelled());
        let mut armed = false;
        loop {
            let step = poll_fn(|cx| {
                // A player costs little more than its writes, so each wake touches as little as it can: what was polled
                // once wakes this task when it fires, and then a flag tells.
                if !armed {
                    armed = true;
                    let _ = stopped.as_mut().poll(cx);
                    match connection.transport.poll_read_ready(cx) {
                        Poll::Ready(Ok(())) => armed = false,
                        Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                        Poll::Pending => {}
                    }
                }
                if shared.stopping.load(Ordering::Acquire) {
                    return Poll::Ready(Ok(Step::ShutDown));
                }
                if !armed || connection.transport.is_readable() {
                    armed = false;
                    return Poll::Ready(Ok(Step::Readable));
                }
                let Some(reader) = &mut self.reader else {
                    return Poll::Pending;
                };
                reader
                    .poll_batch(cx)
                    .map(|batch| Ok(batch.map_or(Step::Ended, |b| Step::Batch(Outgoing::new(b)))))
            })
            .await?;
            let push = match step {
                Step::Batch(mut out) => {
                    let n = out.write(&mut connection.transport)?;
                    self.delivered(n);
                    match (out.is_done(), connection.transport.wants_write()) {
                        (true, false) => continue,
                        (true, true) => None,
                        _ => Some(out),
                    }
                }
                Step::Readable => {
                    if !connection.read_small()? {
                        return Ok(Next::Closed);
                    }
                    None
                }
                Step::Ended => {
                    let reason = self.reader.as_ref().and_then(ViewReader::end_reason);
                    return self.end(connection, reason).await;
                }
                Step::ShutDown => {
                    connection.request_reconnect();
                    let end = End::Failed("The server is shutting down.");
                    connection.session.end_play(Instant::now(), end);
                    connection.take(Ok(()))?;
                    return Err(Error::ShuttingDown);
                }
            };
            // From here on it is not the usual way: a slow socket, or a peer that said something.
            armed = false;
            if !self.push(connection, push).await? {
                return Ok(Next::Closed);
            }
            if let Some(next) = self.events(connection)? {
                return Ok(next);
            }
        }
    }

    /// Writes to a player that does not take everything at once, and goes on reading what it says meanwhile. False when
    /// it closed.
    async fn push(
        &mut self,
        connection: &mut Connection,
        mut out: Option<Outgoing>,
    ) -> Result<bool, Error> {
        let stall = connection.shared.config.limits.stall();
        let stalled = || Error::Stalled(stall.as_millis() as u64);
        let stop = connection.shared.stop.clone();
        let kicked = self.reader.as_mut().map(ViewReader::ended_by_other);
        let mut deadline = tokio::time::Instant::now() + stall;
        let mut stopping = false;
        loop {
            // Replies may stand between messages only.
            let progress = match &mut out {
                Some(batch) => {
                    let n = batch.write(&mut connection.transport)?;
                    self.delivered(n);
                    if batch.is_done() {
                        out = None;
                        continue;
                    }
                    n > 0
                }
                None => {
                    let before = connection.replies.len();
                    let flushed = connection.transport.flush()?;
                    connection.write_replies()?;
                    if !connection.has_to_write() {
                        return Ok(true);
                    }
                    flushed > 0 || connection.replies.len() < before
                }
            };
            if progress && !stopping {
                deadline = tokio::time::Instant::now() + stall;
            }
            tokio::select! {
                ready = connection.transport.writable() => ready?,
                ready = connection.transport.readable() => {
                    ready?;
                    if !connection.read_small()? {
                        return Ok(false);
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    return Err(if stopping { Error::ShuttingDown } else { stalled() });
                }
                // Nothing can be said in the middle of a message: there is a little time to complete it.
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    deadline = tokio::time::Instant::now() + LINGER;
                }
                () = fires(kicked.as_ref()) => {
                    let reason = self.reader.as_ref().and_then(ViewReader::end_reason);
                    return Err(match reason {
                        Some(EndReason::Lagging) => stalled(),
                        _ => Error::Kicked,
                    });
                }
            }
        }
    }

    /// Does what the player asked for; tells how the play ends if it does.
    fn events(&mut self, connection: &mut Connection) -> Result<Option<Next>, Error> {
        while let Some(event) = connection.events.pop_front() {
            match event {
                Event::Stopped => return Ok(Some(Next::Listen)),
                Event::Pause(true) => self.reader = None,
                Event::Pause(false) if self.reader.is_none() => {
                    self.reader = Some(self.view.reader(options(connection, self.tracks()))?);
                }
                Event::Receive(kind, wanted) => {
                    match kind {
                        MediaKind::Video => self.video = wanted,
                        _ => self.audio = wanted,
                    }
                    let tracks = self.tracks();
                    if let Some(reader) = &mut self.reader {
                        reader.set_tracks(tracks);
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The tracks this player wants.
    fn tracks(&self) -> TrackMask {
        let table = self.handle.tracks();
        let mut tracks = TrackMask::ALL;
        for track in &table.tracks {
            let wanted = match track.kind() {
                MediaKind::Video => self.video,
                MediaKind::Audio => self.audio,
                _ => true,
            };
            if !wanted {
                tracks = tracks.without(track.id);
            }
        }
        tracks
    }

    async fn end(
        &mut self,
        connection: &mut Connection,
        reason: Option<EndReason>,
    ) -> Result<Next, Error> {
        let (end, result) = match reason {
            Some(EndReason::Kicked) => {
                let end = End::Failed("The server has ended this session.");
                (end, Err(Error::Kicked))
            }
            Some(EndReason::Lagging) => {
                let stall = connection.shared.config.limits.stall_ms;
                let end = End::Failed("This player is too slow.");
                (end, Err(Error::Stalled(stall)))
            }
            _ => (End::Unpublished, Ok(Next::Close)),
        };
        connection.session.end_play(Instant::now(), end);
        connection.take(Ok(()))?;
        result
    }

    fn delivered(&mut self, bytes: usize) {
        if let Some(reader) = &mut self.reader {
            reader.delivered(bytes as u64);
        }
    }
}

async fn fires(token: Option<&tokio_util::sync::CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}
