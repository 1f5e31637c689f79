//! The binary from outside: what it prints, serves and exits with.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod check_config;
mod demo;
mod load;
mod reference;
mod relay;
mod support;
mod usage;
