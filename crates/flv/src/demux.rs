//! The live demuxer: message bodies in, tracks and frames out.

use std::collections::VecDeque;

use bitstream::Classifier;
use bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, ColorInfo, FrameFlags, Limits, MediaFrame, MediaKind, MediaTime, TrackId,
    TrackInfo, Unwrapper,
};

use crate::amf0::{self, Value};
use crate::tag::{Channels, FrameType, Packet, PacketKind, Tag, parse_audio, parse_video};
use crate::{Error, Metadata, TagKind, config, error::Result, track_id};

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

/// A script message other than `onMetaData`.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The name: the first string of the body.
    pub name: String,
    /// Its time.
    pub time: MediaTime,
    /// The whole body, the name included.
    pub body: Bytes,
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

#[derive(Debug)]
struct Track {
    id: TrackId,
    codec: CodecId,
    /// The configuration as it came, to know it again; `None` until there was one.
    wire: Option<Bytes>,
    /// The sequence start was empty: the configuration is to be taken from the first access unit that holds one.
    late: bool,
    length_size: usize,
    color: Option<ColorInfo>,
    channels: Option<Channels>,
    /// Rate and channels of the legacy tag header that the track was announced with.
    raw: Option<AudioInfo>,
    /// Size of the last key frame, where only key frames tell it.
    size: Option<(u32, u32)>,
    /// What was announced; frames flow only under it.
    info: Option<TrackInfo>,
    classifier: Classifier,
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
                out.0.push_back(Event::Frame(frame));
                Ok(())
            }
            PacketKind::Raw {
                sample_rate,
                channels,
            } => {
                let frame = track.frame(stamp, 0, packet.payload, &self.limits)?;
                track.announce_raw(sample_rate, channels, metadata, out)?;
                out.0.push_back(Event::Frame(frame));
                Ok(())
            }
        }
    }

    fn script(&mut self, timestamp_ms: u32, body: Bytes, out: &mut Events) -> Result<()> {
        if body.is_empty() {
            return Ok(());
        }
        let not_named = Error::invalid("script message", "it begins with a name");
        let mut start = 0;
        let mut reader = amf0::Reader::new(&body, &self.limits);
        let mut first = reader.read()?;
        if first.as_str() == Some("@setDataFrame") {
            start = reader.offset();
            first = reader.read()?;
        }
        let name = first.as_str().ok_or(not_named)?;
        if name == "onMetaData" {
            let value = if reader.is_empty() {
                Value::Null
            } else {
                reader.read()?
            };
            let metadata = Metadata::parse(&value, body.slice(start..));
            self.metadata = Some(metadata.clone());
            out.0.push_back(Event::Metadata(Box::new(metadata)));
            return Ok(());
        }
        // A copy of the clock: data may be stamped 0 and must not move the media.
        let time = self.clock.clone().unwrap(u64::from(timestamp_ms));
        out.0.push_back(Event::Script(Script {
            name: name.to_owned(),
            time: MediaTime::from_millis(time),
            body: body.slice(start..),
        }));
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Stamp {
    base: MediaTime,
    nanos: MediaTime,
    frame_type: FrameType,
}

impl Track {
    const fn new(id: TrackId, codec: CodecId) -> Self {
        Self {
            id,
            codec,
            wire: None,
            late: false,
            length_size: 4,
            color: None,
            channels: None,
            raw: None,
            size: None,
            info: None,
            classifier: Classifier::unconfigured(codec),
        }
    }

    fn start(&mut self, body: &Bytes, metadata: Option<&Metadata>, out: &mut Events) -> Result<()> {
        if self.wire.as_ref() == Some(body) && (self.info.is_some() || self.late) {
            return Ok(());
        }
        let was = self.info.take();
        self.wire = None;
        let record = config::from_wire(self.codec, body)?;
        self.late = record.config.is_empty()
            && matches!(
                self.codec,
                CodecId::H264 | CodecId::H265 | CodecId::H266 | CodecId::Av1 | CodecId::Vp9
            );
        // A copy, so that a few bytes do not keep a whole message alive.
        self.wire = Some(Bytes::copy_from_slice(body));
        self.length_size = record.length_size;
        if self.late {
            return Ok(());
        }
        self.announce(record.config, was, metadata, out)
    }

    /// Describes the track by its configuration and says so, unless it is what was said before.
    fn announce(
        &mut self,
        config: Bytes,
        was: Option<TrackInfo>,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) -> Result<()> {
        let mut info = bitstream::describe(self.id, self.codec, config).map_err(Error::Config)?;
        info.timescale = 1_000;
        self.classifier = Classifier::new(self.codec, &info.config);
        self.complete(&mut info, metadata);
        if was.as_ref() != Some(&info) {
            out.0.push_back(Event::Track(Box::new(info.clone())));
        }
        self.info = Some(info);
        Ok(())
    }

    /// Something beside the configuration changed.
    fn announce_again(&mut self, metadata: Option<&Metadata>, out: &mut Events) {
        let Some(was) = &self.info else { return };
        let mut info = was.clone();
        self.complete(&mut info, metadata);
        if info != *was {
            out.0.push_back(Event::Track(Box::new(info.clone())));
            self.info = Some(info);
        }
    }

    /// Adds what the configuration leaves open and the sender says elsewhere.
    fn complete(&self, info: &mut TrackInfo, metadata: Option<&Metadata>) {
        if let Some(video) = &mut info.video {
            video.color = self.color.or(video.color);
            if let Some((width, height)) = self.size {
                (video.width, video.height) = (width, height);
            }
        }
        if let (Some(audio), Some(channels)) = (&mut info.audio, self.channels) {
            audio.channels = u16::from(channels.count);
        }
        let Some(metadata) = metadata else { return };
        match info.id {
            TrackId::VIDEO => {
                info.bitrate_bps = info.bitrate_bps.or(metadata.video_bitrate_bps);
                if let Some(video) = &mut info.video {
                    video.frame_rate = video.frame_rate.or(metadata.frame_rate);
                    if let (0, 0, Some(width), Some(height)) =
                        (video.width, video.height, metadata.width, metadata.height)
                    {
                        (video.width, video.height) = (width, height);
                    }
                }
            }
            TrackId::AUDIO => {
                info.bitrate_bps = info.bitrate_bps.or(metadata.audio_bitrate_bps);
                if let (None, Some(sample_rate), Some(channels)) = (
                    info.audio,
                    metadata.audio_sample_rate,
                    metadata.audio_channels,
                ) {
                    info.audio = Some(AudioInfo {
                        sample_rate,
                        channels,
                        frame_samples: 0,
                    });
                }
            }
            _ => {}
        }
    }

    /// Sees to it that the track of this access unit is announced; false when it cannot be yet.
    fn ensure_announced(
        &mut self,
        payload: &Bytes,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) -> Result<bool> {
        if self.info.is_some() {
            return Ok(true);
        }
        let in_band = match self.codec {
            CodecId::H264 | CodecId::H265 | CodecId::H266 if !self.late => None,
            CodecId::Aac => None,
            CodecId::Mp3 | CodecId::Ac3 | CodecId::Eac3 | CodecId::Opus | CodecId::Flac => {
                Some(Bytes::new())
            }
            CodecId::Vp8 => Some(Bytes::new()),
            codec => bitstream::config_in_band(codec, payload),
        };
        match in_band {
            Some(config) => {
                self.announce(config, None, metadata, out)?;
                self.late = false;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// VP8 and VP9 tell their size in key frames only, and may change it there.
    fn key_frame_size(&mut self, payload: &[u8], metadata: Option<&Metadata>, out: &mut Events) {
        if !matches!(self.codec, CodecId::Vp8 | CodecId::Vp9) {
            return;
        }
        let size = bitstream::key_frame_size(self.codec, payload);
        if size.is_some() && size != self.size {
            self.size = size;
            self.announce_again(metadata, out);
        }
    }

    /// Announces a track that has no configuration beyond its tag header.
    fn announce_raw(
        &mut self,
        sample_rate: u32,
        channels: u16,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) -> Result<()> {
        let audio = AudioInfo {
            sample_rate,
            channels,
            frame_samples: 0,
        };
        if self.info.is_some() && self.raw == Some(audio) {
            return Ok(());
        }
        let mut info =
            bitstream::describe(self.id, self.codec, Bytes::new()).map_err(Error::Config)?;
        info.audio = Some(audio);
        self.raw = info.audio;
        self.complete(&mut info, metadata);
        out.0.push_back(Event::Track(Box::new(info.clone())));
        self.info = Some(info);
        Ok(())
    }

    fn frame(
        &self,
        stamp: Stamp,
        composition_ms: i32,
        payload: Bytes,
        limits: &Limits,
    ) -> Result<MediaFrame> {
        let mut payload = payload;
        if self.codec.is_nal() && self.length_size != 4 {
            payload =
                bitstream::nal::to_four_byte(payload, self.length_size).map_err(Error::Frame)?;
        }
        bitstream::check_access_unit(self.codec, &payload, limits).map_err(Error::Frame)?;
        let mut frame = MediaFrame::new(self.id, self.codec, stamp.base, payload);
        frame.flags = self.flags(stamp.frame_type, &frame.payload);
        match self.codec.kind() {
            MediaKind::Video => {
                let composition = MediaTime::from_millis(i64::from(composition_ms));
                frame.pts = stamp.base + composition + stamp.nanos;
            }
            // Sound has no composition time: it is decoded when it is heard.
            _ => {
                frame.pts = stamp.base + stamp.nanos;
                frame.dts = frame.pts;
            }
        }
        Ok(frame)
    }

    /// The bitstream decides what is a key frame where it can be read; a claim of the tag that it does not bear out
    /// still marks a recovery point (open GOPs and intra refresh are announced as key frames).
    fn flags(&self, frame_type: FrameType, payload: &[u8]) -> FrameFlags {
        let mut flags = self.classifier.classify(payload);
        match frame_type {
            FrameType::Key if self.codec.kind() == MediaKind::Audio => flags |= FrameFlags::KEY,
            FrameType::Key if !flags.contains(FrameFlags::KEY) => {
                flags |= match self.codec {
                    CodecId::H264 | CodecId::H265 | CodecId::Av1 | CodecId::Vp8 | CodecId::Vp9 => {
                        FrameFlags::RECOVERY_POINT
                    }
                    _ => FrameFlags::KEY,
                }
            }
            FrameType::Disposable => flags |= FrameFlags::DISPOSABLE,
            _ => {}
        }
        flags
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
