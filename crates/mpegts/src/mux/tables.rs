//! Which streams a program has and how its tables say so.

use bitstream::aac::{AdtsHeader, AudioSpecificConfig};
use bitstream::av1::Av1Config;
use bitstream::h264::{self, AvcConfig};
use bitstream::h265::{self, HevcConfig};
use bitstream::opus;
use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{CodecId, MediaKind, TrackId, TrackInfo};
use libmpegts::utils::crc32b;

use crate::kind::{language_code, opus_code};

/// Streams of one program.
pub(super) const MAX_STREAMS: usize = 64;

/// A stream that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutStream {
    pub(super) track: TrackId,
    pub(super) codec: CodecId,
    /// Index of its PID and continuity counter.
    pub(super) slot: usize,
    pub(super) stream_id: u8,
    stream_type: u8,
    descriptors: Bytes,
    pub(super) head: Head,
    /// Samples to drop at the start of the track.
    pub(super) trim: u16,
}

/// What stands before access units and comes from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    None,
    /// Parameter sets: each by itself, and all of them behind start codes.
    Sets {
        units: Vec<Bytes>,
        annex_b: Bytes,
    },
    /// An ADTS header without its length.
    Adts(AudioSpecificConfig),
}

impl OutStream {
    /// The stream of a track; nothing when transport streams have no place for it.
    pub(super) fn new(track: &TrackInfo, slot: usize, nth: u8) -> Option<Self> {
        let mut list = BytesMut::new();
        let mut head = Head::None;
        let mut trim = 0;
        let (stream_type, stream_id) = match track.codec {
            CodecId::H264 => {
                head = sets(avc_sets(&track.config)?);
                (0x1B, 0xE0 | nth)
            }
            CodecId::H265 => {
                head = sets(hevc_sets(&track.config)?);
                put(&mut list, 0x05, b"HEVC");
                (0x24, 0xE0 | nth)
            }
            CodecId::Mpeg2Video => (0x02, 0xE0 | nth),
            CodecId::Av1 => {
                put(&mut list, 0x05, b"AV01");
                let config = Av1Config::parse(&track.config).ok()?.write();
                let &[a, b, c, ..] = config.get(..3)? else {
                    return None;
                };
                put(&mut list, 0x80, &[a, b, c, 0]);
                (0x06, 0xBD)
            }
            CodecId::Aac => {
                let config = AudioSpecificConfig::parse(&track.config).ok()?;
                AdtsHeader::for_access_unit(&config, 0).ok()?;
                head = Head::Adts(config);
                (0x0F, 0xC0 | nth)
            }
            CodecId::Mp3 => {
                // The lower sample rates are MPEG-2's.
                let low = track
                    .audio
                    .is_some_and(|a| (1..32_000).contains(&a.sample_rate));
                (if low { 0x04 } else { 0x03 }, 0xC0 | nth)
            }
            CodecId::Ac3 => {
                put(&mut list, 0x05, b"AC-3");
                (0x81, 0xBD)
            }
            CodecId::Eac3 => {
                put(&mut list, 0x05, b"EAC3");
                (0x87, 0xBD)
            }
            CodecId::Opus => {
                put(&mut list, 0x05, b"Opus");
                let code = match opus::Head::parse(&track.config) {
                    Ok(head) => {
                        trim = head.pre_skip;
                        opus_code(&head)?
                    }
                    Err(_) => track.audio.map_or(2, |a| a.channels.clamp(1, 2) as u8),
                };
                put(&mut list, 0x7F, &[0x80, code]);
                (0x06, 0xBD)
            }
            CodecId::Scte35 => (0x86, 0),
            CodecId::Klv => {
                // Metadata descriptor (§2.6.60): format by identifier, service 0.
                put(&mut list, 0x26, b"\x01\x00\xFFKLVA\x00\x0F");
                (0x15, 0xFC)
            }
            CodecId::Id3 => {
                put(&mut list, 0x26, b"\xFF\xFFID3 \xFFID3 \x00\x0F");
                (0x15, 0xBD)
            }
            _ => return None,
        };
        if let Some(code) = track.language.as_deref().and_then(language_code) {
            let [a, b, c] = code;
            put(&mut list, 0x0A, &[a, b, c, 0]);
        }
        Some(Self {
            track: track.id,
            codec: track.codec,
            slot,
            stream_id,
            stream_type,
            descriptors: list.freeze(),
            head,
            trim,
        })
    }

    pub(super) const fn kind(&self) -> MediaKind {
        self.codec.kind()
    }
}

/// `tag | length | body`; bodies here are a few bytes.
fn put(list: &mut BytesMut, tag: u8, body: &[u8]) {
    list.put_slice(&[tag, body.len() as u8]);
    list.put_slice(body);
}

fn sets(units: Vec<Bytes>) -> Head {
    let mut annex_b = BytesMut::new();
    for unit in &units {
        annex_b.put_slice(&[0, 0, 0, 1]);
        annex_b.put_slice(unit);
    }
    Head::Sets {
        units,
        annex_b: annex_b.freeze(),
    }
}

fn avc_sets(config: &Bytes) -> Option<Vec<Bytes>> {
    let record = AvcConfig::parse(config).ok()?;
    let of = |kind| move |u: &&Bytes| h264::unit_type(u) == kind;
    let sps = record.sps.iter().filter(of(h264::nal_type::SPS));
    let pps = record.pps.iter().filter(of(h264::nal_type::PPS));
    Some(sps.chain(pps).cloned().collect())
}

fn hevc_sets(config: &Bytes) -> Option<Vec<Bytes>> {
    use h265::nal_type::{PPS, SPS, VPS};
    let record = HevcConfig::parse(config).ok()?;
    let units = [VPS, SPS, PPS]
        .into_iter()
        .flat_map(|kind| record.units(kind));
    Some(units.cloned().collect())
}

/// The association table of one program (§2.4.4.3), from `table_id` to checksum.
pub(super) fn association(transport_stream: u16, version: u8, program: u16, map_pid: u16) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u16(program);
    body.put_u16(0xE000 | map_pid);
    section(0x00, transport_stream, version, &body)
}

/// The map of a program (§2.4.4.8), from `table_id` to checksum. Streams that do not fit any more are left out, which
/// takes more than 100 of them.
pub(super) fn map(
    program: u16,
    version: u8,
    clock_pid: u16,
    streams: &[OutStream],
    pid_of: impl Fn(usize) -> u16,
) -> Bytes {
    let mut about = BytesMut::new();
    if streams.iter().any(|s| s.codec == CodecId::Scte35) {
        put(&mut about, 0x05, b"CUEI");
    }
    if streams.iter().any(|s| s.codec == CodecId::Id3) {
        // Metadata pointer descriptor (§2.6.58): ID3 in this program.
        let [p1, p0] = program.to_be_bytes();
        let mut pointer = b"\xFF\xFFID3 \xFFID3 \x00\x1F".to_vec();
        pointer.extend([p1, p0]);
        put(&mut about, 0x25, &pointer);
    }
    let mut body = BytesMut::new();
    body.put_u16(0xE000 | clock_pid);
    body.put_u16(0xF000 | about.len() as u16);
    body.put_slice(&about);
    for stream in streams {
        if body.len() + 5 + stream.descriptors.len() > 1_012 {
            break;
        }
        body.put_u8(stream.stream_type);
        body.put_u16(0xE000 | pid_of(stream.slot));
        body.put_u16(0xF000 | stream.descriptors.len() as u16);
        body.put_slice(&stream.descriptors);
    }
    section(0x02, program, version, &body)
}

/// A section of long form: `table_id | 1 0 11 length 12 | number | 11 version 5 1 | 0 | 0 | body | checksum`.
fn section(table: u8, number: u16, version: u8, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len() + 12);
    out.put_u8(table);
    out.put_u16(0xB000 | (body.len() + 9) as u16);
    out.put_u16(number);
    out.put_slice(&[0xC1 | (version & 31) << 1, 0, 0]);
    out.put_slice(body);
    let crc = crc32b(&out);
    out.put_u32(crc);
    out.freeze()
}
