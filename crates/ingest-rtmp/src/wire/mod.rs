//! Bytes and values of RTMP, without memory of a session: handshake, chunks, messages, commands. Direction-neutral: a
//! server and a client use the same readers and writers.

pub mod aggregate;
pub mod chunk;
pub mod command;
pub mod handshake;
pub mod message;
