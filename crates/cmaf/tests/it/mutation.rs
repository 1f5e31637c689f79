//! Broken files: whatever is flipped, cut or lied about, the reader answers with frames or an error, in bounded memory.

use core_frame::Limits;
use millstream_cmaf::read::{Event, Reader};

use crate::sample::{AUDIO, VIDEO, make};

/// Small and fast; the seed makes a failure repeatable.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).expect("below n")
    }
}

fn survive(bytes: &[u8]) -> (usize, usize) {
    let mut reader = Reader::new(&Limits::default());
    reader.push(bytes);
    let (mut frames, mut total) = (0, 0);
    while let Ok(Some(event)) = reader.next_event() {
        match event {
            Event::Frame(f) => {
                frames += 1;
                total += f.payload.len();
            }
            Event::Movie(movie) => {
                for table in movie.tracks.iter().filter_map(|t| t.samples.as_ref()) {
                    assert!(table.samples().take(100_000).count() <= table.len() as usize);
                }
            }
            _ => {}
        }
    }
    // Every frame is a slice of what was given: nothing is invented.
    assert!(reader.pending() <= bytes.len());
    (frames, total)
}

/// A file of some kilobytes: metadata and few samples, so that most mutations hit what is parsed.
fn seeds() -> Vec<Vec<u8>> {
    let flags = "+frag_keyframe+delay_moov+default_base_moof";
    [
        make(
            "seed-plain",
            Some(VIDEO[1].1),
            Some(AUDIO[0].1),
            "+faststart",
        ),
        make("seed-av", Some(VIDEO[1].1), Some(AUDIO[0].1), flags),
        make(
            "seed-hevc",
            Some(VIDEO[2].1),
            None,
            "+frag_every_frame+empty_moov",
        ),
        make(
            "seed-opus",
            None,
            Some(AUDIO[2].1),
            "+frag_keyframe+delay_moov+negative_cts_offsets",
        ),
        make("seed-mp3", None, Some(AUDIO[4].1), flags),
        make("seed-ac3", None, Some(AUDIO[5].1), flags),
        make("seed-eac3", None, Some(AUDIO[6].1), flags),
        make("seed-flac", None, Some(AUDIO[3].1), flags),
        Some(include_bytes!("data/one_frame.mp4").to_vec()),
    ]
    .into_iter()
    .flatten()
    .map(|mut bytes| {
        bytes.truncate(6_000);
        bytes
    })
    .collect()
}

#[test]
fn twenty_thousand_mutations() {
    let seeds = seeds();
    let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len());
            match rng.below(4) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = rng.next() as u8,
                // A 32-bit field becomes something extreme.
                2 => {
                    let values = [
                        0u32,
                        1,
                        7,
                        8,
                        0x7FFF_FFFF,
                        0x8000_0000,
                        0xFFFF_FFFF,
                        0x2000_0000,
                    ];
                    let value = values[rng.below(values.len())].to_be_bytes();
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].copy_from_slice(&value[..end - at]);
                }
                _ => {
                    let end = (at + rng.below(64)).min(bytes.len());
                    bytes.drain(at..end);
                    if bytes.is_empty() {
                        bytes.push(0);
                    }
                }
            }
        }
        survive(&bytes);
    }
}

#[test]
fn truncated_at_every_length() {
    for bytes in seeds() {
        for end in 0..bytes.len() {
            survive(&bytes[..end]);
        }
    }
}

#[test]
fn known_bombs() {
    // A 64-bit size of 37 petabytes, in front of a well-formed name.
    let bomb = b"\x00\x00\x00\x01\x66\x74\x79\x70\x00\x84\xff\xff\xff\xff\x00\x84";
    assert_eq!(survive(bomb), (0, 0));
    for kind in [b"moov", b"moof"] {
        let mut big = vec![0, 0, 0, 1];
        big.extend_from_slice(kind);
        big.extend_from_slice(&(1u64 << 40).to_be_bytes());
        let mut reader = Reader::new(&Limits::default());
        reader.push(&big);
        assert!(reader.next_event().is_err(), "{kind:?}");
    }
    for size in [0u32, 4, 7] {
        let mut bytes = size.to_be_bytes().to_vec();
        bytes.extend_from_slice(b"moov");
        bytes.extend_from_slice(&[0; 64]);
        let mut reader = Reader::new(&Limits::default());
        reader.push(&bytes);
        assert!(reader.next_event().is_err(), "{size}");
    }
    // moov inside moov inside moov: nothing recurses.
    let mut nested = Vec::new();
    for _ in 0..1_000 {
        let len = u32::try_from(nested.len() + 8).expect("small");
        let mut outer = len.to_be_bytes().to_vec();
        outer.extend_from_slice(b"moov");
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    survive(&nested);
}

#[test]
fn a_run_of_half_a_billion_samples_is_refused() {
    let one = include_bytes!("data/one_frame.mp4");
    let at = one.windows(4).position(|w| w == b"trun").expect("a trun");
    for count in [1u32 << 29, 19_201, u32::MAX] {
        let mut bytes = one.to_vec();
        // No per-sample field: the count alone would make samples.
        bytes[at + 4..at + 8].copy_from_slice(&0x0100_0001u32.to_be_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&count.to_be_bytes());
        let mut reader = Reader::new(&Limits::default());
        reader.push(&bytes);
        let error = loop {
            match reader.next_event() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("must be refused"),
                Err(e) => break e,
            }
        };
        assert!(error.to_string().contains("19200"), "{error}");
    }
    // Timescale 0.
    let at = one.windows(4).position(|w| w == b"mdhd").expect("mdhd");
    let mut bytes = one.to_vec();
    bytes[at + 16..at + 20].fill(0);
    let mut reader = Reader::new(&Limits::default());
    reader.push(&bytes);
    assert!(reader.next_event().is_err());
}

#[test]
fn the_seed_is_what_the_writer_makes() {
    use core_frame::bytes::Bytes;
    use core_frame::{CodecId, MediaFrame, MediaTime, TrackId, TrackInfo};
    use millstream_cmaf::{ChunkWriter, InitSegment, TrackWriter};
    let mut info = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    info.config = Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
    let init = InitSegment::build(&[&info]).expect("builds");
    let mut writer = TrackWriter::new(&info, &init.tracks[0], MediaTime::ZERO);
    let frame = MediaFrame::new_video(
        0,
        0,
        Bytes::from_static(b"\0\0\0\x02\x65\x88"),
        CodecId::H264,
        true,
    );
    let chunk = ChunkWriter::new(&init.tracks[0]).chunk_of_one(writer.push_now(&frame));
    let mut bytes = init.bytes.to_vec();
    bytes.extend(chunk.slices.concat());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/one_frame.mp4");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &bytes).expect("written");
    }
    assert_eq!(std::fs::read(&path).expect("committed"), bytes);
    assert_eq!(survive(&bytes), (1, 6));
}
