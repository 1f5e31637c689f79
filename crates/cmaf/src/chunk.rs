//! CMAF chunks: one `moof` with one `traf`, and the `mdat` around payload that is never copied.

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{FrameFlags, MediaKind, Slices};

use crate::write::BoxWriter;
use crate::{InitTrack, Sample};

/// One CMAF chunk, ready for the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The bytes in order: one header slice (`[styp] [prft] [emsg]* moof mdat-header`), then payload.
    pub slices: Slices,
    /// Bytes in all.
    pub len: u32,
    /// `baseMediaDecodeTime`, in ticks of the track's clock.
    pub start: u64,
    /// Sum of the sample durations, in ticks.
    pub duration: u64,
    /// Samples in the chunk.
    pub samples: u32,
    /// True when the first sample is independently decodable.
    pub independent: bool,
}

/// `prft` (ISO/IEC 14496-12 §8.16.5): the wall-clock time of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerReference {
    /// What the time means: 0 encoder input, 1 encoder output, 2 finalised, 4 written, 8 arbitrary but consistent, 24 real-time.
    pub flags: u32,
    /// NTP 32.32 time of the sample with decode time `media_time`.
    pub ntp: u64,
    /// In ticks of the track's clock.
    pub media_time: u64,
}

/// `emsg` version 1 (ISO/IEC 23009-1 §5.10.3.3): an event on the track's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventMessage {
    /// Scheme, e.g. `urn:scte:scte35:2013:bin`; no NUL inside.
    pub scheme: String,
    /// Value of the scheme; no NUL inside.
    pub value: String,
    /// Ticks a second of the two times below.
    pub timescale: u32,
    /// Presentation time of the event.
    pub time: u64,
    /// How long it lasts; 0xFFFF_FFFF when unknown.
    pub duration: u32,
    /// Messages of one scheme and value with the same id are the same event.
    pub id: u32,
    /// The message.
    pub data: Bytes,
}

/// What may stand before the `moof` of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkExtras {
    /// `styp`: on the first chunk of a segment only (CMAF §7.3.3.1).
    pub segment_type: bool,
    /// `prft`.
    pub producer_reference: Option<ProducerReference>,
    /// `emsg`, in order.
    pub events: Vec<EventMessage>,
}

impl ChunkExtras {
    fn is_empty(&self) -> bool {
        !self.segment_type && self.producer_reference.is_none() && self.events.is_empty()
    }
}

/// Writes the chunks of one track. Headers come out of one arena, so a chunk costs no allocation of its own.
#[derive(Debug)]
pub struct ChunkWriter {
    track: u32,
    kind: MediaKind,
    sequence: u32,
    arena: BytesMut,
}

/// Headers are handed out of blocks of this size; a block lives as long as its last header.
const ARENA: usize = 16 * 1024;

impl ChunkWriter {
    /// For a track of an init segment.
    #[must_use]
    pub fn new(track: &InitTrack) -> Self {
        Self {
            track: track.mp4_id,
            kind: track.kind,
            sequence: 0,
            arena: BytesMut::new(),
        }
    }

    /// The number of the last `moof` written, when several writers share a file and count together.
    pub fn set_sequence(&mut self, last: u32) {
        self.sequence = last;
    }

    /// A chunk of these samples, which must follow each other without a gap; `None` when there are none.
    pub fn chunk(&mut self, samples: &[Sample], extras: &ChunkExtras) -> Option<Chunk> {
        let first = samples.first()?;
        self.sequence = self.sequence.wrapping_add(1);
        let header = if extras.is_empty() && samples.len() == 1 {
            self.header_of_one(first)
        } else {
            self.header(first.start, samples, extras)
        };
        let mut len = header.len();
        let mut slices = Slices::with_capacity(1 + samples.len());
        slices.push(header);
        let mut duration = 0u64;
        for sample in samples {
            len += sample.len as usize;
            duration += u64::from(sample.duration);
            slices.extend(sample.slices.iter().cloned());
        }
        Some(Chunk {
            slices,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            start: first.start,
            duration,
            samples: u32::try_from(samples.len()).unwrap_or(u32::MAX),
            independent: self.kind != MediaKind::Video || first.flags.contains(FrameFlags::KEY),
        })
    }

    /// A chunk of one sample: the fast path of per-frame streaming.
    pub fn chunk_of_one(&mut self, sample: Sample) -> Chunk {
        self.sequence = self.sequence.wrapping_add(1);
        let header = self.header_of_one(&sample);
        let len = header.len() + sample.len as usize;
        let mut slices = Slices::new();
        slices.push(header);
        slices.extend(sample.slices);
        Chunk {
            slices,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            start: sample.start,
            duration: u64::from(sample.duration),
            samples: 1,
            independent: self.kind != MediaKind::Video || sample.flags.contains(FrameFlags::KEY),
        }
    }

    /// The whole header of a one-sample chunk is laid out on the stack and appended once.
    fn header_of_one(&mut self, sample: &Sample) -> Bytes {
        let mut h = ONE_SAMPLE;
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(to) = h.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
        };
        put(20, &self.sequence.to_be_bytes());
        put(44, &self.track.to_be_bytes());
        put(60, &sample.start.to_be_bytes());
        put(88, &sample.duration.to_be_bytes());
        put(92, &sample.len.to_be_bytes());
        put(96, &sample_flags(self.kind, sample.flags).to_be_bytes());
        put(100, &sample.offset.to_be_bytes());
        put(104, &sample.len.saturating_add(8).to_be_bytes());
        self.room(h.len());
        self.arena.put_slice(&h);
        self.arena.split().freeze()
    }

    fn header(&mut self, start: u64, samples: &[Sample], extras: &ChunkExtras) -> Bytes {
        let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let payload: u64 = samples.iter().map(|s| u64::from(s.len)).sum();
        self.room(128 + 16 * samples.len());
        let (track, sequence, kind) = (self.track, self.sequence, self.kind);
        let mut w = BoxWriter {
            buf: &mut self.arena,
        };
        if extras.segment_type {
            w.put(b"styp", |w| {
                w.bytes(b"msdh\0\0\0\0msdhmsixcmfscmff");
            });
        }
        if let Some(prft) = extras.producer_reference {
            w.full(b"prft", 1, prft.flags, |w| {
                w.u32(track);
                w.u64(prft.ntp);
                w.u64(prft.media_time);
            });
        }
        for event in &extras.events {
            w.full(b"emsg", 1, 0, |w| {
                w.u32(event.timescale);
                w.u64(event.time);
                w.u32(event.duration);
                w.u32(event.id);
                w.bytes(event.scheme.as_bytes());
                w.u8(0);
                w.bytes(event.value.as_bytes());
                w.u8(0);
                w.bytes(&event.data);
            });
        }
        // moof = header 8, mfhd 16, traf header 8, tfhd 16, tfdt 20, trun 20 + 16 a sample; then the mdat header.
        let data_offset = 88u32
            .saturating_add(count.saturating_mul(16))
            .saturating_add(8);
        w.put(b"moof", |w| {
            w.full(b"mfhd", 0, 0, |w| w.u32(sequence));
            w.put(b"traf", |w| {
                w.full(b"tfhd", 0, TFHD_BASE_IS_MOOF, |w| w.u32(track));
                w.full(b"tfdt", 1, 0, |w| w.u64(start));
                w.full(b"trun", 1, TRUN_FLAGS, |w| {
                    w.u32(count);
                    w.u32(data_offset);
                    for s in samples {
                        w.u32(s.duration);
                        w.u32(s.len);
                        w.u32(sample_flags(kind, s.flags));
                        w.bytes(&s.offset.to_be_bytes());
                    }
                });
            });
        });
        w.u32(u32::try_from(payload + 8).unwrap_or(u32::MAX));
        w.bytes(b"mdat");
        self.arena.split().freeze()
    }

    fn room(&mut self, need: usize) {
        if self.arena.capacity() - self.arena.len() < need {
            self.arena.reserve(need.max(ARENA));
        }
    }
}

const TFHD_BASE_IS_MOOF: u32 = 0x02_0000;
/// data-offset, and per sample: duration, size, flags, composition offset.
const TRUN_FLAGS: u32 = 0x00_0F01;

/// `sample_depends_on`, `sample_is_depended_on` and `sample_is_non_sync_sample` (ISO/IEC 14496-12 §8.8.3.1).
fn sample_flags(kind: MediaKind, flags: FrameFlags) -> u32 {
    if kind != MediaKind::Video || flags.contains(FrameFlags::KEY) {
        0x0200_0000
    } else if flags.contains(FrameFlags::DISPOSABLE) {
        0x0181_0000
    } else {
        0x0101_0000
    }
}

/// `moof` and `mdat` header of a chunk with one sample, values at zero.
#[rustfmt::skip]
const ONE_SAMPLE: [u8; 112] = [
    0, 0, 0, 104, b'm', b'o', b'o', b'f',
    0, 0, 0, 16, b'm', b'f', b'h', b'd', 0, 0, 0, 0, /* 20: sequence */ 0, 0, 0, 0,
    0, 0, 0, 80, b't', b'r', b'a', b'f',
    0, 0, 0, 16, b't', b'f', b'h', b'd', 0, 2, 0, 0, /* 44: track */ 0, 0, 0, 0,
    0, 0, 0, 20, b't', b'f', b'd', b't', 1, 0, 0, 0, /* 60: start */ 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 36, b't', b'r', b'u', b'n', 1, 0, 0x0F, 1, 0, 0, 0, 1, 0, 0, 0, 112,
    /* 88: duration */ 0, 0, 0, 0, /* 92: size */ 0, 0, 0, 0, /* 96: flags */ 0, 0, 0, 0, /* 100: offset */ 0, 0, 0, 0,
    /* 104: mdat */ 0, 0, 0, 0, b'm', b'd', b'a', b't',
];

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> ChunkWriter {
        ChunkWriter::new(&InitTrack {
            id: core_frame::TrackId(7),
            mp4_id: 7,
            kind: MediaKind::Video,
            timescale: 90_000,
        })
    }

    fn sample(start: u64, payload: &'static [u8]) -> Sample {
        let mut slices = Slices::new();
        slices.push(Bytes::from_static(payload));
        Sample {
            slices,
            len: u32::try_from(payload.len()).unwrap(),
            start,
            duration: 3_000,
            offset: -1_500,
            flags: FrameFlags::DISPOSABLE,
        }
    }

    #[test]
    fn the_fast_path_writes_what_the_general_one_writes() {
        let s = sample(0x1_0000_0001, b"abc");
        let fast = writer().chunk_of_one(s.clone());
        let mut w = writer();
        w.sequence = 1;
        let general = w.header(s.start, std::slice::from_ref(&s), &ChunkExtras::default());
        assert_eq!(fast.slices[0], general);
        assert_eq!(writer().chunk(&[s], &ChunkExtras::default()).unwrap(), fast);
    }

    #[test]
    fn payload_is_not_copied_and_lengths_add_up() {
        let (a, b) = (sample(0, b"first"), sample(3_000, b"second"));
        let (pa, pb) = (a.slices[0].as_ptr(), b.slices[0].as_ptr());
        let extras = ChunkExtras {
            segment_type: true,
            producer_reference: Some(ProducerReference {
                flags: 24,
                ntp: 1,
                media_time: 0,
            }),
            events: Vec::new(),
        };
        let chunk = writer().chunk(&[a, b], &extras).unwrap();
        assert_eq!(
            (chunk.slices[1].as_ptr(), chunk.slices[2].as_ptr()),
            (pa, pb)
        );
        let bytes: Vec<u8> = chunk.slices.concat();
        assert_eq!(bytes.len(), chunk.len as usize);
        assert_eq!(chunk.duration, 6_000);
        // Every top-level box ends where the next begins.
        let mut kinds = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            kinds.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
            at += size;
        }
        assert_eq!(kinds, ["styp", "prft", "moof", "mdat"]);
        assert_eq!(at, bytes.len());
    }
}
