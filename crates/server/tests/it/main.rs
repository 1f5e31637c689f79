//! The server from outside: one file a behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod admission;
mod api;
mod config;
mod hls;
mod links;
mod live;
mod secrets;
mod shutdown;
mod support;
mod tls;
mod tracks;
mod ts;
mod web;
