//! Measures the frames of each track.

use core_frame::{FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId, TrackInfo};

use super::report::{Complaint, DamageCount, Jump, ProbeReport, TrackReport};

/// A step of the decode time beyond this is a jump.
const JUMP: MediaTime = MediaTime::from_secs(1);
/// Jumps that are told one by one.
const JUMPS_TOLD: usize = 16;
/// Different complaints that are kept.
const COMPLAINTS: usize = 64;

/// Takes tracks and frames, and counts.
#[derive(Debug, Default)]
pub(super) struct Meter {
    tracks: Vec<Track>,
    damage: Vec<DamageCount>,
    complaints: Vec<Complaint>,
}

#[derive(Debug)]
struct Track {
    info: TrackInfo,
    changes: u64,
    seen: Option<Seen>,
    frames: u64,
    bytes: u64,
    keys: u64,
    key_interval: Option<MediaTime>,
    disposable: u64,
    is_reordered: bool,
    backwards: u64,
    repeated: u64,
    jump_count: u64,
    jumps: Vec<Jump>,
    /// Media time without the jumps.
    length: MediaTime,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first_dts: MediaTime,
    first_pts: MediaTime,
    last_dts: MediaTime,
    last_step: MediaTime,
    /// The latest presentation time.
    pts_max: MediaTime,
    last_key: Option<MediaTime>,
}

impl Meter {
    pub(super) fn is_empty(&self) -> bool {
        self.tracks.iter().all(|t| t.frames == 0)
    }

    /// What to add to the ids of another file's tracks, so that they do not meet those that are here.
    pub(super) fn shift_for(&self, ids: impl IntoIterator<Item = TrackId>) -> u16 {
        let taken = |id: TrackId| self.tracks.iter().any(|t| t.info.id == id);
        let highest = self.tracks.iter().map(|t| t.info.id.0).max();
        match ids.into_iter().any(taken) {
            true => highest.unwrap_or(0),
            false => 0,
        }
    }

    pub(super) fn track(&mut self, info: TrackInfo) {
        match self.tracks.iter_mut().find(|t| t.info.id == info.id) {
            Some(track) => {
                track.changes += u64::from(track.info.config != info.config);
                track.info = info;
            }
            None => self.tracks.push(Track::new(info)),
        }
    }

    pub(super) fn frame(&mut self, frame: &MediaFrame) {
        if let Some(track) = self.tracks.iter_mut().find(|t| t.info.id == frame.track) {
            track.frame(frame);
        }
    }

    pub(super) fn damage(&mut self, damage: DamageCount) {
        match self.damage.iter_mut().find(|d| d.kind == damage.kind) {
            Some(d) => {
                d.count += damage.count;
                d.skipped_bytes += damage.skipped_bytes;
            }
            None => self.damage.push(damage),
        }
    }

    pub(super) fn complain(&mut self, message: String) {
        let is_full = self.complaints.len() >= COMPLAINTS;
        match self.complaints.iter_mut().find(|c| c.message == message) {
            Some(c) => c.count += 1,
            None if is_full => {}
            None => self.complaints.push(Complaint { message, count: 1 }),
        }
    }

    pub(super) fn finish(mut self, mut report: ProbeReport) -> ProbeReport {
        self.tracks.sort_by_key(|t| t.info.id);
        let first = |kind| {
            let track = self.tracks.iter().find(|t| t.info.kind() == kind)?;
            Some(track.seen?.first_pts)
        };
        if let (Some(video), Some(audio)) = (first(MediaKind::Video), first(MediaKind::Audio)) {
            report.av_offset_ms = Some(millis(audio - video));
        }
        let longest = self.tracks.iter().map(|t| t.length).max();
        report.seconds = longest.unwrap_or_default().as_secs_f64();
        report.tracks = self.tracks.iter().map(Track::report).collect();
        report.damage.append(&mut self.damage);
        report.complaints.append(&mut self.complaints);
        report
    }
}

impl Track {
    const fn new(info: TrackInfo) -> Self {
        Self {
            info,
            changes: 0,
            seen: None,
            frames: 0,
            bytes: 0,
            keys: 0,
            key_interval: None,
            disposable: 0,
            is_reordered: false,
            backwards: 0,
            repeated: 0,
            jump_count: 0,
            jumps: Vec::new(),
            length: MediaTime::ZERO,
        }
    }

    fn frame(&mut self, frame: &MediaFrame) {
        self.frames += 1;
        self.bytes += frame.payload.len() as u64;
        self.disposable += u64::from(frame.flags.contains(FrameFlags::DISPOSABLE));
        let is_key = frame.is_keyframe();
        self.keys += u64::from(is_key);
        let Some(seen) = &mut self.seen else {
            self.seen = Some(Seen {
                first_dts: frame.dts,
                first_pts: frame.pts,
                last_dts: frame.dts,
                last_step: MediaTime::ZERO,
                pts_max: frame.pts,
                last_key: is_key.then_some(frame.dts),
            });
            return;
        };
        let step = frame.dts - seen.last_dts;
        if step > JUMP || step < -JUMP {
            self.jump_count += 1;
            if self.jumps.len() < JUMPS_TOLD {
                self.jumps.push(Jump {
                    from_ms: millis(seen.last_dts),
                    to_ms: millis(frame.dts),
                });
            }
            seen.last_key = None;
            seen.pts_max = frame.pts;
        } else {
            self.backwards += u64::from(step < MediaTime::ZERO);
            self.repeated += u64::from(step == MediaTime::ZERO);
            self.is_reordered |= frame.pts < seen.pts_max;
            seen.pts_max = seen.pts_max.max(frame.pts);
            self.length += step;
            seen.last_step = step;
        }
        if is_key {
            if let Some(last) = seen.last_key {
                let interval = frame.dts - last;
                self.key_interval = Some(self.key_interval.map_or(interval, |i| i.max(interval)));
            }
            seen.last_key = Some(frame.dts);
        }
        seen.last_dts = frame.dts;
    }

    fn report(&self) -> TrackReport {
        let info = &self.info;
        let is_video = info.kind() == MediaKind::Video;
        // The last frame lasts as long as the one before it.
        let step = self.seen.map_or(MediaTime::ZERO, |s| s.last_step);
        let seconds = (self.length + step).as_secs_f64();
        let per_second = |n: f64| if seconds > 0.0 { n / seconds } else { 0.0 };
        let video = info.video.unwrap_or_default();
        let at = |f: fn(&Seen) -> MediaTime| self.seen.as_ref().map_or(0.0, |s| millis(f(s)));
        TrackReport {
            id: info.id.0,
            kind: info.kind().name().to_owned(),
            codec: info.codec.name().to_owned(),
            codec_string: info.codec_string.clone(),
            config_bytes: info.config.len(),
            config_changes: self.changes,
            width: Some(video.width).filter(|w| *w > 0),
            height: Some(video.height).filter(|h| *h > 0),
            fps: video
                .frame_rate
                .filter(|(_, den)| *den > 0)
                .map(|(num, den)| f64::from(num) / f64::from(den)),
            measured_fps: (is_video && seconds > 0.0).then(|| per_second(self.frames as f64)),
            sample_rate: info.audio.map(|a| a.sample_rate),
            channels: info.audio.map(|a| a.channels),
            language: info.language.clone(),
            bitrate_bps: per_second(self.bytes as f64 * 8.0) as u64,
            declared_bitrate_bps: info.bitrate_bps,
            frames: self.frames,
            bytes: self.bytes,
            key_frames: self.keys,
            max_key_interval_ms: self.key_interval.filter(|_| is_video).map(millis),
            disposable_frames: self.disposable,
            is_reordered: self.is_reordered,
            first_dts_ms: at(|s| s.first_dts),
            last_dts_ms: at(|s| s.last_dts),
            first_pts_ms: at(|s| s.first_pts),
            dts_backwards: self.backwards,
            dts_repeated: self.repeated,
            jump_count: self.jump_count,
            jumps: self.jumps.clone(),
        }
    }
}

fn millis(t: MediaTime) -> f64 {
    t.as_nanos() as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use core_frame::CodecId;

    fn measure(times: &[i64]) -> TrackReport {
        let mut meter = Meter::default();
        meter.track(TrackInfo::new(TrackId::VIDEO, CodecId::H264));
        for (n, ms) in times.iter().enumerate() {
            let payload = Bytes::from_static(&[0; 1_000]);
            let frame = MediaFrame::new_video(*ms, *ms, payload, CodecId::H264, n % 10 == 0);
            meter.frame(&frame);
        }
        meter.finish(ProbeReport::new("x", "flv")).tracks.remove(0)
    }

    #[test]
    fn steady_times_are_measured() {
        let report = measure(&(0..100).map(|n| 5_000 + n * 40).collect::<Vec<_>>());
        assert_eq!(report.measured_fps, Some(25.0));
        assert_eq!(report.bitrate_bps, 200_000);
        assert_eq!(
            (report.first_dts_ms, report.last_dts_ms),
            (5_000.0, 8_960.0)
        );
        assert_eq!(report.max_key_interval_ms, Some(400.0));
        assert_eq!((report.jump_count, report.dts_backwards), (0, 0));
    }

    #[test]
    fn jumps_do_not_count_as_media() {
        let times = [0, 40, 80, 3_600_000, 3_600_040, 20, 60, 40, 40];
        let report = measure(&times);
        assert_eq!(
            (report.jump_count, report.dts_backwards, report.dts_repeated),
            (2, 1, 1)
        );
        assert_eq!(report.jumps[0].to_ms, 3_600_000.0);
        assert!(report.measured_fps.unwrap() > 10.0);
    }
}
