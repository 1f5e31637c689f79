//! Numbered frames at the far end: what is missing, what came twice, how long it took.

use std::time::SystemTime;

use core_frame::{CodecId, MediaFrame, TrackId, WallTime};

use crate::stats::Series;

/// Follows the numbers of each track.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    tracks: Vec<(TrackId, u64)>,
    /// Frames published before this session began are a replay and say nothing about delay.
    since: Option<WallTime>,
    pub(crate) seen: u64,
    pub(crate) gaps: u64,
    pub(crate) duplicates: u64,
    pub(crate) latency_ms: Series,
}

impl Numbers {
    /// From now on.
    pub(crate) fn new() -> Self {
        Self {
            since: Some(SystemTime::now().into()),
            ..Self::default()
        }
    }

    pub(crate) fn frame(&mut self, frame: &MediaFrame) {
        self.payload(frame.track, frame.codec, &frame.payload);
    }

    pub(crate) fn payload(&mut self, track: TrackId, codec: CodecId, payload: &[u8]) {
        let Some(number) = synth::read_number_in(codec, payload) else {
            return;
        };
        self.seen += 1;
        match self.tracks.iter_mut().find(|(id, _)| *id == track) {
            None => self.tracks.push((track, number.n)),
            Some((_, last)) if number.n > *last => {
                self.gaps += number.n - *last - 1;
                *last = number.n;
            }
            Some(_) => self.duplicates += 1,
        }
        let (Some(wall), Some(since)) = (number.wall, self.since) else {
            return;
        };
        let now = WallTime::from(SystemTime::now()).unix_nanos();
        if wall.unix_nanos() >= since.unix_nanos() {
            self.latency_ms
                .push((now - wall.unix_nanos()) as f64 / 1_000_000.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synth::{Options, Source};

    #[test]
    fn missing_and_doubled_numbers_are_counted() {
        let mut source = Source::new(Options::default().sample_rate(None)).unwrap();
        source.stamp(WallTime::UNIX_EPOCH);
        let frames: Vec<_> = source.take(10).collect();
        let mut numbers = Numbers::new();
        for at in [2, 3, 6, 6, 5, 7] {
            numbers.frame(&frames[at]);
        }
        assert_eq!((numbers.seen, numbers.gaps, numbers.duplicates), (6, 2, 2));
        assert_eq!(numbers.latency_ms.seen(), 0, "from before the session");
    }

    #[test]
    fn delay_is_measured_from_the_stamp() {
        let mut source = Source::new(Options::default()).unwrap();
        let mut numbers = Numbers::new();
        std::thread::sleep(std::time::Duration::from_millis(2));
        source.stamp(SystemTime::now().into());
        let frame = source.next().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        numbers.frame(&frame);
        let latency = numbers.latency_ms.percentiles().unwrap();
        assert!((20.0..2_000.0).contains(&latency.max));
    }
}
