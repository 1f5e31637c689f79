//! Headers made to hurt: each is an error or bounded, and says which rule it broke.

use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, Limits, TrackId};
use millstream_bitstream::bits::BitWriter;
use millstream_bitstream::{
    Error, ac3, av1, check_access_unit, classify, describe, flac, h265, mp3, nal, sei,
};

/// An H.265 SPS up to the point where a field says `stop`.
struct Shape {
    sub_layers_minus1: u32,
    width: u32,
    height: u32,
    crop: u32,
    reorder: u32,
    sets: u32,
    set_pictures: u32,
}

const SANE: Shape = Shape {
    sub_layers_minus1: 0,
    width: 1_920,
    height: 1_088,
    crop: 4,
    reorder: 2,
    sets: 0,
    set_pictures: 1,
};

fn h265_sps(shape: &Shape) -> Vec<u8> {
    let mut w = BitWriter::new();
    w.bits(0, 4);
    w.bits(shape.sub_layers_minus1, 3);
    w.flag(true);
    w.bits(1, 8);
    for _ in 0..2 {
        w.bits(0x6000_0000, 32);
    }
    w.bits(0, 16);
    w.bits(93, 8);
    if shape.sub_layers_minus1 > 0 {
        w.bits(0, 16);
    }
    w.ue(0);
    w.ue(1);
    w.ue(shape.width);
    w.ue(shape.height);
    w.flag(true);
    for side in [0, 0, 0, shape.crop] {
        w.ue(side);
    }
    for value in [0, 0, 4] {
        w.ue(value);
    }
    w.flag(false);
    w.ue(4);
    w.ue(shape.reorder);
    w.ue(0);
    for value in [0, 3, 0, 3, 0, 0] {
        w.ue(value);
    }
    w.bits(0, 4);
    w.ue(shape.sets);
    for at in 0..shape.sets.min(64) {
        if at > 0 {
            w.flag(false);
        }
        w.ue(shape.set_pictures);
        w.ue(0);
        for _ in 0..shape.set_pictures.min(64) {
            w.ue(0);
            w.flag(true);
        }
    }
    w.bits(0, 4);
    w.flag(true);
    let mut unit = vec![h265::nal_type::SPS << 1, 1];
    unit.extend(nal::escape_rbsp(&w.finish()));
    unit
}

#[test]
fn h265_sequence_parameter_sets() {
    let sps = h265::Sps::parse(&h265_sps(&SANE)).unwrap();
    assert_eq!(
        (sps.width, sps.height, sps.max_reorder_pics),
        (1_920, 1_080, 2)
    );
    assert!(
        h265::Sps::parse(&h265_sps(&Shape {
            sets: 64,
            set_pictures: 16,
            ..SANE
        }))
        .is_ok()
    );
    for (shape, rule) in [
        (
            Shape {
                width: u32::MAX - 1,
                ..SANE
            },
            "level 7.2",
        ),
        (
            Shape {
                width: 33_000,
                height: 33_000,
                ..SANE
            },
            "level 7.2",
        ),
        (Shape { width: 0, ..SANE }, "without samples"),
        (Shape { crop: 544, ..SANE }, "leaves no picture"),
        (
            Shape {
                crop: u32::MAX - 1,
                ..SANE
            },
            "leaves no picture",
        ),
        (Shape { reorder: 5, ..SANE }, "picture buffer"),
        (Shape { sets: 65, ..SANE }, "above 64"),
        (
            Shape {
                sets: u32::MAX - 1,
                ..SANE
            },
            "above 64",
        ),
        (
            Shape {
                sets: 1,
                set_pictures: 17,
                ..SANE
            },
            "16 pictures",
        ),
        (
            Shape {
                sets: 1,
                set_pictures: u32::MAX - 1,
                ..SANE
            },
            "16 pictures",
        ),
        (
            Shape {
                sub_layers_minus1: 7,
                ..SANE
            },
            "7 sub-layers",
        ),
    ] {
        let error = h265::Sps::parse(&h265_sps(&shape)).unwrap_err().to_string();
        assert!(error.contains(rule), "{error} should speak of {rule}");
    }
    let unit = h265_sps(&SANE);
    for length in 0..unit.len() - 1 {
        assert!(h265::Sps::parse(&unit[..length]).is_err(), "{length}");
    }
}

/// A record that declares more than it has costs nothing.
#[test]
fn declared_counts() {
    let mut hvcc = vec![1; 22];
    hvcc[21] = 0x0F;
    hvcc.push(1);
    hvcc.extend([0x21, 0xFF, 0xFF]);
    hvcc.extend(vec![0; 200_000]);
    let error = describe(TrackId::VIDEO, CodecId::H265, hvcc.into()).unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
    let avcc = Bytes::from_static(&[1, 66, 0, 30, 0xFF, 0xFF, 0xFF, 0xFF, 0x67]);
    assert!(matches!(
        describe(TrackId::VIDEO, CodecId::H264, avcc),
        Err(Error::Truncated { .. })
    ));
}

#[test]
fn garbage_sequence_headers() {
    for codec in [
        CodecId::H264,
        CodecId::H265,
        CodecId::Av1,
        CodecId::Vp9,
        CodecId::Aac,
        CodecId::Opus,
    ] {
        let garbage = Bytes::from_static(b"\xDE\xAD\xBE\xEFthis is no configuration record");
        assert!(describe(TrackId::VIDEO, codec, garbage).is_err(), "{codec}");
        let empty = describe(TrackId::VIDEO, codec, Bytes::new()).unwrap();
        assert_eq!(
            empty.is_ready(),
            matches!(codec, CodecId::Vp9 | CodecId::Opus)
        );
    }
    // A record that names no SPS.
    let bare = Bytes::from_static(&[1, 66, 0, 30, 0xFF, 0xE0, 0]);
    assert!(describe(TrackId::VIDEO, CodecId::H264, bare).is_err());
}

/// The largest access units the limits allow, filled with what makes parsers slow.
#[test]
fn large_access_units_take_no_time() {
    let limits = Limits::default();
    let size = limits.access_unit_bytes as usize;
    let av1_size = limits.temporal_unit_bytes as usize;
    let sei_of = |fill: &[u8]| {
        let mut unit = vec![0; 4];
        unit.push(6);
        unit.extend(fill.iter().copied().cycle().take(size - 5));
        unit[..4].copy_from_slice(&(size as u32 - 4).to_be_bytes());
        unit
    };
    let mut payloads = vec![
        (CodecId::H264, sei_of(&[0, 0, 3])),
        (CodecId::H264, sei_of(&[0xFF])),
        (CodecId::H264, sei_of(&[1, 0])),
        (CodecId::H264, vec![0; size]),
        (
            CodecId::H264,
            [0, 0, 0, 1, 6].iter().copied().cycle().take(size).collect(),
        ),
        (CodecId::H265, vec![0; size]),
        (
            CodecId::Av1,
            [0x32, 0].iter().copied().cycle().take(av1_size).collect(),
        ),
        (
            CodecId::Av1,
            [0x0A, 1, 0]
                .iter()
                .copied()
                .cycle()
                .take(av1_size)
                .collect(),
        ),
        (CodecId::Vp9, vec![0xC7; size]),
        (
            CodecId::Mpeg2Video,
            [0, 0, 1, 0xB5].iter().copied().cycle().take(size).collect(),
        ),
    ];
    let mut h265 = sei_of(&[0, 0, 3]);
    h265[4] = h265::nal_type::SEI_PREFIX << 1;
    payloads.push((CodecId::H265, h265));
    for (codec, payload) in &payloads {
        let one = Instant::now();
        let flags = classify(*codec, payload);
        assert!(!flags.contains(FrameFlags::KEY), "{codec}");
        let _ = check_access_unit(*codec, payload, &limits);
        // Generous for a busy machine without optimisation; what is quadratic takes hours.
        let limit = Duration::from_secs(10);
        assert!(
            one.elapsed() < limit,
            "{codec} took {:?}: {:02x?}",
            one.elapsed(),
            &payload[..12]
        );
    }
    assert!(sei::messages(&payloads[0].1[4..], 1).count() > 1_000_000);
}

#[test]
fn av1_sizes_past_the_end() {
    for bytes in [
        &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F][..],
        &[0x0A, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        &[0x0E],
    ] {
        assert!(av1::obus(bytes).next().unwrap().is_err(), "{bytes:x?}");
        assert!(check_access_unit(CodecId::Av1, bytes, &Limits::default()).is_err());
        assert_eq!(classify(CodecId::Av1, bytes), FrameFlags::empty());
    }
}

/// A megabyte of what looks like headers takes as long as a megabyte.
#[test]
fn streams_of_false_headers() {
    const SIZE: usize = 1 << 20;
    let begun = Instant::now();
    let repeated = |unit: &[u8]| -> Vec<u8> { unit.iter().copied().cycle().take(SIZE).collect() };
    for unit in [
        &[0xFF][..],
        // A header of free format that no other follows, in each of two rates in turn.
        &[0xFF, 0xFB, 0x00, 0xC4, 0xFF, 0xFB, 0x04, 0x04],
        &[0xFF, 0xFB, 0x90, 0x64],
        b"ID3\x04\0\0\0\0\0\0",
        b"TAG",
        b"T",
    ] {
        let data = repeated(unit);
        let mut frames = mp3::frames(&data);
        let found: usize = frames.by_ref().map(|(_, f)| f.len()).sum();
        assert!(found + frames.rest().len() <= SIZE, "{unit:02x?}");
    }
    // A whole tag of 256 MB is never there: the stream waits for it, and reserves nothing.
    let tag = b"ID3\x04\0\x10\x7F\x7F\x7F\x7F\xFF\xFB\x90\x64";
    assert_eq!(mp3::tag_length(tag), Some((1 << 28) - 1 + 20));
    assert_eq!(mp3::frames(tag).count(), 0);
    for unit in [
        &[0x0B][..],
        &[0x0B, 0x77],
        // Frames of two bytes, of eight bytes, and of dependent substreams without end.
        &[0x0B, 0x77, 0, 0, 0x3E, 0x80],
        &[0x0B, 0x77, 0, 3, 0x3E, 0x80, 0, 0],
        &[0x0B, 0x77, 0x40, 3, 0x3E, 0x80, 0, 0],
        &[0x0B, 0x77, 0x47, 0xFF, 0x3E, 0x80],
    ] {
        let mut data = vec![0x0B, 0x77, 0, 3, 0x3E, 0x80, 0, 0];
        data.extend(repeated(unit));
        let mut units = ac3::access_units(&data);
        let found: usize = units.by_ref().map(|u| u.data.len()).sum();
        assert!(found + units.rest().len() <= data.len(), "{unit:02x?}");
    }
    let mut blocks = vec![0, 0, 0, 34];
    blocks.extend([0x10; 34]);
    blocks.extend(vec![0; SIZE]);
    assert!(
        flac::blocks_length(&blocks).is_ok(),
        "blocks without bytes, to the end"
    );
    let limit = Duration::from_secs(20);
    assert!(begun.elapsed() < limit, "took {:?}", begun.elapsed());
}

#[test]
fn sound_that_cannot_be() {
    let rule = |codec, config: &'static [u8]| match describe(
        TrackId::AUDIO,
        codec,
        Bytes::from_static(config),
    ) {
        Err(error) => error.to_string(),
        Ok(info) => panic!("{info:?}"),
    };
    assert_eq!(
        rule(CodecId::Ac3, &[0xD0, 0x3D, 0xC0]),
        "bad dac3: reserved fscod"
    );
    assert_eq!(rule(CodecId::Ac3, &[0x10]), "dac3 ends too early");
    assert_eq!(
        rule(CodecId::Eac3, &[6, 7, 0x20, 0x0F, 0]),
        "dec3 ends too early"
    );
    assert_eq!(
        rule(CodecId::Flac, b"fLaC\x80\0\0\x22"),
        "FLAC metadata ends too early"
    );
    assert_eq!(
        rule(CodecId::Flac, &[0; 34]),
        "bad FLAC STREAMINFO: block sizes must be 16 or more, the smallest first"
    );
}
