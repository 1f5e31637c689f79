//! What the timeline makes of clean and of broken clocks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and fails by panicking"
)]

mod allocations;
mod chunks;
mod clean_input;
mod corpus;
mod hostile_clocks;
mod jumps;
mod order;
mod publishers;
mod queue;
mod sim;
