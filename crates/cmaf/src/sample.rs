//! One frame as a sample of an ISO base media track: what of its payload may stay, and its times in ticks.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, MediaFrame, Slices};

/// A sample that is ready to be written, its times in ticks of its track's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The payload, in order; slices of the frame's own buffer.
    pub slices: Slices,
    /// Bytes of the payload in all.
    pub len: u32,
    /// Decode time.
    pub start: u64,
    /// Distance to the decode time of the next sample.
    pub duration: u32,
    /// Presentation minus decode time; may be negative (`trun` version 1).
    pub offset: i32,
    /// Marks of the frame.
    pub flags: FrameFlags,
}

impl Sample {
    /// The decode time of the next sample.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.duration))
    }
}

/// The payload of a frame as the sample entries of this crate allow it: `avc1`/`hvc1`/`vvc1` forbid parameter sets in
/// band (ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1), AV1 forbids temporal delimiters in samples (AV1 in ISOBMFF §2.4). What may not stay is
/// cut out by slicing; nothing is copied.
#[must_use]
pub fn payload_slices(frame: &MediaFrame) -> Slices {
    let params = frame.flags.contains(FrameFlags::IN_BAND_PARAMS);
    match frame.codec {
        CodecId::H264 if params => keep_nals(&frame.payload, |nal| {
            // SPS, PPS, SPS extension.
            !matches!(nal & 0x1F, 7 | 8 | 13)
        }),
        CodecId::H265 if params => keep_nals(&frame.payload, |nal| {
            // VPS, SPS, PPS.
            !matches!((nal >> 1) & 0x3F, 32..=34)
        }),
        CodecId::Av1 => without_temporal_delimiters(&frame.payload),
        _ => whole(&frame.payload),
    }
}

fn whole(payload: &Bytes) -> Slices {
    let mut out = Slices::new();
    out.push(payload.clone());
    out
}

/// Keeps the NAL units (4-byte length prefix) for whose first header byte `keep` is true. A payload that does not
/// divide into NAL units is kept as it is.
fn keep_nals(payload: &Bytes, keep: impl Fn(u8) -> bool) -> Slices {
    let mut runs = Runs::default();
    let mut at = 0usize;
    while let Some(rest) = payload.get(at..) {
        let Some((prefix, body)) = rest.split_first_chunk::<4>() else {
            break;
        };
        let len = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        if len > body.len() {
            return whole(payload);
        }
        let end = at + 4 + len;
        if body.first().is_none_or(|&header| keep(header)) {
            runs.keep(at, end);
        }
        at = end;
    }
    if at != payload.len() {
        return whole(payload);
    }
    runs.slices(payload)
}

/// AV1 §5.3: leaves out OBU_TEMPORAL_DELIMITER (type 2). OBUs on the bus carry their size.
fn without_temporal_delimiters(payload: &Bytes) -> Slices {
    // Almost always the delimiter is the first OBU or not there at all.
    let mut runs = Runs::default();
    let mut at = 0usize;
    while let Some(&header) = payload.get(at) {
        let ext = usize::from(header & 0x04 != 0);
        let size_at = at + 1 + ext;
        let (size, size_len) = if header & 0x02 != 0 {
            let Some(parsed) = payload.get(size_at..).and_then(leb128) else {
                return whole(payload);
            };
            parsed
        } else {
            (payload.len().saturating_sub(size_at), 0)
        };
        let Some(end) = (size_at + size_len)
            .checked_add(size)
            .filter(|&e| e <= payload.len())
        else {
            return whole(payload);
        };
        if (header >> 3) & 0x0F != 2 {
            runs.keep(at, end);
        }
        at = end;
    }
    runs.slices(payload)
}

/// AV1 §4.10.5; `None` when it does not end within 8 bytes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (i, &b) in bytes.iter().take(8).enumerate() {
        value |= u64::from(b & 0x7F) << (7 * i);
        if b & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, i + 1));
        }
    }
    None
}

/// Ranges to keep; neighbours grow together.
#[derive(Default)]
struct Runs {
    ranges: smallvec::SmallVec<[(usize, usize); 4]>,
}

impl Runs {
    fn keep(&mut self, start: usize, end: usize) {
        match self.ranges.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => self.ranges.push((start, end)),
        }
    }

    fn slices(self, payload: &Bytes) -> Slices {
        self.ranges
            .iter()
            .filter(|(a, b)| a < b && *b <= payload.len())
            .map(|&(a, b)| payload.slice(a..b))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_frame::{MediaTime, TrackId};
    use proptest::prelude::*;

    fn frame(codec: CodecId, flags: FrameFlags, payload: &[u8]) -> MediaFrame {
        MediaFrame::new(
            TrackId::VIDEO,
            codec,
            MediaTime::ZERO,
            Bytes::copy_from_slice(payload),
        )
        .with_flags(flags)
    }

    fn nals(list: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for n in list {
            out.extend_from_slice(&u32::try_from(n.len()).unwrap().to_be_bytes());
            out.extend_from_slice(n);
        }
        out
    }

    #[test]
    fn parameter_sets_go_and_the_rest_stays_in_one_run() {
        let payload = nals(&[b"\x09\xF0", b"\x67sps", b"\x68pps", b"\x06sei", b"\x65idr"]);
        let f = frame(CodecId::H264, FrameFlags::IN_BAND_PARAMS, &payload);
        let got = payload_slices(&f);
        assert_eq!(got.len(), 2);
        assert_eq!(got.concat(), nals(&[b"\x09\xF0", b"\x06sei", b"\x65idr"]));
        let f = frame(
            CodecId::H265,
            FrameFlags::IN_BAND_PARAMS,
            &nals(&[b"\x40\x01v", b"\x42\x01s", b"\x44\x01p", b"\x26\x01idr"]),
        );
        assert_eq!(payload_slices(&f).concat(), nals(&[b"\x26\x01idr"]));
    }

    #[test]
    fn unflagged_payload_is_the_same_buffer() {
        let f = frame(CodecId::H264, FrameFlags::KEY, &nals(&[b"\x67sps"]));
        let got = payload_slices(&f);
        assert_eq!(got[0].as_ptr(), f.payload.as_ptr());
    }

    #[test]
    fn temporal_delimiters_go() {
        let f = frame(
            CodecId::Av1,
            FrameFlags::KEY,
            b"\x12\x00\x0a\x03abc\x32\x02xy",
        );
        assert_eq!(payload_slices(&f).concat(), b"\x0a\x03abc\x32\x02xy");
    }

    proptest! {
        #[test]
        fn any_payload_is_survived(bytes: Vec<u8>) {
            for codec in [CodecId::H264, CodecId::H265, CodecId::Av1] {
                let f = frame(codec, FrameFlags::IN_BAND_PARAMS, &bytes);
                let kept: usize = payload_slices(&f).iter().map(Bytes::len).sum();
                prop_assert!(kept <= bytes.len());
            }
        }
    }
}
