//! `publish`: the request, and what a publisher may be told.

use core_frame::{Secret, StreamKey};

/// A peer that wants to publish.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The stream.
    pub key: StreamKey,
    /// `token=` of the stream name's query, or else of the app's.
    pub token: Option<Secret>,
    /// The whole query (it may hold secrets of other schemes).
    pub query: Secret,
    /// What the peer calls it: `live`, `record` or `append`; everything is live here.
    pub kind: String,
}

/// Why a publish or play is refused, in the protocol's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reject {
    /// The name is taken, or is no name.
    BadName,
    /// The peer may not.
    Denied,
    /// Nobody publishes the stream that was to be played.
    NotFound,
    /// We cannot: limits, shut-down.
    Failed,
}

/// The publishing type that a peer named (§7.2.2.6); `live` where it is none of the three.
pub(super) fn kind(named: Option<&str>) -> String {
    let known = ["live", "record", "append"];
    let kind = known.into_iter().find(|k| named == Some(*k));
    kind.unwrap_or("live").to_owned()
}

impl Reject {
    pub(super) const fn publish_code(self) -> &'static str {
        match self {
            Self::BadName => "NetStream.Publish.BadName",
            Self::Denied => "NetStream.Publish.Denied",
            Self::NotFound | Self::Failed => "NetStream.Publish.Failed",
        }
    }

    pub(super) const fn play_code(self) -> &'static str {
        match self {
            Self::BadName | Self::NotFound => "NetStream.Play.StreamNotFound",
            Self::Denied | Self::Failed => "NetStream.Play.Failed",
        }
    }
}
