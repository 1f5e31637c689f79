//! Behaviour of the RTMP crate, one file per scenario.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "net")]
mod access;
mod bad_input;
mod captures;
mod dialogue;
mod pair;
#[cfg(feature = "net")]
mod payloads_are_equal;
#[cfg(feature = "net")]
mod real_clients;
#[cfg(feature = "net")]
mod rig;
#[cfg(feature = "net")]
mod slow_players;
mod timeouts;
