//! The media messages of a publisher, singly or in aggregates.

use bytes::{Buf, Bytes};
use core_frame::Limits;
use flv::TagKind;

use super::outbox::{Event, Outbox};
use super::slice_of;
use crate::Error;
use crate::wire::command::amf0_part;
use crate::wire::message::{Message, MessageType};

/// What a publisher's media goes through.
#[derive(Debug)]
pub(super) struct Ingest {
    demuxer: flv::Demuxer,
    events: flv::Events,
    /// Messages in a row that could not be used.
    damaged: u32,
}

/// Why an aggregate is refused.
const AGGREGATE: &str = "an aggregate message ends inside a tag (§7.1.6)";
/// So many unusable messages in a row are no accident any more.
const DAMAGED: u32 = 250;

/// `@clearDataFrame` as an AMF0 string: takes metadata back, which nobody misses.
const CLEAR_DATA_FRAME: &[u8] = b"\x02\x00\x0F@clearDataFrame";

impl Ingest {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            demuxer: flv::Demuxer::new(limits),
            events: flv::Events::new(),
            damaged: 0,
        }
    }

    pub(super) fn message(&mut self, message: &Message, out: &mut Outbox) -> Result<(), Error> {
        let time = message.timestamp;
        match message.kind {
            MessageType::Audio => self.tag(TagKind::Audio, time, message.body.clone(), out),
            MessageType::Video => self.tag(TagKind::Video, time, message.body.clone(), out),
            MessageType::Aggregate => self.aggregate(message, out),
            _ => self.script(time, slice_of(&message.body, amf0_part(message)), out),
        }
    }

    fn script(&mut self, time: u32, body: Bytes, out: &mut Outbox) -> Result<(), Error> {
        if body.starts_with(CLEAR_DATA_FRAME) {
            return Ok(());
        }
        self.tag(TagKind::Script, time, body, out)
    }

    /// §7.1.6: FLV tags one after the other, each followed by four bytes that tell its length. Their times count from that
    /// of the first, which is the message's own.
    fn aggregate(&mut self, message: &Message, out: &mut Outbox) -> Result<(), Error> {
        let mut rest = message.body.clone();
        let mut first = None;
        while !rest.is_empty() {
            let Some(&[kind, l0, l1, l2, t0, t1, t2, t3, ..]) = rest.first_chunk::<11>() else {
                return Err(Error::Media(AGGREGATE.to_owned()));
            };
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            let time = u32::from_be_bytes([t3, t0, t1, t2]);
            rest.advance(11);
            if rest.len() < length {
                return Err(Error::Media(AGGREGATE.to_owned()));
            }
            let body = rest.split_to(length);
            rest.advance(rest.len().min(4));
            let since = time.wrapping_sub(*first.get_or_insert(time));
            let time = message.timestamp.wrapping_add(since);
            match TagKind::from_number(kind) {
                Some(TagKind::Script) => self.script(time, body, out)?,
                Some(kind) => self.tag(kind, time, body, out)?,
                None => {}
            }
        }
        Ok(())
    }

    fn tag(
        &mut self,
        kind: TagKind,
        timestamp: u32,
        body: Bytes,
        out: &mut Outbox,
    ) -> Result<(), Error> {
        let result = self.demuxer.push(kind, timestamp, body, &mut self.events);
        for event in self.events.drain() {
            out.event(match event {
                flv::Event::Track(track) => Event::Track(track),
                flv::Event::Frame(frame) => Event::Frame(frame),
                flv::Event::Metadata(metadata) => Event::Metadata(metadata),
                flv::Event::Script(script) => Event::Script(script),
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
                out.event(Event::Damaged(chain(&e)));
                Ok(())
            }
        }
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
