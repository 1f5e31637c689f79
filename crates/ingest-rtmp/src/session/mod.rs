//! The server's side of a connection as a state machine: bytes and time in, bytes and events out.

mod commands;
mod config;
pub mod connect;
mod inbound;
mod name;
mod outbox;
pub mod play;
pub mod publish;
mod streams;
mod timer;

use std::time::{Duration, Instant};

use core_frame::Limits;
use flv::amf0::Value;

use crate::Error;
use crate::enhanced::{Enhanced, RECONNECT};
use crate::media::Ingest;
use crate::wire::chunk::{ChunkLimits, ChunkReader};
use crate::wire::command::{Command, info};
use crate::wire::handshake::ServerHandshake;
use crate::wire::message::Control;
use name::Name;
use outbox::Outbox;

pub use config::SessionConfig;
pub use outbox::{Event, Output};
pub use publish::Reject;
pub use timer::TimerReason;

/// What goes into a session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Bytes from the peer, split anywhere.
    Bytes(&'a [u8]),
    /// The deadline of [`Session::poll_timeout`] has come.
    Timeout,
}

/// A server session, from the first byte of the handshake to the end of the connection.
///
/// **After each call, take everything out by [`Session::poll_output`] before the next input. After an error, send what
/// is still there to send and close the connection.** One stream is published or played at a time; a peer may end it
/// and start another.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    accepted: Instant,
    handshake: Option<ServerHandshake>,
    reader: ChunkReader,
    out: Outbox,
    phase: Phase,
    app: Name,
    /// What the peer said about Enhanced RTMP.
    enhanced: Option<Enhanced>,
    /// Message streams that `createStream` made: bit n for id n.
    streams: u32,
    /// Media that no publish goes with is forgiven: it was on its way when the answer was given.
    late_media: bool,
    /// What came behind a request that is not answered yet.
    held: Vec<u8>,
    /// Bytes received, and how many of them were acknowledged.
    received: u64,
    acknowledged: u64,
    ack_window: u64,
    budget: Budget,
    failed: bool,
}

/// Where a session is.
#[derive(Debug)]
enum Phase {
    Handshake,
    /// Waiting for `connect`.
    Greeted,
    /// Waiting for `publish` or `play`, since then.
    Idle {
        since: Instant,
    },
    /// The caller has to answer.
    PublishAsked {
        stream: u32,
    },
    /// The caller has to answer.
    PlayAsked {
        stream: u32,
        reset: bool,
        name: String,
    },
    Publishing {
        stream: u32,
        ingest: Box<Ingest>,
    },
    Playing {
        stream: u32,
    },
}

/// What a peer may make us do in a second.
#[derive(Debug)]
struct Budget {
    since: Instant,
    commands: u32,
    replies: u32,
}

/// Bytes that may come behind an unanswered request.
const HELD: usize = 256 * 1024;

impl Session {
    /// A session with a peer that was accepted at `now`.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let limits = ChunkLimits::before_publish(&config.limits);
        let mut reader = ChunkReader::new(limits, 1 + 2 * crate::wire::handshake::PACKET as u64);
        reader.allow_tiny_chunks(config.limits.rtmp_tiny_chunks_per_second);
        Self {
            accepted: now,
            handshake: Some(ServerHandshake::new(config.seed)),
            reader,
            out: Outbox::new(),
            phase: Phase::Handshake,
            app: Name::default(),
            enhanced: None,
            streams: 0,
            late_media: false,
            held: Vec::new(),
            received: 0,
            acknowledged: 0,
            ack_window: u64::from(config.window),
            budget: Budget {
                since: now,
                commands: 0,
                replies: 0,
            },
            failed: false,
            config,
        }
    }

    /// Takes bytes, or the news that time is up.
    ///
    /// # Errors
    /// Why the connection is to be closed. What [`Session::poll_output`] still has is to be sent first.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Caller("input after an error"));
        }
        if !self.out.is_empty() {
            return Err(Error::Caller("input before the output was taken"));
        }
        let result = self.check_time(now).and_then(|()| match input {
            Input::Timeout => Ok(()),
            Input::Bytes(bytes) => {
                self.received = self.received.wrapping_add(bytes.len() as u64);
                if self.is_asked() {
                    return self.hold(bytes);
                }
                self.read(now, bytes)
            }
        });
        self.failed = result.is_err();
        result
    }

    /// The next thing to send or to know, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.next()
    }

    /// When to come back with [`Input::Timeout`], and what the session waits for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimerReason)> {
        let limits = &self.config.limits;
        match &self.phase {
            Phase::Handshake => Some((self.accepted + limits.handshake(), TimerReason::Handshake)),
            Phase::Greeted => Some((self.accepted + limits.connect(), TimerReason::Connect)),
            Phase::Idle { since } => Some((*since + limits.start(), TimerReason::Start)),
            _ => None,
        }
    }

    /// Lets the peer publish, as it asked by [`Event::Publish`].
    ///
    /// # Errors
    /// As [`Session::handle_input`]: what came behind the request is read now.
    pub fn accept_publish(&mut self, now: Instant) -> Result<(), Error> {
        let Phase::PublishAsked { stream } = self.phase else {
            return Err(Error::Caller("no publish was asked for"));
        };
        self.phase = Phase::Publishing {
            stream,
            ingest: Box::new(Ingest::new(&self.config.limits)),
        };
        self.reader
            .set_limits(ChunkLimits::publishing(&self.config.limits));
        self.out
            .status(stream, "NetStream.Publish.Start", "Publishing.");
        self.go_on(now)
    }

    /// Lets the peer play, as it asked by [`Event::Play`]. Media follows as the bytes of an
    /// [`RtmpRender`](crate::render::RtmpRender) view, whole items at a time, between which the bytes of this session
    /// may stand.
    ///
    /// # Errors
    /// As [`Session::handle_input`]: what came behind the request is read now.
    pub fn accept_play(&mut self, now: Instant) -> Result<(), Error> {
        let asked = std::mem::replace(&mut self.phase, Phase::Idle { since: now });
        let Phase::PlayAsked {
            stream,
            reset,
            name,
        } = asked
        else {
            self.phase = asked;
            return Err(Error::Caller("no play was asked for"));
        };
        self.out.control(Control::StreamBegin(stream));
        if reset {
            let text = format!("Playing and resetting {name}.");
            self.out.status(stream, "NetStream.Play.Reset", &text);
        }
        let text = format!("Started playing {name}.");
        self.out.status(stream, "NetStream.Play.Start", &text);
        self.phase = Phase::Playing { stream };
        self.go_on(now)
    }

    /// Refuses what the peer asked for. It may ask for something else.
    ///
    /// # Errors
    /// As [`Session::handle_input`]: what came behind the request is read now.
    pub fn reject(&mut self, now: Instant, reject: Reject, why: &str) -> Result<(), Error> {
        let since = match self.phase {
            Phase::PublishAsked { stream } => {
                self.out.error(stream, reject.publish_code(), why);
                self.late_media = true;
                now
            }
            Phase::PlayAsked { stream, .. } => {
                self.out.error(stream, reject.play_code(), why);
                now
            }
            _ => return Err(Error::Caller("nothing was asked for")),
        };
        self.phase = Phase::Idle { since };
        self.go_on(now)
    }

    /// Tells a player that nothing more comes.
    pub fn end_play(&mut self, now: Instant, end: play::End) {
        let Phase::Playing { stream } = self.phase else {
            return;
        };
        self.phase = Phase::Idle { since: now };
        match end {
            play::End::Unpublished => {
                self.out.control(Control::StreamEof(stream));
                let code = "NetStream.Play.UnpublishNotify";
                self.out.status(stream, code, "The stream has ended.");
            }
            play::End::Complete => {
                let info = info("status", "NetStream.Play.Complete", "This was all of it.");
                self.out.data(stream, &["onPlayStatus".into(), info]);
                self.out.control(Control::StreamEof(stream));
                let code = "NetStream.Play.Stop";
                self.out.status(stream, code, "Playing has stopped.");
            }
            play::End::Failed(why) => self.out.error(stream, "NetStream.Play.Failed", why),
        }
    }

    /// Tells a publisher that it is no longer wanted.
    pub fn end_publish(&mut self, now: Instant, why: &str) {
        let Phase::Publishing { stream, .. } = self.phase else {
            return;
        };
        self.no_longer_publishing(now);
        self.out.error(stream, "NetStream.Publish.Failed", why);
    }

    /// Asks the peer to connect anew, at `tc_url` (absolute, or relative to its present one) or where it is, since we are
    /// about to leave; `why` is for people. It may go on here until it has done so. False where the peer did not announce
    /// that it understands this (E-RTMP v2, "Reconnect Request"), and is not asked.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>, why: &str) -> bool {
        let understands = self.enhanced.as_ref().is_some_and(|e| e.has(RECONNECT));
        if understands {
            let code = "NetConnection.Connect.ReconnectRequest";
            let mut status = Command::status("status", code, why);
            if let (Some(url), Some(Value::Object(info))) = (tc_url, status.args.first_mut()) {
                info.push(("tcUrl".to_owned(), url.into()));
            }
            self.out.command(0, &status);
        }
        understands
    }

    /// True while the peer publishes or plays.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        matches!(self.phase, Phase::Publishing { .. } | Phase::Playing { .. })
    }

    /// Bytes of memory held for messages that are not complete, and for what came behind a request that is not answered.
    #[must_use]
    pub fn held(&self) -> usize {
        self.reader.held().saturating_add(self.held.capacity())
    }

    const fn is_asked(&self) -> bool {
        matches!(
            self.phase,
            Phase::PublishAsked { .. } | Phase::PlayAsked { .. }
        )
    }

    /// Reads what was held back while a request was not answered.
    fn go_on(&mut self, now: Instant) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        let result = self.read(now, &held);
        self.failed = result.is_err();
        result
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.held.len().saturating_add(bytes.len()) > HELD {
            return Err(Error::Limit("bytes behind an unanswered request"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn check_time(&mut self, now: Instant) -> Result<(), Error> {
        if let Some((deadline, reason)) = self.poll_timeout()
            && now >= deadline
        {
            return Err(Error::Timeout(reason));
        }
        if now.saturating_duration_since(self.budget.since) >= Duration::from_secs(1) {
            self.budget = Budget {
                since: now,
                commands: 0,
                replies: 0,
            };
            self.reader
                .allow_tiny_chunks(self.config.limits.rtmp_tiny_chunks_per_second);
        }
        Ok(())
    }

    fn read(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Error> {
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(&mut bytes, self.out.raw())? {
                return Ok(());
            }
            self.handshake = None;
            self.phase = Phase::Greeted;
        }
        while let Some(message) = self.reader.read(&mut bytes)? {
            self.message(now, message)?;
            if self.is_asked() {
                return self.hold(bytes);
            }
        }
        let pending = self.received.wrapping_sub(self.acknowledged);
        if self.ack_window > 0 && pending >= self.ack_window {
            self.acknowledged = self.received;
            // The counter of §5.4.3 has 32 bits and wraps.
            self.out
                .control(Control::Acknowledgement(self.received as u32));
        }
        Ok(())
    }

    fn limits(&self) -> &Limits {
        &self.config.limits
    }
}
