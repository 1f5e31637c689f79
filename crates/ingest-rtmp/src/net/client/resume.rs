//! What a reconnect brings a second time, and what it left out.

use std::collections::VecDeque;
use std::hash::Hasher;

use core_frame::{FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId, TrackInfo};

/// Frames that are remembered: about a minute of a usual stream, and 32 KiB.
const REMEMBERED: usize = 4_096;
/// Bytes of either end of a payload that tell it from others.
const ENDS: usize = 64;
/// A clock that stands further ahead than this after a reconnect was set anew.
const GAP: MediaTime = MediaTime::from_secs(60);

/// What to do with the first frames of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seam {
    /// The server plays its last frames again, those we have among them: nothing is lost.
    Replay,
    /// Its clock went on, and frames are missing.
    Gap,
    /// Nothing tells that it is the same clock.
    Anew,
}

/// Remembers what was brought in, over connections.
#[derive(Debug, Default)]
pub(super) struct Resume {
    recent: VecDeque<u64>,
    last: Vec<(TrackId, MediaTime)>,
    /// No frame of this connection has come.
    fresh: bool,
    /// Frames of a track up to its last decode time are the ones we have.
    replay: bool,
    /// Nothing is let through before the next picture that needs no other.
    wants_sync: bool,
}

impl Resume {
    /// A new connection.
    pub(super) const fn reconnected(&mut self) {
        self.fresh = true;
        self.replay = false;
    }

    /// Judges the first frame of a connection; `None` for the others.
    pub(super) fn seam(&mut self, frame: &MediaFrame) -> Option<Seam> {
        if !std::mem::take(&mut self.fresh) {
            return None;
        }
        let last = self.last(frame.track);
        let ahead = last.is_none_or(|last| frame.dts > last && frame.dts - last <= GAP);
        Some(if self.last.is_empty() {
            Seam::Anew
        } else if self.recent.contains(&fingerprint(frame)) {
            Seam::Replay
        } else if ahead {
            Seam::Gap
        } else {
            Seam::Anew
        })
    }

    /// What was decided about the seam. `whole`: readers have what comes before, and in the same epoch.
    pub(super) fn decide(&mut self, seam: Seam, whole: bool, tracks: &[TrackInfo]) {
        let video = tracks.iter().any(|t| t.kind() == MediaKind::Video);
        match seam {
            Seam::Replay => {
                self.replay = true;
                self.wants_sync = video && !whole;
            }
            Seam::Gap => self.wants_sync = video,
            Seam::Anew => {
                self.recent.clear();
                self.last.clear();
                self.wants_sync = false;
            }
        }
    }

    /// True when the frame is to be published; it is then remembered.
    pub(super) fn wants(&mut self, frame: &MediaFrame) -> bool {
        if self.replay && self.last(frame.track).is_some_and(|last| frame.dts <= last) {
            return false;
        }
        if self.wants_sync {
            let sync = FrameFlags::KEY | FrameFlags::RECOVERY_POINT;
            if frame.kind() != MediaKind::Video || !frame.flags.intersects(sync) {
                return false;
            }
            self.wants_sync = false;
        }
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(fingerprint(frame));
        match self.last.iter_mut().find(|(id, _)| *id == frame.track) {
            Some((_, last)) => *last = frame.dts,
            None => self.last.push((frame.track, frame.dts)),
        }
        true
    }

    fn last(&self, track: TrackId) -> Option<MediaTime> {
        let found = self.last.iter().find(|(id, _)| *id == track);
        found.map(|(_, last)| *last)
    }
}

/// Track, time, length and both ends of the payload: enough to know a frame again.
fn fingerprint(frame: &MediaFrame) -> u64 {
    let payload = &frame.payload;
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write_u16(frame.track.0);
    hasher.write_i64(frame.dts.as_nanos());
    hasher.write_usize(payload.len());
    hasher.write(payload.get(..ENDS).unwrap_or(payload));
    let tail = payload.len().saturating_sub(ENDS);
    hasher.write(payload.get(tail..).unwrap_or_default());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use core_frame::CodecId;

    fn video(ms: i64, key: bool) -> MediaFrame {
        let payload = Bytes::copy_from_slice(&ms.to_be_bytes());
        MediaFrame::new_video(ms, ms, payload, CodecId::H264, key)
    }

    fn tracks() -> Vec<TrackInfo> {
        vec![TrackInfo::new(TrackId::VIDEO, CodecId::H264)]
    }

    /// A connection that brings these pictures, each fifth of them a key frame; tells the seam and what got through.
    fn bring(resume: &mut Resume, whole: bool, frames: &[(i64, bool)]) -> (Seam, Vec<i64>) {
        resume.reconnected();
        let (mut seam, mut through) = (None, Vec::new());
        for (ms, key) in frames {
            let frame = video(*ms, *key);
            if let Some(found) = resume.seam(&frame) {
                seam = Some(found);
                resume.decide(found, whole, &tracks());
            }
            if resume.wants(&frame) {
                through.push(*ms);
            }
        }
        (seam.unwrap(), through)
    }

    #[test]
    fn what_comes_twice_goes_through_once() {
        let mut resume = Resume::default();
        let first = [(0, true), (40, false), (80, false)];
        assert_eq!(
            bring(&mut resume, true, &first),
            (Seam::Anew, vec![0, 40, 80])
        );
        let again = [(0, true), (40, false), (80, false), (120, false)];
        assert_eq!(bring(&mut resume, true, &again), (Seam::Replay, vec![120]));
        // The readers have lost the epoch: they go on at a key frame.
        let again = [
            (0, true),
            (40, false),
            (120, false),
            (160, false),
            (200, true),
        ];
        assert_eq!(bring(&mut resume, false, &again), (Seam::Replay, vec![200]));
    }

    #[test]
    fn a_gap_ends_at_a_key_frame() {
        let mut resume = Resume::default();
        bring(&mut resume, true, &[(0, true), (40, false)]);
        let later = [(500, false), (540, true), (580, false)];
        assert_eq!(
            bring(&mut resume, true, &later),
            (Seam::Gap, vec![540, 580])
        );
    }

    #[test]
    fn a_clock_that_begins_anew_is_not_taken_for_a_replay() {
        let mut resume = Resume::default();
        bring(&mut resume, true, &[(5_000, true), (5_040, false)]);
        let mut other = video(5_000, true);
        other.payload = Bytes::from_static(b"another");
        resume.reconnected();
        assert_eq!(resume.seam(&other), Some(Seam::Anew));
        let anew = [(0, true), (40, false)];
        assert_eq!(bring(&mut resume, true, &anew), (Seam::Anew, vec![0, 40]));
        let far = [(100_000, true)];
        assert_eq!(bring(&mut resume, true, &far), (Seam::Anew, vec![100_000]));
    }
}
