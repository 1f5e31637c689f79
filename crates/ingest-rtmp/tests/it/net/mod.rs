//! What only sockets show: relays, TLS, overload, peers that vanish, the end.

#![allow(clippy::print_stdout, reason = "figures, and words between processes")]

mod child;
mod descriptors;
mod half_open;
mod overload;
mod relay;
mod stage;
mod stalled;
mod take_over;
#[cfg(feature = "tls")]
mod tls;
