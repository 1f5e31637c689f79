//! What came of a damaged stream.

use core_frame::{MediaFrame, MediaTime, TrackId};

use super::{Case, Holds};

/// Collects what a path put out, and says what does not hold.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    frames: usize,
    epochs: usize,
    tracks: Vec<Followed>,
    faults: Vec<String>,
}

#[derive(Clone, Debug)]
struct Followed {
    id: TrackId,
    last: MediaTime,
    /// Time of capture, and time put out less it, in nanoseconds.
    errors: Vec<(i64, i64)>,
}

/// Pictures over which the offset at the end is taken.
const LAST: usize = 24;
/// Sound and picture captured within this are of one moment, nanoseconds.
const MOMENT: u64 = 100_000_000;

impl Outcome {
    /// A frame came out; `captured` is what [`super::What::Frame`] said of it.
    pub fn frame(&mut self, frame: &MediaFrame, captured: MediaTime) {
        self.frames += 1;
        let error = (captured.as_nanos(), (frame.pts - captured).as_nanos());
        if frame.pts < frame.dts {
            self.faults
                .push(format!("frame {}: shown before decoded", self.frames));
        }
        if let Some(track) = self.tracks.iter_mut().find(|t| t.id == frame.track) {
            if frame.dts <= track.last {
                self.faults.push(format!(
                    "track {}: {} after {}",
                    frame.track, frame.dts, track.last
                ));
            }
            track.last = frame.dts;
            track.errors.push(error);
        } else {
            self.tracks.push(Followed {
                id: frame.track,
                last: frame.dts,
                errors: vec![error],
            });
        }
    }

    /// An epoch was opened.
    pub fn epoch(&mut self) {
        self.epochs += 1;
    }

    /// Epochs opened.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// How much later than the picture of the same moment sound is at the end; `None` without both.
    #[must_use]
    pub fn offset(&self) -> Option<MediaTime> {
        let track = |id| self.tracks.iter().find(|t| t.id == id);
        let (sound, picture) = (track(TrackId::AUDIO)?, track(TrackId::VIDEO)?);
        let pairs = picture.errors.iter().rev().filter_map(|&(moment, error)| {
            let near = |&&(other, _): &&(i64, i64)| other.abs_diff(moment);
            let partner = sound.errors.iter().rev().take(4_096).min_by_key(near)?;
            (near(&partner) <= MOMENT).then_some(partner.1 - error)
        });
        // The middle one: a few wild frames at the very end are no offset.
        let mut offsets: Vec<_> = pairs.take(LAST).collect();
        offsets.sort_unstable();
        offsets
            .get(offsets.len() / 2)
            .copied()
            .map(MediaTime::from_nanos)
    }

    /// What does not hold for `case`, in words; empty when all does. Of its frames, `counted` were left out and counted.
    #[must_use]
    pub fn check(&self, case: &Case, counted: usize) -> Vec<String> {
        let mut faults = self.faults.clone();
        if self.frames + counted != case.frames() {
            faults.push(format!(
                "{} frames in, {} out, {counted} counted",
                case.frames(),
                self.frames
            ));
        }
        let Holds { epochs, offset } = &case.holds;
        if !epochs.contains(&self.epochs) {
            faults.push(format!("{} epochs, not {epochs:?}", self.epochs));
        }
        if let Some(limit) = *offset {
            match self.offset() {
                Some(off) if off.abs() <= MediaTime::from(limit) => {}
                off => faults.push(format!("sound {off:?} from the picture")),
            }
        }
        faults
    }
}
