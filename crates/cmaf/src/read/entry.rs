//! Sample entries, read: which codec, with which configuration.

use bytes::Bytes;
use core_frame::CodecId;

use super::boxes::{BoxRef, Boxes, Fields};
use crate::Error;

/// What a sample entry says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// Its four-character code; behind `encv`/`enca` the original one.
    pub(crate) fourcc: [u8; 4],
    pub(crate) encrypted: bool,
    pub(crate) codec: Option<CodecId>,
    /// The record in the form of the track table; may be empty.
    pub(crate) config: Bytes,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixel_aspect: Option<(u32, u32)>,
    pub(crate) color: Option<core_frame::ColorInfo>,
    pub(crate) channels: u16,
    pub(crate) sample_bits: u16,
    pub(crate) sample_rate: u32,
    pub(crate) bitrate: Option<u64>,
}

/// Reads the first sample entry of an `stsd` (ISO/IEC 14496-12 §8.5.2). `handler` is that of the track.
pub(crate) fn read_entry(stsd: &BoxRef<'_>, handler: [u8; 4]) -> Result<Option<Entry>, Error> {
    let Some(first) = stsd.children(8).next() else {
        return Ok(None);
    };
    let first = first?;
    let mut entry = Entry {
        fourcc: first.kind,
        ..Entry::default()
    };
    let skip = match &handler {
        b"vide" => visual(&first, &mut entry)?,
        b"soun" => audio(&first, &mut entry)?,
        _ => 8,
    };
    let boxes = first.children(skip);
    if matches!(&first.kind, b"encv" | b"enca") {
        entry.encrypted = true;
        if let Some(sinf) = boxes.clone().find_kind(b"sinf")?
            && let Some(frma) = sinf.children(0).find_kind(b"frma")?
        {
            let mut f = frma.fields();
            entry.fourcc = f.u32()?.to_be_bytes();
        }
    }
    codec_of(&mut entry, boxes.clone())?;
    for found in boxes {
        // Some recorders leave garbage behind the boxes that matter.
        let Ok(found) = found else { break };
        let mut f = found.fields();
        match &found.kind {
            b"pasp" => entry.pixel_aspect = Some((f.u32()?, f.u32()?)),
            b"colr" => entry.color = color(&mut f)?,
            b"btrt" => {
                f.skip(8)?;
                entry.bitrate = Some(u64::from(f.u32()?)).filter(|&b| b > 0);
            }
            _ => {}
        }
    }
    Ok(Some(entry))
}

/// §12.1.3; the boxes begin at the returned offset of the body.
fn visual(entry: &BoxRef<'_>, out: &mut Entry) -> Result<usize, Error> {
    let mut f = entry.fields();
    f.skip(24)?;
    out.width = u32::from(f.u16()?);
    out.height = u32::from(f.u16()?);
    f.skip(50)?;
    Ok(78)
}

/// §12.2.3, and the longer versions 1 and 2 of QuickTime.
fn audio(entry: &BoxRef<'_>, out: &mut Entry) -> Result<usize, Error> {
    let mut f = entry.fields();
    f.skip(8)?;
    let version = f.u16()?;
    f.skip(6)?;
    out.channels = f.u16()?;
    out.sample_bits = f.u16()?;
    f.skip(4)?;
    out.sample_rate = f.u32()? >> 16;
    Ok(match version {
        1 => 28 + 16,
        2 => 28 + 36,
        _ => 28,
    })
}

fn color(f: &mut Fields<'_>) -> Result<Option<core_frame::ColorInfo>, Error> {
    let kind = f.u32()?.to_be_bytes();
    if &kind != b"nclx" && &kind != b"nclc" {
        return Ok(None);
    }
    let mut point = || f.u16().map(|v| u8::try_from(v).unwrap_or(2));
    let (primaries, transfer, matrix) = (point()?, point()?, point()?);
    let full_range = &kind == b"nclx" && f.u8()? & 0x80 != 0;
    Ok(Some(core_frame::ColorInfo {
        primaries,
        transfer,
        matrix,
        full_range,
    }))
}

fn codec_of(entry: &mut Entry, boxes: Boxes<'_>) -> Result<(), Error> {
    let body = |kind: &[u8; 4], skip: usize| -> Result<Bytes, Error> {
        let found = boxes.clone().find_kind(kind)?;
        let body = found.and_then(|b| b.body.get(skip..)).unwrap_or_default();
        // A record is some hundred bytes at most; it outlives the buffer it came in.
        Ok(Bytes::copy_from_slice(body))
    };
    let (codec, config) = match &entry.fourcc {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" => (CodecId::H264, body(b"avcC", 0)?),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => (CodecId::H265, body(b"hvcC", 0)?),
        b"vvc1" | b"vvi1" => (CodecId::H266, body(b"vvcC", 4)?),
        b"av01" => (CodecId::Av1, body(b"av1C", 0)?),
        b"vp08" => (CodecId::Vp8, body(b"vpcC", 4)?),
        b"vp09" => (CodecId::Vp9, body(b"vpcC", 4)?),
        b"Opus" => (CodecId::Opus, body(b"dOps", 0)?),
        b"fLaC" => (CodecId::Flac, body(b"dfLa", 4)?),
        b"ac-3" => (CodecId::Ac3, body(b"dac3", 0)?),
        b"ec-3" => (CodecId::Eac3, body(b"dec3", 0)?),
        b".mp3" => (CodecId::Mp3, Bytes::new()),
        b"alaw" => (CodecId::Pcma, Bytes::new()),
        b"ulaw" => (CodecId::Pcmu, Bytes::new()),
        b"sowt" if entry.sample_bits == 16 => (CodecId::Pcm, Bytes::new()),
        b"wvtt" => (CodecId::Webvtt, body(b"vttC", 0)?),
        b"mp4a" => {
            let direct = boxes.clone().find_kind(b"esds")?;
            let found = match direct {
                Some(found) => Some(found),
                // QuickTime keeps it one box deeper.
                None => match boxes.clone().find_kind(b"wave")? {
                    Some(wave) => wave.children(0).find_kind(b"esds")?,
                    None => None,
                },
            };
            let Some(found) = found else { return Ok(()) };
            match esds(&found)? {
                Some(pair) => pair,
                None => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    entry.codec = Some(codec);
    entry.config = config;
    Ok(())
}

/// ES_Descriptor, DecoderConfigDescriptor, DecoderSpecificInfo (ISO/IEC 14496-1 §7.2.6).
fn esds(found: &BoxRef<'_>) -> Result<Option<(CodecId, Bytes)>, Error> {
    let (_, _, mut f) = found.full()?;
    let es = descriptor(&mut f, found, 0x03)?;
    let mut f = Fields { rest: es, ..f };
    f.skip(2)?;
    let flags = f.u8()?;
    if flags & 0x80 != 0 {
        f.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let url = usize::from(f.u8()?);
        f.skip(url)?;
    }
    if flags & 0x20 != 0 {
        f.skip(2)?;
    }
    let config = descriptor(&mut f, found, 0x04)?;
    let mut f = Fields { rest: config, ..f };
    let object = f.u8()?;
    f.skip(12)?;
    let specific = if f.rest.is_empty() {
        &[]
    } else {
        descriptor(&mut f, found, 0x05).unwrap_or_default()
    };
    Ok(match object {
        0x40 | 0x66..=0x68 => Some((CodecId::Aac, Bytes::copy_from_slice(specific))),
        0x69 | 0x6B => Some((CodecId::Mp3, Bytes::new())),
        0xA5 => Some((CodecId::Ac3, Bytes::new())),
        0xA6 => Some((CodecId::Eac3, Bytes::new())),
        0xAD => Some((CodecId::Opus, Bytes::copy_from_slice(specific))),
        _ => None,
    })
}

/// Tag, size in groups of seven bits, body (14496-1 §8.3.3).
fn descriptor<'a>(f: &mut Fields<'a>, of: &BoxRef<'_>, tag: u8) -> Result<&'a [u8], Error> {
    if f.u8()? != tag {
        return Err(of.error("descriptor of another kind expected (14496-1 §7.2.6)"));
    }
    let mut len = 0usize;
    for _ in 0..4 {
        let byte = f.u8()?;
        len = (len << 7) | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    // Some muxers count a byte too many: what is there is what there is.
    let body = f.rest.get(..len.min(f.rest.len())).unwrap_or_default();
    f.rest = f.rest.get(body.len()..).unwrap_or_default();
    Ok(body)
}
