//! The LL-HLS origin: playlists over the segment store, without IO.

#![forbid(unsafe_code)]
