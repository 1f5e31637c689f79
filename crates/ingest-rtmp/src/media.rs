//! The media messages of a sender, singly or in aggregates, turned into tracks, frames and tags: what a server does with
//! its publisher and a puller with its server.

use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{Limits, MediaFrame, Tags, TrackInfo};
use flv::TagKind;

use crate::Error;
use crate::wire::aggregate::Aggregate;
use crate::wire::command::{data_body, is_aside};
use crate::wire::message::{Message, MessageType};

/// What a sender's media goes through.
#[derive(Debug)]
pub(crate) struct Ingest {
    limits: Limits,
    demuxer: flv::Demuxer,
    events: flv::Events,
    /// Messages in a row that could not be used.
    damaged: u32,
    scripts: Scripts,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) enum Media {
    Track(Box<TrackInfo>),
    Frame(MediaFrame),
    Tags(Tags),
    Damaged(String),
}

/// So many unusable messages in a row are no accident any more.
const DAMAGED: u32 = 250;
/// Script messages a second; encoders send one now and then, captioners a few.
const SCRIPTS: u32 = 100;
/// Bytes of script messages a second: every reader gets them beside the media, and the log keeps them.
const SCRIPT_BYTES: usize = 256 * 1024;

/// `@clearDataFrame` as an AMF0 string: takes metadata back.
const CLEAR_DATA_FRAME: &[u8] = b"\x02\x00\x0F@clearDataFrame";

/// The script messages of the second at hand.
#[derive(Debug, Default)]
struct Scripts {
    since: Option<Instant>,
    messages: u32,
    bytes: usize,
    told: bool,
}

impl Ingest {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            demuxer: flv::Demuxer::new(limits),
            events: flv::Events::new(),
            damaged: 0,
            scripts: Scripts::default(),
        }
    }

    /// Takes an audio, video, data or aggregate message; others are nothing.
    pub(crate) fn message(
        &mut self,
        now: Instant,
        message: &Message,
        out: &mut impl FnMut(Media),
    ) -> Result<(), Error> {
        if message.kind != MessageType::Aggregate {
            return self.single(now, message, out);
        }
        for inner in Aggregate::new(message.clone()) {
            let inner = inner.map_err(|rule| Error::Media(rule.to_owned()))?;
            self.single(now, &inner, out)?;
        }
        Ok(())
    }

    fn single(
        &mut self,
        now: Instant,
        message: &Message,
        out: &mut impl FnMut(Media),
    ) -> Result<(), Error> {
        let (time, body) = (message.timestamp, || message.body.clone());
        match message.kind {
            MessageType::Audio => self.tag(TagKind::Audio, time, body(), out),
            MessageType::Video => self.tag(TagKind::Video, time, body(), out),
            MessageType::Data | MessageType::DataAmf3 => {
                if is_aside(message) {
                    return Ok(());
                }
                if !self.admits(now, message.body.len(), out) {
                    return Ok(());
                }
                if data_body(message).starts_with(CLEAR_DATA_FRAME) {
                    out(Media::Tags(Tags::default()));
                    return Ok(());
                }
                // Both forms of data: the demuxer knows AMF3 by its selector.
                self.tag(TagKind::Script, time, body(), out)
            }
            _ => Ok(()),
        }
    }

    /// Whether this script message is still within the bounds of the second.
    fn admits(&mut self, now: Instant, bytes: usize, out: &mut impl FnMut(Media)) -> bool {
        let admitted = self.scripts.admit(now, bytes);
        if let Admitted::No { told: false } = admitted {
            let why = "more script messages in a second than 100 or 256 KiB: left out";
            out(Media::Damaged(why.to_owned()));
        }
        matches!(admitted, Admitted::Yes)
    }

    /// A message that cannot be used is left out; many in a row, or a track that nobody can decode, end the stream.
    fn tag(
        &mut self,
        kind: TagKind,
        timestamp: u32,
        body: Bytes,
        out: &mut impl FnMut(Media),
    ) -> Result<(), Error> {
        let result = self.demuxer.push(kind, timestamp, body, &mut self.events);
        for event in self.events.drain() {
            out(match event {
                flv::Event::Track(track) => Media::Track(track),
                flv::Event::Frame(frame) => Media::Frame(frame),
                flv::Event::Metadata(metadata) => Media::Tags(metadata.tags()),
                flv::Event::Script(script) => Media::Frame(script.frame(&self.limits)),
                _ => continue,
            });
        }
        match result {
            Ok(()) => {
                self.damaged = 0;
                Ok(())
            }
            Err(e @ flv::Error::Config(_)) => Err(Error::Media(chain(&e))),
            Err(e) => {
                self.damaged = self.damaged.saturating_add(1);
                if self.damaged >= DAMAGED {
                    return Err(Error::Media(chain(&e)));
                }
                out(Media::Damaged(chain(&e)));
                Ok(())
            }
        }
    }
}

enum Admitted {
    Yes,
    /// Whether that was told in this second.
    No {
        told: bool,
    },
}

impl Scripts {
    fn admit(&mut self, now: Instant, bytes: usize) -> Admitted {
        let fresh = |since| now.saturating_duration_since(since) >= Duration::from_secs(1);
        if self.since.is_none_or(fresh) {
            *self = Self {
                since: Some(now),
                ..Self::default()
            };
        }
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.messages <= SCRIPTS && self.bytes <= SCRIPT_BYTES {
            return Admitted::Yes;
        }
        let told = std::mem::replace(&mut self.told, true);
        Admitted::No { told }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
