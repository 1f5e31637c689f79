//! Script messages: metadata, and everything else that a sender says in AMF.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, Limits, MediaFrame, MediaTime, TrackId};

use crate::amf0::{self, Value};
use crate::{Error, Metadata, error::Result, scte35};

/// A script message other than `onMetaData`.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The name: the first string of the body.
    pub name: String,
    /// Its time, on the clock of the media.
    pub time: MediaTime,
    /// The whole body as AMF0, the name included: as it came, but for AMF3 values, which are written anew.
    pub body: Bytes,
}

impl Script {
    /// The message as a frame: a SCTE 35 section on [`scte35::TRACK`] where the message is one
    /// ([`scte35::from_script`]), else the message itself on [`TrackId::DATA`], which [`crate::Plan`] writes as it came.
    #[must_use]
    pub fn frame(&self, limits: &Limits) -> MediaFrame {
        let mut frame = match scte35::from_script(self, limits) {
            Some(section) => MediaFrame::new(scte35::TRACK, CodecId::Scte35, self.time, section),
            None => MediaFrame::new(TrackId::DATA, CodecId::Script, self.time, self.body.clone()),
        };
        frame.flags = FrameFlags::KEY;
        frame
    }
}

pub(super) enum Said {
    Metadata(Box<Metadata>),
    Other(Script),
}

/// Reads a body that is not empty. One of message or tag type 15 has a format selector in front.
pub(super) fn read(body: Bytes, time: MediaTime, limits: &Limits) -> Result<Said> {
    let mut reader = amf0::Reader::of_amf3_message(&body, limits);
    let mut start = reader.offset();
    let mut first = reader.read()?;
    if first.as_str() == Some("@setDataFrame") {
        start = reader.offset();
        first = reader.read()?;
    }
    let Some(name) = first.as_str() else {
        return Err(Error::invalid("script message", "it begins with a name"));
    };
    if name == "onMetaData" {
        let value = match reader.is_empty() {
            true => Value::Null,
            false => reader.read()?,
        };
        let raw = match reader.has_amf3() {
            true => amf0::write(&[first, value.clone()]),
            false => body.slice(start..),
        };
        return Ok(Said::Metadata(Box::new(Metadata::parse(&value, raw))));
    }
    let name = name.to_owned();
    let plain = plain_amf0(first, reader);
    Ok(Said::Other(Script {
        name,
        time,
        body: plain.unwrap_or_else(|| body.slice(start..)),
    }))
}

/// The message without AMF3; nothing where there is none in it, or it cannot be read.
fn plain_amf0(first: Value, mut rest: amf0::Reader<'_>) -> Option<Bytes> {
    // Nearly no message has a switch: the byte tells without reading the values.
    if !rest.rest().contains(&0x11) {
        return None;
    }
    let mut values = vec![first];
    for value in rest.by_ref() {
        values.push(value.ok()?);
    }
    rest.has_amf3().then(|| amf0::write(&values))
}
