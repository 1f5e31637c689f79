//! The two figures that are chosen once and hold for life: PART-TARGET and TARGETDURATION.

use core_frame::MediaTime;

/// What was seen of the frame durations of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTiming {
    /// Usual distance of two frames.
    pub duration: MediaTime,
    /// How far a run of frames may be longer than that many durations (rounding of the sender's clock).
    pub jitter: MediaTime,
    /// The longest distance seen.
    pub longest: MediaTime,
}

impl FrameTiming {
    /// From the decode times of consecutive frames; `None` below two. `exact` is the duration when the codec tells it.
    #[must_use]
    pub fn measure(times: &[MediaTime], exact: Option<MediaTime>) -> Option<Self> {
        let (first, last) = (times.first()?, times.last()?);
        let steps = i64::try_from(times.len()).ok()? - 1;
        if steps < 1 {
            return None;
        }
        let mean = MediaTime::from_nanos((*last - *first).as_nanos() / steps);
        let duration = exact.unwrap_or(mean).max(MediaTime::from_nanos(1));
        // Deviation from the straight line; the spread bounds what any run of frames can be longer.
        let (mut low, mut high) = (0i64, 0i64);
        for (i, t) in (0i64..).zip(times) {
            let deviation = (*t - *first).as_nanos() - mean.as_nanos().saturating_mul(i);
            low = low.min(deviation);
            high = high.max(deviation);
        }
        // Rounding to the nanosecond is no jitter; a coarser clock is one of milliseconds, and few frames may not show all
        // of its rounding.
        let spread = high.saturating_sub(low);
        let jitter = match spread {
            0..50_000 => 0,
            _ => spread.saturating_add(999_999) / 1_000_000 * 1_000_000,
        };
        let longest = times
            .iter()
            .zip(times.iter().skip(1))
            .map(|(a, b)| *b - *a)
            .max()
            .unwrap_or(duration);
        Some(Self {
            duration,
            jitter: MediaTime::from_nanos(jitter),
            longest: longest.max(duration),
        })
    }

    /// The same in a file with a clock of `hz` ticks a second: where a frame is no whole number of ticks, a run of frames may be
    /// one tick longer.
    #[must_use]
    pub fn in_ticks_of(mut self, hz: u32) -> Self {
        let whole = MediaTime::from_ticks(self.duration.to_ticks(hz), hz);
        let off = whole.map_or(MediaTime::ZERO, |w| (w - self.duration).abs());
        // A few nanoseconds are the rounding of the measurement.
        if off > MediaTime::from_nanos(50)
            && let Some(tick) = MediaTime::from_ticks(1, hz)
        {
            self.jitter = self.jitter.max(tick + MediaTime::from_nanos(1));
        }
        self
    }

    /// Frames that always fit into `target`.
    fn fit(&self, target: MediaTime) -> i64 {
        let room = target.as_nanos() - self.jitter.as_nanos();
        // A frame may end a rounding error past the target's nanosecond.
        ((room + 1_000) / self.duration.as_nanos().max(1)).max(0)
    }

    /// Share of the target that the shortest full part has, in thousandths; 0 when not even one frame fits.
    fn fill(&self, target: MediaTime) -> i64 {
        let shortest = self.fit(target) * self.duration.as_nanos() - self.jitter.as_nanos();
        (i128::from(shortest) * 1_000 / i128::from(target.as_nanos().max(1))) as i64
    }
}

/// The PART-TARGET nearest to `wanted` under which parts that are closed *before* they would exceed it are at least 85 % of
/// it on every track (rfc8216bis §4.4.4.9), counting in whole frames. Where no target does that (frames of very
/// different lengths), the one that comes nearest to it. Never less than the longest frame seen.
#[must_use]
pub fn part_target(wanted: MediaTime, tracks: &[FrameTiming]) -> MediaTime {
    let longest = tracks
        .iter()
        .map(|t| t.duration + t.jitter)
        .chain(tracks.iter().map(|t| {
            t.longest
                .min(MediaTime::from_nanos(wanted.as_nanos().saturating_mul(5)))
        }))
        .max()
        .unwrap_or(MediaTime::ZERO);
    let least = MediaTime::from_nanos(wanted.as_nanos() / 2).max(longest);
    let most = MediaTime::from_nanos(wanted.as_nanos().saturating_mul(2)).max(least);
    let mut candidates = vec![wanted.max(longest), least];
    for t in tracks {
        let d = t.duration.as_nanos().max(1);
        let from = (least - t.jitter).as_nanos() / d;
        let to = (most - t.jitter).as_nanos() / d + 1;
        // A frame of a nanosecond would make this endless; no real frame is shorter than a tenth of a millisecond.
        for n in from.max(1)..=to.min(from.max(1) + 20_000) {
            candidates.push(up_to_microsecond(
                MediaTime::from_nanos(d.saturating_mul(n)) + t.jitter,
            ));
        }
    }
    let fill = |c: MediaTime| tracks.iter().map(|t| t.fill(c)).min().unwrap_or(1_000);
    candidates
        .into_iter()
        .filter(|c| (least..=most).contains(c))
        .max_by_key(|&c| {
            let fill = fill(c);
            // First: good enough. Then: near to what was asked for, or else as full as possible.
            let good = fill >= 855;
            let distance = (c - wanted).abs().as_nanos();
            (good, if good { 0 } else { fill }, -distance)
        })
        .unwrap_or(wanted)
}

fn up_to_microsecond(t: MediaTime) -> MediaTime {
    MediaTime::from_nanos((t.as_nanos() + 999).div_euclid(1_000) * 1_000)
}

/// EXT-X-TARGETDURATION in seconds, chosen when the first segment is complete: its length and a quarter of headroom for
/// GOPs that come out longer later, rounded up. Without video every cut is where it should be and no headroom is needed.
///
/// It is never raised afterwards (rfc8216bis §6.2.1): a segment that would become longer is cut without a sync point.
#[must_use]
pub fn target_duration(segment_target: MediaTime, first: MediaTime, has_video: bool) -> u32 {
    let longest = segment_target.max(first).as_nanos();
    let nanos = if has_video {
        longest.saturating_add(longest / 4)
    } else {
        // Up to half a frame over the target.
        longest.saturating_sub(250_000_000)
    };
    let second = 1_000_000_000;
    let up = nanos.saturating_add(second - 1) / second;
    u32::try_from(up.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(nanos: i64) -> FrameTiming {
        let d = MediaTime::from_nanos(nanos);
        FrameTiming {
            duration: d,
            jitter: MediaTime::ZERO,
            longest: d,
        }
    }

    #[test]
    fn usual_rates_get_a_target_that_suits_all_tracks() {
        let rates = [
            ("25", 40_000_000),
            ("30", 33_333_333),
            ("29.97", 33_366_667),
            ("23.976", 41_708_333),
            ("50", 20_000_000),
            ("59.94", 16_683_333),
            ("60", 16_666_667),
            ("15", 66_666_667),
            ("10", 100_000_000),
        ];
        let sounds = [
            ("aac 48k", 21_333_333),
            ("aac 44.1k", 23_219_955),
            ("he-aac 44.1k", 46_439_909),
            ("opus", 20_000_000),
            ("mp3 44.1k", 26_122_449),
        ];
        for (v, video) in rates {
            for (a, audio) in sounds {
                let tracks = [timing(video), timing(audio)];
                let target = part_target(MediaTime::from_millis(200), &tracks);
                let fill = tracks.iter().map(|t| t.fill(target)).min().unwrap();
                assert!(fill >= 850, "{v} {a}: {target} {fill}");
                assert!(
                    (target - MediaTime::from_millis(200)).abs() <= MediaTime::from_millis(60),
                    "{v} {a}: {target}"
                );
            }
        }
        assert_eq!(
            part_target(
                MediaTime::from_millis(200),
                &[timing(40_000_000), timing(21_333_333)]
            ),
            MediaTime::from_millis(200)
        );
    }

    #[test]
    fn jitter_widens_the_target() {
        let times: Vec<_> = (0..40)
            .map(|i| MediaTime::from_millis(i * 100 / 3))
            .collect();
        let t = FrameTiming::measure(&times, None).unwrap();
        let target = part_target(MediaTime::from_millis(200), &[t]);
        assert!(t.fill(target) >= 850, "{t:?} {target}");
    }

    #[test]
    fn one_frame_a_second_is_a_part() {
        let target = part_target(MediaTime::from_millis(200), &[timing(1_000_000_000)]);
        assert_eq!(target, MediaTime::from_secs(1));
    }

    #[test]
    fn target_durations() {
        let t = |first_ms, video| {
            target_duration(
                MediaTime::from_secs(2),
                MediaTime::from_millis(first_ms),
                video,
            )
        };
        assert_eq!(t(2_000, true), 3);
        assert_eq!(t(2_002, true), 3);
        assert_eq!(t(10_000, true), 13);
        assert_eq!(t(2_011, false), 2);
        assert_eq!(t(1_990, false), 2);
    }
}
