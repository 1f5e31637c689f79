//! RTMP and Enhanced RTMP: a session core without IO, and a server on tokio.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod error;
pub mod session;
pub mod wire;

pub use error::Error;
