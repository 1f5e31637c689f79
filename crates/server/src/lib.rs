//! The server: configuration, HTTP routes, control API, metrics and the player page over the floors below.

#![forbid(unsafe_code)]
