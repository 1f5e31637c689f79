//! RTMP and Enhanced RTMP: a session core without IO, and a server on tokio.

#![forbid(unsafe_code)]
