//! The server from outside: one file a behaviour.

mod config;
