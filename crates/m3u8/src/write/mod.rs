//! Playlists as text.

mod attributes;
mod media;
mod multivariant;
mod writer;

pub use attributes::AttributeWriter;
pub use writer::Writer;

use std::fmt;

use crate::{MediaPlaylist, MultivariantPlaylist, Playlist};

impl Playlist {
    /// Appends the text to `out`.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Media(list) => list.write(out),
            Self::Multivariant(list) => list.write(out),
        }
    }
}

macro_rules! display {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::new();
                self.write(&mut text);
                f.write_str(&text)
            }
        }
    )*};
}
display!(MediaPlaylist, MultivariantPlaylist, Playlist);
