//! A publisher's connection: from the request to the last frame.

use std::io;
use std::time::Instant;

use bus::{PublishRequest, PublishSession};
use core_frame::{MediaFrame, StreamError};

use super::Error;
use super::connection::{Connection, Next};
use crate::session::{Event, publish};

/// Read at once from a publisher.
const READ: usize = 64 * 1024;

pub(super) async fn run(
    connection: &mut Connection,
    request: publish::Request,
) -> Result<Next, Error> {
    let wanted = PublishRequest::new(request.key)
        .peer(connection.peer())
        .token(request.token)
        .query(request.query.expose());
    let opened = match connection.may_log_in() {
        Ok(()) => {
            // An authenticator may be slow; the shut-down does not wait for it.
            tokio::select! {
                opened = connection.shared.ctx.open_publish_as(wanted) => opened,
                () = connection.shared.stop.cancelled() => Err(StreamError::ShuttingDown),
            }
        }
        Err(e) => Err(e),
    };
    let publish = match opened {
        Ok(publish) => publish,
        Err(e) => {
            connection.refuse("publish", &e).await?;
            return Ok(Next::Listen);
        }
    };
    connection.ticket.started();
    tracing::info!(parent: &connection.span, stream = %publish.key(), "publishing");
    let accepted = connection.session.accept_publish(Instant::now());
    connection.take(accepted)?;
    ingest(connection, publish).await
}

async fn ingest(connection: &mut Connection, publish: PublishSession) -> Result<Next, Error> {
    let kicked = publish.kicked();
    let stop = connection.shared.stop.clone();
    let mut buffer = vec![0; READ];
    let mut frames = Vec::new();
    loop {
        let goes_on = hand_over(connection, &publish, &mut frames);
        match goes_on {
            Ok(true) => {}
            Ok(false) => {
                tracing::info!(parent: &connection.span, stream = %publish.key(), "unpublished");
                // Whoever was kicked in the same moment has nothing left to finish.
                let _ = publish.finish().await;
                return Ok(Next::Listen);
            }
            Err(StreamError::Ended) => return Err(dismiss(connection, Error::Kicked)),
            Err(e) => return Err(dismiss(connection, e.into())),
        }
        tokio::select! {
            () = kicked.cancelled() => return Err(dismiss(connection, Error::Kicked)),
            () = stop.cancelled() => return Err(dismiss(connection, Error::ShuttingDown)),
            ready = connection.transport.writable(), if connection.has_to_write() => {
                ready?;
                connection.write_replies()?;
            }
            ready = connection.transport.readable() => {
                ready?;
                match connection.transport.try_read(&mut buffer) {
                    Ok(0) => {
                        let stream = publish.key();
                        tracing::info!(parent: &connection.span, %stream, "the publisher closed");
                        return Ok(Next::Closed);
                    }
                    Ok(n) => {
                        let fed = connection.feed(buffer.get(..n).unwrap_or_default());
                        if fed.is_err() {
                            // What came before the offence is good.
                            let _ = hand_over(connection, &publish, &mut frames);
                        }
                        fed?;
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e.into()),
                }
            }
        }
    }
}

/// Publishes what the session made of the bytes; false when the peer has ended its stream.
fn hand_over(
    connection: &mut Connection,
    publish: &PublishSession,
    frames: &mut Vec<MediaFrame>,
) -> Result<bool, StreamError> {
    let mut goes_on = true;
    while let Some(event) = connection.events.pop_front() {
        match event {
            Event::Frame(frame) => frames.push(frame),
            Event::Track(track) => {
                publish.publish_frames(frames.drain(..))?;
                publish.set_track(*track)?;
            }
            Event::Tags(tags) => {
                publish.publish_frames(frames.drain(..))?;
                publish.set_tags(tags)?;
            }
            Event::Damaged(reason) if connection.may_log() => {
                let stream = publish.key();
                tracing::warn!(parent: &connection.span, %stream, reason, "damaged media");
            }
            Event::Unpublished => {
                goes_on = false;
                break;
            }
            _ => {}
        }
    }
    if !frames.is_empty() {
        publish.publish_frames(frames.drain(..))?;
    }
    Ok(goes_on)
}

/// Tells the peer that its publishing is over.
fn dismiss(connection: &mut Connection, error: Error) -> Error {
    let why = match &error {
        Error::ShuttingDown => {
            connection.request_reconnect();
            "The server is shutting down."
        }
        _ => "The server has ended this stream.",
    };
    connection.session.end_publish(Instant::now(), why);
    match connection.take(Ok(())) {
        Ok(()) => error,
        Err(e) => e,
    }
}
