//! The real binary against real clients, and against bad input.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and fails by panicking"
)]

mod bad_input;
mod browser;
mod demo;
mod enhanced;
mod equality;
mod life;
mod multitrack;
mod play;
mod publish;
mod relay;
mod rtmps;
mod support;
