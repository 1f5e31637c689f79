//! Behaviour of the RTMP crate, one file per scenario.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

// The name that other crates know it by, so that the fuzz targets can share the operations.
extern crate millstream_ingest_rtmp as ingest_rtmp;

#[cfg(feature = "net")]
mod access;
mod allocations;
mod bad_input;
mod captures;
mod client_session;
mod dialogue;
mod lifecycle;
#[cfg(feature = "net")]
mod multitrack_players;
#[cfg(feature = "net")]
mod net;
mod operations;
mod pair;
#[cfg(feature = "net")]
mod payloads_are_equal;
#[cfg(feature = "net")]
mod real_clients;
#[cfg(feature = "net")]
mod rig;
mod said;
#[cfg(feature = "net")]
mod slow_players;
mod state_machine;
mod timeouts;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
