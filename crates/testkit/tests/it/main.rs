//! The kit itself: its peer against a peer, its clients where they are installed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and fails by panicking"
)]

mod clients;
mod peers;
