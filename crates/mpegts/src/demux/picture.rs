//! Access units of pictures: H.264, H.265, MPEG-2 video, AV1.

use std::sync::LazyLock;

use bitstream::h264::{self, Sps};
use bitstream::{Classifier, check_access_unit};
use bytes::{Buf, Bytes, BytesMut};
use core_frame::{CodecId, FrameFlags, MediaTime, VideoInfo};
use memchr::memmem::Finder;
use smallvec::SmallVec;

use super::assembly::{LEAD, Unit};
use super::nal::{self, Span, Spans};
use super::stream::{Context, Output};
use super::{mpeg2, obu};
use crate::StreamKind;

/// Built once: what it learns of the needle is the same for all.
static START_CODE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&[0, 0, 1]));

/// So much of [`Picture::misaligned`] says that packets are cut anywhere.
const SPLIT: u8 = 3;

/// A track of pictures.
#[derive(Debug)]
pub(super) struct Picture {
    codec: CodecId,
    /// The parameter sets of the announced record, in its order.
    sets: SmallVec<[Bytes; 4]>,
    /// The first sequence parameter set, where pictures may be fields.
    fields: Option<Sps>,
    classifier: Classifier,
    /// Size and rate that MPEG-2 was announced with.
    video: Option<VideoInfo>,
    config: Bytes,
    /// PES packets begin in the middle of access units: up with each that does, down with each that does not. One alone
    /// is a damaged start code.
    misaligned: u8,
    held: Option<Held>,
}

/// An access unit whose end may come with the next PES packet.
#[derive(Debug)]
struct Held {
    /// [`LEAD`] bytes of room, then a byte stream.
    data: BytesMut,
    times: Option<(MediaTime, MediaTime)>,
}

impl Picture {
    pub(super) fn new(kind: StreamKind) -> Self {
        let codec = kind.codec().unwrap_or(CodecId::Mpeg2Video);
        Self {
            codec,
            sets: SmallVec::new(),
            fields: None,
            classifier: Classifier::unconfigured(codec),
            video: None,
            config: Bytes::new(),
            misaligned: 0,
            held: None,
        }
    }

    /// The access units of a PES packet: one, as nearly everyone sends them, or several.
    pub(super) fn unit(&mut self, unit: Unit, output: &mut Output, cx: &mut Context<'_>) {
        let times = unit.times(cx.clock);
        if matches!(self.codec, CodecId::H264 | CodecId::H265) {
            let payload = unit.data.get(unit.lead..).unwrap_or_default();
            let was_split = self.misaligned >= SPLIT;
            if begins_with_start_code(payload) {
                self.misaligned = self.misaligned.saturating_sub(1);
            } else {
                self.misaligned = (self.misaligned + 2).min(2 * SPLIT);
                if !was_split {
                    // The access unit before this was handed on without its end, or this one lacks its start.
                    output.lost(0, cx);
                }
            }
            if self.misaligned >= SPLIT {
                return self.split(&unit, times, output, cx);
            }
            if was_split {
                self.flush(output, cx);
            }
        }
        let Some(times) = times.or_else(|| output.next_time().map(|t| (t, t))) else {
            // Joined in the middle of a stream that does not time each picture.
            return;
        };
        let flags = if unit.short {
            FrameFlags::CORRUPT
        } else {
            FrameFlags::empty()
        };
        match self.codec {
            CodecId::H264 | CodecId::H265 => self.nal(unit, times, flags, output, cx),
            CodecId::Av1 => self.av1(unit, times, flags, output, cx),
            _ => self.mpeg2(unit, times, flags, output, cx),
        }
    }

    /// Packets are missing: an access unit under way is broken.
    pub(super) fn lose(&mut self) {
        self.held = None;
    }

    /// Nothing follows: what is held is whole.
    pub(super) fn flush(&mut self, output: &mut Output, cx: &mut Context<'_>) {
        let Some(Held { data, times }) = self.held.take() else {
            return;
        };
        let spans = nal::spans(&START_CODE, &data, LEAD, cx.limits.nal_units as usize);
        if let Some(times) = times.or_else(|| output.next_time().map(|t| (t, t))) {
            self.access_unit(data, &spans, times, FrameFlags::empty(), output, cx);
        }
    }

    /// The access units of a sender whose PES packets begin anywhere: each ends where the next delimiter stands, so the
    /// last is held until more comes. Copies; the time of a packet is that of the first access unit that begins in it
    /// (§2.4.3.7).
    fn split(
        &mut self,
        unit: &Unit,
        times: Option<(MediaTime, MediaTime)>,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        let joined = self.held.is_none();
        let (mut data, mut time) = match self.held.take() {
            Some(held) => (held.data, held.times),
            None => (BytesMut::zeroed(LEAD), None),
        };
        data.extend_from_slice(unit.data.get(unit.lead..).unwrap_or_default());
        // A bound for several access units; each has its own below.
        let most = 4 * cx.limits.nal_units as usize;
        let mut rest = nal::spans(&START_CODE, &data, LEAD, most);
        if rest.len() > most || data.len() > cx.limits.access_unit_bytes as usize {
            output.lost(data.len() - LEAD, cx);
            return;
        }
        let mut fresh = times;
        if joined {
            // The end of an access unit whose start was not seen.
            let begins = |s: &Span| nal::is_delimiter(self.codec, s.of(&data));
            let first = rest.iter().position(begins).unwrap_or(rest.len());
            rest.drain(..first);
            time = fresh.take();
        }
        loop {
            let spans = nal::first_access_unit(self.codec, &data, &mut rest);
            if rest.is_empty() {
                if let Some(first) = spans.first() {
                    let mut held = BytesMut::zeroed(LEAD);
                    held.extend_from_slice(data.get(first.start - 3..).unwrap_or_default());
                    self.held = Some(Held {
                        data: held,
                        times: time,
                    });
                }
                return;
            }
            if let Some(at) = time.or_else(|| output.next_time().map(|t| (t, t))) {
                self.access_unit(data.clone(), &spans, at, FrameFlags::empty(), output, cx);
            }
            time = fresh.take();
        }
    }

    fn nal(
        &mut self,
        unit: Unit,
        times: (MediaTime, MediaTime),
        flags: FrameFlags,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        let Unit { data, lead, .. } = unit;
        let most = cx.limits.nal_units as usize;
        let mut rest = nal::spans(&START_CODE, &data, lead, most);
        if rest.is_empty() || rest.len() > most {
            output.lost(data.len() - lead, cx);
            return;
        }
        let mut first = nal::first_access_unit(self.codec, &data, &mut rest);
        while !rest.is_empty() && self.is_second_field(&data, &first, &rest) {
            let second = nal::first_access_unit(self.codec, &data, &mut rest);
            first.extend(
                second
                    .into_iter()
                    .filter(|s| !nal::is_delimiter(self.codec, s.of(&data))),
            );
        }
        // Further access units are rare and copied, since the first takes the buffer.
        let more: SmallVec<[(BytesMut, Spans); 1]> = std::iter::from_fn(|| {
            (!rest.is_empty()).then(|| {
                let spans = nal::first_access_unit(self.codec, &data, &mut rest);
                (data.clone(), spans)
            })
        })
        .collect();
        self.access_unit(data, &first, times, flags, output, cx);
        for (data, spans) in more {
            let time = output.next_time().unwrap_or(times.1);
            self.access_unit(data, &spans, (time, time), flags, output, cx);
        }
    }

    fn access_unit(
        &mut self,
        data: BytesMut,
        spans: &[Span],
        (pts, dts): (MediaTime, MediaTime),
        flags: FrameFlags,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        let codec = self.codec;
        let length = data.len();
        let mut spans = spans;
        // The plain delimiter is the container's, and every muxer makes it again.
        if let [first, rest @ ..] = spans
            && first.of(&data) == nal::plain_delimiter(codec)
        {
            spans = rest;
        }
        let units = spans.iter().map(|s| s.of(&data));
        let sets = || units.clone().filter(|u| nal::is_parameter_set(codec, u));
        let known = sets().all(|u| self.sets.iter().any(|s| s == u));
        if !known && let Some((config, sets)) = nal::record(codec, units.clone()) {
            self.configure(config, sets, output, cx);
        }
        // The sets of the record, in its order and in front: they are said by the record, and muxers put them back.
        let (delimiter, rest) = match spans {
            [first, rest @ ..] if nal::is_delimiter(codec, first.of(&data)) => (Some(*first), rest),
            _ => (None, spans),
        };
        let mut kept = Spans::new();
        if !self.sets.is_empty()
            && rest.len() >= self.sets.len()
            && rest
                .iter()
                .zip(&self.sets)
                .all(|(s, set)| s.of(&data) == set)
        {
            spans = rest.get(self.sets.len()..).unwrap_or_default();
            if let Some(delimiter) = delimiter {
                kept.push(delimiter);
                kept.extend_from_slice(spans);
                spans = &kept;
            }
        }
        if output.announced.is_none() {
            // No parameter sets yet.
            cx.stats.undecodable += 1;
            return;
        }
        let payload = nal::join(data, spans);
        if payload.is_empty() {
            return;
        }
        if check_access_unit(codec, &payload, cx.limits).is_err() {
            output.lost(length, cx);
            return;
        }
        let flags = flags | self.classifier.classify(&payload);
        output.frame(payload, pts, dts, flags, MediaTime::ZERO, cx);
    }

    /// A new configuration record.
    fn configure(
        &mut self,
        config: Bytes,
        sets: SmallVec<[Bytes; 4]>,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        let Some(track) = output.info.track else {
            return;
        };
        let Ok(info) = bitstream::describe(track, self.codec, config.clone()) else {
            return;
        };
        self.classifier = Classifier::new(self.codec, &config);
        self.fields = match self.codec {
            CodecId::H264 => sets
                .first()
                .and_then(|s| Sps::parse(s).ok())
                .filter(|s| !s.frame_mbs_only),
            _ => None,
        };
        self.sets = sets;
        self.config = config;
        output.announce(info, cx.out);
    }

    /// True when what comes next is the other field of the same H.264 frame.
    fn is_second_field(&self, data: &[u8], first: &[Span], next: &[Span]) -> bool {
        let Some(sps) = &self.fields else {
            return false;
        };
        let field = |spans: &[Span]| {
            spans
                .iter()
                .find_map(|s| h264_field(s.of(data), sps.frame_num_bits))
        };
        match (field(first), field(next)) {
            (Some(a), Some(b)) => a.frame_num == b.frame_num && a.bottom != b.bottom,
            _ => false,
        }
    }

    fn av1(
        &mut self,
        unit: Unit,
        (pts, dts): (MediaTime, MediaTime),
        flags: FrameFlags,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        let data = unit.payload();
        let length = data.len();
        let payload = match obu::temporal_unit(data) {
            Ok(payload) if check_access_unit(CodecId::Av1, &payload, cx.limits).is_ok() => payload,
            _ => return output.lost(length, cx),
        };
        let marks = self.classifier.classify(&payload);
        if marks.contains(FrameFlags::IN_BAND_PARAMS)
            && let Some(config) = bitstream::config_in_band(CodecId::Av1, &payload)
            && config != self.config
        {
            self.configure(config, SmallVec::new(), output, cx);
        }
        if !payload.is_empty() {
            let flags = flags | self.classifier.classify(&payload);
            output.frame(payload, pts, dts, flags, MediaTime::ZERO, cx);
        }
    }

    fn mpeg2(
        &mut self,
        unit: Unit,
        (pts, dts): (MediaTime, MediaTime),
        flags: FrameFlags,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) {
        let Unit { mut data, lead, .. } = unit;
        data.advance(lead.min(data.len()));
        let payload = data.freeze();
        let marks = self.classifier.classify(&payload);
        if marks.contains(FrameFlags::IN_BAND_PARAMS)
            && let Some(video) = mpeg2::sequence(&payload)
            && self.video != Some(video)
            && let Some(track) = output.info.track
            && let Ok(mut info) = bitstream::describe(track, self.codec, Bytes::new())
        {
            info.video = Some(video);
            self.video = Some(video);
            output.announce(info, cx.out);
        }
        if !payload.is_empty() {
            output.frame(payload, pts, dts, flags | marks, MediaTime::ZERO, cx);
        }
    }
}

/// True for zeros and a one; of zeros there may be more than a start code has.
fn begins_with_start_code(data: &[u8]) -> bool {
    let zeros = data.iter().take_while(|&&b| b == 0).count();
    zeros >= 2 && data.get(zeros) == Some(&1)
}

#[derive(Clone, Copy)]
struct Field {
    frame_num: u32,
    bottom: bool,
}

/// The field that an H.264 slice belongs to (ISO/IEC 14496-10 §7.3.3), in a sequence whose pictures may be fields.
fn h264_field(unit: &[u8], frame_num_bits: u8) -> Option<Field> {
    if !matches!(h264::unit_type(unit), 1 | 2 | 5) {
        return None;
    }
    let mut r = bitstream::bits::BitReader::rbsp(unit.get(1..)?, "slice header");
    for _ in 0..3 {
        r.ue().ok()?; // first_mb_in_slice, slice_type, pic_parameter_set_id
    }
    let frame_num = r.bits(u32::from(frame_num_bits)).ok()?;
    if !r.flag().ok()? {
        return None;
    }
    let bottom = r.flag().ok()?;
    Some(Field { frame_num, bottom })
}
