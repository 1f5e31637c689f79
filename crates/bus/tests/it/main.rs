//! Behaviour of the bus, one scenario a file.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod engine;
mod epochs;
mod filter;
mod inbound;
mod join;
mod lag;
mod model;
mod pace;
mod publishers;
mod readers;
mod stress;
mod support;
mod sync_points;
mod tail;
mod views;
