//! Frames to CMAF chunks to segments to the window: the one store behind HLS, DASH and recording.

#![forbid(unsafe_code)]
