//! Broken files: what is lost is named, everything else is found again.

use bytes::{BufMut, Bytes, BytesMut};
use core_frame::Limits;
use millstream_flv::{
    Damage, DamageKind, Error, FileEvent, FileReader, TagKind, file_header, write_tag,
};

use crate::sample;

/// A file of `count` video tags of 100 bytes that are told apart by their time.
fn tag(n: u32) -> Bytes {
    let mut out = BytesMut::new();
    let body = [&[0x27, 1, 0, 0, 0][..], &[n as u8; 95]].concat();
    write_tag(TagKind::Video, n, &[], &body, &mut out).expect("fits");
    out.freeze()
}

fn file(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = file_header(true, false).to_vec();
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Times of the tags and the damage found, the same for every way to split the input.
fn read(bytes: &[u8]) -> (Vec<u32>, Vec<Damage>) {
    let events = sample::read(bytes, bytes.len());
    for piece in [1, 2, 5, 13, 100, 111] {
        assert_eq!(sample::read(bytes, piece), events, "in {piece}s");
    }
    let mut times = Vec::new();
    let mut damage = Vec::new();
    for event in events {
        match event {
            FileEvent::Tag { timestamp_ms, .. } => times.push(timestamp_ms),
            FileEvent::Damage(d) => damage.push(d),
            _ => {}
        }
    }
    (times, damage)
}

fn kinds(damage: &[Damage]) -> Vec<DamageKind> {
    damage.iter().map(|d| d.kind).collect()
}

#[test]
fn data_size_bomb_then_the_end() {
    let mut bomb = tag(2).to_vec();
    bomb[1..4].copy_from_slice(&[0xFF; 3]);
    // In the middle: over the limit, so the search begins at once.
    let (times, damage) = read(&file(&[&tag(1), &bomb, &tag(3)]));
    assert_eq!(times, [1, 3]);
    assert_eq!(kinds(&damage), [DamageKind::Garbage]);
    assert_eq!(damage[0].skipped, 115);
    // As the last: nothing more comes.
    let (times, damage) = read(&file(&[&tag(1), &bomb]));
    assert_eq!(times, [1]);
    assert_eq!(kinds(&damage), [DamageKind::Garbage]);
}

#[test]
fn a_length_within_the_limit_swallows_nothing() {
    let mut long = tag(2).to_vec();
    long[1..4].copy_from_slice(&[0, 0x01, 0x20]); // 288 instead of 100
    let many: Vec<_> = (3..10).map(tag).collect();
    let mut parts: Vec<&[u8]> = vec![&long];
    parts.extend(many.iter().map(AsRef::as_ref));
    let (times, damage) = read(&file(&parts));
    assert_eq!(times, [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(kinds(&damage), [DamageKind::Garbage]);
    // So long that the input ends inside it.
    long[1..4].copy_from_slice(&[0x0F, 0, 0]);
    let mut parts: Vec<&[u8]> = vec![&long];
    parts.extend(many.iter().map(AsRef::as_ref));
    let (times, damage) = read(&file(&parts));
    assert_eq!(times, [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(kinds(&damage), [DamageKind::Truncated]);
}

#[test]
fn wrong_previous_tag_sizes_cost_nothing() {
    let wrong = |n, size: u32| {
        let mut bytes = tag(n).to_vec();
        bytes[111..].copy_from_slice(&size.to_be_bytes());
        bytes
    };
    let (a, b, c) = (wrong(1, 0), wrong(2, 100), wrong(3, u32::MAX));
    let (times, damage) = read(&file(&[&a, &b, &c, &tag(4)]));
    assert_eq!(times, [1, 2, 3, 4]);
    assert_eq!(kinds(&damage), [DamageKind::PreviousTagSize; 3]);
}

#[test]
fn data_offset_is_not_trusted() {
    for (offset, extra, want) in [
        (9, 0, vec![]),
        (20, 11, vec![]),
        (0, 0, vec![DamageKind::DataOffset]),
        (8, 0, vec![DamageKind::DataOffset]),
        (u32::MAX, 0, vec![DamageKind::DataOffset]),
        (0x1_0010, 0, vec![DamageKind::DataOffset]),
    ] {
        let mut bytes = b"FLV\x01\x05".to_vec();
        bytes.put_u32(offset);
        bytes.resize(9 + extra, 0xEE);
        bytes.put_u32(0);
        bytes.extend_from_slice(&tag(1));
        let (times, damage) = read(&bytes);
        assert_eq!(times, [1], "{offset}");
        assert_eq!(kinds(&damage), want, "{offset}");
    }
    // The first size may be missing.
    let (times, damage) = read(&[b"FLV\x01\x05\0\0\0\x09", &tag(1)[..]].concat());
    assert_eq!((times, damage), (vec![1], vec![]));
}

#[test]
fn garbage_between_tags_is_passed_over() {
    for len in [1, 4, 15, 16, 300, 5_000] {
        let noise: Vec<u8> = (0..len).map(|n| (n * 7 + 1) as u8 | 0x40).collect();
        let (times, damage) = read(&file(&[&tag(1), &noise, &tag(2)]));
        assert_eq!(times, [1, 2], "{len}");
        assert_eq!(kinds(&damage), [DamageKind::Garbage]);
        assert_eq!((damage[0].offset, damage[0].skipped), (13 + 115, len));
    }
}

#[test]
fn joins_in_the_middle() {
    let bytes = file(&[&tag(1), &tag(2), &tag(3)]);
    let (times, damage) = read(&bytes[60..]);
    assert_eq!(times, [2, 3]);
    assert_eq!(kinds(&damage), [DamageKind::NoHeader]);
    // Right at a tag: nothing is passed over.
    let (times, damage) = read(&bytes[13..]);
    assert_eq!(times, [1, 2, 3]);
    assert_eq!(damage[0].skipped, 0);
}

#[test]
fn every_truncation_keeps_the_tags_before_it() {
    let bytes = file(&[&tag(1), &tag(2), &tag(3)]);
    for end in 13..bytes.len() {
        let whole = (end - 13 + 4) / 115; // a tag counts without the size that follows it
        let (times, damage) = read(&bytes[..end]);
        assert_eq!(times.len(), whole, "cut at {end}");
        let clean = matches!((end - 13) % 115, 0 | 111..);
        assert_eq!(damage.is_empty(), clean, "cut at {end}: {damage:?}");
    }
}

#[test]
fn unknown_and_encrypted_tags_are_passed_over() {
    let mut unknown = tag(2).to_vec();
    unknown[0] = 14;
    let mut encrypted = tag(3).to_vec();
    encrypted[0] |= 0x20;
    let (times, damage) = read(&file(&[&tag(1), &unknown, &encrypted, &tag(4)]));
    assert_eq!(times, [1, 4]);
    assert_eq!(kinds(&damage), [DamageKind::UnknownTag; 2]);
}

#[test]
fn joined_files_are_one_stream() {
    let one = file(&[&tag(1), &tag(2)]);
    let events = sample::read(&[&one[..], &one[..]].concat(), 1_000);
    let headers = events
        .iter()
        .filter(|e| matches!(e, FileEvent::Header { .. }))
        .count();
    assert_eq!((headers, events.len()), (2, 6));
}

#[test]
fn other_files_are_refused() {
    let page = b"<!DOCTYPE html><html><body>404 not found</body></html>".repeat(10_000);
    for bytes in [&page[..], &page[..40], b"", b"FL", b"FLV", &[0; 600_000]] {
        for piece in [7, 1_000, 1_000_000] {
            let mut reader = FileReader::new(&Limits::default());
            let mut result = Ok(());
            for part in bytes.chunks(piece) {
                reader.push(part);
                result = result.and(reader.next_event().map(|e| assert_eq!(e, None)));
            }
            reader.finish();
            result = result.and(reader.next_event().map(|e| assert_eq!(e, None)));
            assert!(matches!(result, Err(Error::NotFlv { .. })), "{result:?}");
        }
    }
}

#[test]
fn script_bombs_end_in_an_error_not_in_memory() {
    let mut demuxer = millstream_flv::Demuxer::new(&Limits::default());
    let mut events = millstream_flv::Events::new();
    let mut nest = b"\x02\0\x0aonMetaData".to_vec();
    nest.extend([0x03, 0, 1, b'a'].repeat(200_000));
    let mut count = b"\x02\0\x0aonMetaData\x08\xFF\xFF\xFF\xFF".to_vec();
    count.extend(b"\0\x01a\x05".repeat(300_000));
    for bomb in [nest, count] {
        let result = demuxer.push(TagKind::Script, 0, bomb.into(), &mut events);
        assert!(matches!(result, Err(Error::Amf(_))), "{result:?}");
        assert!(events.is_empty());
    }
}

#[test]
fn memory_is_bounded_by_one_tag() {
    // A tag of the greatest length, then nothing but more bytes of it.
    let mut reader = FileReader::new(&Limits::default());
    reader.push(&file_header(true, true));
    reader.push(&[9, 0x9F, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x17]);
    let mut most = 0;
    for _ in 0..400 {
        reader.push(&[0; 64 * 1024]);
        while let Ok(Some(_)) = reader.next_event() {}
        most = most.max(reader.buffered());
    }
    assert!(most < 11 * 1024 * 1024, "{most}");
}
