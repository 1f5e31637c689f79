//! A set of tracks in one word.

use core_frame::TrackId;

/// A set of tracks: ids 0 to 62 have a bit of their own, all higher ids share the last one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackMask(u64);

impl TrackMask {
    /// Every track.
    pub const ALL: Self = Self(u64::MAX);
    /// No track.
    pub const NONE: Self = Self(0);

    /// The set of these tracks.
    #[must_use]
    pub fn of(tracks: impl IntoIterator<Item = TrackId>) -> Self {
        tracks.into_iter().fold(Self::NONE, Self::with)
    }

    /// The set with this track in it.
    #[must_use]
    pub const fn with(self, track: TrackId) -> Self {
        Self(self.0 | bit(track))
    }

    /// The set without this track.
    #[must_use]
    pub const fn without(self, track: TrackId) -> Self {
        Self(self.0 & !bit(track))
    }

    /// True when the track is in the set.
    #[must_use]
    pub const fn contains(self, track: TrackId) -> bool {
        self.0 & bit(track) != 0
    }

    /// The tracks that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Default for TrackMask {
    fn default() -> Self {
        Self::ALL
    }
}

impl std::fmt::Debug for TrackMask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrackMask({:#x})", self.0)
    }
}

const fn bit(track: TrackId) -> u64 {
    1 << if track.0 > 63 { 63 } else { track.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_high_ids() {
        let m = TrackMask::of([TrackId(1), TrackId(300)]);
        assert!(m.contains(TrackId(1)) && m.contains(TrackId(9_000)));
        assert!(!m.contains(TrackId(2)));
        assert!(!m.without(TrackId(1)).contains(TrackId(1)));
        assert_eq!(TrackMask::default(), TrackMask::ALL);
    }
}
