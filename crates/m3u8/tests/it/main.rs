//! Behaviour of the playlist reader and writer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod delta;
mod fixtures;
mod golden;
mod lenient;
mod limits;
mod mutation;
mod no_allocation;
mod round_trip;
mod strict;
