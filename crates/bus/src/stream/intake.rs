//! What happens to a frame before it enters the log: tracks, epochs, monotonic decode times, sync marks, counters.

use std::sync::Arc;
use std::time::SystemTime;

use core_frame::{
    Epoch, EpochInfo, EpochReason, FrameFlags, MediaFrame, MediaKind, MediaTime, Repair, Repairs,
    Tags, TrackId, TrackInfo, TrackTable, WallTime,
};
use smallvec::SmallVec;

use super::qos::Meter;
use crate::app::SyncPolicy;
use crate::log::State;

/// A decode time that goes back by less than this is a reordering and is moved forward; more is a clock that restarted.
const REORDER: MediaTime = MediaTime::from_millis(1_000);
/// A decode time that leaps ahead by more than this is a clock that jumped, and no gap.
const LEAP: MediaTime = MediaTime::from_secs(3_600);

/// The writer's memory, kept under the log's lock.
#[derive(Debug)]
pub struct Intake {
    /// Which publisher may write; a handle with another ticket is stale.
    pub(crate) ticket: u64,
    /// The languages of the publisher's audio tracks, by the URL it published to.
    languages: Vec<Option<String>>,
    pub(crate) meters: SmallVec<[Meter; 4]>,
    /// The tracks as they are now; in front of the next frame if `dirty`.
    pub(crate) table: Arc<TrackTable>,
    dirty: bool,
    /// A new epoch begins with the next frame.
    opening: Option<EpochReason>,
    /// Frames were written in this epoch.
    begun: bool,
    /// Added to the publisher's times, so that the stream's own timeline goes on.
    offset: MediaTime,
    /// The next frame continues at this time, whatever its own clock says.
    anchor: Option<MediaTime>,
    /// Times come from a filter and are not shifted here.
    pub(crate) filtered: bool,
    video: Option<TrackId>,
    pub(crate) frames_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) repairs: Repairs,
    pub(crate) sync_policy: SyncPolicy,
    /// Where the wait for a sync point began.
    waiting_since: Option<MediaTime>,
    last_video: Option<MediaTime>,
    key_seen: bool,
    pub(crate) unclean_starts: u64,
    /// What happened that others must be told once the lock is released.
    pub(crate) news: News,
}

/// Things to tell after a write.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) tracks: bool,
    pub(crate) epoch: Option<(Epoch, EpochReason)>,
}

impl News {
    pub(crate) fn any(&self) -> bool {
        self.tracks || self.epoch.is_some()
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            ticket: 0,
            languages: Vec::new(),
            meters: SmallVec::new(),
            table: Arc::default(),
            dirty: true,
            opening: None,
            begun: false,
            offset: MediaTime::ZERO,
            anchor: None,
            filtered: false,
            video: None,
            frames_in: 0,
            bytes_in: 0,
            repairs: Repairs::default(),
            sync_policy: SyncPolicy::default(),
            waiting_since: None,
            last_video: None,
            key_seen: false,
            unclean_starts: 0,
            news: News::default(),
        }
    }
}

impl Intake {
    /// Another publisher goes on with the stream at `at` on its timeline: a new epoch, no tracks yet.
    pub(crate) fn next_publisher(
        &mut self,
        ticket: u64,
        at: MediaTime,
        languages: Vec<Option<String>>,
    ) {
        (self.ticket, self.languages) = (ticket, languages);
        let (tracks, tags) = (self.with_tracks([]), self.with_tags(Tags::default()));
        if let Some(mut table) = tracks.or(tags) {
            table.tags = Arc::default();
            self.put_table(table);
        }
        if !self.begun {
            return;
        }
        self.opening = Some(EpochReason::Publisher);
        if !self.filtered {
            self.offset = MediaTime::ZERO;
            self.anchor = Some(at);
        }
    }

    /// The table with these tracks and no others, if that is another one.
    pub(crate) fn with_tracks(
        &self,
        tracks: impl IntoIterator<Item = TrackInfo>,
    ) -> Option<TrackTable> {
        let mut table = TrackTable::new(tracks);
        if !self.languages.is_empty() {
            for track in table.tracks.clone() {
                let mut track = (*track).clone();
                self.name_language(&table, &mut track);
                table.set(track);
            }
        }
        table.generation = self.table.generation;
        table.epoch = self.table.epoch;
        table.tags = Arc::clone(&self.table.tags);
        (table.tracks != self.table.tracks).then_some(table)
    }

    /// The table with this track in it, if that is another one.
    pub(crate) fn with_track(&self, mut info: TrackInfo) -> Option<TrackTable> {
        self.name_language(&self.table, &mut info);
        if self.table.track(info.id).is_some_and(|t| **t == info) {
            return None;
        }
        let mut table = (*self.table).clone();
        table.set(info);
        self.shift_languages(&mut table);
        Some(table)
    }

    /// Gives a track that says no language the one its publisher's URL says: the nth audio track by id the nth one.
    fn name_language(&self, table: &TrackTable, info: &mut TrackInfo) {
        if info.language.is_some() || info.kind() != MediaKind::Audio {
            return;
        }
        let is_before = |t: &&Arc<TrackInfo>| t.kind() == MediaKind::Audio && t.id < info.id;
        let nth = table.tracks.iter().filter(is_before).count();
        info.language = self.languages.get(nth).cloned().flatten();
    }

    /// A track that came before one of a lower id was taken for that one, and has its language.
    fn shift_languages(&self, table: &mut TrackTable) {
        let audio = table.tracks.iter().filter(|t| t.kind() == MediaKind::Audio);
        let mut shifted = Vec::new();
        for (nth, (track, own)) in audio.zip(&self.languages).enumerate() {
            let before = self.languages.get(..nth).unwrap_or_default();
            if track.language != *own && before.contains(&track.language) {
                let mut track = (**track).clone();
                track.language.clone_from(own);
                shifted.push(track);
            }
        }
        shifted.into_iter().for_each(|track| table.set(track));
    }

    /// The table with these tags and no others, if that is another one.
    pub(crate) fn with_tags(&self, tags: Tags) -> Option<TrackTable> {
        if *self.table.tags == tags {
            return None;
        }
        let mut table = (*self.table).clone();
        table.tags = Arc::new(tags);
        Some(table)
    }

    /// The table after a frame whose payload is a codec configuration.
    pub(crate) fn with_config(&self, frame: MediaFrame) -> Option<TrackTable> {
        let mut info = match self.table.track(frame.track) {
            Some(t) if t.codec == frame.codec => (**t).clone(),
            _ => TrackInfo::new(frame.track, frame.codec),
        };
        info.config = frame.payload;
        self.with_track(info)
    }

    /// Makes this the table of the next frame.
    pub(crate) fn put_table(&mut self, mut table: TrackTable) {
        let recoded = table.tracks.iter().any(|new| {
            self.table.track(new.id).is_some_and(|old| {
                old.codec != new.codec || (!old.config.is_empty() && old.config != new.config)
            })
        });
        if recoded && self.begun {
            self.opening.get_or_insert(EpochReason::Codec);
        }
        table.generation = self.table.generation.wrapping_add(1);
        self.video = table.video().map(|t| t.id);
        self.meters.retain(|m| table.track(m.id).is_some());
        for track in &table.tracks {
            match self.meters.iter_mut().find(|m| m.id == track.id) {
                Some(m) => m.codec = track.codec,
                None => self.meters.push(Meter::new(track.id, track.codec)),
            }
        }
        self.table = Arc::new(table);
        self.dirty = true;
        self.news.tracks = true;
    }

    /// A filter opens an epoch with its next frame.
    pub(crate) fn open_epoch(&mut self, reason: EpochReason) {
        self.opening = Some(reason);
    }

    /// The next frame's table is put in place: a new epoch begins at its decode time, if one was to begin.
    #[cold]
    fn commit(&mut self, dts: MediaTime) {
        let first = !self.begun;
        if first || self.opening.is_some() {
            let mut table = (*self.table).clone();
            let reason = self.opening.take();
            let last = table.epoch.id.0;
            table.epoch = EpochInfo {
                id: Epoch(if first { last } else { last.saturating_add(1) }),
                origin: dts,
                wall: wall_now(),
            };
            if !self.dirty {
                table.generation = table.generation.wrapping_add(1);
            }
            if !first {
                let reason = reason.unwrap_or(EpochReason::Jump);
                self.news.epoch = Some((table.epoch.id, reason));
            }
            self.table = Arc::new(table);
            self.begun = true;
            self.waiting_since = None;
            self.key_seen = false;
        }
        self.dirty = false;
    }

    /// A track that was never announced.
    #[cold]
    fn discover(&mut self, frame: &MediaFrame) {
        if let Some(table) = self.with_track(TrackInfo::new(frame.track, frame.codec)) {
            self.put_table(table);
        }
    }

    /// Moves the frame onto the stream's timeline and keeps its track's decode times from going back.
    fn retime(&mut self, frame: &mut MediaFrame, newest: MediaTime, at: usize) {
        if let Some(anchor) = self.anchor.take() {
            self.offset = anchor - frame.dts;
        }
        if self.offset != MediaTime::ZERO {
            frame.dts += self.offset;
            frame.pts += self.offset;
        }
        let last = self.meters.get(at).and_then(|m| m.last_dts);
        let back = last.map_or(MediaTime::ZERO, |last| last - frame.dts);
        let ahead = frame.dts - newest;
        if back <= MediaTime::ZERO && (ahead <= LEAP || !self.begun || self.filtered) {
            return;
        }
        let last = last.unwrap_or(newest);
        if self.filtered || (MediaTime::ZERO < back && back <= REORDER) {
            frame.dts = last;
            self.repairs.add(Repair::Reorder);
            return;
        }
        // The whole stream is shifted, so that the other tracks of the same clock stay in step.
        let goal = newest.max(last);
        let composition = frame.composition_offset();
        self.offset += goal - frame.dts;
        frame.dts = goal;
        frame.pts = goal + composition;
        self.opening.get_or_insert(EpochReason::Jump);
        self.repairs.add(Repair::Jump);
    }

    /// True when a reader may start at this frame.
    fn is_sync(&mut self, frame: &MediaFrame) -> bool {
        let Some(video) = self.video else {
            return true;
        };
        let own = frame.track == video;
        if own && frame.flags.contains(FrameFlags::KEY) {
            self.key_seen = true;
            self.waiting_since = Some(frame.dts);
            self.last_video = Some(frame.dts);
            return true;
        }
        self.is_second_best(frame, own)
    }

    /// Where no key frame comes: recovery points after a while, and then any picture, counted.
    fn is_second_best(&mut self, frame: &MediaFrame, own: bool) -> bool {
        let since = *self.waiting_since.get_or_insert(frame.dts);
        let waited = frame.dts - since;
        let over = |bound: std::time::Duration| waited >= MediaTime::from(bound);
        let policy = &self.sync_policy;
        let sync = if own {
            self.last_video = Some(frame.dts);
            if frame.flags.contains(FrameFlags::RECOVERY_POINT) && over(policy.recovery_after) {
                true
            } else if !self.key_seen && policy.any_after.is_some_and(over) {
                self.unclean_starts += 1;
                true
            } else {
                false
            }
        } else {
            // Announced video that never comes must not keep the sound from its listeners.
            let silent = self.last_video.is_none_or(|last| {
                policy
                    .any_after
                    .is_some_and(|d| frame.dts - last >= MediaTime::from(d))
            });
            frame.kind() == MediaKind::Audio
                && !self.key_seen
                && silent
                && policy.any_after.is_some_and(over)
        };
        if sync && own {
            self.waiting_since = Some(frame.dts);
        }
        sync
    }
}

impl State<MediaFrame, TrackTable> {
    /// Takes a frame that comes straight from the publisher.
    #[inline]
    pub(crate) fn accept_counted(&mut self, frame: MediaFrame) {
        self.intake.frames_in += 1;
        self.intake.bytes_in += frame.payload.len() as u64;
        self.accept(frame);
    }

    /// Takes a frame into the log. Configuration frames become a change of the track table.
    #[inline]
    pub(crate) fn accept(&mut self, mut frame: MediaFrame) {
        if frame.is_config() {
            if let Some(table) = self.intake.with_config(frame) {
                self.intake.put_table(table);
            }
            return;
        }
        let newest = self.clock;
        let intake = &mut self.intake;
        let at = match intake.meters.iter().position(|m| m.id == frame.track) {
            Some(at) => at,
            None => {
                intake.discover(&frame);
                intake
                    .meters
                    .iter()
                    .position(|m| m.id == frame.track)
                    .unwrap_or(0)
            }
        };
        intake.retime(&mut frame, newest, at);
        if intake.dirty || intake.opening.is_some() {
            intake.commit(frame.dts);
            self.primary = intake.video;
            let table = Arc::clone(&intake.table);
            self.set_header(table);
        }
        let intake = &mut self.intake;
        frame.epoch = intake.table.epoch.id;
        if let Some(meter) = intake.meters.get_mut(at) {
            meter.count(frame.dts, frame.payload.len() as u64);
        }
        let sync = intake.is_sync(&frame);
        self.push(frame, sync);
    }
}

fn wall_now() -> WallTime {
    WallTime::from(SystemTime::now())
}
