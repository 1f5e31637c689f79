//! The live demuxer: message bodies in, tracks and frames out.

mod script;
mod track;

use std::collections::VecDeque;

use bytes::Bytes;
use core_frame::{
    ColorInfo, Limits, MediaFrame, MediaKind, MediaTime, TrackId, TrackInfo, Unwrapper,
};

use crate::amf0::{self, Value};
use crate::tag::{Packet, PacketKind, Tag, parse_audio, parse_video};
use crate::{Error, Metadata, TagKind, error::Result, track_id};
pub use script::Script;
use track::{Stamp, Track};

/// Tracks one sender may have; more would be an attack.
const MAX_TRACKS: usize = 64;

/// What a message said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A track with a new or changed description. An identical configuration sent again says nothing.
    Track(Box<TrackInfo>),
    /// An access unit.
    Frame(MediaFrame),
    /// `onMetaData`.
    Metadata(Box<Metadata>),
    /// Any other script message: `onTextData`, `onCuePoint`, ….
    Script(Script),
    /// The sender ended the sequence of this track; media may go on after a new configuration.
    EndOfSequence(TrackId),
}

/// Where a [`Demuxer`] puts its events, in order. Keep one and drain it after each push: it allocates once.
#[derive(Clone, Debug, Default)]
pub struct Events(VecDeque<Event>);

impl Events {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes out the next event.
    pub fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// Takes out every event, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.0.drain(..)
    }

    /// The events, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Turns the bodies of FLV tags, which are the bodies of RTMP messages, into tracks and frames.
///
/// Frames come out in the order of the wire, with the sender's times in milliseconds unwrapped to 64 bits; nothing is
/// repaired here. All tracks share one clock, driven by media alone: senders stamp headers and metadata with 0.
/// Payloads are slices of the bodies. They are copied only where the sender's NAL unit lengths are not 4 bytes long.
///
/// After an error the demuxer goes on with the next message.
#[derive(Debug)]
pub struct Demuxer {
    limits: Limits,
    clock: Unwrapper,
    tracks: Vec<Track>,
    metadata: Option<Metadata>,
    dropped: u64,
}

impl Demuxer {
    /// A demuxer of one sender.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            clock: Unwrapper::new(32),
            tracks: Vec::new(),
            metadata: None,
            dropped: 0,
        }
    }

    /// Takes one body. `timestamp_ms` is the 32-bit wire clock.
    ///
    /// # Errors
    /// The body breaks a rule. [`Error::Config`] means that the track cannot be decoded: the sender should be refused.
    /// Packets of the same body that are well have become events all the same.
    pub fn push(
        &mut self,
        kind: TagKind,
        timestamp_ms: u32,
        body: Bytes,
        out: &mut Events,
    ) -> Result<()> {
        let tag = match kind {
            TagKind::Video => parse_video(&body)?,
            TagKind::Audio => parse_audio(&body)?,
            TagKind::Script => return self.script(timestamp_ms, body, out),
        };
        let kind = match kind {
            TagKind::Video => MediaKind::Video,
            _ => MediaKind::Audio,
        };
        self.tag(kind, timestamp_ms, tag, out)
    }

    /// Frames that came before their configuration and were left out.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How often the wire clock wrapped.
    #[must_use]
    pub const fn clock_wraps(&self) -> u64 {
        self.clock.wraps()
    }

    fn tag(
        &mut self,
        kind: MediaKind,
        timestamp_ms: u32,
        tag: Tag,
        out: &mut Events,
    ) -> Result<()> {
        let is_media = |p: &Packet| {
            matches!(p.kind, PacketKind::Frame { .. } | PacketKind::Raw { .. })
                && !p.payload.is_empty()
        };
        let mut base = MediaTime::ZERO;
        if tag.packets.iter().any(is_media) {
            base = MediaTime::from_millis(self.clock.unwrap(u64::from(timestamp_ms)));
        }
        let stamp = Stamp {
            base,
            nanos: MediaTime::from_nanos(i64::from(tag.nanos)),
            frame_type: tag.frame_type,
        };
        let mut result = Ok(());
        for packet in tag.packets {
            let done = self.packet(kind, stamp, packet, out);
            result = result.and(done);
        }
        result
    }

    fn packet(
        &mut self,
        kind: MediaKind,
        stamp: Stamp,
        packet: Packet,
        out: &mut Events,
    ) -> Result<()> {
        let id = track_id(kind, packet.track);
        let at = match self.tracks.iter().position(|t| t.id == id) {
            Some(at) => at,
            None if self.tracks.len() >= MAX_TRACKS => {
                return Err(Error::Limit("tracks of one sender"));
            }
            None => {
                self.tracks.push(Track::new(id, packet.codec));
                self.tracks.len() - 1
            }
        };
        let Some(track) = self.tracks.get_mut(at) else {
            return Ok(());
        };
        if track.codec != packet.codec {
            match packet.kind {
                PacketKind::SequenceStart | PacketKind::Frame { .. } | PacketKind::Raw { .. } => {
                    *track = Track::new(id, packet.codec);
                }
                // FFmpeg 9 sends the colour of its second video track as if it were the first one's.
                _ => return Ok(()),
            }
        }
        let metadata = self.metadata.as_ref();
        match packet.kind {
            PacketKind::SequenceStart => track.start(&packet.payload, metadata, out),
            PacketKind::SequenceEnd => {
                if track.info.is_some() {
                    out.0.push_back(Event::EndOfSequence(id));
                }
                Ok(())
            }
            PacketKind::Metadata => {
                if let Some(color) = color_info(&packet.payload, &self.limits)? {
                    track.color = Some(color);
                    track.announce_again(metadata, out);
                }
                Ok(())
            }
            PacketKind::Multichannel(channels) => {
                track.channels = Some(channels);
                track.announce_again(metadata, out);
                Ok(())
            }
            PacketKind::Mpeg2TsStart => Err(Error::Unsupported("video in MPEG-2 TS form")),
            PacketKind::Frame { .. } | PacketKind::Raw { .. } if packet.payload.is_empty() => {
                Ok(())
            }
            PacketKind::Frame { composition_ms } => {
                let frame = track.frame(stamp, composition_ms, packet.payload, &self.limits)?;
                if !track.ensure_announced(&frame.payload, metadata, out)? {
                    self.dropped = self.dropped.saturating_add(1);
                    return Ok(());
                }
                if frame.is_keyframe() {
                    track.key_frame_size(&frame.payload, metadata, out);
                }
                track.follow(&frame.payload, metadata, out);
                out.0.push_back(Event::Frame(frame));
                Ok(())
            }
            PacketKind::Raw {
                sample_rate,
                channels,
            } => {
                let frame = track.frame(stamp, 0, packet.payload, &self.limits)?;
                track.announce_raw(&frame.payload, sample_rate, channels, metadata, out)?;
                track.follow(&frame.payload, metadata, out);
                out.0.push_back(Event::Frame(frame));
                Ok(())
            }
        }
    }

    fn script(&mut self, timestamp_ms: u32, body: Bytes, out: &mut Events) -> Result<()> {
        if body.is_empty() {
            return Ok(());
        }
        // A copy of the clock: data may be stamped 0 and must not move the media.
        let time = self.clock.clone().unwrap(u64::from(timestamp_ms));
        let time = MediaTime::from_millis(time);
        match script::read(body, time, &self.limits)? {
            script::Said::Metadata(metadata) => {
                out.0.push_back(Event::Metadata(metadata.clone()));
                let metadata = self.metadata.insert(*metadata);
                for track in &mut self.tracks {
                    track.announce_again(Some(metadata), out);
                }
            }
            script::Said::Other(script) => out.0.push_back(Event::Script(script)),
        }
        Ok(())
    }
}

/// `colorInfo` of an Enhanced metadata frame (E-RTMP v2, "Metadata Frame"); `None` for other metadata.
fn color_info(body: &[u8], limits: &Limits) -> Result<Option<ColorInfo>> {
    let mut reader = amf0::Reader::new(body, limits);
    while !reader.is_empty() {
        let name = reader.read()?;
        if reader.is_empty() {
            break;
        }
        let value = reader.read()?;
        if name.as_str() != Some("colorInfo") {
            continue;
        }
        let Some(config) = value.get("colorConfig") else {
            return Ok(None);
        };
        let code = |key: &str| {
            let n = config.get(key).and_then(Value::as_f64)?;
            (0.0..256.0).contains(&n).then_some(n as u8)
        };
        // 2 is "unspecified" in all three tables of H.273.
        let color = ColorInfo {
            primaries: code("colorPrimaries").unwrap_or(2),
            transfer: code("transferCharacteristics").unwrap_or(2),
            matrix: code("matrixCoefficients").unwrap_or(2),
            full_range: false,
        };
        let says = [color.primaries, color.transfer, color.matrix] != [2, 2, 2];
        return Ok(says.then_some(color));
    }
    Ok(None)
}
