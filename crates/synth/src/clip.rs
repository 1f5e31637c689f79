//! A clip that loops for ever on one continuous timeline.

use async_trait::async_trait;
use core_frame::{Limits, MediaFrame, MediaKind, MediaSource, MediaTime, TrackId, TrackInfo};
use flv::{Demuxer, Event, Events, FileEvent, FileReader};

use crate::Error;

/// The demo's clip: see `assets/README.md`.
static DEMO: &[u8] = include_bytes!("../assets/demo.flv");

/// A clip, looped: an endless iterator of frames in decode order from time 0.
///
/// Times are exact: the whole milliseconds of the file are replaced by frame and sample counts wherever they agree with
/// them. The loop is as long as the video; audio goes on in whole access units and is never further from the picture
/// than half of one.
#[derive(Debug)]
pub struct Clip {
    lanes: Vec<Lane>,
}

impl Clip {
    /// The built-in clip: 8 s of moving picture with a beep each second.
    #[must_use]
    pub fn demo() -> Self {
        Self::from_flv(DEMO).expect("the built-in clip is whole: a test reads it")
    }

    /// A clip of your own: an FLV file with one video track, one audio track, or both.
    ///
    /// # Errors
    /// The file is no FLV, or has no frame.
    pub fn from_flv(file: &[u8]) -> Result<Self, Error> {
        let (tracks, frames) = demux(file)?;
        let start = frames.iter().map(|f| f.dts).min().ok_or(Error::EmptyClip)?;
        let mut lanes: Vec<_> = tracks
            .into_iter()
            .filter_map(|info| Lane::new(info, &frames, start))
            .collect();
        let video = lanes.iter().find(|l| l.info.kind() == MediaKind::Video);
        let length = video
            .or(lanes.first())
            .map_or(MediaTime::ZERO, Lane::length);
        for lane in &mut lanes {
            lane.loop_length = length;
        }
        Ok(Self { lanes })
    }

    /// The tracks, with their codec configurations.
    #[must_use]
    pub fn tracks(&self) -> Vec<TrackInfo> {
        self.lanes.iter().map(|l| l.info.clone()).collect()
    }

    /// Length of one loop.
    #[must_use]
    pub fn length(&self) -> MediaTime {
        self.lanes
            .first()
            .map_or(MediaTime::ZERO, |l| l.loop_length)
    }

    /// Decode time of the next frame.
    #[must_use]
    pub fn next_time(&self) -> Option<MediaTime> {
        self.lanes.iter().map(Lane::next_time).min()
    }
}

impl Iterator for Clip {
    type Item = MediaFrame;

    fn next(&mut self) -> Option<MediaFrame> {
        self.lanes
            .iter_mut()
            .min_by_key(|l| l.next_time())
            .map(Lane::take)
    }
}

#[async_trait]
impl MediaSource for Clip {
    /// At once: whoever calls paces.
    async fn next_frame(&mut self) -> core_frame::Result<Option<MediaFrame>> {
        Ok(self.next())
    }
}

/// One track of the clip.
#[derive(Debug)]
struct Lane {
    info: TrackInfo,
    /// Its frames, with times from the start of the clip.
    frames: Vec<MediaFrame>,
    /// Length of a frame as ticks and ticks a second, when all frames are equally long.
    period: Option<(u32, u32)>,
    loop_length: MediaTime,
    round: i64,
    /// Frames given out in this round.
    at: usize,
    /// Frames of this round; set by its first.
    count: usize,
}

impl Lane {
    /// `None` for a track without frames.
    fn new(mut info: TrackInfo, all: &[MediaFrame], start: MediaTime) -> Option<Self> {
        let mut frames: Vec<_> = all.iter().filter(|f| f.track == info.id).cloned().collect();
        for frame in &mut frames {
            frame.dts -= start;
            frame.pts -= start;
        }
        let first = frames.first()?.dts;
        let period = told_period(&info).filter(|&(ticks, hz)| {
            let even = |(n, frame): (usize, &MediaFrame)| {
                (frame.dts - first - times(n as i64, ticks, hz)).abs() <= MediaTime::from_millis(1)
            };
            frames.iter().enumerate().all(even)
        });
        if let Some((ticks, hz)) = period {
            // The file's milliseconds hide whether the first frame stands at 0 or within the first tick.
            let first = if first < MediaTime::from_millis(2) {
                MediaTime::ZERO
            } else {
                first
            };
            for (n, frame) in frames.iter_mut().enumerate() {
                let offset = frame.composition_offset();
                let whole = offset.to_ticks(hz) / i64::from(ticks);
                let near = [whole, whole + 1].map(|n| times(n, ticks, hz));
                let snapped = near.into_iter().min_by_key(|&t| (t - offset).abs());
                frame.dts = first + times(n as i64, ticks, hz);
                frame.pts = frame.dts + snapped.unwrap_or(offset);
                frame.duration = times(1, ticks, hz);
            }
            info.timescale = if info.kind() == MediaKind::Audio {
                hz
            } else {
                90_000
            };
        }
        Some(Self {
            info,
            frames,
            period,
            loop_length: MediaTime::ZERO,
            round: 0,
            at: 0,
            count: 0,
        })
    }

    fn length(&self) -> MediaTime {
        match (self.period, self.frames.as_slice()) {
            (Some((ticks, hz)), frames) => times(frames.len() as i64, ticks, hz),
            (None, [.., before, last]) => last.dts + (last.dts - before.dts),
            (None, _) => MediaTime::from_secs(1),
        }
    }

    /// Whole frames before a round begins.
    fn frames_before(&self, round: i64, (ticks, hz): (u32, u32)) -> i64 {
        let nanos = i128::from(self.loop_length.as_nanos()) * i128::from(round);
        let per = i128::from(times(1_000_000, ticks, hz).as_nanos());
        i64::try_from((nanos * 1_000_000 + per / 2) / per.max(1)).unwrap_or(i64::MAX)
    }

    fn start(&self, round: i64) -> MediaTime {
        match self.period {
            Some((ticks, hz)) => times(self.frames_before(round, (ticks, hz)), ticks, hz),
            None => MediaTime::from_nanos(self.loop_length.as_nanos().saturating_mul(round)),
        }
    }

    /// Frames of the present round: all of them, but for tracks longer than the loop.
    fn frames_in_round(&self) -> usize {
        let length = self.start(self.round + 1) - self.start(self.round);
        let inside = |frame: &&MediaFrame| frame.dts + MediaTime::from_micros(1) < length;
        self.frames.iter().filter(inside).count().max(1)
    }

    fn frame(&self) -> Option<&MediaFrame> {
        self.frames.get(self.at)
    }

    fn next_time(&self) -> MediaTime {
        let rest = self.frame().map_or(MediaTime::ZERO, |f| f.dts);
        match (self.period, self.frames.first()) {
            // One conversion of the whole count, so that rounding never adds up.
            (Some((ticks, hz)), Some(first)) => {
                let n = self.frames_before(self.round, (ticks, hz)) + self.at as i64;
                first.dts + times(n, ticks, hz)
            }
            _ => self.start(self.round) + rest,
        }
    }

    fn take(&mut self) -> MediaFrame {
        let time = self.next_time();
        if self.at == 0 {
            self.count = self.frames_in_round();
        }
        let mut frame = self.frames[self.at].clone();
        frame.pts = time + frame.composition_offset();
        frame.dts = time;
        self.at += 1;
        if self.at >= self.count {
            self.at = 0;
            self.round += 1;
        }
        frame
    }
}

fn demux(file: &[u8]) -> Result<(Vec<TrackInfo>, Vec<MediaFrame>), Error> {
    let limits = Limits::default();
    let (mut reader, mut demuxer) = (FileReader::new(&limits), Demuxer::new(&limits));
    let mut events = Events::new();
    reader.push(file);
    reader.finish();
    while let Some(event) = reader.next_event()? {
        if let FileEvent::Tag {
            kind,
            timestamp_ms,
            body,
            ..
        } = event
        {
            demuxer.push(kind, timestamp_ms, body, &mut events)?;
        }
    }
    let (mut tracks, mut frames) = (Vec::<TrackInfo>::new(), Vec::new());
    for event in events.drain() {
        match event {
            Event::Track(info) => {
                tracks.retain(|t| t.id != info.id);
                tracks.push(*info);
            }
            Event::Frame(frame) if frame.track != TrackId::DATA => frames.push(frame),
            _ => {}
        }
    }
    tracks.sort_by_key(|t| t.id);
    Ok((tracks, frames))
}

fn told_period(info: &TrackInfo) -> Option<(u32, u32)> {
    if let Some((frames, seconds)) = info.video.and_then(|v| v.frame_rate) {
        return (frames > 0 && seconds > 0).then_some((seconds, frames));
    }
    let audio = info.audio?;
    (audio.frame_samples > 0 && audio.sample_rate > 0)
        .then_some((audio.frame_samples, audio.sample_rate))
}

fn times(n: i64, ticks: u32, hz: u32) -> MediaTime {
    MediaTime::from_ticks(n.saturating_mul(i64::from(ticks)), hz).unwrap_or(MediaTime::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_frame::CodecId;

    #[test]
    fn the_demo_is_whole_and_small() {
        assert!(DEMO.len() <= 1 << 20);
        let clip = Clip::demo();
        let tracks = clip.tracks();
        assert_eq!(tracks.len(), 2);
        assert_eq!(
            (tracks[0].codec, tracks[1].codec),
            (CodecId::H264, CodecId::Aac)
        );
        assert!(tracks.iter().all(TrackInfo::is_ready));
        assert_eq!(clip.length(), MediaTime::from_secs(8));
        assert_eq!(clip.lanes[0].frames.len(), 240);
        assert_eq!(clip.lanes[1].frames.len(), 375);
        assert!(clip.lanes.iter().all(|l| l.period.is_some()));
    }

    #[test]
    fn it_loops_without_a_seam() {
        let (mut v, mut a) = (0, 0);
        for frame in Clip::demo().take(5 * (240 + 375)) {
            let want = if frame.track == TrackId::VIDEO {
                assert_eq!(frame.is_keyframe(), v % 30 == 0, "{v}");
                v += 1;
                times(v - 1, 1, 30)
            } else {
                a += 1;
                times(a - 1, 1_024, 48_000)
            };
            assert_eq!((frame.dts, frame.pts), (want, want));
        }
        assert_eq!((v, a), (5 * 240, 5 * 375));
    }

    #[test]
    fn audio_that_does_not_fit_the_loop_stays_within_half_an_access_unit() {
        let mut clip = Clip::demo();
        // A video lane of 7.9 s against 8 s of audio, and one of 44.1 kHz grid against whole seconds.
        clip.lanes[0].frames.truncate(237);
        let length = clip.lanes[0].length();
        clip.lanes.iter_mut().for_each(|l| l.loop_length = length);
        let (mut last, mut rounds) = ([MediaTime::MIN; 2], 0);
        for frame in clip.by_ref().take(20_000) {
            let lane = usize::from(frame.track == TrackId::AUDIO);
            let step = frame.dts - last[lane];
            assert!(
                last[lane] == MediaTime::MIN || step <= MediaTime::from_millis(34),
                "{step}"
            );
            last[lane] = frame.dts;
            rounds += u32::from(lane == 0 && frame.is_keyframe());
        }
        assert!(rounds > 200);
        for round in 1..30 {
            let skew = clip.lanes[1].start(round) - clip.lanes[0].start(round);
            assert!(skew.abs() <= MediaTime::from_micros(10_700), "{skew}");
        }
    }

    #[test]
    fn what_is_no_clip_is_refused() {
        assert!(Clip::from_flv(b"").is_err());
        assert!(Clip::from_flv(&[7; 400_000]).is_err());
        assert!(Clip::from_flv(&DEMO[..13]).is_err());
    }
}
