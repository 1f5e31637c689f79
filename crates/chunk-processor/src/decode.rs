//! Decode times made from presentation times, where the sender's are missing or wrong.

use core_frame::MediaTime;
use smallvec::SmallVec;

/// Most pictures that H.264 and H.265 let a decoder hold back (`max_num_reorder_frames`, `sps_max_num_reorder_pics`).
const DEEPEST: usize = 16;
/// Frames within which a second decode time that goes back proves that decode times are wrong; one may be a swap on the way.
const PROOF_FRAMES: u32 = 64;
/// Sane frames in a row after which the sender's own decode times are taken again.
const SANE_FRAMES: u32 = 256;
/// Flat frames in a row after which a told depth no longer makes a hole a sign of reordering: the sender uses no B-frames.
const FLAT_FRAMES: u32 = 64;

/// What the decoder of one video track must hold back, and the decode times that follow from it.
///
/// Off, the sender's decode times pass. It goes on where they cannot be right: presentation times that go back though decode times
/// only repeat them (decode time missing), or decode times that go back again and again (wrong B-frame order). Then the decode time of a
/// frame is the least of the last `depth + 1` presentation times: in decode order that is a time no later picture is shown before, it needs
/// no look ahead, and it is evenly spaced where the presentation times are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reorder {
    /// Told by the bitstream.
    told: Option<usize>,
    depth: usize,
    on: bool,
    /// The last presentation times, rising; at most `depth + 1`.
    window: SmallVec<[MediaTime; DEEPEST + 1]>,
    last: Option<Seen>,
    last_made: MediaTime,
    /// Frames since a decode time went back.
    since_back: u32,
    sane: u32,
    flat: u32,
    /// Frames since one whose presentation time was not its decode time.
    since_composed: u32,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    dts: MediaTime,
    pts: MediaTime,
}

/// A frame's times on the input's clock, and what it takes to judge them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) dts: MediaTime,
    pub(crate) pts: MediaTime,
    /// Length of a frame.
    pub(crate) period: MediaTime,
    /// True where the sender told the frame rate.
    pub(crate) told_rate: bool,
    /// Steps further than this, back and forward, are jumps and no reordering.
    pub(crate) back: MediaTime,
    pub(crate) ahead: MediaTime,
}

impl Reorder {
    /// For a bitstream that tells how many pictures are held back, or does not.
    pub(crate) fn told(depth: Option<u8>) -> Self {
        Self {
            told: depth.map(|depth| usize::from(depth).min(DEEPEST)),
            since_back: PROOF_FRAMES,
            since_composed: PROOF_FRAMES,
            ..Self::default()
        }
    }

    /// The sender describes the track again.
    pub(crate) fn tell(&mut self, depth: Option<u8>) {
        self.told = Self::told(depth).told;
    }

    /// Another publisher: what was learnt is void.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            told: self.told,
            since_back: PROOF_FRAMES,
            since_composed: PROOF_FRAMES,
            ..Self::default()
        };
    }

    /// True while decode times are made here.
    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// The decode time of the next frame, and true where this frame changed how decode times are found.
    pub(crate) fn place(&mut self, t: Times) -> (MediaTime, bool) {
        let (was, depth) = (self.on, self.depth);
        if !was {
            self.on = self.is_proved(t);
        }
        let dts = if !self.on {
            t.dts
        } else if was {
            self.follow(t)
        } else {
            self.begin(t)
        };
        if self.on && self.has_recovered(t) {
            self.on = false;
        }
        self.last = Some(Seen {
            dts: t.dts,
            pts: t.pts,
        });
        self.last_made = dts;
        (dts, self.on != was || self.depth != depth)
    }

    fn is_proved(&mut self, t: Times) -> bool {
        let Some(last) = self.last else {
            return false;
        };
        self.since_back = self.since_back.saturating_add(1);
        self.since_composed = if t.pts == t.dts {
            self.since_composed.saturating_add(1)
        } else {
            0
        };
        // The B-frames of sound decode times are flat too, but not those around them.
        let flat = self.since_composed > PROOF_FRAMES && last.pts == last.dts;
        let step = t.dts - last.dts;
        let reordered = step < MediaTime::ZERO && step >= -t.back;
        if flat && !reordered {
            self.flat = self.flat.saturating_add(1);
        }
        if flat && step > MediaTime::ZERO {
            // A reference frame that skips the pictures shown before it.
            let skipped = step.as_nanos() / t.period.as_nanos().max(1);
            let whole = MediaTime::from_nanos(t.period.as_nanos() / 4);
            return self.told.is_some_and(|told| told > 0)
                && t.told_rate
                && self.flat < FLAT_FRAMES
                && step + whole >= t.period + t.period
                && skipped <= DEEPEST as i64;
        }
        if !reordered {
            return false;
        }
        let again = self.since_back <= PROOF_FRAMES;
        self.since_back = 0;
        again || (flat && self.told != Some(0))
    }

    /// The first frame whose decode time is made.
    fn begin(&mut self, t: Times) -> MediaTime {
        self.depth = self.told.unwrap_or(0).max(1);
        self.sane = 0;
        self.window.clear();
        if let Some(last) = self.last {
            self.window.push(last.pts);
        }
        self.insert(t.pts);
        self.fill(t.period)
    }

    fn follow(&mut self, t: Times) -> MediaTime {
        let least = self.window.first().copied().unwrap_or(t.pts);
        let most = self.window.last().copied().unwrap_or(t.pts);
        if t.pts < least - t.back || t.pts > most + t.ahead {
            self.window.clear();
            self.insert(t.pts);
            return self.fill(t.period);
        }
        self.insert(t.pts);
        if t.pts < self.last_made && t.pts >= self.last_made - t.back {
            // A picture shown before what was decoded already: the decoder holds back more than was thought.
            self.depth = (self.depth + 1).min(DEEPEST);
        }
        if self.window.len() > self.depth + 1 {
            self.window.remove(0);
        }
        self.window.first().copied().unwrap_or(t.pts)
    }

    /// As if pictures one period apart had come before; the least.
    fn fill(&mut self, period: MediaTime) -> MediaTime {
        while self.window.len() <= self.depth {
            let least = self.window.first().copied().unwrap_or_default();
            self.window.insert(0, least - period);
        }
        self.window.first().copied().unwrap_or_default()
    }

    fn insert(&mut self, pts: MediaTime) {
        let at = self.window.partition_point(|&t| t <= pts);
        self.window.insert(at, pts);
    }

    fn has_recovered(&mut self, t: Times) -> bool {
        let rises = self.last.is_some_and(|last| t.dts > last.dts);
        self.sane = if rises && t.dts <= t.pts {
            self.sane + 1
        } else {
            0
        };
        if self.sane < SANE_FRAMES {
            return false;
        }
        self.flat = 0;
        self.since_back = PROOF_FRAMES;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: i64 = 40;

    fn times(dts: i64, pts: i64) -> Times {
        Times {
            dts: MediaTime::from_millis(dts),
            pts: MediaTime::from_millis(pts),
            period: MediaTime::from_millis(P),
            told_rate: true,
            back: MediaTime::from_millis(500),
            ahead: MediaTime::from_secs(10),
        }
    }

    /// Feeds presentation times that are decode times too; the decode times made of them, in frames.
    fn flat(reorder: &mut Reorder, shown: &[i64]) -> Vec<i64> {
        let made = shown
            .iter()
            .map(|&n| reorder.place(times(n * P, n * P)).0.as_millis() / P);
        made.collect()
    }

    #[test]
    fn a_told_depth_is_used_from_the_first_reordered_frame() {
        let shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8];
        let mut reorder = Reorder::told(Some(1));
        assert_eq!(flat(&mut reorder, &shown), [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn an_untold_depth_is_learnt() {
        // A pyramid: two pictures are held back.
        let shown = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11];
        let mut reorder = Reorder::told(None);
        let made = flat(&mut reorder, &shown);
        assert_eq!(reorder.depth, 2);
        assert_eq!(made[5..], [3, 4, 5, 6, 7, 8, 9, 10]);
        assert!(made[4..].iter().zip(&shown[4..]).all(|(d, p)| d <= p));
    }

    #[test]
    fn frames_in_order_are_left_alone_whatever_is_told() {
        for told in [None, Some(0), Some(2)] {
            let mut reorder = Reorder::told(told);
            let shown: Vec<_> = (0..500).collect();
            assert_eq!(flat(&mut reorder, &shown), shown);
            // A hole after long order is a hole.
            assert_eq!(flat(&mut reorder, &[510, 511]), [510, 511]);
            assert!(!reorder.is_on());
        }
    }

    #[test]
    fn a_sender_that_mends_its_ways_is_believed_again() {
        let mut reorder = Reorder::told(None);
        flat(&mut reorder, &[0, 3, 1, 2, 6, 4, 5]);
        assert!(reorder.is_on());
        let shown: Vec<_> = (10..300).collect();
        assert_eq!(flat(&mut reorder, &shown).last(), Some(&299));
        assert!(!reorder.is_on());
    }

    #[test]
    fn a_jump_is_no_depth() {
        let mut reorder = Reorder::told(Some(1));
        flat(&mut reorder, &[0, 3, 1, 2, 6, 4, 5]);
        let made = flat(&mut reorder, &[90_000, 90_003, 90_001, 90_002, 0, 3, 1, 2]);
        assert_eq!(made, [89_999, 90_000, 90_001, 90_002, -1, 0, 1, 2]);
        assert_eq!(reorder.depth, 1);
    }
}
