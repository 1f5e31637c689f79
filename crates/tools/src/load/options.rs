//! Options of players and publishers.

use std::path::PathBuf;
use std::time::Duration;

use super::Protocol;
use crate::TlsOptions;

/// Options of [`play`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlayOptions {
    /// How to play.
    pub protocol: Protocol,
    /// What to play. `{n}` or `{}` in it becomes the number of the session, from 0.
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
    /// So many of the sessions read slowly: in the long run [`PlayOptions::slow`] of what is sent. They are behind the
    /// good ones, and before the stalled ones.
    pub slow_count: usize,
    /// The share of the stream's rate that slow sessions read, above 0 and at most 1.
    pub slow: f64,
    /// So many of the sessions, the last ones, are let in and then read nothing any more.
    pub stalled: usize,
    /// HLS over `https://`: speak HTTP/2, each session on a connection of its own.
    pub http2: bool,
    /// How certificates are judged.
    pub tls: TlsOptions,
    /// A process of this machine to watch meanwhile: the server.
    pub watch: Option<u32>,
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
            slow_count: 0,
            slow: 0.5,
            stalled: 0,
            http2: false,
            tls: TlsOptions::default(),
            watch: None,
            details: false,
        }
    }

    /// What session `n` does with what it is sent.
    pub(crate) const fn manner(&self, n: usize) -> Manner {
        let stalled = self.count.saturating_sub(self.stalled);
        if n >= stalled {
            Manner::Stalled
        } else if n >= stalled.saturating_sub(self.slow_count) {
            Manner::Slow
        } else {
            Manner::Good
        }
    }
}

/// What a player does with what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes it.
    Good,
    /// Takes a share of it.
    Slow,
    /// Takes nothing once it is let in.
    Stalled,
}

/// Options of [`publish`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishOptions {
    /// Where to: an `rtmp://` or `rtmps://` address. `{n}` or `{}` becomes the number of the publisher, from 0; without it
    /// and with more than one publisher the number is appended to the stream's name.
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
    /// How often a publisher that is refused or cut off tries again, after 0.5 s and then twice as long each time, up to
    /// 8 s. What it would have sent meanwhile is lost: it goes on with the key frame that is due.
    pub retries: u32,
    /// How certificates are judged.
    pub tls: TlsOptions,
    /// Put a line for each publisher into the report.
    pub details: bool,
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
            retries: 0,
            tls: TlsOptions::default(),
            details: false,
        }
    }
}
