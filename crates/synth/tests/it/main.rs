//! What other people's decoders make of our sources.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and fails by panicking"
)]

mod decodes;
