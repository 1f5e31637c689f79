//! `play`: the request, and how a play ends.

use core_frame::{Secret, StreamKey};

/// A peer that wants to play.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The stream.
    pub key: StreamKey,
    /// `token=` of the stream name's query, or else of the app's.
    pub token: Option<Secret>,
    /// The whole query (it may hold secrets of other schemes).
    pub query: Secret,
    /// The message stream the media belongs on.
    pub stream: u32,
}

/// Why a play ends from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The stream ended.
    Unpublished,
    /// This player cannot go on: too slow, removed by an operator, shut-down.
    Failed(&'static str),
}
