//! Sample entries: what a decoder needs, one box a codec.

use bitstream::flac::FlacConfig;
use bytes::BytesMut;
use core_frame::{CodecId, TrackInfo};

use crate::Error;
use crate::write::BoxWriter;

/// Who reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Players of streams: codecs with an ISO binding only.
    Stream,
    /// Players of files: QuickTime's codings of plain samples too.
    File,
}

/// The sample entry (the child of `stsd`) of a track.
///
/// ISO/IEC 14496-12 §8.5.2 with 14496-15 (`avc1`, `hvc1`, `vvc1`), 14496-14 (`mp4a`), the AV1, VP and Opus bindings,
/// ETSI TS 102 366 annex F (`ac-3`, `ec-3`) and the FLAC binding; `alaw`, `ulaw` and `sowt` are QuickTime's (QuickTime File
/// Format, "Sound Sample Descriptions").
pub(crate) fn sample_entry(info: &TrackInfo, reader: Use) -> Result<BytesMut, Error> {
    let mut buf = BytesMut::with_capacity(256 + info.config.len());
    let mut w = BoxWriter { buf: &mut buf };
    let config = info.config.as_ref();
    match info.codec {
        CodecId::H264 => {
            let record = with_four_byte_lengths(need(info, 7)?, 4);
            video(&mut w, b"avc1", info, |w| {
                w.put(b"avcC", |w| w.bytes(&record));
            });
        }
        CodecId::H265 => {
            let record = with_four_byte_lengths(need(info, 23)?, 21);
            video(&mut w, b"hvc1", info, |w| {
                w.put(b"hvcC", |w| w.bytes(&record));
            });
        }
        CodecId::H266 => {
            let record = need(info, 5)?;
            video(&mut w, b"vvc1", info, |w| {
                w.full(b"vvcC", 0, 0, |w| w.bytes(record));
            });
        }
        CodecId::Av1 => {
            let record = need(info, 4)?;
            video(&mut w, b"av01", info, |w| {
                w.put(b"av1C", |w| w.bytes(record));
            });
        }
        CodecId::Vp8 | CodecId::Vp9 => {
            let kind = if info.codec == CodecId::Vp9 {
                b"vp09"
            } else {
                b"vp08"
            };
            let record = vp_record(info);
            video(&mut w, kind, info, |w| {
                w.full(b"vpcC", 1, 0, |w| w.bytes(&record));
            });
        }
        CodecId::Aac => {
            let asc = need(info, 2)?;
            audio(&mut w, b"mp4a", info, 16, |w| esds(w, info, 0x40, asc));
        }
        CodecId::Mp3 => {
            // MPEG-1 (32 kHz and up) and MPEG-2 audio have object types of their own (14496-1 table 5). QuickTime's `.mp3` is
            // the other form. FFmpeg reads both, Shaka Packager only this one, and only this one has an RFC 6381 name;
            // Chromium's Media Source knows MPEG audio in MP4 in neither form.
            let rate = info.audio.map_or(48_000, |a| a.sample_rate);
            let object = if rate >= 32_000 { 0x6B } else { 0x69 };
            audio(&mut w, b"mp4a", info, 16, |w| {
                esds(w, info, object, &[]);
            });
        }
        CodecId::Opus => {
            let record = opus_record(info);
            audio(&mut w, b"Opus", info, 16, |w| {
                w.put(b"dOps", |w| w.bytes(&record));
            });
        }
        CodecId::Flac => {
            let record = FlacConfig::parse(&info.config).map_err(|_| bad_config(info))?;
            let bits = u16::from(record.info.bits_per_sample);
            audio(&mut w, b"fLaC", info, bits, |w| {
                w.full(b"dfLa", 0, 0, |w| w.bytes(&record.blocks));
            });
        }
        CodecId::Ac3 => {
            let record = need(info, 3)?;
            audio(&mut w, b"ac-3", info, 16, |w| {
                w.put(b"dac3", |w| w.bytes(record));
            });
        }
        CodecId::Eac3 => {
            let record = need(info, 5)?;
            audio(&mut w, b"ec-3", info, 16, |w| {
                w.put(b"dec3", |w| w.bytes(record));
            });
        }
        // Expanded, a sample has 16 bits.
        CodecId::Pcma if reader == Use::File => audio(&mut w, b"alaw", info, 16, |_| {}),
        CodecId::Pcmu if reader == Use::File => audio(&mut w, b"ulaw", info, 16, |_| {}),
        CodecId::Pcm if reader == Use::File => audio(&mut w, b"sowt", info, 16, |_| {}),
        CodecId::Webvtt => {
            w.put(b"wvtt", |w| {
                w.zeros(6);
                w.u16(1);
                w.put(b"vttC", |w| {
                    w.bytes(if config.is_empty() { b"WEBVTT" } else { config })
                });
            });
        }
        codec => {
            return Err(Error::Unsupported {
                track: info.id,
                codec,
            });
        }
    }
    Ok(buf)
}

fn need(info: &TrackInfo, len: usize) -> Result<&[u8], Error> {
    if info.config.len() < len {
        return Err(bad_config(info));
    }
    Ok(&info.config)
}

const fn bad_config(info: &TrackInfo) -> Error {
    Error::BadConfig {
        track: info.id,
        codec: info.codec,
    }
}

/// Payloads have 4-byte NAL unit lengths, whatever the record of the sender said (`lengthSizeMinusOne` is the low two
/// bits of byte `at`). A record is some 50 bytes; this copies it once per init segment.
fn with_four_byte_lengths(record: &[u8], at: usize) -> Vec<u8> {
    let mut record = record.to_vec();
    if let Some(b) = record.get_mut(at) {
        *b |= 3;
    }
    record
}

/// The VPCodecConfigurationRecord without its full-box header (which some senders leave on); a plain 8-bit 4:2:0 one
/// when none was sent.
fn vp_record(info: &TrackInfo) -> Vec<u8> {
    let config = info.config.as_ref();
    let config = match config {
        [1, 0, 0, 0, record @ ..] if record.len() >= 8 => record,
        other => other,
    };
    if config.len() >= 8 {
        return config.to_vec();
    }
    let color = info.video.and_then(|v| v.color);
    let full = color.is_some_and(|c| c.full_range);
    vec![
        0,
        31,
        (8 << 4) | (1 << 1) | u8::from(full),
        color.map_or(2, |c| c.primaries),
        color.map_or(2, |c| c.transfer),
        color.map_or(2, |c| c.matrix),
        0,
        0,
    ]
}

/// The body of `dOps` (Opus in ISOBMFF §4.3.2); made from an `OpusHead` (RFC 7845 §5.1, little endian) or from the
/// track's layout when the record itself was not sent.
fn opus_record(info: &TrackInfo) -> Vec<u8> {
    let config = info.config.as_ref();
    if let Some(head) = config.strip_prefix(b"OpusHead") {
        if let [_, channels, p0, p1, r0, r1, r2, r3, g0, g1, mapping @ ..] = head {
            let mut out = vec![0, *channels, *p1, *p0, *r3, *r2, *r1, *r0, *g1, *g0];
            out.extend_from_slice(mapping);
            if mapping.is_empty() {
                out.push(0);
            }
            return out;
        }
    } else if config.len() >= 11 {
        return config.to_vec();
    }
    let channels = info.audio.map_or(2, |a| a.channels.clamp(1, 2));
    let mut out = vec![0, u8::try_from(channels).unwrap_or(2)];
    // 80 ms of pre-roll is what a decoder needs to converge; 312 samples is libopus' own delay.
    out.extend_from_slice(&312u16.to_be_bytes());
    out.extend_from_slice(&48_000u32.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0]);
    out
}

/// VisualSampleEntry (§12.1.3), then the codec's box, then what is known of pixels, colour and rate.
fn video(
    w: &mut BoxWriter<'_>,
    kind: &[u8; 4],
    info: &TrackInfo,
    config: impl FnOnce(&mut BoxWriter<'_>),
) {
    let v = info.video.unwrap_or_default();
    w.put(kind, |w| {
        w.zeros(6);
        w.u16(1); // data_reference_index
        w.zeros(16);
        w.u16(u16::try_from(v.width).unwrap_or(u16::MAX));
        w.u16(u16::try_from(v.height).unwrap_or(u16::MAX));
        w.u32(0x48_0000); // 72 dpi
        w.u32(0x48_0000);
        w.u32(0);
        w.u16(1); // frame_count
        w.zeros(32); // compressorname
        w.u16(24);
        w.u16(0xFFFF);
        config(w);
        if let Some((h, v)) = v.sample_aspect.filter(|a| a.0 > 0 && a.1 > 0) {
            w.put(b"pasp", |w| {
                w.u32(h);
                w.u32(v);
            });
        }
        if let Some(c) = v.color {
            w.put(b"colr", |w| {
                w.bytes(b"nclx");
                w.u16(u16::from(c.primaries));
                w.u16(u16::from(c.transfer));
                w.u16(u16::from(c.matrix));
                w.u8(if c.full_range { 0x80 } else { 0 });
            });
        }
        bitrate(w, info);
    });
}

/// AudioSampleEntry (§12.2.3) with a `samplesize` of `bits`, then the codec's box.
fn audio(
    w: &mut BoxWriter<'_>,
    kind: &[u8; 4],
    info: &TrackInfo,
    bits: u16,
    config: impl FnOnce(&mut BoxWriter<'_>),
) {
    let a = info.audio.unwrap_or_default();
    w.put(kind, |w| {
        w.zeros(6);
        w.u16(1);
        w.zeros(8);
        w.u16(if a.channels == 0 { 2 } else { a.channels });
        w.u16(bits);
        w.zeros(4);
        w.u32(entry_rate(a.sample_rate) << 16);
        config(w);
        bitrate(w, info);
    });
}

/// `samplerate` has 16 bits for the whole Hz. A higher rate is halved until it fits, as the FLAC binding has it (§3.3.1:
/// 48 000 for 96 000 and 192 000), and left out where that is not whole; the codec's own record tells the true one.
const fn entry_rate(mut rate: u32) -> u32 {
    while rate > 0xFFFF {
        if rate % 2 == 1 {
            return 0;
        }
        rate /= 2;
    }
    rate
}

/// `btrt` (§8.5.2.2), when the sender told a rate.
fn bitrate(w: &mut BoxWriter<'_>, info: &TrackInfo) {
    if let Some(rate) = info.bitrate_bps.and_then(|b| u32::try_from(b).ok()) {
        w.put(b"btrt", |w| {
            w.u32(0);
            w.u32(rate);
            w.u32(rate);
        });
    }
}

/// `esds` (14496-14 §5.6, descriptors of 14496-1 §7.2.6).
fn esds(w: &mut BoxWriter<'_>, info: &TrackInfo, object_type: u8, specific: &[u8]) {
    let rate = info
        .bitrate_bps
        .and_then(|b| u32::try_from(b).ok())
        .unwrap_or(0);
    // An AudioSpecificConfig is a few bytes; sizes take one byte up to 127 and are widened beyond.
    let specific_len = if specific.is_empty() {
        0
    } else {
        descriptor_len(specific.len())
    };
    let decoder_len = 13 + specific_len;
    let es_len = 3 + descriptor_len(decoder_len) + descriptor_len(1);
    w.full(b"esds", 0, 0, |w| {
        descriptor(w, 0x03, es_len);
        w.u16(0); // ES_ID: 0 inside MP4
        w.u8(0);
        descriptor(w, 0x04, decoder_len);
        w.u8(object_type);
        w.u8(0x15); // audio stream, reserved bit
        w.zeros(3); // bufferSizeDB
        w.u32(rate);
        w.u32(rate);
        if !specific.is_empty() {
            descriptor(w, 0x05, specific.len());
            w.bytes(specific);
        }
        descriptor(w, 0x06, 1);
        w.u8(2); // predefined: MP4
    });
}

const fn descriptor_len(body: usize) -> usize {
    let size_bytes = match body {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    };
    1 + size_bytes + body
}

/// Tag and size in groups of seven bits (14496-1 §8.3.3).
fn descriptor(w: &mut BoxWriter<'_>, tag: u8, len: usize) {
    w.u8(tag);
    let mut shift = match descriptor_len(len) - len - 1 {
        1 => 0,
        2 => 7,
        3 => 14,
        _ => 21,
    };
    while shift > 0 {
        w.u8(u8::try_from((len >> shift) & 0x7F).unwrap_or(0) | 0x80);
        shift -= 7;
    }
    w.u8(u8::try_from(len & 0x7F).unwrap_or(0));
}
