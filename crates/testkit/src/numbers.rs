//! Did every numbered frame arrive, once, in order?

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use core_frame::{CodecId, MediaKind};
use synth::read_number_in;

/// Follows the numbers of one track at the far end.
#[derive(Clone, Debug, Default)]
pub struct NumberCheck {
    /// The first number seen.
    pub first: Option<u64>,
    /// The last number seen.
    pub last: Option<u64>,
    /// Frames seen.
    pub seen: u64,
    /// Numbers left out between the first and the last.
    pub lost: u64,
    /// Frames whose number came before, or came out of order.
    pub doubled: u64,
    /// Frames without a readable number.
    pub unreadable: u64,
    /// Microseconds from publish to here, of frames that carry the time of publishing.
    pub delays_us: Vec<u32>,
}

impl NumberCheck {
    /// The next frame's payload.
    pub fn frame(&mut self, codec: CodecId, payload: &[u8]) {
        let Some(number) = read_number_in(codec, payload) else {
            self.unreadable += 1;
            return;
        };
        if let Some(wall) = number.wall {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |d| d.as_nanos() as i128);
            let delay = (now - wall.unix_nanos()) / 1_000;
            self.delays_us.push(u32::try_from(delay).unwrap_or(0));
        }
        self.number(Some(number.n));
    }

    /// The next number, e.g. read off a decoded picture; `None` when nothing could be read.
    pub fn number(&mut self, number: Option<u64>) {
        let Some(n) = number else {
            self.unreadable += 1;
            return;
        };
        self.seen += 1;
        self.first.get_or_insert(n);
        match self.last {
            Some(last) if n <= last => {
                self.doubled += 1;
                return;
            }
            Some(last) => self.lost += n - last - 1,
            None => {}
        }
        self.last = Some(n);
    }

    /// Nothing lost, doubled or unreadable, and something seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.seen > 0 && self.lost == 0 && self.doubled == 0 && self.unreadable == 0
    }

    /// The delay that `part` (0 to 1) of the frames stay within, in microseconds.
    #[must_use]
    pub fn delay_us(&self, part: f64) -> Option<u32> {
        let mut sorted = self.delays_us.clone();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * part) as usize;
        sorted.get(at.min(sorted.len().checked_sub(1)?)).copied()
    }
}

impl fmt::Display for NumberCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first.unwrap_or(0), self.last.unwrap_or(0));
        write!(
            f,
            "{} frames ({first}..={last}), {} lost, {} doubled, {} unreadable",
            self.seen, self.lost, self.doubled, self.unreadable
        )?;
        if let (Some(p50), Some(p99)) = (self.delay_us(0.5), self.delay_us(0.99)) {
            write!(f, ", delay p50 {p50} us p99 {p99} us")?;
        }
        Ok(())
    }
}

/// [`NumberCheck`] for video and audio together.
#[derive(Clone, Debug, Default)]
pub struct StreamCheck {
    /// H.264 frames.
    pub video: NumberCheck,
    /// AAC frames.
    pub audio: NumberCheck,
}

impl StreamCheck {
    /// The next frame's payload.
    pub fn frame(&mut self, codec: CodecId, payload: &[u8]) {
        match codec.kind() {
            MediaKind::Video => self.video.frame(codec, payload),
            _ => self.audio.frame(codec, payload),
        }
    }

    /// Both tracks are whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.video.is_whole() && self.audio.is_whole()
    }
}

impl fmt::Display for StreamCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "video: {}; audio: {}", self.video, self.audio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synth::{Options, Source};

    #[test]
    fn a_lost_and_a_doubled_frame_are_seen() {
        let frames: Vec<_> = Source::new(Options::default().frames(60))
            .unwrap()
            .collect();
        let mut check = StreamCheck::default();
        frames.iter().for_each(|f| check.frame(f.codec, &f.payload));
        assert!(check.is_whole(), "{check}");
        let mut check = NumberCheck::default();
        for n in [3, 4, 6, 7, 7] {
            check.number(Some(n));
        }
        assert_eq!((check.lost, check.doubled, check.seen), (1, 1, 5));
        assert!(!check.is_whole());
        assert!(!NumberCheck::default().is_whole());
    }
}
