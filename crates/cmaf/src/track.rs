//! From frames to samples of one track: exact decode times and durations, one frame behind.

use core_frame::{MediaFrame, MediaKind, MediaTime, Slices, TrackInfo};

use crate::sample::payload_slices;
use crate::{InitTrack, Sample, TrackClock};

/// Turns the frames of one track, in decode order, into [`Sample`]s.
///
/// **Time.** `tfdt` is the stream's decode time, and composition offsets are signed (`trun` version 1), so that no edit list is
/// needed and presentation time is the stream's own. (Decode times moved up to the presentation time of the sync point, with
/// negative offsets, would be neater, but FFmpeg up to 9 adds the largest negative offset to every presentation time of a
/// fragmented file without edit list, and so loses lip sync.) All times are converted absolutely; a duration is the
/// difference of two converted times, so `tfdt` is always exactly the sum of the durations before it.
///
/// **Latency.** [`TrackWriter::push`] returns the sample *before* the frame it is given, because only then its duration is
/// known. Where a frame must leave at once, [`TrackWriter::push_now`] estimates the duration and keeps the times exact.
#[derive(Debug)]
pub struct TrackWriter {
    clock: TrackClock,
    /// Presentation minus decode time of the first frame.
    delay: Option<MediaTime>,
    pending: Option<Sample>,
    /// Decode tick of the newest frame.
    last_start: Option<u64>,
    /// The last duration between two frames, or the nominal one before there was any.
    duration: u32,
    /// Nothing is held back because the end was announced.
    flushed: bool,
}

impl TrackWriter {
    /// For a track whose tick 0 lies at `zero`; see [`TrackClock::of`].
    #[must_use]
    pub fn new(info: &TrackInfo, track: &InitTrack, zero: MediaTime) -> Self {
        let clock = track.clock(zero);
        Self {
            delay: None,
            pending: None,
            last_start: None,
            duration: nominal_duration(info, clock.hz()),
            flushed: false,
            clock,
        }
    }

    /// The clock of the track.
    #[must_use]
    pub const fn clock(&self) -> &TrackClock {
        &self.clock
    }

    /// Takes a frame and returns the one before it, whose duration is now known exactly.
    pub fn push(&mut self, frame: &MediaFrame) -> Option<Sample> {
        let sample = self.sample(frame);
        let mut before = self.pending.replace(sample)?;
        before.duration = self.duration;
        Some(before)
    }

    /// Takes a frame and returns it at once, with the duration the sender told, or else that of the frame before. The
    /// decode time of each sample is exact, so an estimate that was wrong does not move what follows.
    pub fn push_now(&mut self, frame: &MediaFrame) -> Sample {
        let mut sample = self.sample(frame);
        let told = self.clock.ticks(self.clock.zero() + frame.duration);
        sample.duration = u32::try_from(told)
            .ok()
            .filter(|&d| d > 0)
            .unwrap_or(self.duration);
        sample
    }

    /// The last frame, at the end of a stretch of the stream: it lasts as long as the sender told, else as long as the one
    /// before it.
    pub fn flush(&mut self) -> Option<Sample> {
        let mut sample = self.pending.take()?;
        self.flushed = true;
        sample.duration = match sample.duration {
            0 => self.duration.max(1),
            told => told,
        };
        Some(sample)
    }

    /// Decode tick at which the frame held back begins.
    #[must_use]
    pub fn pending_start(&self) -> Option<u64> {
        self.pending.as_ref().map(|s| s.start)
    }

    /// The last known distance between two frames, in ticks (nominal before there were two).
    #[must_use]
    pub const fn frame_duration(&self) -> u32 {
        self.duration
    }

    /// Presentation minus decode time of the first frame: the reorder delay. A sync point is presented this long after its
    /// `tfdt`.
    #[must_use]
    pub fn delay(&self) -> MediaTime {
        self.delay.unwrap_or_default()
    }

    /// Decode time of a frame plus [`TrackWriter::delay`]: at a sync point its presentation time, and unlike that never
    /// going back.
    #[must_use]
    pub fn time_of(&self, frame: &MediaFrame) -> MediaTime {
        frame.dts + self.delay.unwrap_or_else(|| Self::delay_of(frame))
    }

    fn delay_of(frame: &MediaFrame) -> MediaTime {
        match frame.kind() {
            MediaKind::Video => frame.composition_offset(),
            _ => MediaTime::ZERO,
        }
    }

    fn sample(&mut self, frame: &MediaFrame) -> Sample {
        if self.delay.is_none() {
            self.delay = Some(Self::delay_of(frame));
        }
        let wanted = self.clock.ticks(frame.dts);
        // Times that stand still are moved on by one tick: a sample of no duration is shown by no player.
        let least = self.last_start.map_or(0, |last| last.saturating_add(1));
        let start = u64::try_from(wanted).unwrap_or(0).max(least);
        // Across a flush the distance is a hole, not the length of a frame.
        if let Some(last) = self
            .last_start
            .filter(|_| !std::mem::take(&mut self.flushed))
        {
            self.duration = u32::try_from(start - last).unwrap_or(u32::MAX);
        }
        self.last_start = Some(start);
        let offset = self
            .clock
            .ticks(frame.pts)
            .saturating_sub(i64::try_from(start).unwrap_or(i64::MAX));
        let told = self.clock.ticks(self.clock.zero() + frame.duration);
        let slices: Slices = payload_slices(frame);
        let len: usize = slices.iter().map(bytes::Bytes::len).sum();
        Sample {
            slices,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            start,
            duration: u32::try_from(told).unwrap_or(0),
            offset: i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN } else { i32::MAX }),
            flags: frame.flags,
        }
    }
}

/// What a frame of this track lasts before two of them were seen.
fn nominal_duration(info: &TrackInfo, hz: u32) -> u32 {
    let ticks = match (info.audio, info.video.and_then(|v| v.frame_rate)) {
        (Some(audio), _) if audio.frame_samples > 0 => u64::from(audio.frame_samples),
        (Some(_), _) => u64::from(hz) / 50,
        (None, Some((num, den))) if num > 0 => u64::from(hz) * u64::from(den) / u64::from(num),
        (None, _) => u64::from(hz) / 30,
    };
    u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
}
