//! Streams before they are damaged, and the wires that carry them.

use std::time::Duration;

use core_frame::{MediaFrame, MediaTime, TrackId, TrackInfo, TrackTable};
use synth::{Options, Source};

use super::{Arrival, What};
use crate::Random;

/// What a recording is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 30 frames a second in display order, a key frame each second, 48 kHz.
    Plain,
    /// 25 frames a second, two B-frames after each reference frame, 44.1 kHz.
    BFrames,
    /// 30000/1001 frames a second, 44.1 kHz.
    Ntsc,
    /// 50 frames a second, three B-frames, 48 kHz.
    Fast,
    /// 10 frames a second, a key frame each 20 s, 32 kHz.
    LongGop,
    /// 48 kHz sound alone.
    AudioOnly,
    /// 30 frames a second, two B-frames, no sound.
    VideoOnly,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::BFrames,
        Self::Ntsc,
        Self::Fast,
        Self::LongGop,
        Self::AudioOnly,
        Self::VideoOnly,
    ];

    /// True when it has picture and sound.
    #[must_use]
    pub fn has_both(self) -> bool {
        !matches!(self, Self::AudioOnly | Self::VideoOnly)
    }

    /// True when pictures are decoded in another order than they are shown.
    #[must_use]
    pub fn is_reordered(self) -> bool {
        matches!(self, Self::BFrames | Self::Fast | Self::VideoOnly)
    }

    fn options(self) -> Options {
        let plain = Options::default();
        match self {
            Self::Plain => plain,
            Self::BFrames => plain.fps(25).gop(50).b_frames(2).sample_rate(Some(44_100)),
            Self::Ntsc => plain
                .frame_rate(Some((30_000, 1_001)))
                .sample_rate(Some(44_100)),
            Self::Fast => plain.fps(50).gop(100).b_frames(3),
            Self::LongGop => plain.fps(10).gop(200).sample_rate(Some(32_000)),
            Self::AudioOnly => plain.frame_rate(None),
            Self::VideoOnly => plain.b_frames(2).sample_rate(None),
        }
    }
}

/// The clock that carries the times: they are rounded down to its ticks and wrap at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Ticks a second.
    pub hz: u32,
    /// Bits; 63 never wraps.
    pub bits: u32,
    /// Ticks on the clock when the stream starts.
    pub start: i64,
}

impl Wire {
    /// Milliseconds that never wrap, from 0: RTMP after its edge.
    pub const MILLIS: Self = Self {
        hz: 1_000,
        bits: 63,
        start: 0,
    };

    fn carry(self, t: MediaTime) -> MediaTime {
        let exact = i128::from(t.as_nanos()) * i128::from(self.hz);
        let ticks = exact.div_euclid(1_000_000_000) + i128::from(self.start);
        let wrapped = ticks.rem_euclid(1 << self.bits);
        // Times before zero stay so on a clock that does not wrap.
        let ticks = if self.bits >= 63 { ticks } else { wrapped };
        i64::try_from(ticks)
            .ok()
            .and_then(|ticks| MediaTime::from_ticks(ticks, self.hz))
            .unwrap_or(t)
    }
}

/// A frame on its way: exact times, and when it arrives.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Nanoseconds since the start.
    pub(super) at: i64,
    pub(super) frame: MediaFrame,
    pub(super) captured: MediaTime,
}

/// Something beside the frames, at a time.
#[derive(Clone, Debug)]
pub(super) enum News {
    Tracks(TrackTable),
    Publisher,
}

/// A stream as it is sent, before and after damage.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(super) tracks: Vec<TrackInfo>,
    pub(super) items: Vec<Item>,
    pub(super) news: Vec<(i64, News)>,
}

impl Recording {
    /// `seconds` of a stream, each frame arriving when it was made, within a few milliseconds.
    ///
    /// # Panics
    /// Never: the options of each kind are good.
    #[must_use]
    pub fn new(kind: Kind, seconds: u32) -> Self {
        let source = Source::new(kind.options()).expect("the options of each kind are good");
        let tracks = source.tracks();
        let end = MediaTime::from_secs(i64::from(seconds));
        let mut random = Random::new(u64::from(seconds));
        let mut last = 0;
        let items = source
            .take_while(|frame| frame.dts < end)
            .map(|mut frame| {
                // Wires carry no durations.
                frame.duration = MediaTime::ZERO;
                let jitter = random.below(6_000_000) as i64;
                last = (frame.dts.as_nanos() + jitter).max(last);
                Item {
                    at: last,
                    captured: frame.pts,
                    frame,
                }
            })
            .collect();
        Self {
            tracks,
            items,
            news: Vec::new(),
        }
    }

    /// What arrives over `wire`. Without `told`, the sender's headers are lost: the tracks are not announced.
    pub(super) fn arrivals(mut self, wire: Wire, told: bool) -> Vec<Arrival> {
        self.items.sort_by_key(|item| item.at);
        if told {
            let table = TrackTable::new(self.tracks.clone());
            self.news.insert(0, (i64::MIN, News::Tracks(table)));
        }
        self.news.sort_by_key(|&(at, _)| at);
        let mut news = self.news.into_iter().peekable();
        let mut arrivals = Vec::with_capacity(self.items.len() + 4);
        for mut item in self.items {
            let at = Duration::from_nanos(u64::try_from(item.at).unwrap_or(0));
            while let Some((_, what)) = news.next_if(|&(due, _)| due <= item.at) {
                let what = match what {
                    News::Tracks(table) => What::Tracks(on_wire(table, wire)),
                    News::Publisher => What::Publisher,
                };
                arrivals.push(Arrival { at, what });
            }
            item.frame.dts = wire.carry(item.frame.dts);
            item.frame.pts = wire.carry(item.frame.pts);
            arrivals.push(Arrival {
                at,
                what: What::Frame {
                    frame: item.frame,
                    captured: item.captured,
                },
            });
        }
        arrivals
    }
}

/// The tracks as the receiver of this wire describes them.
fn on_wire(table: TrackTable, wire: Wire) -> TrackTable {
    let tracks = table.tracks.iter().map(|info| {
        let mut info = TrackInfo::clone(info);
        info.timescale = wire.hz;
        info
    });
    TrackTable::new(tracks)
}

/// The tracks a fault may choose from.
pub(super) const BOTH: [TrackId; 2] = [TrackId::VIDEO, TrackId::AUDIO];
