//! End-to-end tests of the `millstream` binary live beside this file, in `it/`; there is no code here.
//!
//! Each starts the real server on free ports and drives it with programs that share no code with it: ffmpeg 5 and 9, GStreamer,
//! rtmpdump, mpegts.js, hls.js and Chromium. `cargo xtask setup` installs them; one that is missing is skipped with a printed reason.

#![forbid(unsafe_code)]
