//! One connection: carries bytes between socket and session, and hands requests on to publishing and playing.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bus::{IngestContext, Peer, PlaybackRegistry};
use bytes::{Buf, BytesMut};
use core_frame::StreamError;
use tokio_util::sync::CancellationToken;

use super::admission::{Admission, Ticket};
use super::counters::Counters;
use super::transport::Transport;
use super::{Config, Error, play, publish, random, socket};
use crate::session::{Event, Input, Output, Reject, Session, SessionConfig};

/// What all connections of a listener share.
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) ctx: IngestContext,
    pub(super) playback: Option<Arc<dyn PlaybackRegistry>>,
    pub(super) admission: Arc<Admission>,
    pub(super) counters: Arc<Counters>,
    /// Fires when the server stops.
    pub(super) stop: CancellationToken,
    /// Set before `stop` fires: to look at it costs no lock.
    pub(super) stopping: AtomicBool,
}

pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    pub(super) session: Session,
    /// Replies on their way to the peer.
    pub(super) replies: BytesMut,
    pub(super) events: VecDeque<Event>,
    pub(super) ticket: Ticket,
    pub(super) span: tracing::Span,
    agent: Option<String>,
    /// It is here to be told that there is no room.
    refused: bool,
}

/// Replies a peer may leave unread; a session's whole start-up takes less than 2 KiB.
const REPLIES: usize = 64 * 1024;
/// Read at once while nothing is published; lives on the stack, so that idle connections hold no buffer.
const SMALL_READ: usize = 4 * 1024;
/// How long a peer that is told something last gets to read it.
pub(super) const LINGER: Duration = Duration::from_millis(500);

/// How a stretch of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The peer may ask for something else.
    Listen,
    /// The peer has closed.
    Closed,
    /// We close.
    Close,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        transport: Transport,
        remote: SocketAddr,
        id: u64,
        ticket: Ticket,
        refuse: Option<&'static str>,
    ) -> Self {
        let mut config = SessionConfig::new(shared.config.limits.clone());
        config.chunk_size = shared.config.chunk_size;
        config.seed = random();
        config.refuse = refuse;
        Self {
            session: Session::new(config, Instant::now()),
            span: tracing::info_span!("rtmp", id, %remote),
            shared,
            transport,
            remote,
            replies: BytesMut::new(),
            events: VecDeque::new(),
            ticket,
            agent: None,
            refused: refuse.is_some(),
        }
    }

    /// Serves the peer until either side closes, and says in one line how it ended.
    pub(super) async fn run(mut self) {
        let started = Instant::now();
        let result = self.serve().await;
        let span = self.span.clone();
        match &result {
            Ok(()) => tracing::info!(parent: &span, elapsed = ?started.elapsed(), "closed"),
            Err(error) if self.refused => {
                let admission = &self.shared.admission;
                if let Some(refused) = admission.may_log_refusal(Instant::now()) {
                    tracing::warn!(parent: &span, %error, refused, "refused");
                }
            }
            // Players close with media unread all day long.
            Err(error) if error.is_hang_up() => {
                let error = line(error);
                tracing::info!(parent: &span, elapsed = ?started.elapsed(), %error, "closed");
            }
            Err(error) => {
                if self.may_log() {
                    let error = line(error);
                    tracing::warn!(parent: &span, elapsed = ?started.elapsed(), %error, "closed");
                }
            }
        }
        self.close().await;
    }

    async fn serve(&mut self) -> Result<(), Error> {
        let config = &self.shared.config;
        socket::set_up(self.transport.tcp(), config.dead_after, config.unsent_bytes)?;
        loop {
            let next = match self.request().await? {
                None => return Ok(()),
                Some(Event::Publish(request)) => publish::run(self, request).await?,
                Some(Event::Play(request)) => play::run(self, request).await?,
                Some(_) => Next::Listen,
            };
            if next != Next::Listen {
                return Ok(());
            }
        }
    }

    /// The peer's next request; `None` when it closed.
    async fn request(&mut self) -> Result<Option<Event>, Error> {
        let stop = self.shared.stop.clone();
        loop {
            while let Some(event) = self.events.pop_front() {
                match event {
                    Event::Connected(connect) => {
                        tracing::debug!(parent: &self.span, ?connect, "connect");
                        self.agent = connect.agent;
                    }
                    Event::Publish(_) | Event::Play(_) => return Ok(Some(event)),
                    _ => {}
                }
            }
            let deadline = self.session.poll_timeout().map(|(at, _)| at);
            tokio::select! {
                () = stop.cancelled() => return Err(Error::ShuttingDown),
                ready = self.transport.writable(), if self.has_to_write() => {
                    ready?;
                    self.write_replies()?;
                }
                ready = self.transport.readable() => {
                    ready?;
                    if !self.read_small()? {
                        return Ok(None);
                    }
                }
                () = sleep_until(deadline) => {
                    let result = self.session.handle_input(Instant::now(), Input::Timeout);
                    self.take(result)?;
                }
            }
        }
    }

    /// Reads what is there, a few times over; false when the peer closed.
    pub(super) fn read_small(&mut self) -> Result<bool, Error> {
        for _ in 0..4 {
            let mut buffer = [0; SMALL_READ];
            match self.transport.try_read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    let bytes = buffer.get(..n).unwrap_or_default();
                    self.feed(bytes)?;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        Ok(true)
    }

    /// Hands bytes to the session and takes out what it has to say.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self
            .session
            .handle_input(Instant::now(), Input::Bytes(bytes));
        self.take(result)
    }

    /// Takes out what the session has to say after a call that had this result.
    pub(super) fn take(&mut self, result: Result<(), crate::Error>) -> Result<(), Error> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) => self.replies.extend_from_slice(&bytes),
                Output::Event(Event::Refused {
                    command,
                    code,
                    reason,
                }) => self.log_refusal(command, code, &reason),
                Output::Event(event) => self.events.push_back(event),
            }
        }
        result?;
        if self.replies.len() > REPLIES {
            return Err(crate::Error::Limit("bytes of replies that the peer does not read").into());
        }
        Ok(())
    }

    /// True while something waits for the socket.
    pub(super) fn has_to_write(&self) -> bool {
        !self.replies.is_empty() || self.transport.wants_write()
    }

    /// Writes replies as far as the socket takes them, and what the transport still holds.
    pub(super) fn write_replies(&mut self) -> Result<(), Error> {
        while !self.replies.is_empty() {
            match self.transport.try_write(&self.replies) {
                Ok(n) => self.replies.advance(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        if self.replies.is_empty() {
            // Idle connections hold no buffer.
            self.replies = BytesMut::new();
        }
        self.transport.flush()?;
        Ok(())
    }

    /// Refuses a request as the engine did, and says so in the log.
    pub(super) async fn refuse(
        &mut self,
        command: &'static str,
        error: &StreamError,
    ) -> Result<(), Error> {
        let (reject, why) = match error {
            StreamError::StreamAlreadyPublishing(_) => {
                (Reject::BadName, "The stream has a publisher already.")
            }
            StreamError::BadKey(_) => (Reject::BadName, "This is no stream name."),
            StreamError::AppNotFound(_) => (Reject::BadName, "There is no such application."),
            StreamError::StreamNotFound(_) => (Reject::NotFound, "Nobody publishes this stream."),
            StreamError::Unauthorized(_) => (Reject::Denied, "Not authorised."),
            StreamError::PublisherLimitReached { .. } | StreamError::ReaderLimitReached { .. } => {
                (Reject::Failed, "The server is full.")
            }
            StreamError::ShuttingDown => (Reject::Failed, "The server is shutting down."),
            _ => (Reject::Failed, "The server cannot do this now."),
        };
        let reason = line(error);
        self.log_refusal(command, error.code(), &reason);
        if matches!(error, StreamError::Unauthorized(_)) {
            self.shared.counters.denied();
            let now = Instant::now();
            self.shared.admission.failed_log_in(self.remote.ip(), now);
            let (least, most) = self.shared.config.denied_delay;
            let spread = most.saturating_sub(least).as_millis() as u64;
            let extra = random() % spread.max(1);
            let late = tokio::time::sleep(least + Duration::from_millis(extra));
            tokio::select! {
                () = late => {}
                () = self.shared.stop.cancelled() => return Err(Error::ShuttingDown),
            }
        }
        let result = self.session.reject(Instant::now(), reject, why);
        self.take(result)
    }

    /// Too many failed log ins from this address: whoever it is now is not even asked.
    pub(super) fn may_log_in(&self) -> Result<(), StreamError> {
        if self
            .shared
            .admission
            .may_log_in(self.remote.ip(), Instant::now())
        {
            Ok(())
        } else {
            Err(StreamError::Unauthorized(
                "too many failed log ins from this address".to_owned(),
            ))
        }
    }

    /// Asks a peer that understands it to connect anew: the server is about to leave it.
    pub(super) fn request_reconnect(&mut self) {
        let to = self.shared.config.reconnect_to.as_deref();
        let why = "The server is shutting down.";
        self.session.request_reconnect(to, why);
    }

    pub(super) fn peer(&self) -> Peer {
        let peer = Peer::new("rtmp").remote(self.remote);
        match &self.agent {
            Some(agent) => peer.user_agent(agent.as_str()),
            None => peer,
        }
    }

    /// True where a line about this peer may go to the log.
    pub(super) fn may_log(&self) -> bool {
        self.shared
            .admission
            .may_log(self.remote.ip(), Instant::now())
    }

    fn log_refusal(&self, command: &'static str, code: &str, reason: &str) {
        if self.may_log() {
            tracing::warn!(parent: &self.span, command, code, reason, "refused");
        }
    }

    /// Sends what is left to say and closes, so that the peer can read it: a socket closed with unread input would be
    /// reset, and the last words lost.
    async fn close(mut self) {
        if !self.has_to_write() {
            let _ = self.transport.shut_down();
            return;
        }
        let last_words = async {
            while self.has_to_write() {
                self.transport.writable().await?;
                if self.write_replies().is_err() {
                    return Ok(());
                }
            }
            self.transport.shut_down()?;
            let mut left = 256 * 1024_usize;
            while left > 0 {
                self.transport.readable().await?;
                let mut buffer = [0; SMALL_READ];
                match self.transport.try_read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => left = left.saturating_sub(n),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e),
                }
            }
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(LINGER, last_words).await;
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// An error and its causes in one line without control characters.
fn line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.retain(|c| !c.is_control());
    text
}
