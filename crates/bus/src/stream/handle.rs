//! The handle of a stream: what publishers, readers, the API and views hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use core_frame::{
    MediaFrame, MediaKind, Repairs, Result, StreamError, StreamKey, Tags, TrackInfo, TrackTable,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::readers::next_reader_id;
use super::{PublisherInfo, QosSnapshot, ReaderSnapshot, Stream, StreamState};
use crate::events::UnpublishReason;
use crate::log::{EndReason, Hook};
use crate::view::{ViewHandle, ViewSpec};
use crate::{Start, StreamEvent, SubscribeOptions, Subscriber};

/// A stream. Cloning is one reference count. A handle stays valid when the stream ends; it then says so.
#[derive(Clone, Debug)]
pub struct StreamHandle {
    pub(crate) stream: Arc<Stream>,
    /// The publisher on whose behalf this handle may publish.
    pub(crate) ticket: u64,
}

impl StreamHandle {
    pub(crate) fn new(stream: Arc<Stream>, ticket: u64) -> Self {
        Self { stream, ticket }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &StreamKey {
        &self.stream.key
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> StreamState {
        self.stream.control.lock().state
    }

    /// Who publishes it now.
    #[must_use]
    pub fn publisher(&self) -> Option<PublisherInfo> {
        let control = self.stream.control.lock();
        control.publisher.as_ref().map(|p| p.info.clone())
    }

    /// Its tracks now; frames on their way may still belong to an earlier table.
    #[must_use]
    pub fn tracks(&self) -> Arc<TrackTable> {
        Arc::clone(&self.stream.log.lock().intake.table)
    }

    /// Publishes a frame; returns how many read the stream (0 when nobody does). A frame with the `CONFIG` flag changes
    /// its track's configuration and is not stored. A frame of an unknown track announces that track.
    ///
    /// # Errors
    /// `Ended` when the publisher this handle was opened for is there no more.
    pub fn publish_frame(&self, frame: MediaFrame) -> Result<usize> {
        let stream = &*self.stream;
        if stream.filter.is_some() {
            return self.publish_filtered(Some(frame));
        }
        let mut writer = stream.log.writer();
        if writer.state.intake.ticket != self.ticket {
            return Err(StreamError::Ended);
        }
        writer.state.accept_counted(frame);
        let news = writer.state.intake.news.any();
        writer.finish();
        if news {
            self.tell_news();
        }
        Ok(stream.readers.load(Ordering::Relaxed))
    }

    /// Publishes several frames in order, under one lock and with one round of waking.
    ///
    /// # Errors
    /// As [`StreamHandle::publish_frame`].
    pub fn publish_frames(&self, frames: impl IntoIterator<Item = MediaFrame>) -> Result<usize> {
        let stream = &*self.stream;
        if stream.filter.is_some() {
            return self.publish_filtered(frames);
        }
        let mut writer = stream.log.writer();
        if writer.state.intake.ticket != self.ticket {
            return Err(StreamError::Ended);
        }
        for frame in frames {
            writer.state.accept_counted(frame);
        }
        let news = writer.state.intake.news.any();
        writer.finish();
        if news {
            self.tell_news();
        }
        Ok(stream.readers.load(Ordering::Relaxed))
    }

    /// All tracks at once. Tracks that changed their codec or its configuration open a new epoch.
    ///
    /// # Errors
    /// As [`StreamHandle::publish_frame`].
    pub fn set_tracks(&self, tracks: impl IntoIterator<Item = TrackInfo>) -> Result<()> {
        self.change_tracks(|intake| intake.with_tracks(tracks))
    }

    /// One track, new or changed.
    ///
    /// # Errors
    /// As [`StreamHandle::publish_frame`].
    pub fn set_track(&self, track: TrackInfo) -> Result<()> {
        self.change_tracks(|intake| intake.with_track(track))
    }

    /// What the sender says about the stream as a whole, in place of what it said before.
    ///
    /// # Errors
    /// As [`StreamHandle::publish_frame`].
    pub fn set_tags(&self, tags: Tags) -> Result<()> {
        self.change_tracks(|intake| intake.with_tags(tags))
    }

    /// Reads the stream. A reader that wants to start at the newest sync point where none is kept asks the publisher for one.
    ///
    /// # Errors
    /// `Ended` when the stream is over, `ReaderLimitReached`.
    pub fn subscribe(&self, options: SubscribeOptions) -> Result<Subscriber> {
        if self.state() == StreamState::Ended {
            return Err(StreamError::Ended);
        }
        self.join(options)
    }

    /// Reads the stream from the kept GOP on. It goes on over lag (resuming at a sync point) and over changes of the
    /// publisher, until the stream ends; on a stream that has ended it yields nothing.
    #[must_use]
    pub fn subscribe_resilient(&self) -> Subscriber {
        let id = next_reader_id();
        self.stream.readers.fetch_add(1, Ordering::AcqRel);
        let join = crate::log::Join {
            start: Start::NewestSync,
            tracks: crate::TrackMask::ALL,
            shed: Some(Arc::clone(&self.stream.shed)),
            lossless: false,
            info: None,
            hook: Some(Arc::clone(&self.stream) as Arc<dyn Hook>),
            pace: None,
        };
        self.stream.log.join(id, Instant::now(), join)
    }

    /// The kept GOP: every frame from the newest sync point on. For a look; [`StreamHandle::subscribe`] joins replay and
    /// live without a seam.
    #[must_use]
    pub fn replay_buffer(&self) -> Vec<MediaFrame> {
        let state = self.stream.log.lock();
        let mut frames = Vec::new();
        let Some(mut seq) = state.replay_start() else {
            return frames;
        };
        while let Some(entry) = state.entry(seq) {
            for at in (seq - entry.block.first)..u64::from(entry.len) {
                frames.extend(entry.block.get(at as usize).cloned());
            }
            seq = entry.end();
        }
        frames
    }

    /// Codec configurations of the first video and the first audio track, where they have come.
    #[must_use]
    pub fn cached_configs(&self) -> (Option<Bytes>, Option<Bytes>) {
        let table = self.tracks();
        let config = |kind| {
            table
                .primary(kind)
                .map(|t| t.config.clone())
                .filter(|c| !c.is_empty())
        };
        (config(MediaKind::Video), config(MediaKind::Audio))
    }

    /// How the stream is doing.
    #[must_use]
    pub fn qos(&self) -> QosSnapshot {
        let now = Instant::now();
        let silence = self.stream.silence(now);
        let state = self.stream.log.lock();
        let intake = &state.intake;
        QosSnapshot {
            frames_in: intake.frames_in,
            bytes_in: intake.bytes_in,
            tracks: intake.meters.iter().map(|m| m.snapshot()).collect(),
            repairs: intake.repairs,
            uptime: now.saturating_duration_since(self.stream.created),
            last_frame_age: (intake.frames_in > 0).then_some(silence),
            unclean_starts: intake.unclean_starts,
            log_frames: state.len(),
            log_bytes: state.held,
            log_time: state.span(),
        }
    }

    /// What the bus and the stream's filter repaired.
    #[must_use]
    pub fn repairs(&self) -> Repairs {
        self.stream.log.lock().intake.repairs
    }

    /// The registered readers, those of views included, in the order in which they joined.
    #[must_use]
    pub fn readers(&self) -> Vec<ReaderSnapshot> {
        self.stream.reader_list()
    }

    /// How many read the stream or a view of it, registered or not.
    #[must_use]
    pub fn reader_count(&self) -> usize {
        self.stream.readers.load(Ordering::Relaxed)
    }

    /// Ends the publisher; false when there is none. Its session is told ([`crate::PublishSession::kicked`]), and the
    /// stream ends without a grace.
    pub fn kick_publisher(&self) -> bool {
        let tell = self
            .stream
            .unclaim(None, UnpublishReason::Kicked, Instant::now());
        let Some(tell) = tell else { return false };
        for event in tell {
            self.stream.hub.tell(event);
        }
        self.stream.hub.forget(&self.stream);
        true
    }

    /// Ends a registered reader; false when there is no such reader.
    pub fn kick_reader(&self, id: u64) -> bool {
        self.stream.end_reader(id, EndReason::Kicked)
    }

    /// Asks the publisher for a key frame.
    pub fn request_keyframe(&self) {
        self.stream.keyframes.send_modify(|n| *n += 1);
        self.stream.hub.tell(StreamEvent::KeyframeRequested {
            key: self.key().clone(),
        });
    }

    /// Requests for key frames, for the publisher; those made before are not seen.
    #[must_use]
    pub fn keyframe_requests(&self) -> KeyframeRequests {
        KeyframeRequests {
            receiver: self.stream.keyframes.subscribe(),
        }
    }

    /// The view of this name, made if it is not there. All callers with the same name share it.
    ///
    /// # Errors
    /// `Ended` when the stream is over; `Other` outside a tokio runtime.
    pub fn view(&self, spec: ViewSpec) -> Result<ViewHandle> {
        if self.state() == StreamState::Ended {
            return Err(StreamError::Ended);
        }
        self.stream.open_view(spec)
    }

    pub(crate) fn publisher_token(&self) -> CancellationToken {
        let control = self.stream.control.lock();
        match &control.publisher {
            Some(p) if p.ticket == self.ticket => p.kick.clone(),
            _ => {
                let token = CancellationToken::new();
                token.cancel();
                token
            }
        }
    }

    fn join(&self, options: SubscribeOptions) -> Result<Subscriber> {
        let id = next_reader_id();
        let hook = Arc::clone(&self.stream) as Arc<dyn Hook>;
        let asks = options.start == Start::NewestSync;
        let join = self.stream.admit(id, options, hook)?;
        let reader = self.stream.log.join(id, Instant::now(), join);
        if asks && reader.waits_for_sync() {
            self.request_keyframe();
        }
        Ok(reader)
    }

    fn publish_filtered(&self, frames: impl IntoIterator<Item = MediaFrame>) -> Result<usize> {
        let stream = &*self.stream;
        if let Some(filter) = &stream.filter {
            let mut filter = filter.lock();
            self.check_ticket()?;
            if filter.publish(&stream.log, frames) {
                drop(filter);
                self.tell_news();
            }
        }
        Ok(stream.readers.load(Ordering::Relaxed))
    }

    fn check_ticket(&self) -> Result<()> {
        if self.stream.log.lock().intake.ticket == self.ticket {
            Ok(())
        } else {
            Err(StreamError::Ended)
        }
    }

    fn change_tracks(
        &self,
        change: impl FnOnce(&super::Intake) -> Option<TrackTable>,
    ) -> Result<()> {
        let stream = &*self.stream;
        if let Some(filter) = &stream.filter {
            let mut filter = filter.lock();
            self.check_ticket()?;
            filter.change(&stream.log, Instant::now(), change);
        } else {
            let mut state = stream.log.lock();
            if state.intake.ticket != self.ticket {
                return Err(StreamError::Ended);
            }
            if let Some(table) = change(&state.intake) {
                state.intake.put_table(table);
            }
        }
        self.tell_news();
        Ok(())
    }

    #[cold]
    fn tell_news(&self) {
        let (news, tracks) = {
            let mut state = self.stream.log.lock();
            let news = std::mem::take(&mut state.intake.news);
            (news, Arc::clone(&state.intake.table))
        };
        let hub = &self.stream.hub;
        if news.tracks {
            let key = self.key().clone();
            hub.tell(StreamEvent::TracksChanged { key, tracks });
        }
        if let Some((epoch, reason)) = news.epoch {
            let key = self.key().clone();
            hub.tell(StreamEvent::EpochOpened { key, epoch, reason });
        }
    }
}

/// The publisher's side of [`StreamHandle::request_keyframe`].
#[derive(Clone, Debug)]
pub struct KeyframeRequests {
    receiver: watch::Receiver<u64>,
}

impl KeyframeRequests {
    /// Waits for the next request; several since the last call count as one. `None` when the stream is gone.
    pub async fn next(&mut self) -> Option<()> {
        self.receiver.changed().await.ok()
    }

    /// True when one came since the last call of this or [`KeyframeRequests::next`].
    pub fn take(&mut self) -> bool {
        let asked = self.receiver.has_changed().unwrap_or(false);
        self.receiver.mark_unchanged();
        asked
    }
}
