//! Brings a remote stream in, and keeps it in.

use std::time::{Duration, Instant};

use bus::{IngestContext, Peer, PublishRequest, PublishSession};
use core_frame::{MediaFrame, StreamError, StreamKey, Tags, TrackInfo};
use tokio_util::sync::CancellationToken;

use super::connection::sleep_until;
use super::link::{Report, wait};
use super::resume::{Resume, Seam};
use super::retry::Attempts;
use super::{Client, Connect, Link, LinkEnd, Retry};
use crate::client::{Event, Media, Role, Target};
use crate::net::Error;

/// Plays a remote stream and publishes it here, over losses of the connection.
///
/// A loss is told to nobody for the time of `hold`: the key stays ours, and if the server plays its last frames again, as
/// most do, readers notice nothing but a pause. After that the key is free, and the grace of the stream's application
/// bridges the rest (without a grace the stream ends, and begins anew).
///
/// No frame is published twice: what a new connection replays is known by its fingerprint. Where frames are missing, the
/// stream goes on at the next key frame.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pull {
    /// What to play.
    pub target: Target,
    /// The claim of the key here, with the credential it takes. Its peer is filled in: `rtmp-pull`, at the server's address.
    pub request: PublishRequest,
    /// How to reach the server.
    pub connect: Connect,
    /// When to try again.
    pub retry: Retry,
    /// A server that sends nothing at all for this long is lost.
    pub silence: Duration,
    /// How long the key stays ours without a connection.
    pub hold: Duration,
    /// When the server says that the stream has ended, the link ends too. Otherwise it waits for the stream to come back.
    pub end_with_stream: bool,
}

impl Pull {
    /// With the usual options: for ever, silent for 10 s at most, holding the key for 2 s.
    #[must_use]
    pub fn new(target: Target, key: StreamKey) -> Self {
        Self {
            target,
            request: PublishRequest::new(key),
            connect: Connect::default(),
            retry: Retry::default(),
            silence: Duration::from_secs(10),
            hold: Duration::from_secs(2),
            end_with_stream: false,
        }
    }

    /// Runs it as a task, until the token is cancelled or its options end it. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(self, ctx: IngestContext, stop: CancellationToken) -> Link {
        let (report, link) = Report::new();
        let running = Running {
            inlet: Inlet::new(ctx, self.request.clone()),
            attempts: Attempts::new(self.retry.clone()),
            pull: self,
            report,
            stop,
        };
        tokio::spawn(running.run());
        link
    }
}

struct Running {
    pull: Pull,
    inlet: Inlet,
    attempts: Attempts,
    report: Report,
    stop: CancellationToken,
}

/// How a connection ended.
enum Outcome {
    /// We were told to stop.
    Stopped,
    /// The server said that the stream has ended.
    Unpublished,
    /// The server sends us elsewhere, or to the same place again.
    Moved(Target),
}

impl Running {
    async fn run(mut self) {
        let end = loop {
            self.report.connecting(self.attempts.number());
            match self.once().await {
                Ok(Outcome::Stopped) => break LinkEnd::Stopped,
                Ok(Outcome::Moved(target)) => {
                    self.pull.target = target;
                    if self.attempts.may_move(self.report.up_for()) {
                        self.inlet.lost();
                        continue;
                    }
                    if let Some(end) = self.pause(&Error::Moved).await {
                        break end;
                    }
                }
                Ok(Outcome::Unpublished) => {
                    self.inlet.finish().await;
                    if self.pull.end_with_stream {
                        break LinkEnd::Finished;
                    }
                    if let Some(end) = self.pause(&Error::Unpublished).await {
                        break end;
                    }
                }
                Err(Error::Stream(StreamError::ShuttingDown)) => break LinkEnd::Stopped,
                Err(error) => {
                    if let Some(end) = self.pause(&error).await {
                        break end;
                    }
                }
            }
        };
        tracing::debug!(stream = %self.inlet.request.key, ?end, "rtmp pull: ended");
        self.inlet.finish().await;
        self.report.end(end);
    }

    /// After a loss: waits for the next attempt; tells if there is none.
    async fn pause(&mut self, error: &Error) -> Option<LinkEnd> {
        self.inlet.lost();
        tracing::debug!(stream = %self.inlet.request.key, %error, "rtmp pull: lost");
        let until = match self.report.lost(&mut self.attempts, error) {
            Ok(until) => until,
            Err(end) => return Some(end),
        };
        let free = self.inlet.free_at(self.pull.hold);
        tokio::select! {
            go_on = wait(until, &self.stop) => return (!go_on).then_some(LinkEnd::Stopped),
            () = sleep_until(free) => {}
        }
        self.inlet.release();
        let go_on = wait(until, &self.stop).await;
        (!go_on).then_some(LinkEnd::Stopped)
    }

    /// One connection, from the name to its end.
    async fn once(&mut self) -> Result<Outcome, Error> {
        let mut config = self
            .pull
            .connect
            .config(self.pull.target.clone(), Role::Play);
        config.media = Media::Frames;
        config.silence = Some(self.pull.silence);
        let opened = {
            let open = Client::open(&self.pull.connect, config);
            let mut open = std::pin::pin!(open);
            let free = self.inlet.free_at(self.pull.hold);
            loop {
                tokio::select! {
                    opened = &mut open => break opened,
                    () = self.stop.cancelled() => return Ok(Outcome::Stopped),
                    () = sleep_until(free), if self.inlet.holds() => self.inlet.release(),
                }
            }
        };
        let mut client = opened?;
        let result = self.play(&mut client).await;
        if matches!(result, Ok(_) | Err(Error::Stream(_) | Error::Kicked)) {
            client.finish().await;
        }
        result
    }

    async fn play(&mut self, client: &mut Client) -> Result<Outcome, Error> {
        self.inlet.connected(client);
        let mut counted = 0;
        loop {
            let free = self.inlet.free_at(self.pull.hold);
            let kicked = self.inlet.kicked.clone();
            let event = tokio::select! {
                event = client.next() => event,
                () = self.stop.cancelled() => return Ok(Outcome::Stopped),
                () = kicked.cancelled() => return Err(Error::Kicked),
                () = sleep_until(free), if self.inlet.holds() && self.inlet.lost.is_some() => {
                    self.inlet.release();
                    continue;
                }
            };
            let mut event = match event {
                Ok(event) => event,
                Err(Error::Session(crate::Error::Redirected { tc_url })) => {
                    return self.moved(Some(&tc_url));
                }
                Err(e) => return Err(e),
            };
            if event.is_none() {
                return Err(Error::Closed);
            }
            let mut over = None;
            while let Some(now) = event.take() {
                match now {
                    Event::Started => self.report.up(client.remote()),
                    Event::Track(track) => self.inlet.track(*track)?,
                    Event::Tags(tags) => self.inlet.tags(tags)?,
                    Event::Frame(frame) => self.inlet.frame(frame).await?,
                    Event::Damaged(why) => {
                        tracing::debug!(stream = %self.inlet.request.key, why, "rtmp pull: damaged");
                    }
                    Event::Reconnect { tc_url } => {
                        over = Some(self.moved(tc_url.as_deref()));
                        break;
                    }
                    Event::Ended => {
                        over = Some(Ok(Outcome::Unpublished));
                        break;
                    }
                    _ => {}
                }
                event = client.try_next();
            }
            let (brought, skipped) = self.inlet.publish()?;
            self.report.counters.frames(brought);
            self.report.counters.skipped(skipped);
            self.report.counters.bytes(client.received() - counted);
            counted = client.received();
            if let Some(over) = over {
                return over;
            }
        }
    }

    fn moved(&self, tc_url: Option<&str>) -> Result<Outcome, Error> {
        match self.pull.target.moved(tc_url) {
            Ok(target) => Ok(Outcome::Moved(target)),
            Err(_) => Err(Error::Moved),
        }
    }
}

/// The way into the engine, over connections.
struct Inlet {
    ctx: IngestContext,
    request: PublishRequest,
    session: Option<PublishSession>,
    /// Fires when somebody else ends our session.
    kicked: CancellationToken,
    /// Since when there is no connection that brings anything, while the key is ours.
    lost: Option<Instant>,
    tracks: Vec<TrackInfo>,
    tags: Option<Tags>,
    resume: Resume,
    ready: Vec<MediaFrame>,
    skipped: u64,
}

impl Inlet {
    fn new(ctx: IngestContext, request: PublishRequest) -> Self {
        Self {
            ctx,
            request,
            session: None,
            kicked: CancellationToken::new(),
            lost: None,
            tracks: Vec::new(),
            tags: None,
            resume: Resume::default(),
            ready: Vec::new(),
            skipped: 0,
        }
    }

    fn connected(&mut self, client: &Client) {
        self.request.peer = Peer::new("rtmp-pull").remote(client.remote());
        self.tracks.clear();
        self.tags = None;
        self.resume.reconnected();
    }

    /// The connection is gone.
    fn lost(&mut self) {
        self.ready.clear();
        if self.session.is_some() {
            self.lost.get_or_insert_with(Instant::now);
        }
    }

    const fn holds(&self) -> bool {
        self.session.is_some()
    }

    /// When the key is to be given up, if it is ours and nothing comes.
    fn free_at(&self, hold: Duration) -> Option<Instant> {
        self.session.as_ref()?;
        self.lost.map(|lost| lost + hold)
    }

    /// Gives the key up as a publisher that vanished would.
    fn release(&mut self) {
        self.session = None;
        self.kicked = CancellationToken::new();
        self.lost = None;
    }

    /// Takes leave as a publisher that has ended its stream.
    async fn finish(&mut self) {
        if let Some(session) = self.session.take() {
            // Whoever was kicked in the same moment has nothing left to finish.
            let _ = session.finish().await;
        }
        self.release();
    }

    fn track(&mut self, track: TrackInfo) -> Result<(), Error> {
        self.publish_ready()?;
        match self.tracks.iter_mut().find(|t| t.id == track.id) {
            Some(old) => *old = track.clone(),
            None => self.tracks.push(track.clone()),
        }
        // Before the first frame of a connection it is open whose session the tracks are for.
        if let Some(session) = self.session.as_ref().filter(|_| self.lost.is_none()) {
            session.set_track(track)?;
        }
        Ok(())
    }

    fn tags(&mut self, tags: Tags) -> Result<(), Error> {
        if let Some(session) = self.session.as_ref().filter(|_| self.lost.is_none()) {
            session.set_tags(tags.clone())?;
        }
        self.tags = Some(tags);
        Ok(())
    }

    async fn frame(&mut self, frame: MediaFrame) -> Result<(), Error> {
        if let Some(seam) = self.resume.seam(&frame) {
            self.join(seam).await?;
        }
        if self.resume.wants(&frame) {
            self.ready.push(frame);
        } else {
            self.skipped = self.skipped.saturating_add(1);
        }
        Ok(())
    }

    /// The first frame of a connection: it goes on with the session that is there, or begins one.
    async fn join(&mut self, seam: Seam) -> Result<(), Error> {
        if seam == Seam::Anew {
            self.release();
        }
        let whole = self.session.is_some();
        if self.session.is_none() {
            let session = self.ctx.open_publish_as(self.request.clone()).await?;
            self.kicked = session.kicked();
            tracing::debug!(stream = %self.request.key, "rtmp pull: publishing");
            self.session = Some(session);
        }
        self.lost = None;
        if let Some(session) = &self.session {
            session.set_tracks(self.tracks.iter().cloned())?;
            session.set_tags(self.tags.clone().unwrap_or_default())?;
        }
        self.resume.decide(seam, whole, &self.tracks);
        Ok(())
    }

    fn publish_ready(&mut self) -> Result<u64, Error> {
        let count = self.ready.len() as u64;
        if let Some(session) = &self.session
            && count > 0
        {
            session.publish_frames(self.ready.drain(..))?;
        }
        Ok(count)
    }

    /// Publishes what is ready; returns how many frames that were, and how many were left out.
    fn publish(&mut self) -> Result<(u64, u64), Error> {
        let count = self.publish_ready()?;
        Ok((count, std::mem::take(&mut self.skipped)))
    }
}
