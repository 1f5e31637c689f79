//! The playlists as values, apart from their text.

mod control;
mod date_range;
mod key;
mod media;
mod multivariant;
mod segment;

pub use control::{
    Define, HintKind, PlaylistType, PreloadHint, RenditionReport, ServerControl, Skip, Start,
};
pub use date_range::DateRange;
pub use key::{Key, Method};
pub use media::MediaPlaylist;
pub use multivariant::{
    ClosedCaptions, ContentSteering, Media, MediaType, MultivariantPlaylist, Resolution,
    SessionData, Variant,
};
pub use segment::{ByteRange, Map, Part, Segment};

/// Either kind of playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playlist {
    /// A list of segments.
    Media(MediaPlaylist),
    /// A list of variants and renditions.
    Multivariant(MultivariantPlaylist),
}
