//! Publishers come, go, come back and take over: the states of a stream.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use core_frame::{MediaTime, Result, Secret, StreamError, WallTime, languages_of};
use smallvec::SmallVec;
use tokio_util::sync::CancellationToken;

use super::{PublisherInfo, Stream, StreamHandle, StreamState};
use crate::events::UnpublishReason;
use crate::{PublishRequest, StreamEvent};

/// Events to tell once no lock is held.
pub(crate) type Tell = SmallVec<[StreamEvent; 4]>;

/// The publisher's side of a stream's state.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) state: StreamState,
    pub(crate) publisher: Option<Publisher>,
    tickets: u64,
    /// Frames seen and when they were seen, for streams whose frames are not stamped on arrival.
    frames_seen: u64,
    pub(crate) active: Instant,
    pub(crate) grace_until: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) ticket: u64,
    pub(crate) info: PublisherInfo,
    token: Option<Secret>,
    pub(crate) kick: CancellationToken,
}

/// What came of a claim.
pub(crate) struct Claim {
    pub(crate) handle: StreamHandle,
    pub(crate) tell: Tell,
}

impl Control {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            state: StreamState::Idle,
            publisher: None,
            tickets: 0,
            frames_seen: 0,
            active: now,
            grace_until: None,
        }
    }
}

impl Stream {
    /// A publisher wants the stream.
    pub(crate) fn claim(self: &Arc<Self>, request: &PublishRequest, now: Instant) -> Result<Claim> {
        let mut tell = Tell::new();
        let mut filter = self.filter.as_ref().map(|f| f.lock());
        let mut control = self.control.lock();
        let stamped = filter.as_ref().map(|f| f.last_frame);
        self.observe(&mut control, stamped, now);
        if control.state == StreamState::Ended {
            return Err(StreamError::Ended);
        }
        let silent = now.saturating_duration_since(control.active);
        if let Some(publisher) = &control.publisher {
            let long = self.app.takeover.is_some_and(|limit| silent >= limit);
            if !long || !publisher.is_same(request) {
                return Err(StreamError::StreamAlreadyPublishing(self.key.clone()));
            }
            publisher.kick.cancel();
            tell.push(StreamEvent::Unpublished {
                key: self.key.clone(),
                reason: UnpublishReason::TakenOver,
            });
        }
        let first = control.tickets == 0;
        control.tickets += 1;
        let ticket = control.tickets;
        if let Some(filter) = &mut filter
            && !first
        {
            filter.flush(&self.log, now);
            filter.publisher_changed(now);
        }
        {
            let mut state = self.log.lock();
            let at = state.clock + MediaTime::from(silent);
            let languages = languages_of(&request.query);
            state.intake.next_publisher(ticket, at, languages);
        }
        control.active = now;
        control.grace_until = None;
        control.publisher = Some(Publisher {
            ticket,
            info: PublisherInfo {
                protocol: request.peer.protocol,
                remote: request.peer.remote,
                user_agent: request.peer.user_agent.clone(),
                since: now,
                since_wall: WallTime::from(SystemTime::now()),
            },
            token: request.token.clone(),
            kick: CancellationToken::new(),
        });
        tell.push(StreamEvent::Published {
            key: self.key.clone(),
            peer: request.peer.clone(),
        });
        self.enter(&mut control, StreamState::Publishing, &mut tell);
        Ok(Claim {
            handle: StreamHandle::new(Arc::clone(self), ticket),
            tell,
        })
    }

    /// The publisher (the one with this ticket, or whoever it is) goes. `None` when there is no such publisher.
    pub(crate) fn unclaim(
        &self,
        ticket: Option<u64>,
        reason: UnpublishReason,
        now: Instant,
    ) -> Option<Tell> {
        let mut tell = Tell::new();
        let mut filter = self.filter.as_ref().map(|f| f.lock());
        let mut control = self.control.lock();
        match &control.publisher {
            Some(p) if ticket.is_none_or(|t| t == p.ticket) => p.kick.cancel(),
            _ => return None,
        }
        if let Some(filter) = &mut filter {
            filter.flush(&self.log, now);
        }
        control.publisher = None;
        tell.push(StreamEvent::Unpublished {
            key: self.key.clone(),
            reason,
        });
        let stays = match reason {
            UnpublishReason::Finished => !self.app.end_on_unpublish,
            UnpublishReason::Dropped | UnpublishReason::Idle => true,
            _ => false,
        };
        if stays && !self.app.grace.is_zero() {
            control.grace_until = Some(now + self.app.grace);
            self.log.lock().intake.ticket = 0;
            self.enter(&mut control, StreamState::Grace, &mut tell);
        } else {
            self.end(&mut control, &mut tell);
        }
        Some(tell)
    }

    /// The stream is over, whether or not somebody publishes it.
    pub(crate) fn finish(&self, reason: UnpublishReason, now: Instant) -> Tell {
        if let Some(tell) = self.unclaim(None, reason, now) {
            let mut tell = tell;
            let mut control = self.control.lock();
            self.end(&mut control, &mut tell);
            return tell;
        }
        let mut tell = Tell::new();
        let mut control = self.control.lock();
        self.end(&mut control, &mut tell);
        tell
    }

    /// True when a grace was over and the stream ended with it.
    pub(crate) fn expire(&self, now: Instant, tell: &mut Tell) -> bool {
        let mut control = self.control.lock();
        let over = control.state == StreamState::Grace
            && control.grace_until.is_some_and(|until| now >= until);
        if over {
            self.end(&mut control, tell);
        }
        over
    }

    /// How long the publisher has sent nothing.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        let stamped = self.filter.as_ref().map(|f| f.lock().last_frame);
        let mut control = self.control.lock();
        self.observe(&mut control, stamped, now);
        now.saturating_duration_since(control.active)
    }

    fn observe(&self, control: &mut Control, stamped: Option<Instant>, now: Instant) {
        let frames = self.log.lock().intake.frames_in;
        if frames != control.frames_seen {
            control.frames_seen = frames;
            control.active = stamped.unwrap_or(now);
        }
    }

    fn end(&self, control: &mut Control, tell: &mut Tell) {
        if control.state == StreamState::Ended {
            return;
        }
        self.log.write(|state| {
            state.intake.ticket = 0;
            state.ended = true;
        });
        self.enter(control, StreamState::Ended, tell);
    }

    fn enter(&self, control: &mut Control, state: StreamState, tell: &mut Tell) {
        if control.state != state {
            control.state = state;
            tell.push(StreamEvent::StateChanged {
                key: self.key.clone(),
                state,
            });
        }
    }
}

impl Publisher {
    /// The same credential, or the same address where neither has a credential.
    fn is_same(&self, request: &PublishRequest) -> bool {
        let ip = |a: Option<std::net::SocketAddr>| -> Option<IpAddr> { a.map(|a| a.ip()) };
        match (&self.token, &request.token) {
            (Some(old), Some(new)) => !old.is_empty() && old.matches(new.expose()),
            (None, None) => {
                self.info.remote.is_some() && ip(self.info.remote) == ip(request.peer.remote)
            }
            _ => false,
        }
    }
}
