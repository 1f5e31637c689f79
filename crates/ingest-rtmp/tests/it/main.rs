//! Behaviour of the RTMP crate, one file per scenario.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod dialogue;
mod pair;
mod timeouts;
