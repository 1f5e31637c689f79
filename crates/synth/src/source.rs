//! The numbered source: endless video and audio whose every frame says which one it is.

use async_trait::async_trait;
use bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, FrameFlags, MediaFrame, MediaSource, MediaTime, TrackId, TrackInfo,
    VideoInfo, WallTime,
};

use crate::h264::{Coder, Picture};
use crate::{Error, aac};

/// What to make. The default is 160x96 at 30 frames a second, a key frame each second, and silent stereo at 48 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Frames a second, as numerator and denominator; `None` for no video.
    pub frame_rate: Option<(u32, u32)>,
    /// Frames from one key frame to the next; at least 1.
    pub gop: u32,
    /// Non-reference frames after each reference frame that are shown before it; 0 for decode order = display order.
    pub b_frames: u32,
    /// Width in luma samples, a multiple of 16.
    pub width: u32,
    /// Height in luma samples, a multiple of 16.
    pub height: u32,
    /// Video bits a second that filler data brings the stream up to; 0 adds none. Key frames are larger than the others by
    /// what they need.
    pub bitrate: u64,
    /// Audio sample rate in Hz; `None` for no audio.
    pub sample_rate: Option<u32>,
    /// 1 or 2.
    pub channels: u16,
    /// Video frames to make in all (audio ends with them); without video, audio frames. `None` never ends.
    pub frames: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frame_rate: Some((30, 1)),
            gop: 30,
            b_frames: 0,
            width: 160,
            height: 96,
            bitrate: 0,
            sample_rate: Some(48_000),
            channels: 2,
            frames: None,
        }
    }
}

impl Options {
    /// Whole frames a second.
    #[must_use]
    pub fn fps(mut self, fps: u32) -> Self {
        self.frame_rate = Some((fps, 1));
        self
    }

    /// Frames a second as a fraction, e.g. 30000/1001; `None` for no video.
    #[must_use]
    pub fn frame_rate(mut self, rate: Option<(u32, u32)>) -> Self {
        self.frame_rate = rate;
        self
    }

    /// Frames from key frame to key frame.
    #[must_use]
    pub fn gop(mut self, frames: u32) -> Self {
        self.gop = frames;
        self
    }

    /// Frames shown before the reference frame that is decoded before them.
    #[must_use]
    pub fn b_frames(mut self, count: u32) -> Self {
        self.b_frames = count;
        self
    }

    /// Picture size in luma samples, multiples of 16.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.width = width;
        self.height = height;
        self
    }

    /// Video bits a second to fill up to.
    #[must_use]
    pub fn bitrate(mut self, bits_per_second: u64) -> Self {
        self.bitrate = bits_per_second;
        self
    }

    /// Audio sample rate in Hz; `None` for no audio.
    #[must_use]
    pub fn sample_rate(mut self, hz: Option<u32>) -> Self {
        self.sample_rate = hz;
        self
    }

    /// Audio channels, 1 or 2.
    #[must_use]
    pub fn channels(mut self, channels: u16) -> Self {
        self.channels = channels;
        self
    }

    /// Ends after this many video frames (audio frames when there is no video).
    #[must_use]
    pub fn frames(mut self, frames: u64) -> Self {
        self.frames = Some(frames);
        self
    }
}

/// Makes numbered frames in decode order, both tracks interleaved by decode time from 0.
///
/// Pure: time is computed from the frame number, and whoever sends the frames does the pacing. An iterator, endless unless
/// [`Options::frames`] is set.
#[derive(Debug)]
pub struct Source {
    options: Options,
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    wall: u64,
}

impl Source {
    /// A source as wished.
    ///
    /// # Errors
    /// The wish cannot be met; the error says which part.
    pub fn new(options: Options) -> Result<Self, Error> {
        let video = options
            .frame_rate
            .map(|rate| VideoTrack::new(&options, rate))
            .transpose()?;
        let audio = options
            .sample_rate
            .map(|rate| AudioTrack::new(rate, options.channels))
            .transpose()?;
        if video.is_none() && audio.is_none() {
            return Err(Error::Nothing);
        }
        Ok(Self {
            options,
            video,
            audio,
            wall: 0,
        })
    }

    /// The tracks, with their codec configurations.
    #[must_use]
    pub fn tracks(&self) -> Vec<TrackInfo> {
        let video = self.video.as_ref().map(VideoTrack::info);
        let audio = self.audio.as_ref().map(AudioTrack::info);
        video.into_iter().chain(audio).collect()
    }

    /// Wall-clock time written into the frames that follow, for those who measure delay at the far end.
    pub fn stamp(&mut self, wall: WallTime) {
        self.wall = u64::try_from(wall.unix_nanos()).unwrap_or(0);
    }

    /// Decode time of the next frame; `None` at the end.
    #[must_use]
    pub fn next_time(&self) -> Option<MediaTime> {
        let video = self.video.as_ref().map(VideoTrack::time);
        let audio = self.audio.as_ref().map(AudioTrack::time);
        let next = match (video, audio) {
            (Some(v), Some(a)) => v.min(a),
            (v, a) => v.or(a)?,
        };
        let made = match (&self.video, &self.audio) {
            (Some(v), _) => v.made,
            (None, Some(a)) => a.made,
            (None, None) => 0,
        };
        (self.options.frames.is_none_or(|all| made < all)).then_some(next)
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }
}

impl Iterator for Source {
    type Item = MediaFrame;

    fn next(&mut self) -> Option<MediaFrame> {
        let next = self.next_time()?;
        let wall = self.wall;
        match (&mut self.video, &mut self.audio) {
            (Some(video), _) if video.time() == next => Some(video.frame(wall)),
            (_, Some(audio)) => Some(audio.frame(wall)),
            _ => None,
        }
    }
}

#[async_trait]
impl MediaSource for Source {
    /// At once: whoever calls paces.
    async fn next_frame(&mut self) -> core_frame::Result<Option<MediaFrame>> {
        Ok(self.next())
    }
}

#[derive(Debug)]
struct VideoTrack {
    coder: Coder,
    size: (u32, u32),
    rate: (u32, u32),
    gop: u64,
    b_frames: u64,
    frame_bytes: usize,
    made: u64,
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Number of the GOP's key frame.
    key: u64,
    /// Frames after the key frame, in display order.
    display: u64,
    reference: bool,
}

impl VideoTrack {
    fn new(options: &Options, rate: (u32, u32)) -> Result<Self, Error> {
        let (width, height) = (options.width, options.height);
        let fits = |v: u32, least| v.is_multiple_of(16) && (least..=4_096).contains(&v);
        if !fits(width, 80) || !fits(height, 16) {
            return Err(Error::Size { width, height });
        }
        let sane = rate.0 > 0 && rate.1 > 0 && u64::from(rate.0) <= 240 * u64::from(rate.1);
        if !sane {
            return Err(Error::FrameRate(rate.0, rate.1));
        }
        let per_frame = u128::from(options.bitrate) * u128::from(rate.1) / (8 * u128::from(rate.0));
        Ok(Self {
            coder: Coder::new(width / 16, height / 16, rate, options.b_frames > 0),
            size: (width, height),
            rate,
            gop: u64::from(options.gop.max(1)),
            b_frames: u64::from(options.b_frames),
            frame_bytes: per_frame.min(8 << 20) as usize,
            made: 0,
        })
    }

    fn info(&self) -> TrackInfo {
        let mut info = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
        info.config = Bytes::from(self.coder.config());
        info.timescale = 90_000;
        info.codec_string = Some(self.coder.codec_string());
        info.video = Some(VideoInfo {
            width: self.size.0,
            height: self.size.1,
            frame_rate: Some(self.rate),
            reorder_depth: Some(u8::from(self.b_frames > 0)),
            ..VideoInfo::default()
        });
        info
    }

    fn time(&self) -> MediaTime {
        self.time_of(self.made)
    }

    fn time_of(&self, number: u64) -> MediaTime {
        let ticks = number.saturating_mul(u64::from(self.rate.1));
        let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
        MediaTime::from_ticks(ticks, self.rate.0).unwrap_or(MediaTime::MAX)
    }

    fn frame(&mut self, wall: u64) -> MediaFrame {
        let number = self.made;
        let place = self.place(number);
        let key = place.display == 0;
        let shown = place.key + place.display;
        let payload = self.coder.access_unit(&Picture {
            number,
            wall,
            shown,
            key,
            reference: place.reference,
            order: place.display as u32,
            min_bytes: self.frame_bytes,
        });
        self.made += 1;
        let dts = self.time_of(number);
        let mut frame = MediaFrame::new(TrackId::VIDEO, CodecId::H264, dts, Bytes::from(payload));
        frame.pts = self.time_of(shown + u64::from(self.b_frames > 0));
        frame.duration = self.time_of(number + 1) - dts;
        frame.flags.set(FrameFlags::KEY, key);
        frame.flags.set(FrameFlags::DISPOSABLE, !place.reference);
        frame
    }

    /// Key frame, then runs of one reference frame and the `b_frames` shown before it; the last run may be short.
    fn place(&self, number: u64) -> Place {
        let key = number - number % self.gop;
        let decode = number - key;
        if decode == 0 {
            return Place {
                key,
                display: 0,
                reference: true,
            };
        }
        let run = (decode - 1) / (self.b_frames + 1);
        let first = run * (self.b_frames + 1) + 1;
        let last = (first + self.b_frames).min(self.gop - 1);
        let at = decode - first;
        Place {
            key,
            display: if at == 0 { last } else { first + at - 1 },
            reference: at == 0,
        }
    }
}

#[derive(Debug)]
struct AudioTrack {
    rate: u32,
    rate_index: u32,
    channels: u16,
    made: u64,
}

impl AudioTrack {
    fn new(rate: u32, channels: u16) -> Result<Self, Error> {
        if !(1..=2).contains(&channels) {
            return Err(Error::Channels(channels));
        }
        Ok(Self {
            rate,
            rate_index: aac::rate_index(rate).ok_or(Error::SampleRate(rate))?,
            channels,
            made: 0,
        })
    }

    fn info(&self) -> TrackInfo {
        let mut info = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
        info.config = Bytes::from(aac::config(self.rate_index, self.channels));
        info.timescale = self.rate;
        info.codec_string = Some("mp4a.40.2".to_owned());
        info.audio = Some(AudioInfo {
            sample_rate: self.rate,
            channels: self.channels,
            frame_samples: aac::FRAME_SAMPLES,
        });
        info
    }

    fn time(&self) -> MediaTime {
        self.time_of(self.made)
    }

    fn time_of(&self, number: u64) -> MediaTime {
        let samples = number.saturating_mul(u64::from(aac::FRAME_SAMPLES));
        let samples = i64::try_from(samples).unwrap_or(i64::MAX);
        MediaTime::from_ticks(samples, self.rate).unwrap_or(MediaTime::MAX)
    }

    fn frame(&mut self, wall: u64) -> MediaFrame {
        let payload = Bytes::from(aac::access_unit(self.made, wall, self.channels));
        let time = self.time();
        self.made += 1;
        let mut frame = MediaFrame::new(TrackId::AUDIO, CodecId::Aac, time, payload);
        frame.duration = self.time() - time;
        frame.flags = FrameFlags::KEY;
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_number;

    #[test]
    fn numbers_and_times_count_up() {
        let mut source = Source::new(Options::default().frames(90)).unwrap();
        source.stamp(WallTime::from_unix_nanos(1_700_000_000_123_456_789));
        let (mut video, mut audio) = (0, 0);
        let mut last = MediaTime::ZERO;
        for frame in &mut source {
            let number = read_number(&frame).unwrap();
            // 32.32 fixed point is finer than a nanosecond, but truncation on the way may cost one.
            let wall = number.wall.unwrap().unix_nanos();
            assert!((wall - 1_700_000_000_123_456_789).abs() <= 1);
            let count = if frame.track == TrackId::VIDEO {
                assert_eq!(frame.is_keyframe(), number.n.is_multiple_of(30));
                &mut video
            } else {
                &mut audio
            };
            assert_eq!(number.n, *count);
            *count += 1;
            assert!(frame.dts >= last);
            last = frame.dts;
        }
        assert_eq!((video, audio), (90, 140));
        assert_eq!(source.next_time(), None);
    }

    #[test]
    fn reordered_pictures_are_shown_once_each() {
        for (gop, b_frames) in [(30, 2), (10, 3), (1, 2), (2, 5), (7, 1)] {
            let options = Options::default()
                .gop(gop)
                .b_frames(b_frames)
                .frames(60)
                .sample_rate(None);
            let frames: Vec<_> = Source::new(options).unwrap().collect();
            let mut pts: Vec<_> = frames.iter().map(|f| f.pts).collect();
            pts.sort();
            assert_eq!(pts[0], frames[1].dts);
            let whole = 60 - 60 % gop as usize;
            for (i, pair) in pts[..whole].windows(2).enumerate() {
                let step = (pair[1] - pair[0]).as_nanos();
                assert!(
                    (33_333_332..=33_333_334).contains(&step),
                    "{gop} {b_frames} {i} {step}"
                );
            }
            assert!(frames.iter().all(|f| f.pts >= f.dts));
        }
    }

    #[test]
    fn filler_brings_the_bitrate() {
        let options = Options::default().bitrate(4_200_000).frames(60);
        let bytes: usize = Source::new(options)
            .unwrap()
            .filter(|f| f.track == TrackId::VIDEO)
            .map(|f| f.payload.len())
            .sum();
        assert_eq!(bytes * 8 / 2 / 1000, 4_200);
    }

    #[test]
    fn impossible_wishes_are_refused() {
        let said = |o| {
            Source::new(o)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default()
        };
        let o = Options::default;
        assert!(said(o().size(150, 96)).starts_with("picture of 150x96"));
        assert!(said(o().fps(0)).starts_with("frame rate 0/1"));
        assert_eq!(
            said(o().sample_rate(Some(1))),
            "AAC knows no sample rate of 1 Hz"
        );
        assert!(said(o().channels(6)).starts_with("6 audio channels"));
        assert!(said(o().frame_rate(None).sample_rate(None)).contains("video or audio"));
    }
}
