//! What a client session is set up with.

use std::time::Duration;

use core_frame::Limits;

use super::Target;
use crate::wire::handshake::Kind;

/// What the client is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Send media.
    Publish,
    /// Receive media.
    Play,
}

/// In which form a player wants the media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Media {
    /// As the messages of the wire ([`Event::Message`](super::Event::Message)).
    #[default]
    Messages,
    /// As tracks, frames and tags ([`Event::Track`](super::Event::Track), [`Event::Frame`](super::Event::Frame),
    /// [`Event::Tags`](super::Event::Tags)), ready to be published.
    Frames,
}

/// Options of a client session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to go.
    pub target: Target,
    /// What for.
    pub role: Role,
    /// The form of the media that is played.
    pub media: Media,
    /// Bounds on what the server sends, and the times it has for the handshake, for its answer to `connect` (both from
    /// the start) and for its consent to publish or play (from that answer).
    pub limits: Limits,
    /// How long the server may send nothing at all while its stream is played; `None` is for ever.
    pub silence: Option<Duration>,
    /// The form of the handshake.
    pub handshake: Kind,
    /// Varies the bytes of the handshake.
    pub seed: u64,
    /// Size of the chunks we send, in bytes.
    pub chunk_size: u32,
    /// How we name ourselves (`flashVer`).
    pub agent: String,
    /// The player we claim to be (`swfUrl`), for servers that look at it.
    pub swf_url: Option<String>,
    /// The page we claim to be on (`pageUrl`), for servers that look at it.
    pub page_url: Option<String>,
    /// Say which codecs of Enhanced RTMP are understood, and multitrack and reconnect.
    pub enhanced: bool,
}

impl Config {
    /// The usual options.
    #[must_use]
    pub fn new(target: Target, role: Role) -> Self {
        Self {
            target,
            role,
            media: Media::Messages,
            limits: Limits::default(),
            silence: None,
            handshake: Kind::Simple,
            seed: 0,
            chunk_size: crate::CHUNK_SIZE,
            agent: "FMLE/3.0 (compatible; Millstream)".to_owned(),
            swf_url: None,
            page_url: None,
            enhanced: true,
        }
    }
}
