//! Peer bytes never panic: seeded mutations of every sample through reader and demuxer.

use bytes::Bytes;
use core_frame::Limits;
use millstream_flv::{Demuxer, Event, Events, FileReader, Layout, TagKind, amf0, amf3};

use crate::sample::{self, ALL};

/// A small generator (xorshift64*), so that a failure comes again with the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Flips a bit, sets a byte, writes an extreme length, cuts, repeats or removes a stretch.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let lengths = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, bytes.len() as u32];
                let value = lengths[random.below(lengths.len())].to_be_bytes();
                let width = 1 + random.below(4);
                for (slot, byte) in bytes[at..].iter_mut().zip(&value[4 - width..]) {
                    *slot = *byte;
                }
            }
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + random.below(64)).min(bytes.len());
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
            _ => {
                let end = (at + random.below(16)).min(bytes.len());
                for byte in &mut bytes[at..end] {
                    *byte = random.next() as u8;
                }
            }
        }
    }
    bytes
}

fn run_file(bytes: &[u8], piece: usize) {
    let limits = Limits::default();
    let mut reader = FileReader::new(&limits);
    let mut demuxer = Demuxer::new(&limits);
    let mut out = Events::new();
    let mut held = 0;
    let mut drain = |reader: &mut FileReader| {
        while let Ok(Some(event)) = reader.next_event() {
            if let millstream_flv::FileEvent::Tag {
                kind,
                timestamp_ms,
                body,
                ..
            } = event
            {
                held += body.len();
                let _ = demuxer.push(kind, timestamp_ms, body, &mut out);
                out.drain().for_each(drop);
            }
        }
    };
    for part in bytes.chunks(piece.max(1)) {
        reader.push(part);
        drain(&mut reader);
    }
    reader.finish();
    drain(&mut reader);
    assert!(held <= bytes.len(), "no byte is handed out twice");
    assert_eq!(reader.buffered(), 0, "nothing is left behind");
}

#[test]
fn mutated_files_do_not_panic() {
    let mut random = Random(0x5EED);
    for (_, bytes) in ALL {
        for _ in 0..1_000 {
            let mutated = mutate(bytes, &mut random);
            run_file(&mutated, 1 + random.below(5_000));
        }
    }
}

#[test]
fn mutated_bodies_do_not_panic() {
    let limits = Limits::default();
    let mut random = Random(0xB0D1E5);
    let mut runs = 0;
    for (_, bytes) in ALL {
        let tags = sample::tags(bytes);
        for _ in 0..40 {
            let mut demuxer = Demuxer::new(&limits);
            let mut out = Events::new();
            for (kind, time, body) in &tags {
                let body = match random.below(3) {
                    0 => body.clone(),
                    _ => Bytes::from(mutate(body, &mut random)),
                };
                let kind = match random.below(20) {
                    0 => TagKind::Script,
                    _ => *kind,
                };
                let _ = demuxer.push(kind, *time, body, &mut out);
                runs += 1;
                out.drain().for_each(drop);
            }
        }
    }
    assert!(runs > 10_000, "{runs}");
}

#[test]
fn cut_and_extreme_bodies_do_not_panic() {
    let limits = Limits::default();
    for (_, bytes) in ALL {
        let tags = sample::tags(bytes);
        for (kind, time, body) in tags.iter().take(12) {
            let mut demuxer = Demuxer::new(&limits);
            let mut out = Events::new();
            for end in 0..body.len() {
                let _ = demuxer.push(*kind, *time, body.slice(..end), &mut out);
                out.drain().for_each(drop);
            }
            for at in 0..body.len().min(64) {
                for value in [0, 1, 0x7F, 0x80, 0xFE, 0xFF] {
                    let mut bytes = body.to_vec();
                    bytes[at] = value;
                    let _ = demuxer.push(*kind, u32::MAX, Bytes::from(bytes), &mut out);
                    out.drain().for_each(drop);
                }
            }
        }
    }
}

#[test]
fn mutated_amf_does_not_panic() {
    let limits = Limits::default();
    let mut random = Random(0xA3F0);
    let seeds: Vec<Bytes> = ALL
        .iter()
        .filter_map(|(_, bytes)| Some(sample::tags(bytes).first()?.2.clone()))
        .collect();
    for _ in 0..2_000 {
        for seed in &seeds {
            let mutated = mutate(seed, &mut random);
            if let Ok(values) = amf0::read(&mutated, &limits) {
                let again = amf0::write(&values);
                let _ = amf0::read(&again, &limits);
            }
        }
    }
}

/// Every kind of AMF3 value, with references to strings, traits and objects.
const AMF3: &[u8] = b"\x09\x11\x07key\x06\x05hi\x01\
    \x0A\x23\x05Pt\x03x\x03y\x04\x81\x00\x06\x02\x0A\x01\x05\x3F\xF0\0\0\0\0\0\0\x08\x01\x42\x76\xE3\x60\0\0\0\0\
    \x0A\x0B\x01\x00\x0C\x07\0\x01\xFF\x01\x0D\x05\0\0\0\0\x01\0\0\0\x02\x0F\x03\0\x3F\xF0\0\0\0\0\0\0\
    \x11\x03\0\x06\x00\x0A\x02\x10\x03\0\x01\x0B\x09<a/>\
    \x0A\x07\x43flex.messaging.io.ArrayCollection\x09\x03\x01\x03";

#[test]
fn mutated_amf3_does_not_panic() {
    let limits = Limits::default();
    let values = amf3::read(AMF3, &limits).expect("a seed that is read");
    assert!(values.len() == 1, "{values:?}");
    let message = [b"\0\x02\0\x0AonMetaData\x11", AMF3].concat();
    let mut random = Random(0xA3F3);
    for _ in 0..10_000 {
        let mutated = mutate(AMF3, &mut random);
        let _ = amf3::read(&mutated, &limits);
        let mutated = mutate(&message, &mut random);
        let reader = amf0::Reader::of_amf3_message(&mutated, &limits);
        if let Ok(values) = reader.collect::<Result<Vec<_>, _>>() {
            let again = amf0::write(&values);
            let _ = amf0::read(&again, &limits);
        }
    }
}

#[test]
fn mutated_scripts_do_not_panic() {
    use amf0::Value;
    let cue = "/DAlAAAAAAAAAP/wFAVDE1agf+//yBysA/4APcxQAAAAAAAAXhEvvQ==";
    let fields = Value::object([
        ("splice_command_type", Value::from(5.0)),
        ("splice_event_id", 1_125_325_472.0.into()),
        ("pre_roll_time", 4_000.0.into()),
        ("break_duration", 30_000.0.into()),
    ]);
    let track = Value::object([("width", Value::from(640.0)), ("language", "de".into())]);
    let map = Value::object([("1", track)]);
    let seeds = [
        amf0::write(&[
            "onAdCue".into(),
            Value::object([("type", "scte35"), ("cue", cue)]),
        ]),
        amf0::write(&["onCuePoint".into(), Value::object([("parameters", fields)])]),
        amf0::write(&[
            "@setDataFrame".into(),
            "onMetaData".into(),
            Value::ecma_array([("videoTrackIdInfoMap", map), ("title", "News".into())]),
        ]),
    ];
    let limits = Limits::default();
    let plan = Layout::all_tracks().plan(&sample::demux(sample::named("ffmpeg9_multitrack")).table);
    let mut random = Random(0x5C7E);
    let mut sections = 0;
    for n in 0..10_000_u32 {
        let seed = &seeds[n as usize % seeds.len()];
        let mut demuxer = Demuxer::new(&limits);
        let mut out = Events::new();
        let body = Bytes::from(mutate(seed, &mut random));
        let _ = demuxer.push(TagKind::Script, random.next() as u32, body, &mut out);
        for event in out.drain() {
            match event {
                Event::Script(script) => {
                    let frame = script.frame(&limits);
                    let body = plan.body(&frame).expect("what was read can be written");
                    assert!(body.is_some());
                    sections += usize::from(frame.codec == core_frame::CodecId::Scte35);
                }
                Event::Metadata(metadata) => drop(metadata.tags()),
                _ => {}
            }
        }
    }
    assert!(sections > 100, "{sections}");
}
