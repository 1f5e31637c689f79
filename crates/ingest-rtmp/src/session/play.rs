//! `play`: the request, and how a play ends.

use core_frame::{Secret, StreamKey};
use flv::Layout;
use flv::amf0::Value;

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
    /// What it gets, by what it asks for in the query and what it said of itself ([`crate::enhanced`]): for
    /// [`RtmpRender::layout`](crate::render::RtmpRender::layout).
    pub layout: Layout,
}

/// Why a play ends from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The publisher has gone.
    Unpublished,
    /// There was no more of it: a source that ends by itself (a file) is through.
    Complete,
    /// This player cannot go on: too slow, removed by an operator, shut-down.
    Failed(&'static str),
}

/// The fourth argument of `play` (§7.2.2.1): whether what played before on the stream is given up. Players of old send
/// 0 to 3 for a boolean, of which 1 and 3 give up.
pub(super) fn reset(arg: Option<&Value>) -> bool {
    match arg {
        Some(Value::Boolean(reset)) => *reset,
        Some(Value::Number(n)) => *n == 1.0 || *n == 3.0,
        _ => true,
    }
}
