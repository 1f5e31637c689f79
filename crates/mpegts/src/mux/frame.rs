//! One frame as packets: PES header, what the byte stream wants around an access unit, the access unit.

use bitstream::aac::AdtsHeader;
use bitstream::av1::{self, obu_type};
use bitstream::nal::{self, length_prefixed};
use bitstream::opus;
use bytes::BytesMut;
use core_frame::{CodecId, FrameFlags, MediaFrame, MediaKind};
use smallvec::SmallVec;

use super::packets::{PacketWriter, Say, put_section};
use super::tables::{Head, OutStream};
use crate::demux::nal::{is_delimiter, is_parameter_set, plain_delimiter};
use crate::error::{Error, Result};
use crate::pes::write_stamp;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Bytes before an access unit, inline.
type Before = SmallVec<[u8; 64]>;

/// Appends the packets of a frame. `times` are presentation and decode time as the wire has them; `trim` is how many
/// samples at its start are not to be heard. On an error nothing
/// was appended.
pub(super) fn put_frame(
    stream: &OutStream,
    frame: &MediaFrame,
    times: (u64, u64),
    pid: u16,
    counter: &mut u8,
    say: Say,
    trim: u16,
    out: &mut BytesMut,
) -> Result<()> {
    let payload = &frame.payload[..];
    let mut before = Before::new();
    match (stream.codec, &stream.head) {
        (CodecId::H264 | CodecId::H265, Head::Sets { units, annex_b }) => {
            let is_key = frame
                .flags
                .intersects(FrameFlags::KEY | FrameFlags::RECOVERY_POINT);
            let plan = plan(stream.codec, payload, units, is_key)?;
            if !plan.has_delimiter {
                before.extend_from_slice(&START_CODE);
                before.extend_from_slice(plain_delimiter(stream.codec));
            }
            let sets: &[u8] = if plan.wants_sets { annex_b } else { &[] };
            let length = before.len() + sets.len() + plan.length;
            let mut w = begin(stream, frame, times, pid, counter, say, length, out);
            w.put(&before);
            let mut first = true;
            if !plan.has_delimiter {
                w.put(sets);
            }
            for unit in length_prefixed(payload, 4).map_while(Result::ok) {
                w.put(&START_CODE);
                w.put(unit);
                if std::mem::take(&mut first) && plan.has_delimiter {
                    w.put(sets);
                }
            }
        }
        (CodecId::Aac, Head::Adts(config)) => {
            let header =
                AdtsHeader::for_access_unit(config, payload.len()).map_err(Error::Frame)?;
            let length = 7 + payload.len();
            let mut w = begin(stream, frame, times, pid, counter, say, length, out);
            w.put(&header.write());
            w.put(payload);
        }
        (CodecId::Opus, _) => {
            // "Opus in MPEG-TS" §3: control header, size in bytes of 255 and a last one, samples to drop.
            let end = end_trim(frame);
            let flags = u8::from(trim > 0) << 4 | u8::from(end > 0) << 3;
            before.extend_from_slice(&[0x7F, 0xE0 | flags]);
            let mut size = payload.len();
            while size >= 255 {
                before.push(255);
                size -= 255;
            }
            before.push(size as u8);
            if trim > 0 {
                before.extend_from_slice(&trim.min(0x1FFF).to_be_bytes());
            }
            if end > 0 {
                before.extend_from_slice(&end.to_be_bytes());
            }
            let length = before.len() + payload.len();
            let mut w = begin(stream, frame, times, pid, counter, say, length, out);
            w.put(&before);
            w.put(payload);
        }
        (CodecId::Av1, _) => {
            let data = av1_with_start_codes(payload)?;
            let mut w = begin(stream, frame, times, pid, counter, say, data.len(), out);
            w.put(&data);
        }
        (CodecId::Scte35, _) => put_section(out, pid, counter, say, payload),
        (CodecId::Klv, _) => {
            let length = u16::try_from(payload.len())
                .map_err(|_| Error::Limit("metadata access unit of 64 KiB"))?;
            let [l1, l0] = length.to_be_bytes();
            // A whole access unit, at which reading may begin; `sequence_number` is not looked at in whole ones.
            let cell = [0, 0, 0xDF, l1, l0];
            let mut w = begin(
                stream,
                frame,
                times,
                pid,
                counter,
                say,
                5 + payload.len(),
                out,
            );
            w.put(&cell);
            w.put(payload);
        }
        _ => {
            let mut w = begin(stream, frame, times, pid, counter, say, payload.len(), out);
            w.put(payload);
        }
    }
    Ok(())
}

/// Samples at the end of an Opus packet that are not to be heard: those that its duration does not reach.
fn end_trim(frame: &MediaFrame) -> u16 {
    let samples = opus::packet_samples(&frame.payload).map_or(0, i64::from);
    let heard = frame.duration.to_ticks(opus::SAMPLE_RATE);
    if (1..samples).contains(&heard) {
        (samples - heard) as u16 & 0x1FFF
    } else {
        0
    }
}

/// The PES header (§2.4.3.6) and a writer for the `length` bytes behind it.
fn begin<'a>(
    stream: &OutStream,
    frame: &MediaFrame,
    (pts, dts): (u64, u64),
    pid: u16,
    counter: &'a mut u8,
    say: Say,
    length: usize,
    out: &'a mut BytesMut,
) -> PacketWriter<'a> {
    let both = frame.kind() == MediaKind::Video && pts != dts;
    let stamps = if both { 10 } else { 5 };
    // Only pictures may leave their length open, and only where it cannot be said.
    let declared = u16::try_from(3 + stamps + length).unwrap_or(0);
    let [l1, l0] = declared.to_be_bytes();
    let flags = if both { 0xC0 } else { 0x80 };
    let head = [0, 0, 1, stream.stream_id, l1, l0, 0x84, flags, stamps as u8];
    let mut w = PacketWriter::new(out, pid, counter, say, head.len() + stamps + length);
    w.put(&head);
    if both {
        w.put(&write_stamp(pts, 3));
        w.put(&write_stamp(dts, 1));
    } else {
        w.put(&write_stamp(pts, 2));
    }
    w
}

/// What an access unit of NAL units has and what it lacks.
struct Plan {
    has_delimiter: bool,
    wants_sets: bool,
    /// Bytes with start codes: empty units are left out.
    length: usize,
}

/// Looks at the headers of the units. Key frames get the record's parameter sets, unless they have all of their own.
/// Those that begin with exactly the record's get them once more: a reader takes the first for the container's.
fn plan(codec: CodecId, payload: &[u8], sets: &[bytes::Bytes], is_key: bool) -> Result<Plan> {
    let (mut own, mut matching, mut leading) = (0_u8, 0, true);
    let mut has_delimiter = false;
    let mut length = 0;
    for (at, unit) in length_prefixed(payload, 4).enumerate() {
        let unit = unit.map_err(Error::Frame)?;
        length += START_CODE.len() + unit.len();
        if at == 0 && is_delimiter(codec, unit) {
            has_delimiter = true;
            continue;
        }
        if is_parameter_set(codec, unit) {
            own |= 1 << (set_kind(codec, unit) & 7);
        }
        leading = leading && sets.get(matching).is_some_and(|s| s == unit);
        matching += usize::from(leading);
    }
    let all = match codec {
        CodecId::H264 => 0b11,
        _ => 0b111,
    };
    let is_record = matching == sets.len();
    Ok(Plan {
        has_delimiter,
        wants_sets: is_key && (own != all || is_record),
        length,
    })
}

/// 0, 1, 2 for the kinds of parameter sets.
fn set_kind(codec: CodecId, unit: &[u8]) -> u8 {
    match codec {
        CodecId::H264 => bitstream::h264::unit_type(unit).wrapping_sub(7),
        _ => bitstream::h265::unit_type(unit).wrapping_sub(32),
    }
}

/// A temporal unit as "Carriage of AV1 in MPEG-2 TS" §3 wants it: a temporal delimiter in front, a start code before
/// each OBU, emulation prevention inside. Copies: bytes are added.
fn av1_with_start_codes(unit: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(unit.len() + 64);
    out.extend_from_slice(&[0, 0, 1, 0x12, 0]);
    for obu in av1::obus(unit) {
        let obu = obu.map_err(Error::Frame)?;
        if obu.kind == obu_type::TEMPORAL_DELIMITER {
            continue;
        }
        out.extend_from_slice(&[0, 0, 1]);
        out.extend_from_slice(&nal::escape_rbsp(obu.bytes));
    }
    Ok(out)
}
