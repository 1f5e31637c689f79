//! Access units of sound: frames of a byte stream that PES packets cut where they like, and Opus packets.

use bitstream::aac::{self, AdtsHeader, AudioSpecificConfig};
use bitstream::{ac3, mp3, opus};
use bytes::{Buf, Bytes};
use core_frame::{AudioInfo, CodecId, FrameFlags, MediaTime, TrackInfo};

use super::assembly::Unit;
use super::latm::{self, Latm};
use super::stream::{Context, Output};
use crate::StreamKind;

/// The start of a frame that waits for the next PES packet is never longer.
const MOST_CARRIED: usize = 64 * 1024;

/// A track of sound.
#[derive(Debug)]
pub(super) struct Sound {
    state: State,
    /// A time of the sender and the samples since, from which the times of frames without one follow.
    anchor: Option<Anchor>,
}

/// What was announced, to know a change.
#[derive(Debug)]
enum State {
    Adts(Option<AdtsHeader>),
    Latm(Latm),
    Mpeg(Option<mp3::FrameHeader>),
    Ac3(Option<AudioInfo>),
    Opus(Bytes),
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    time: MediaTime,
    samples: u64,
    rate: u32,
}

impl Anchor {
    /// Absolute times are converted, rounded durations are not added up.
    fn now(self) -> MediaTime {
        let samples = i64::try_from(self.samples).unwrap_or(i64::MAX);
        self.time + MediaTime::from_ticks(samples, self.rate).unwrap_or_default()
    }
}

/// The clock of one PES packet: frames that begin in it count from its time.
struct Times {
    time: Option<MediaTime>,
    carried: usize,
}

impl Sound {
    pub(super) fn new(kind: StreamKind, config: &Bytes) -> Self {
        let state = match kind {
            StreamKind::AacLatm => State::Latm(Latm::default()),
            StreamKind::MpegAudio => State::Mpeg(None),
            StreamKind::Ac3 | StreamKind::Eac3 => State::Ac3(None),
            StreamKind::Opus => State::Opus(config.clone()),
            _ => State::Adts(None),
        };
        Self {
            state,
            anchor: None,
        }
    }

    /// Packets are missing: no time follows from what was before.
    pub(super) fn lose(&mut self) {
        self.anchor = None;
    }

    /// The frames of a PES packet; returns the start of a frame that goes on in the next.
    pub(super) fn unit(&mut self, unit: Unit, output: &mut Output, cx: &mut Context<'_>) -> Bytes {
        let mut times = Times {
            time: unit.times(cx.clock).map(|(pts, _)| pts),
            carried: unit.carried,
        };
        let mut data = unit.payload();
        if times.carried > 0 && self.is_bogus(&data, times.carried) {
            output.lost(times.carried, cx);
            data.advance(times.carried.min(data.len()));
            times.carried = 0;
        }
        let rest = match &self.state {
            State::Adts(_) => self.adts(&data, &mut times, output, cx),
            State::Latm(_) => self.latm(&data, &mut times, output, cx),
            State::Mpeg(_) => self.mpeg(&data, &mut times, output, cx),
            State::Ac3(_) => self.ac3(&data, &mut times, output, cx),
            State::Opus(_) => self.opus(&data, &mut times, output, cx),
        };
        if rest.is_empty() {
            return rest;
        }
        if rest.len() > MOST_CARRIED {
            output.lost(rest.len(), cx);
            return Bytes::new();
        }
        // A copy, so that the next packet's first frame is in one piece.
        Bytes::copy_from_slice(&rest)
    }

    /// True when the bytes left over from the last packet are no frame that goes on in this: a frame begins with the
    /// packet, and none where the old one would end. A length that was damaged would swallow one packet after the other.
    fn is_bogus(&self, data: &[u8], carried: usize) -> bool {
        let at = |at: usize| data.get(at..).and_then(|d| self.length(d));
        let ends_well = at(0).is_some_and(|n| n == data.len() || at(n).is_some());
        !ends_well && at(carried).is_some()
    }

    /// The length of the frame whose header `data` begins with.
    fn length(&self, data: &[u8]) -> Option<usize> {
        match &self.state {
            State::Adts(_) => AdtsHeader::parse(data).ok().map(|h| h.frame_length),
            State::Latm(_) => latm::element_length(data).flatten(),
            State::Mpeg(_) => mp3::FrameHeader::parse(data).ok()?.frame_length(),
            State::Ac3(_) => ac3::FrameHeader::parse(data).ok().map(|h| h.frame_length),
            State::Opus(_) => None,
        }
    }

    fn adts(
        &mut self,
        data: &Bytes,
        times: &mut Times,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) -> Bytes {
        let mut frames = aac::adts_frames(data);
        let mut at = 0;
        while let Some((header, body)) = frames.next() {
            let start = data.len() - frames.rest().len() - header.frame_length;
            if start > at {
                output.lost(start - at, cx);
            }
            at = start + header.frame_length;
            let State::Adts(known) = &mut self.state else {
                break;
            };
            if known.is_none_or(|k| !is_same_adts(&k, &header)) {
                match describe_adts(output, &header) {
                    Some(info) => output.announce(info, cx.out),
                    None => {
                        output.lost(header.frame_length, cx);
                        continue;
                    }
                }
                *known = Some(header);
            }
            if header.blocks > 1 {
                // Several raw blocks behind one header cannot be told apart without decoding them.
                output.lost(header.frame_length, cx);
                continue;
            }
            let payload = data.slice_ref(body);
            self.frame(payload, start, 1_024, header.sample_rate, times, output, cx);
        }
        data.slice_ref(frames.rest())
    }

    fn latm(
        &mut self,
        data: &Bytes,
        times: &mut Times,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) -> Bytes {
        let mut at = 0;
        loop {
            let rest = data.slice(at..);
            let length = match latm::element_length(&rest) {
                None => {
                    let next = memchr::memchr(0x56, rest.get(1..).unwrap_or_default());
                    let skip = next.map_or(rest.len(), |n| n + 1);
                    output.lost(skip, cx);
                    at += skip;
                    continue;
                }
                Some(Some(length)) if rest.len() >= length => length,
                Some(_) => return rest,
            };
            let State::Latm(latm) = &mut self.state else {
                return Bytes::new();
            };
            let units = latm.element(rest.get(3..length).unwrap_or_default());
            let config = latm.config.clone();
            match (units, config) {
                (Ok(units), Some((config, asc))) => {
                    if output.announced.as_ref().is_none_or(|i| i.config != config)
                        && let Some(track) = output.info.track
                        && let Ok(info) = bitstream::describe(track, CodecId::Aac, config)
                    {
                        output.announce(info, cx.out);
                    }
                    for unit in units {
                        let (samples, rate) = (asc.frame_samples(), asc.output_sample_rate());
                        self.frame(unit, at, samples, rate, times, output, cx);
                    }
                }
                // No configuration yet.
                (Ok(_), None) => {}
                (Err(_), _) => output.lost(length, cx),
            }
            at += length;
        }
    }

    fn mpeg(
        &mut self,
        data: &Bytes,
        times: &mut Times,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) -> Bytes {
        let mut frames = mp3::frames(data);
        let mut at = 0;
        while let Some((header, frame)) = frames.next() {
            let payload = data.slice_ref(frame);
            let start = data.len() - frames.rest().len() - frame.len();
            if start > at {
                output.lost(start - at, cx);
            }
            at = start + frame.len();
            let State::Mpeg(known) = &mut self.state else {
                break;
            };
            if known
                .as_ref()
                .is_none_or(|k| !k.is_consistent_with(&header))
                && let Some(track) = output.info.track
            {
                if let Some(info) = bitstream::describe_frame(track, CodecId::Mp3, &payload) {
                    output.announce(info, cx.out);
                }
                *known = Some(header);
            }
            self.frame(
                payload,
                start,
                header.samples(),
                header.sample_rate,
                times,
                output,
                cx,
            );
        }
        data.slice_ref(frames.rest())
    }

    fn ac3(
        &mut self,
        data: &Bytes,
        times: &mut Times,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) -> Bytes {
        let mut units = ac3::access_units(data);
        let mut at = 0;
        while let Some(unit) = units.next() {
            let payload = data.slice_ref(unit.data);
            let start = data.len() - units.rest().len() - unit.data.len();
            if start > at {
                output.lost(start - at, cx);
            }
            at = start + unit.data.len();
            let audio = unit.audio_info();
            let State::Ac3(known) = &mut self.state else {
                break;
            };
            if *known != Some(audio)
                && let Some(track) = output.info.track
            {
                let codec = if unit.header.enhanced {
                    CodecId::Eac3
                } else {
                    CodecId::Ac3
                };
                if let Some(info) = bitstream::describe_frame(track, codec, &payload) {
                    output.announce(info, cx.out);
                }
                *known = Some(audio);
            }
            let (samples, rate) = (unit.header.samples(), unit.header.sample_rate);
            self.frame(payload, start, samples, rate, times, output, cx);
        }
        data.slice_ref(units.rest())
    }

    /// Opus packets, each behind a control header ("Opus in MPEG-TS" §3): `0x3FF 11 | start_trim 1 | end_trim 1 |
    /// extension 1 | reserved 2`, the size in bytes of 255 and a last one, then what the flags announce.
    fn opus(
        &mut self,
        data: &Bytes,
        times: &mut Times,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) -> Bytes {
        let mut rest = data.clone();
        while !rest.is_empty() {
            let start = data.len() - rest.len();
            match opus_packet(&mut rest) {
                Some((packet, trim)) if opus::packet_samples(&packet).is_ok() => {
                    self.announce_opus(trim.start, output, cx);
                    let samples = opus::packet_samples(&packet).unwrap_or_default();
                    let samples = samples.saturating_sub(u32::from(trim.end));
                    self.frame(packet, start, samples, opus::SAMPLE_RATE, times, output, cx);
                }
                _ => {
                    output.lost(data.len() - start, cx);
                    break;
                }
            }
        }
        Bytes::new()
    }

    /// Describes the track by what the map said and what the first packet says is to be dropped.
    fn announce_opus(&mut self, trim: Option<u16>, output: &mut Output, cx: &mut Context<'_>) {
        let (State::Opus(config), Some(track)) = (&self.state, output.info.track) else {
            return;
        };
        if output.announced.is_some() {
            return;
        }
        let mut config = config.clone();
        if let (Some(trim), Ok(mut head)) = (trim, opus::Head::parse(&config)) {
            head.pre_skip = trim;
            config = head.write_dops();
        }
        if let Ok(info) = bitstream::describe(track, CodecId::Opus, config) {
            output.announce(info, cx.out);
        }
    }

    fn frame(
        &mut self,
        payload: Bytes,
        start: usize,
        samples: u32,
        rate: u32,
        times: &mut Times,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        if start >= times.carried
            && let Some(time) = times.time.take()
        {
            self.anchor = Some(Anchor {
                time,
                samples: 0,
                rate,
            });
        }
        // Without any time yet, a frame cannot be placed.
        let Some(anchor) = &mut self.anchor else {
            return;
        };
        if anchor.rate != rate {
            *anchor = Anchor {
                time: anchor.now(),
                samples: 0,
                rate,
            };
        }
        let time = anchor.now();
        anchor.samples += u64::from(samples);
        let duration = MediaTime::from_ticks(i64::from(samples), rate).unwrap_or_default();
        output.frame(payload, time, time, FrameFlags::KEY, duration, cx);
    }
}

fn is_same_adts(a: &AdtsHeader, b: &AdtsHeader) -> bool {
    a.object_type == b.object_type
        && a.sample_rate == b.sample_rate
        && a.channel_config == b.channel_config
}

fn describe_adts(output: &Output, header: &AdtsHeader) -> Option<TrackInfo> {
    let config = AudioSpecificConfig::from_adts(header).ok()?.write().ok()?;
    bitstream::describe(output.info.track?, CodecId::Aac, config).ok()
}

/// Samples that are not to be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Trim {
    start: Option<u16>,
    end: u16,
}

/// Takes an Opus packet and its control header off the front.
fn opus_packet(rest: &mut Bytes) -> Option<(Bytes, Trim)> {
    let head = u16::from_be_bytes(*rest.first_chunk::<2>()?);
    if head >> 5 != 0x3FF {
        return None;
    }
    rest.advance(2);
    let mut size = 0;
    loop {
        let byte = rest.try_get_u8().ok()?;
        size += usize::from(byte);
        if byte != 255 {
            break;
        }
    }
    let mut trim = Trim::default();
    if head >> 4 & 1 == 1 {
        trim.start = Some(rest.try_get_u16().ok()? & 0x1FFF);
    }
    if head >> 3 & 1 == 1 {
        trim.end = rest.try_get_u16().ok()? & 0x1FFF;
    }
    let extension = match head >> 2 & 1 {
        1 => usize::from(rest.try_get_u8().ok()?),
        _ => 0,
    };
    if rest.len() < extension + size {
        return None;
    }
    rest.advance(extension);
    Some((rest.split_to(size), trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_control_headers() {
        let mut data = Bytes::from_static(&[
            0x7F, 0xE0, 2, 0xAA, 0xBB, 0x7F, 0xF4, 1, 1, 0x38, 1, 9, 0xCC,
        ]);
        let mut next = || opus_packet(&mut data).unwrap();
        assert_eq!(next(), (Bytes::from_static(&[0xAA, 0xBB]), Trim::default()));
        let (packet, trim) = next();
        assert_eq!(
            (&packet[..], trim.start, trim.end),
            (&[0xCC][..], Some(0x138), 0)
        );
        assert!(opus_packet(&mut Bytes::from_static(&[0x7F, 0xE0, 9, 1])).is_none());
        assert!(opus_packet(&mut Bytes::from_static(&[0x7F, 0xA0, 1, 1])).is_none());
    }
}
