//! What only sockets show: relays, TLS, overload, peers that vanish, the end.

mod relay;
mod stage;
#[cfg(feature = "tls")]
mod tls;
