//! Behaviour of the bus, one scenario a file.

mod inbound;
mod join;
mod support;
mod views;
