//! The faults: each changes times, order, arrival or presence of the frames of a recording.

use core_frame::{CodecId, FrameFlags, MediaTime, TrackId, TrackTable};

use super::recording::{BOTH, Item, News, Recording};
use crate::Random;

/// One defect. Times are in milliseconds since the start of the stream unless a field says otherwise; a track of `None` is all of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// From `at` on time stamps are `by` later (or earlier).
    Jump {
        /// Whose.
        track: Option<TrackId>,
        /// When.
        at: i64,
        /// How far.
        by: i64,
    },
    /// The same until `until`, where they come home.
    Excursion {
        /// Whose.
        track: Option<TrackId>,
        /// When.
        at: i64,
        /// Until when.
        until: i64,
        /// How far.
        by: i64,
    },
    /// The sender's clock starts again at 0 after `absence` without a frame.
    Restart {
        /// When.
        at: i64,
        /// How long nothing arrives.
        absence: i64,
    },
    /// Another publisher takes over after `absence`, with a clock that starts at `clock`.
    Publisher {
        /// When.
        at: i64,
        /// How long nothing arrives.
        absence: i64,
        /// The first time stamp.
        clock: i64,
    },
    /// Time stamps stand while frames go on.
    StandStill {
        /// Whose.
        track: Option<TrackId>,
        /// When.
        at: i64,
        /// How long.
        lasts: i64,
        /// Whether the clock goes back to the right time, or goes on from where it stood.
        returns: bool,
    },
    /// A clock that runs fast (or slow) from `at` on, in parts in a million.
    Rate {
        /// Whose.
        track: Option<TrackId>,
        /// When.
        at: i64,
        /// How fast.
        ppm: i64,
    },
    /// Each `every`th frame is missing.
    Missing {
        /// Whose.
        track: Option<TrackId>,
        /// One in this many.
        every: usize,
    },
    /// Nothing arrives for a while.
    Silence {
        /// Whose.
        track: Option<TrackId>,
        /// When.
        at: i64,
        /// How long.
        lasts: i64,
    },
    /// Each `every`th frame comes twice.
    Doubled {
        /// Whose.
        track: Option<TrackId>,
        /// One in this many.
        every: usize,
    },
    /// Each `every`th frame changes places with the next of its track.
    Swapped {
        /// Whose.
        track: Option<TrackId>,
        /// One in this many.
        every: usize,
    },
    /// Decode times are missing: presentation times stand in their place.
    NoDecodeTimes,
    /// Presentation times come before decode times by this much.
    ShownBeforeDecoded {
        /// How far.
        by: i64,
    },
    /// Decode times of neighbours are exchanged, each `every`th.
    WrongDecodeOrder {
        /// One in this many.
        every: usize,
    },
    /// Presentation times that make no sense, each `every`th.
    SenselessComposition {
        /// One in this many.
        every: usize,
    },
    /// One time stamp in `every` is `value`.
    Wild {
        /// Whose.
        track: Option<TrackId>,
        /// One in this many.
        every: usize,
        /// What it says, nanoseconds.
        value: i64,
    },
    /// Time stamps are random for a while.
    Noise {
        /// When.
        at: i64,
        /// How long.
        lasts: i64,
        /// Of the random numbers.
        seed: u64,
    },
    /// Time stamps waver by up to this much around the right ones.
    Jitter {
        /// Whose.
        track: Option<TrackId>,
        /// How far, in milliseconds.
        by: i64,
        /// Of the random numbers.
        seed: u64,
    },
    /// From `at` on frames arrive this much later than others; their time stamps are right.
    Late {
        /// Whose.
        track: TrackId,
        /// When.
        at: i64,
        /// How late.
        by: i64,
    },
    /// A track begins only here.
    LateStart {
        /// Whose.
        track: TrackId,
        /// When.
        at: i64,
    },
    /// A track ends here.
    EarlyEnd {
        /// Whose.
        track: TrackId,
        /// When.
        at: i64,
    },
    /// Frames arrive in bursts this far apart.
    Bursts {
        /// How far.
        every: i64,
    },
    /// Frames arrive this many times as fast as they were made.
    Unpaced {
        /// How fast.
        times: i64,
    },
    /// The codec of a track changes each `every` milliseconds, and back.
    CodecFlips {
        /// Whose.
        track: TrackId,
        /// How long each lasts.
        every: i64,
    },
    /// The tracks are announced again and again, the same.
    RepeatedHeaders {
        /// How often.
        every: i64,
    },
}

const MS: i64 = 1_000_000;

fn ms(t: i64) -> MediaTime {
    MediaTime::from_millis(t)
}

impl Fault {
    /// Damages a recording.
    pub fn apply(&self, r: &mut Recording) {
        match *self {
            Self::Jump { track, at, by } => shift(r, track, at, i64::MAX, by),
            Self::Excursion {
                track,
                at,
                until,
                by,
            } => shift(r, track, at, until, by),
            Self::Restart { at, absence } => restart(r, at, absence, 0),
            Self::Publisher { at, absence, clock } => {
                let table = TrackTable::new(r.tracks.clone());
                r.news.push((at * MS, News::Publisher));
                r.news.push((at * MS, News::Tracks(table)));
                restart(r, at, absence, clock);
            }
            Self::StandStill {
                track,
                at,
                lasts,
                returns,
            } => stand_still(r, track, at, lasts, returns),
            Self::Rate { track, at, ppm } => rate(r, track, at, ppm),
            Self::Missing { track, every } => {
                each(r, track, every, |_, _| false);
            }
            Self::Silence { track, at, lasts } => {
                let silent = at * MS..(at + lasts) * MS;
                r.items
                    .retain(|i| !(chosen(i, track) && silent.contains(&i.at)));
            }
            Self::Doubled { track, every } => doubled(r, track, every),
            Self::Swapped { track, every } => neighbours(r, track, every, |a, b| {
                std::mem::swap(&mut a.frame, &mut b.frame);
                std::mem::swap(&mut a.captured, &mut b.captured);
            }),
            Self::NoDecodeTimes => video(r, |_, i| i.frame.dts = i.frame.pts),
            Self::ShownBeforeDecoded { by } => video(r, |_, i| i.frame.pts = i.frame.dts - ms(by)),
            Self::WrongDecodeOrder { every } => {
                neighbours(r, Some(TrackId::VIDEO), every, |a, b| {
                    std::mem::swap(&mut a.frame.dts, &mut b.frame.dts);
                });
            }
            Self::SenselessComposition { every } => video(r, |n, i| {
                if n % every == every - 1 {
                    i.frame.pts = if n % 2 == 0 {
                        i.frame.dts + ms(3_600_000)
                    } else {
                        i.frame.dts - ms(3_600_000)
                    };
                }
            }),
            Self::Wild {
                track,
                every,
                value,
            } => {
                each(r, track, every, |_, i| {
                    i.frame.dts = MediaTime::from_nanos(value);
                    i.frame.pts = i.frame.dts;
                    true
                });
            }
            Self::Noise { at, lasts, seed } => noise(r, at, lasts, seed),
            Self::Jitter { track, by, seed } => jitter(r, track, by, seed),
            Self::Late { track, at, by } => {
                let late = r.items.iter_mut().filter(|i| i.frame.track == track);
                late.filter(|i| i.at >= at * MS)
                    .for_each(|i| i.at += by * MS);
            }
            Self::LateStart { track, at } => r
                .items
                .retain(|i| i.frame.track != track || i.at >= at * MS),
            Self::EarlyEnd { track, at } => {
                r.items.retain(|i| i.frame.track != track || i.at < at * MS);
            }
            Self::Bursts { every } => {
                let step = every * MS;
                r.items
                    .iter_mut()
                    .for_each(|i| i.at = (i.at / step + 1) * step);
            }
            Self::Unpaced { times } => {
                r.items.iter_mut().for_each(|i| i.at /= times.max(1));
                r.news.iter_mut().for_each(|n| n.0 /= times.max(1));
            }
            Self::CodecFlips { track, every } => codec_flips(r, track, every),
            Self::RepeatedHeaders { every } => {
                let table = TrackTable::new(r.tracks.clone());
                for at in (0..end(r)).step_by((every * MS) as usize) {
                    r.news.push((at, News::Tracks(table.clone())));
                }
            }
        }
    }
}

fn chosen(item: &Item, track: Option<TrackId>) -> bool {
    track.is_none_or(|track| item.frame.track == track)
}

fn end(r: &Recording) -> i64 {
    r.items.iter().map(|i| i.at).max().unwrap_or(0)
}

fn shift(r: &mut Recording, track: Option<TrackId>, at: i64, until: i64, by: i64) {
    let span = at * MS..until.saturating_mul(MS);
    for item in &mut r.items {
        if chosen(item, track) && span.contains(&item.at) {
            item.frame.dts += ms(by);
            item.frame.pts += ms(by);
        }
    }
}

/// Everything from `at` on arrives later by the absence, on a clock that starts at `clock`.
fn restart(r: &mut Recording, at: i64, absence: i64, clock: i64) {
    let after = |i: &&mut Item| i.at >= at * MS;
    let first = r.items.iter_mut().filter(after).map(|i| i.frame.dts).min();
    let first = first.unwrap_or_default();
    for item in r.items.iter_mut().filter(|i| i.at >= at * MS) {
        item.frame.dts = item.frame.dts - first + ms(clock);
        item.frame.pts = item.frame.pts - first + ms(clock);
        item.at += absence * MS;
        // The world's clock went on meanwhile.
        item.captured += ms(absence);
    }
}

fn stand_still(r: &mut Recording, track: Option<TrackId>, at: i64, lasts: i64, returns: bool) {
    let mut stood = [None; BOTH.len()];
    for item in r.items.iter_mut().filter(|i| chosen(i, track)) {
        let Some(n) = BOTH.iter().position(|&t| t == item.frame.track) else {
            continue;
        };
        if item.at < at * MS {
            continue;
        }
        let offset = item.frame.pts - item.frame.dts;
        let stands = *stood[n].get_or_insert(item.frame.dts);
        if item.at < (at + lasts) * MS {
            item.frame.dts = stands;
            item.frame.pts = stands + offset;
        } else if !returns {
            item.frame.dts -= ms(lasts);
            item.frame.pts -= ms(lasts);
        }
    }
}

fn rate(r: &mut Recording, track: Option<TrackId>, at: i64, ppm: i64) {
    let begin = ms(at);
    let run = |t: MediaTime| {
        let over = (t - begin).as_nanos().max(0);
        t + MediaTime::from_nanos((i128::from(over) * i128::from(ppm) / 1_000_000) as i64)
    };
    for item in r.items.iter_mut().filter(|i| chosen(i, track)) {
        item.frame.dts = run(item.frame.dts);
        item.frame.pts = run(item.frame.pts);
    }
}

/// Calls `change` on one in `every` frames of a track; those for which it says false are taken out. The first is spared.
fn each(
    r: &mut Recording,
    track: Option<TrackId>,
    every: usize,
    mut change: impl FnMut(usize, &mut Item) -> bool,
) {
    let mut n = 0;
    r.items.retain_mut(|item| {
        if !chosen(item, track) {
            return true;
        }
        n += 1;
        n % every != 0 || change(n, item)
    });
}

fn video(r: &mut Recording, mut change: impl FnMut(usize, &mut Item)) {
    let video = r
        .items
        .iter_mut()
        .filter(|i| i.frame.track == TrackId::VIDEO);
    video.enumerate().for_each(|(n, item)| change(n, item));
}

fn doubled(r: &mut Recording, track: Option<TrackId>, every: usize) {
    let mut n = 0;
    let mut out = Vec::with_capacity(r.items.len() * 2);
    for item in r.items.drain(..) {
        n += usize::from(chosen(&item, track));
        if chosen(&item, track) && n % every == 0 {
            out.push(item.clone());
        }
        out.push(item);
    }
    r.items = out;
}

/// Calls `change` on pairs of frames that follow each other on a track, one pair in `every` frames.
fn neighbours(
    r: &mut Recording,
    track: Option<TrackId>,
    every: usize,
    mut change: impl FnMut(&mut Item, &mut Item),
) {
    for of in BOTH
        .into_iter()
        .filter(|&t| track.is_none_or(|track| track == t))
    {
        let mut items: Vec<&mut Item> =
            r.items.iter_mut().filter(|i| i.frame.track == of).collect();
        for pair in items.chunks_mut(every.max(2)) {
            if let [.., a, b] = pair {
                change(a, b);
            }
        }
    }
}

fn noise(r: &mut Recording, at: i64, lasts: i64, seed: u64) {
    let mut random = Random::new(seed);
    let span = at * MS..(at + lasts) * MS;
    for item in r.items.iter_mut().filter(|i| span.contains(&i.at)) {
        let bits = [20, 32, 40, 50][random.below(4) as usize];
        item.frame.dts = ms((random.next_u64() >> (64 - bits)) as i64);
        item.frame.pts = item.frame.dts + ms(random.below(200) as i64 - 100);
    }
}

fn jitter(r: &mut Recording, track: Option<TrackId>, by: i64, seed: u64) {
    let mut random = Random::new(seed);
    for item in r.items.iter_mut().filter(|i| chosen(i, track)) {
        let off = random.below(2 * by.unsigned_abs() * MS as u64 + 1) as i64 - by * MS;
        item.frame.dts += MediaTime::from_nanos(off);
        item.frame.pts += MediaTime::from_nanos(off);
    }
}

fn codec_flips(r: &mut Recording, track: TrackId, every: i64) {
    let plain = r.tracks.clone();
    let mut other = plain.clone();
    for info in other.iter_mut().filter(|info| info.id == track) {
        info.codec = flipped(info.codec);
        info.config = core_frame::bytes::Bytes::from_static(b"another configuration");
        if let Some(video) = &mut info.video {
            (video.width, video.height) = (320, 192);
        }
    }
    let number = |at: i64| at / (every * MS);
    for n in 1..=number(end(r)) {
        let tracks = if n % 2 == 1 { &other } else { &plain };
        let table = TrackTable::new(tracks.clone());
        r.news.push((n * every * MS, News::Tracks(table)));
    }
    for item in r.items.iter_mut().filter(|i| i.frame.track == track) {
        if number(item.at) % 2 == 1 {
            item.frame.codec = flipped(item.frame.codec);
            item.frame.flags |= FrameFlags::IN_BAND_PARAMS;
        }
    }
}

fn flipped(codec: CodecId) -> CodecId {
    match codec {
        CodecId::H264 => CodecId::H265,
        CodecId::Aac => CodecId::Opus,
        same => same,
    }
}
