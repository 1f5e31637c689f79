//! Track numbers: the two clocked kinds with 256 tracks each on the wire, one id space inside.

use core_frame::{MediaKind, TrackId};

/// The id of track `index` of a kind.
///
/// Track 0 is the only one a legacy sender has: [`TrackId::VIDEO`] or [`TrackId::AUDIO`]. Track *n* of Enhanced RTMP
/// multitrack is 10 + 2*n* for video and 11 + 2*n* for audio, so that ids of the two never meet. Everything else that
/// FLV carries is [`TrackId::DATA`]. [`track_index`] is the inverse.
#[must_use]
pub fn track_id(kind: MediaKind, index: u8) -> TrackId {
    match (kind, u16::from(index)) {
        (MediaKind::Video, 0) => TrackId::VIDEO,
        (MediaKind::Audio, 0) => TrackId::AUDIO,
        (MediaKind::Video, n) => TrackId(10 + 2 * n),
        (MediaKind::Audio, n) => TrackId(11 + 2 * n),
        _ => TrackId::DATA,
    }
}

/// The kind and number on the wire of a track that [`track_id`] named; `None` for any other id.
#[must_use]
pub fn track_index(id: TrackId) -> Option<(MediaKind, u8)> {
    match id {
        TrackId::VIDEO => Some((MediaKind::Video, 0)),
        TrackId::AUDIO => Some((MediaKind::Audio, 0)),
        TrackId::DATA => Some((MediaKind::Data, 0)),
        TrackId(n) => {
            let above = n.checked_sub(10)?;
            let kind = if above.is_multiple_of(2) {
                MediaKind::Video
            } else {
                MediaKind::Audio
            };
            match u8::try_from(above / 2) {
                Ok(0) | Err(_) => None,
                Ok(index) => Some((kind, index)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_track_has_its_own_id() {
        let mut seen = BTreeSet::new();
        for kind in [MediaKind::Video, MediaKind::Audio] {
            for index in 0..=255 {
                let id = track_id(kind, index);
                assert!(seen.insert(id), "{id}");
                assert_eq!(track_index(id), Some((kind, index)));
            }
        }
        for foreign in [0, 4, 9, 10, 11, 522, u16::MAX] {
            assert_eq!(track_index(TrackId(foreign)), None, "{foreign}");
        }
    }
}
