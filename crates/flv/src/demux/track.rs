//! One track of a sender: its configuration, what was announced of it, and its frames.

use bitstream::Classifier;
use bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, ColorInfo, FrameFlags, Limits, MediaFrame, MediaKind, MediaTime, TrackId,
    TrackInfo,
};

use super::{Event, Events};
use crate::tag::{Channels, FrameType};
use crate::{Error, Metadata, config, error::Result};

#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: TrackId,
    pub(super) codec: CodecId,
    /// The configuration as it came, to know it again; `None` until there was one.
    wire: Option<Bytes>,
    /// The sequence start was empty, or says nothing: the configuration is to be taken from the first access unit that
    /// holds one.
    late: bool,
    length_size: usize,
    pub(super) color: Option<ColorInfo>,
    pub(super) channels: Option<Channels>,
    /// Rate and channels of the legacy tag header that the track was announced with.
    raw: Option<AudioInfo>,
    /// What the frames say of their sound, where each says it: as announced, and as of late.
    heard: Option<AudioInfo>,
    changing: Option<AudioInfo>,
    /// Size of the last key frame, where only key frames tell it.
    size: Option<(u32, u32)>,
    /// What was announced; frames flow only under it.
    pub(super) info: Option<TrackInfo>,
    classifier: Classifier,
}

#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub(super) base: MediaTime,
    pub(super) nanos: MediaTime,
    pub(super) frame_type: FrameType,
}

impl Track {
    pub(super) const fn new(id: TrackId, codec: CodecId) -> Self {
        Self {
            id,
            codec,
            wire: None,
            late: false,
            length_size: 4,
            color: None,
            channels: None,
            raw: None,
            heard: None,
            changing: None,
            size: None,
            info: None,
            classifier: Classifier::unconfigured(codec),
        }
    }

    pub(super) fn start(
        &mut self,
        body: &Bytes,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) -> Result<()> {
        if self.wire.as_ref() == Some(body) && (self.info.is_some() || self.late) {
            return Ok(());
        }
        let was = self.info.take();
        self.wire = None;
        let record = config::from_wire(self.codec, body)?;
        self.late = record.config.is_empty()
            && matches!(
                self.codec,
                CodecId::H264
                    | CodecId::H265
                    | CodecId::H266
                    | CodecId::Av1
                    | CodecId::Vp8
                    | CodecId::Vp9
                    | CodecId::Mp3
                    | CodecId::Ac3
                    | CodecId::Eac3
                    | CodecId::Flac
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
        let info = bitstream::describe(self.id, self.codec, config).map_err(Error::Config)?;
        self.announce_info(info, was.as_ref(), metadata, out);
        Ok(())
    }

    fn announce_info(
        &mut self,
        mut info: TrackInfo,
        was: Option<&TrackInfo>,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) {
        info.timescale = 1_000;
        self.classifier = Classifier::new(self.codec, &info.config);
        self.complete(&mut info, metadata);
        if was != Some(&info) {
            out.0.push_back(Event::Track(Box::new(info.clone())));
        }
        self.info = Some(info);
    }

    /// Something beside the configuration changed.
    pub(super) fn announce_again(&mut self, metadata: Option<&Metadata>, out: &mut Events) {
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
        claimed(info, metadata);
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
    pub(super) fn ensure_announced(
        &mut self,
        payload: &Bytes,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) -> Result<bool> {
        if self.info.is_some() {
            return Ok(true);
        }
        let config = match self.codec {
            CodecId::H264 | CodecId::H265 | CodecId::H266 if !self.late => return Ok(false),
            CodecId::Aac => return Ok(false),
            codec if says_all_itself(codec) => {
                let Some(info) = bitstream::describe_frame(self.id, codec, payload) else {
                    return Ok(false);
                };
                self.heard = bitstream::frame_audio(codec, payload);
                self.announce_info(info, None, metadata, out);
                self.late = false;
                return Ok(true);
            }
            codec => bitstream::config_in_band(codec, payload),
        };
        let Some(config) = config else {
            return Ok(false);
        };
        self.announce(config, None, metadata, out)?;
        self.late = false;
        Ok(true)
    }

    /// MP3, AC-3 and Enhanced AC-3 have no configuration on the wire: what their frames say is followed. Two in a row have
    /// to say it, so that one damaged header changes nothing.
    pub(super) fn follow(
        &mut self,
        payload: &Bytes,
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) {
        if !matches!(self.codec, CodecId::Mp3 | CodecId::Ac3 | CodecId::Eac3) {
            return;
        }
        let essence = |a: AudioInfo| (a.sample_rate, a.channels);
        let now = bitstream::frame_audio(self.codec, payload);
        if now.is_none() || now.map(essence) == self.heard.map(essence) {
            self.changing = None;
            return;
        }
        if self.changing.replace(now.unwrap_or_default()).map(essence) != now.map(essence) {
            return;
        }
        if let Some(info) = bitstream::describe_frame(self.id, self.codec, payload) {
            (self.heard, self.changing) = (now, None);
            let was = self.info.take();
            self.announce_info(info, was.as_ref(), metadata, out);
        }
    }

    /// VP8 and VP9 tell their size in key frames only, and may change it there.
    pub(super) fn key_frame_size(
        &mut self,
        payload: &[u8],
        metadata: Option<&Metadata>,
        out: &mut Events,
    ) {
        if !matches!(self.codec, CodecId::Vp8 | CodecId::Vp9) {
            return;
        }
        let size = bitstream::key_frame_size(self.codec, payload);
        if size.is_some() && size != self.size {
            self.size = size;
            self.announce_again(metadata, out);
        }
    }

    /// Announces a track that has no configuration beyond its tag header. MP3 tells more than that: 32 and 48 kHz have no
    /// number there.
    pub(super) fn announce_raw(
        &mut self,
        payload: &Bytes,
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
        if self.info.is_some() && (self.raw == Some(audio) || self.heard.is_some()) {
            return Ok(());
        }
        if self.codec == CodecId::Mp3 && self.ensure_announced(payload, metadata, out)? {
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

    pub(super) fn frame(
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

/// Codecs of which a frame tells everything, or of which there is nothing to tell.
const fn says_all_itself(codec: CodecId) -> bool {
    matches!(
        codec,
        CodecId::Vp8 | CodecId::Mp3 | CodecId::Ac3 | CodecId::Eac3 | CodecId::Flac | CodecId::Opus
    )
}

/// What the sender says of this one track.
fn claimed(info: &mut TrackInfo, metadata: &Metadata) {
    let Some(claim) = metadata.tracks.iter().find(|c| c.id == info.id) else {
        return;
    };
    info.language = claim.language.clone().or_else(|| info.language.take());
    info.role = claim.role.unwrap_or(info.role);
    info.bitrate_bps = info.bitrate_bps.or(claim.bitrate_bps);
    if let Some(video) = &mut info.video {
        video.frame_rate = video.frame_rate.or(claim.frame_rate);
        if let (0, 0, Some((width, height))) = (video.width, video.height, claim.size) {
            (video.width, video.height) = (width, height);
        }
    }
    if let (None, Some(sample_rate), Some(channels)) =
        (info.audio, claim.sample_rate, claim.channels)
    {
        info.audio = Some(AudioInfo {
            sample_rate,
            channels,
            frame_samples: 0,
        });
    }
}
