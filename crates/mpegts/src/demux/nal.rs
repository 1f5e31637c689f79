//! Byte streams of NAL units to the form of the bus: lengths for start codes, parameter sets into the configuration.

use bitstream::h264::{self, AvcConfig};
use bitstream::h265::{self, HevcConfig};
use bitstream::nal;
use bytes::{Buf, Bytes, BytesMut};
use core_frame::CodecId;
use memchr::memmem::Finder;
use smallvec::SmallVec;

/// Where a NAL unit lies in a buffer, without start code and trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn of(self, data: &[u8]) -> &[u8] {
        data.get(self.start..self.end).unwrap_or_default()
    }

    const fn len(self) -> usize {
        self.end - self.start
    }
}

pub(super) type Spans = SmallVec<[Span; 64]>;

/// The units behind `from`, at most `limit` and one more.
pub(super) fn spans(finder: &Finder<'_>, data: &[u8], from: usize, limit: usize) -> Spans {
    let mut spans = Spans::new();
    let mut start = None;
    let all = data.get(from..).unwrap_or_default();
    for at in finder.find_iter(all) {
        push(&mut spans, data, start, from + at);
        if spans.len() > limit {
            return spans;
        }
        start = Some(from + at + 3);
    }
    push(&mut spans, data, start, data.len());
    spans
}

fn push(spans: &mut Spans, data: &[u8], start: Option<usize>, end: usize) {
    let Some(start) = start else { return };
    let unit = data.get(start..end).unwrap_or_default();
    let zeros = unit.iter().rev().take_while(|&&b| b == 0).count();
    if unit.len() > zeros {
        spans.push(Span {
            start,
            end: end - zeros,
        });
    }
}

/// The delimiter that a muxer puts in front and that says nothing: any kind of picture may follow.
pub(crate) const fn plain_delimiter(codec: CodecId) -> &'static [u8] {
    match codec {
        CodecId::H264 => &[0x09, 0xF0],
        _ => &[0x46, 0x01, 0x50],
    }
}

pub(crate) fn is_delimiter(codec: CodecId, unit: &[u8]) -> bool {
    match codec {
        CodecId::H264 => h264::unit_type(unit) == h264::nal_type::AUD,
        _ => h265::unit_type(unit) == h265::nal_type::AUD,
    }
}

fn is_slice(codec: CodecId, unit: &[u8]) -> bool {
    match codec {
        CodecId::H264 => h264::is_slice(h264::unit_type(unit)),
        _ => h265::is_slice(h265::unit_type(unit)),
    }
}

/// VPS, SPS or PPS of the base layer.
pub(crate) fn is_parameter_set(codec: CodecId, unit: &[u8]) -> bool {
    match codec {
        CodecId::H264 => matches!(h264::unit_type(unit), 7 | 8),
        _ => matches!(h265::unit_type(unit), 32..=34) && h265::layer_id(unit) == 0,
    }
}

/// Takes the units of the first access unit off the front of `spans`. Access units in one PES packet are parted by
/// delimiters; two fields of a frame stay together, as they do in files.
pub(super) fn first_access_unit(codec: CodecId, data: &[u8], spans: &mut Spans) -> Spans {
    let mut seen = false;
    let mut cut = spans.len();
    for (at, span) in spans.iter().enumerate() {
        let unit = span.of(data);
        if seen && is_delimiter(codec, unit) {
            cut = at;
            break;
        }
        seen |= is_slice(codec, unit);
    }
    let rest = spans.get(cut..).map(Spans::from_slice).unwrap_or_default();
    spans.truncate(cut);
    std::mem::replace(spans, rest)
}

/// Joins the units with 4-byte lengths. In place: units move towards the front, by as many bytes as start codes behind
/// them are shorter than lengths, which for the last and largest is none. Only where the room in front does not suffice
/// it copies.
pub(super) fn join(mut data: BytesMut, spans: &[Span]) -> Bytes {
    let mut before = 0;
    let mut first = data.len();
    for span in spans {
        let Some(start) = span.start.checked_sub(before + 4) else {
            return nal::join(spans.iter().map(|s| s.of(&data)));
        };
        first = first.min(start);
        before += 4 + span.len();
    }
    let mut to = first;
    for span in spans {
        let length = (span.len() as u32).to_be_bytes();
        if let Some(slot) = data.get_mut(to..to + 4) {
            slot.copy_from_slice(&length);
        }
        to += 4;
        if to != span.start {
            data.copy_within(span.start..span.end, to);
        }
        to += span.len();
    }
    data.truncate(to);
    data.advance(first.min(to));
    data.freeze()
}

/// The configuration record of the parameter sets among `units`, and the sets in its order; nothing when they are not
/// complete. Copies the sets: a few bytes should not keep a block alive.
pub(super) fn record<'a>(
    codec: CodecId,
    units: impl Iterator<Item = &'a [u8]> + Clone,
) -> Option<(Bytes, SmallVec<[Bytes; 4]>)> {
    let of = |kind: u8| {
        let mut sets: SmallVec<[Bytes; 4]> = SmallVec::new();
        for unit in units.clone() {
            let this = match codec {
                CodecId::H264 => h264::unit_type(unit),
                _ if h265::layer_id(unit) != 0 => continue,
                _ => h265::unit_type(unit),
            };
            if this == kind && !sets.iter().any(|s| s == unit) {
                sets.push(Bytes::copy_from_slice(unit));
            }
        }
        sets
    };
    match codec {
        CodecId::H264 => {
            let (sps, pps) = (of(7), of(8));
            let record = AvcConfig::from_parameter_sets(sps.clone(), pps.clone()).ok()?;
            Some((record.write(), sps.into_iter().chain(pps).collect()))
        }
        _ => {
            let (vps, sps, pps) = (of(32), of(33), of(34));
            let record =
                HevcConfig::from_parameter_sets(vps.clone(), sps.clone(), pps.clone()).ok()?;
            let sets = vps.into_iter().chain(sps).chain(pps).collect();
            Some((record.write(), sets))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(data: &[u8], lead: usize) -> Bytes {
        let mut buf = BytesMut::zeroed(lead);
        buf.extend_from_slice(data);
        let spans = spans(&Finder::new(&[0, 0, 1]), &buf, lead, 1_000);
        join(buf, &spans)
    }

    proptest! {
        #[test]
        fn in_place_is_the_same_as_copying(data in proptest::collection::vec(prop_oneof![4 => Just(0u8), 2 => Just(1), 1 => any::<u8>()], 0..300), lead in 0usize..40) {
            prop_assert_eq!(joined(&data, lead), nal::annex_b_to_length_prefixed(&data));
        }
    }

    #[test]
    fn delimiters_part_access_units() {
        let data = [
            0, 0, 1, 9, 0xF0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 0x88, 0, 0, 1, 9, 0x30, 0, 0, 1,
            0x41, 0x9A,
        ];
        let mut rest = spans(&Finder::new(&[0, 0, 1]), &data, 0, 50);
        let first = first_access_unit(CodecId::H264, &data, &mut rest);
        assert_eq!((first.len(), rest.len()), (3, 2));
        let second = first_access_unit(CodecId::H264, &data, &mut rest);
        assert_eq!((second.len(), rest.len()), (2, 0));
    }
}
