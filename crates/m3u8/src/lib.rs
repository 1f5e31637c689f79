//! HLS playlists, read and written: one model for origins, downloaders and probes.

#![forbid(unsafe_code)]
