//! The load generator: many players of one stream, or many publishers.

mod flv_skim;
mod hls;
mod http_flv;
mod numbers;
mod play;
mod publish;
mod report;
mod rtmp;
mod rtmp_skim;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use play::play;
pub use publish::publish;
pub use report::{PlayReport, PublishReport, SessionReport, Sessions};

/// A protocol that players can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// RTMP play.
    Rtmp,
    /// HTTP-FLV.
    Flv,
    /// HLS and LL-HLS.
    Hls,
}

impl Protocol {
    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::Hls => "hls",
        }
    }

    /// What an address most likely speaks: `rtmp://` RTMP, a path ending in `.m3u8` HLS, other HTTP addresses FLV.
    #[must_use]
    pub fn guess(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        if url.starts_with("rtmp://") {
            Some(Self::Rtmp)
        } else if !url.starts_with("http://") && !url.starts_with("https://") {
            None
        } else if path.ends_with(".m3u8") || path.ends_with(".m3u") {
            Some(Self::Hls)
        } else {
            Some(Self::Flv)
        }
    }
}

/// Options of [`play`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlayOptions {
    /// How to play.
    pub protocol: Protocol,
    /// What to play. `{}` in it becomes the number of the session, from 0.
    pub url: String,
    /// Sessions.
    pub count: usize,
    /// How many of the sessions read every frame, so that gaps and delays are measured. The others only count.
    pub probes: usize,
    /// How long each session plays, from its start.
    pub duration: Duration,
    /// The starts are spread over this long.
    pub ramp: Duration,
    /// How long a session may take to its first media.
    pub timeout: Duration,
    /// Media a player gathers before it begins to show; stalls are counted against it.
    pub buffer: Duration,
    /// Put a line for each session into the report.
    pub details: bool,
}

impl PlayOptions {
    /// One session for 10 seconds; starts are not spread; 10 s to the first media; 500 ms of buffer.
    #[must_use]
    pub fn new(protocol: Protocol, url: impl Into<String>) -> Self {
        Self {
            protocol,
            url: url.into(),
            count: 1,
            probes: 2,
            duration: Duration::from_secs(10),
            ramp: Duration::ZERO,
            timeout: Duration::from_secs(10),
            buffer: Duration::from_millis(500),
            details: false,
        }
    }
}

/// Options of [`publish`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishOptions {
    /// Where to: an `rtmp://` address. `{}` becomes the number of the publisher, from 0; without it and with more than
    /// one publisher the number is appended to the stream's name.
    pub url: String,
    /// Publishers.
    pub count: usize,
    /// How long.
    pub duration: Duration,
    /// Video bits a second of each.
    pub bitrate: u64,
    /// Frames a second.
    pub fps: u32,
    /// Frames from key frame to key frame.
    pub gop: u32,
    /// Width and height in pixels, multiples of 16.
    pub size: (u32, u32),
    /// Send sound too.
    pub audio: bool,
    /// An FLV file to send in a loop, instead of numbered frames.
    pub file: Option<PathBuf>,
    /// The starts are spread over this long.
    pub ramp: Duration,
    /// How long the server may take to accept.
    pub timeout: Duration,
}

impl PublishOptions {
    /// One publisher for 10 seconds: numbered frames, 320x192 at 30 frames a second, a key frame each 2 s, 2 Mb/s, with
    /// sound.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            count: 1,
            duration: Duration::from_secs(10),
            bitrate: 2_000_000,
            fps: 30,
            gop: 60,
            size: (320, 192),
            audio: true,
            file: None,
            ramp: Duration::ZERO,
            timeout: Duration::from_secs(10),
        }
    }
}

/// The address of session `n`.
fn numbered(url: &str, n: usize) -> String {
    url.replace("{}", &n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_guessed() {
        for (url, want) in [
            ("rtmp://h/live/cam", Some(Protocol::Rtmp)),
            ("http://h/live/cam.flv?token=a", Some(Protocol::Flv)),
            ("https://h/live/cam/index.m3u8?x=y.flv", Some(Protocol::Hls)),
            ("http://h/live/cam", Some(Protocol::Flv)),
            ("/tmp/a.flv", None),
        ] {
            assert_eq!(Protocol::guess(url), want, "{url}");
        }
    }
}
