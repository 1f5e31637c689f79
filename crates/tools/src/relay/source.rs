//! A file as a live source: its frames at the pace of their time stamps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bus::{IngestContext, Peer, PublishRequest, PublishSession};
use core_frame::{Limits, MediaFrame, MediaTime, StreamKey, TrackId};
use flv::{Demuxer, Event, Events, FileEvent, FileReader};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{Error, Result};

/// Bytes read at once.
const READ: usize = 256 * 1024;
/// A step this long between two frames is no pause to be waited for, but a mended recording.
const JUMP: MediaTime = MediaTime::from_secs(10);

/// What a file source has done so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) bytes: AtomicU64,
    pub(super) frames: AtomicU64,
}

/// Publishes a file once, or over and over on one timeline.
pub(super) struct FileSource {
    path: PathBuf,
    looped: bool,
    counts: Arc<Counts>,
    /// When the media time 0 of the stream is due.
    begun: Option<Instant>,
    /// What is added to the times of the file in this round.
    shift: MediaTime,
    /// Where the next round begins.
    end: MediaTime,
    /// The newest time that was published.
    newest: Option<MediaTime>,
    /// Of each track, its newest time and its last step: the last frame lasts as long as the one before.
    tracks: Vec<(TrackId, MediaTime, MediaTime)>,
}

impl FileSource {
    pub(super) fn new(path: &Path, looped: bool, counts: Arc<Counts>) -> Self {
        Self {
            path: path.to_owned(),
            looped,
            counts,
            begun: None,
            shift: MediaTime::ZERO,
            end: MediaTime::ZERO,
            newest: None,
            tracks: Vec::new(),
        }
    }

    /// Opens the file, to say at once when that cannot be.
    pub(super) fn check(path: &Path) -> Result<()> {
        use std::io::Read;
        let failed = |source| Error::File {
            path: path.to_owned(),
            source,
        };
        let mut head = [0; 3];
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let n = file.read(&mut head).map_err(failed)?;
        if head.get(..n) == Some(b"FLV") {
            Ok(())
        } else {
            Err(Error::Media(format!("{} is no FLV file", path.display())))
        }
    }

    /// Publishes it, to its end or until it is told to stop.
    pub(super) async fn run(
        mut self,
        ctx: IngestContext,
        key: StreamKey,
        stop: CancellationToken,
    ) -> Result<()> {
        let request = PublishRequest::new(key).peer(Peer::new("file"));
        let broken = |e: core_frame::StreamError| Error::Media(crate::error::causes(&e));
        let session = ctx.open_publish_as(request).await.map_err(broken)?;
        loop {
            let played = tokio::select! {
                played = self.round(&session) => played,
                () = stop.cancelled() => break,
            };
            let frames = played?;
            if !self.looped {
                break;
            }
            if frames == 0 {
                return Err(Error::Media(format!(
                    "{} holds no media",
                    self.path.display()
                )));
            }
            self.shift = self.end;
            self.tracks.clear();
        }
        session.finish().await.map_err(broken)
    }

    /// The file once. Returns how many frames that were.
    async fn round(&mut self, session: &PublishSession) -> Result<u64> {
        let failed = |source| Error::File {
            path: self.path.clone(),
            source,
        };
        let mut file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        let limits = Limits::default();
        let mut reader = FileReader::new(&limits);
        let mut demuxer = Demuxer::new(&limits);
        let mut events = Events::new();
        let mut buf = vec![0; READ];
        let mut first = None;
        let mut frames = 0;
        loop {
            let n = file.read(&mut buf).await.map_err(|source| Error::File {
                path: self.path.clone(),
                source,
            })?;
            self.counts.bytes.fetch_add(n as u64, Ordering::Relaxed);
            match n {
                0 => reader.finish(),
                n => reader.push(buf.get(..n).unwrap_or_default()),
            }
            while let Some(event) = reader.next_event()? {
                let FileEvent::Tag {
                    kind,
                    timestamp_ms,
                    body,
                    ..
                } = event
                else {
                    continue;
                };
                // A tag that cannot be used is left out, as a server does with one of a publisher.
                if let Err(e) = demuxer.push(kind, timestamp_ms, body, &mut events) {
                    tracing::debug!(error = %e, "a tag was left out");
                }
                while let Some(event) = events.pop() {
                    frames += self.event(session, event, &mut first, &limits).await?;
                }
            }
            if n == 0 {
                return Ok(frames);
            }
        }
    }

    async fn event(
        &mut self,
        session: &PublishSession,
        event: Event,
        first: &mut Option<MediaTime>,
        limits: &Limits,
    ) -> Result<u64> {
        let broken = |e: core_frame::StreamError| Error::Media(crate::error::causes(&e));
        let mut frame = match event {
            Event::Track(track) => {
                session.set_track(*track).map_err(broken)?;
                return Ok(0);
            }
            Event::Metadata(metadata) => {
                session.set_tags(metadata.tags()).map_err(broken)?;
                return Ok(0);
            }
            Event::Frame(frame) => frame,
            Event::Script(script) => script.frame(limits),
            _ => return Ok(0),
        };
        let first = *first.get_or_insert(frame.dts);
        let move_by = self.shift - first;
        frame.dts += move_by;
        frame.pts += move_by;
        self.note(&frame);
        sleep_until(self.due(frame.dts)).await;
        session.publish_frame(frame).map_err(broken)?;
        self.counts.frames.fetch_add(1, Ordering::Relaxed);
        Ok(1)
    }

    /// When a frame of this time is to go out.
    fn due(&mut self, time: MediaTime) -> Instant {
        let now = Instant::now();
        let jumps = self
            .newest
            .is_some_and(|newest| (time - newest).abs() > JUMP);
        self.newest = Some(time);
        let offset = time.max(MediaTime::ZERO).to_duration();
        let begun = match self.begun {
            Some(begun) if !jumps => begun,
            // A clock that has run for less than a long recording cannot be put so far back.
            _ => now.checked_sub(offset).unwrap_or(now),
        };
        self.begun = Some(begun);
        begun.checked_add(offset).unwrap_or(now)
    }

    fn note(&mut self, frame: &MediaFrame) {
        let step = match self.tracks.iter_mut().find(|t| t.0 == frame.track) {
            Some((_, newest, step)) => {
                *step = (frame.dts - *newest)
                    .max(MediaTime::from_millis(1))
                    .min(JUMP);
                *newest = frame.dts;
                *step
            }
            None => {
                let step = MediaTime::from_millis(1);
                self.tracks.push((frame.track, frame.dts, step));
                step
            }
        };
        self.end = self.end.max(frame.dts + step);
    }
}

/// How long the source may take to end once it is told to.
pub(super) const LEAVE: Duration = Duration::from_secs(5);
