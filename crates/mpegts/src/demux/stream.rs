//! One elementary stream: its PES packets, what they hold, its losses.

use bytes::{Buf, Bytes};
use core_frame::{FrameFlags, Limits, MediaFrame, MediaKind, MediaTime, TrackInfo};

use super::assembly::{Assembly, LEAD, Refused, Unit};
use super::clock::ProgramClock;
use super::event::{Damage, DamageKind, Data, Event, Events, PidStats, Stream};
use super::picture::Picture;
use super::sound::Sound;
use super::timed::metadata_units;
use crate::StreamKind;
use crate::packet::Packet;
use crate::pes::PTS_HZ;

/// Bytes of the blocks that payloads are put together in, one after the other.
const VIDEO_BLOCK: usize = 1024 * 1024;
const AUDIO_BLOCK: usize = 64 * 1024;

/// What a stream needs of its demuxer while it takes a packet.
pub(super) struct Context<'a> {
    pub(super) limits: &'a Limits,
    pub(super) clock: &'a mut ProgramClock,
    pub(super) stats: &'a mut PidStats,
    pub(super) out: &'a mut Events,
    /// The packet's first byte in the input.
    pub(super) offset: u64,
}

/// How payloads become frames.
#[derive(Debug)]
enum Content {
    Picture(Box<Picture>),
    Sound(Box<Sound>),
    /// KLV and ID3: a payload or a cell of it is a frame.
    Timed,
    Data,
}

impl Content {
    /// Packets are missing.
    fn lose(&mut self) {
        match self {
            Self::Picture(picture) => picture.lose(),
            Self::Sound(sound) => sound.lose(),
            Self::Timed | Self::Data => {}
        }
    }
}

/// The identity of a track, and what its frames have in common.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) info: Stream,
    /// What was announced; frames flow only under it.
    pub(super) announced: Option<TrackInfo>,
    after_gap: bool,
    last_dts: Option<MediaTime>,
    step: MediaTime,
}

/// A stream of PES packets.
#[derive(Debug)]
pub(super) struct Elementary {
    pub(super) output: Output,
    assembly: Assembly,
    content: Content,
}

impl Elementary {
    pub(super) fn new(info: Stream, config: &Bytes, limits: &Limits) -> Self {
        let (kind, limit) = (info.kind, limits.access_unit_bytes as usize);
        let media = kind.media();
        let content = match media {
            Some(MediaKind::Video) => Content::Picture(Box::new(Picture::new(kind))),
            Some(MediaKind::Audio) => Content::Sound(Box::new(Sound::new(kind, config))),
            Some(_) => Content::Timed,
            None => Content::Data,
        };
        let (lead, block) = match media {
            Some(MediaKind::Video) => (LEAD, VIDEO_BLOCK),
            _ => (0, AUDIO_BLOCK),
        };
        Self {
            output: Output {
                info,
                announced: None,
                after_gap: false,
                last_dts: None,
                step: MediaTime::ZERO,
            },
            assembly: Assembly::new(lead, block, limit.saturating_add(lead)),
            content,
        }
    }

    /// A new map names the same stream again.
    pub(super) fn rename(&mut self, info: Stream, out: &mut Events) {
        self.output.info = info;
        self.output.announce_again(out);
    }

    #[inline]
    pub(super) fn packet(&mut self, packet: &Packet<'_>, cx: &mut Context<'_>) {
        let taken = if packet.starts {
            if self.assembly.is_open() {
                self.end(cx);
            }
            self.assembly.begin(packet.payload)
        } else {
            self.assembly.append(packet.payload)
        };
        if let Err(refused) = taken {
            self.refused(refused, packet.payload.len(), cx);
        }
        if self.assembly.is_full() {
            self.end(cx);
        }
    }

    fn refused(&mut self, refused: Refused, bytes: usize, cx: &mut Context<'_>) {
        let kind = match refused {
            Refused::Header => DamageKind::PesHeader,
            Refused::Surplus => DamageKind::PesLength,
            Refused::Limit => DamageKind::Limit,
        };
        if refused != Refused::Surplus {
            self.output.after_gap = true;
            self.content.lose();
        }
        self.output.damage(kind, bytes as u64, cx);
    }

    /// The PES packet under way is complete, or its successor begins.
    fn end(&mut self, cx: &mut Context<'_>) {
        let Some(unit) = self.assembly.end() else {
            return;
        };
        if unit.short {
            self.output.damage(DamageKind::PesLength, 0, cx);
        }
        self.unit(unit, cx);
    }

    fn unit(&mut self, unit: Unit, cx: &mut Context<'_>) {
        if unit.header.scrambled {
            cx.stats.scrambled += 1;
            return;
        }
        match &mut self.content {
            Content::Picture(picture) => picture.unit(unit, &mut self.output, cx),
            Content::Sound(sound) => {
                let rest = sound.unit(unit, &mut self.output, cx);
                self.assembly.carry(rest);
            }
            Content::Timed => {
                let times = unit.times(cx.clock);
                let time = times.map(|(pts, _)| pts).or_else(|| cx.clock.now());
                let payload = unit.payload();
                self.output.announce_plain(cx.out);
                for payload in metadata_units(self.output.info.kind, &payload) {
                    let time = time.unwrap_or_default();
                    self.output
                        .frame(payload, time, time, FrameFlags::KEY, MediaTime::ZERO, cx);
                }
            }
            Content::Data => {
                let time = unit.times(cx.clock).map(|(pts, _)| pts);
                let (pid, kind) = (self.output.info.pid, self.output.info.kind);
                let payload = unit.payload();
                cx.out.0.push_back(Event::Data(Data {
                    pid,
                    kind,
                    time,
                    payload,
                }));
            }
        }
    }

    /// Packets are missing: what is under way is broken. Whole frames of sound in front of the gap are not.
    pub(super) fn gap(&mut self, cx: &mut Context<'_>) {
        let lost = self.assembly.received() as u64;
        if self.assembly.is_open() {
            cx.stats.dropped_pes += 1;
            if let (Content::Sound(sound), Some(unit)) = (&mut self.content, self.assembly.end()) {
                let _ = sound.unit(unit, &mut self.output, cx);
            }
            self.output.damage(DamageKind::Pes, lost, cx);
        }
        self.assembly.lose();
        self.content.lose();
        self.output.after_gap = true;
    }

    /// The sender announced a break: a packet of unknown length ends here, another that is not complete is lost.
    pub(super) fn announced_break(&mut self, cx: &mut Context<'_>) {
        if let Some(unit) = self.assembly.end() {
            if unit.short {
                cx.stats.dropped_pes += 1;
                self.output
                    .damage(DamageKind::Pes, unit.data.len() as u64, cx);
            } else {
                self.unit(unit, cx);
            }
        }
        if let Content::Picture(picture) = &mut self.content {
            picture.flush(&mut self.output, cx);
        }
        self.assembly.lose();
        self.content.lose();
    }

    /// The input, or the stream, has ended.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        self.announced_break(cx);
    }
}

impl Unit {
    /// Presentation and decode time; nothing when the packet tells none.
    pub(super) fn times(&self, clock: &mut ProgramClock) -> Option<(MediaTime, MediaTime)> {
        let pts = self.header.pts?;
        // The decode time is never later, so it is what moves the clock.
        let dts = clock.widen(self.header.dts.unwrap_or(pts));
        let pts = match self.header.dts {
            Some(_) => clock.clone().widen(pts),
            None => dts,
        };
        Some((super::clock::media_time(pts), super::clock::media_time(dts)))
    }

    /// The payload alone.
    pub(super) fn payload(self) -> Bytes {
        let mut data = self.data;
        data.advance(self.lead.min(data.len()));
        data.freeze()
    }
}

impl Output {
    /// Describes the track, unless it is described so already. What the map says is added.
    pub(super) fn announce(&mut self, mut info: TrackInfo, out: &mut Events) {
        info.timescale = PTS_HZ;
        info.language.clone_from(&self.info.language);
        if self.announced.as_ref() != Some(&info) {
            out.0.push_back(Event::Track(Box::new(info.clone())));
            self.announced = Some(info);
        }
    }

    fn announce_again(&mut self, out: &mut Events) {
        if let Some(info) = self.announced.clone() {
            self.announce(info, out);
        }
    }

    /// Describes a track that has nothing to describe.
    pub(super) fn announce_plain(&mut self, out: &mut Events) {
        if let (None, Some(track), Some(codec)) =
            (&self.announced, self.info.track, self.info.kind.codec())
        {
            self.announce(TrackInfo::new(track, codec), out);
        }
    }

    /// A frame, if its track is announced.
    pub(super) fn frame(
        &mut self,
        payload: Bytes,
        pts: MediaTime,
        dts: MediaTime,
        flags: FrameFlags,
        duration: MediaTime,
        cx: &mut Context<'_>,
    ) {
        let Some(info) = &self.announced else {
            cx.stats.undecodable += 1;
            return;
        };
        let mut frame = MediaFrame::new(info.id, info.codec, dts, payload);
        frame.pts = pts;
        frame.flags = flags;
        frame.duration = duration;
        if std::mem::take(&mut self.after_gap) {
            frame.flags |= FrameFlags::AFTER_GAP;
        }
        if let Some(last) = self.last_dts.filter(|&last| last < dts) {
            self.step = dts - last;
        }
        self.last_dts = Some(dts);
        cx.out.0.push_back(Event::Frame(frame));
    }

    /// The time of a frame that tells none: a step after the last.
    pub(super) fn next_time(&self) -> Option<MediaTime> {
        self.last_dts.map(|last| last + self.step)
    }

    /// An access unit is lost.
    pub(super) fn lost(&mut self, bytes: usize, cx: &mut Context<'_>) {
        self.after_gap = true;
        self.damage(DamageKind::Frame, bytes as u64, cx);
    }

    pub(super) fn damage(&self, kind: DamageKind, lost: u64, cx: &mut Context<'_>) {
        cx.out.0.push_back(Event::Damage(Damage {
            offset: cx.offset,
            kind,
            pid: Some(self.info.pid),
            track: self.info.track,
            lost,
        }));
    }
}

impl Elementary {
    /// True when another map's stream is the same one.
    pub(super) fn is(&self, kind: StreamKind) -> bool {
        self.output.info.kind == kind
    }
}
