//! Sender's bytes never panic: seeded mutations of every sample.

use core_frame::Limits;
use millstream_mpegts::{Demuxer, Events, MuxOptions, PacketReader, Programs, read_header};

use crate::sample::{self, Random, USUAL, demux, ffmpeg, mux};

/// Flips a bit, sets a byte, cuts, repeats, removes or overwrites a stretch, near packet heads more often than not.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(6) {
        if bytes.is_empty() {
            break;
        }
        let mut at = random.below(bytes.len());
        if random.below(2) == 0 {
            at = (at / 188 * 188 + random.below(24)).min(bytes.len() - 1);
        }
        let end = (at + random.below(400)).min(bytes.len());
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => bytes[at] = [0, 0xFF, 0x7F, 0x80][random.below(4)],
            4 => drop(bytes.drain(at..end)),
            5 => {
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
            6 => bytes.truncate(end.max(188)),
            _ => bytes[at..end]
                .iter_mut()
                .for_each(|b| *b = random.next() as u8),
        }
    }
    bytes
}

#[test]
fn ten_thousand_mutations_do_not_panic() {
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25";
    let sources = [
        ffmpeg("h264-aac", USUAL),
        ffmpeg("h265-ac3", &format!("{h265} -c:a ac3")),
        ffmpeg("mpeg2-mp2", "-c:v mpeg2video -bf 2 -g 12 -c:a mp2"),
        ffmpeg("h264-opus", &format!("{USUAL} -c:a libopus")),
        ffmpeg("latm", "-vn -c:a aac -mpegts_flags latm"),
    ];
    let mut samples: Vec<Vec<u8>> = sources.iter().map(|p| sample::read(p)).collect();
    let mut av1 = sample::read(&ffmpeg("av1", "-an -c:v libaom-av1 -cpu-used 8 -g 25"));
    crate::made_by_others::register_av1(&mut av1);
    samples.push(mux(&demux(&av1), MuxOptions::default()).to_vec());
    samples.push(av1);
    for bytes in &mut samples {
        bytes.truncate(188 * 60);
    }
    let mut random = Random(0x5EED);
    let limits = Limits::default();
    let mut events = Events::new();
    for n in 0..10_000 {
        let bytes = mutate(&samples[n % samples.len()], &mut random);
        let programs = [Programs::First, Programs::All][n % 2];
        let mut demuxer = Demuxer::with_programs(&limits, programs);
        let mut held = 0;
        for part in bytes.chunks(1 + random.below(3_000)) {
            demuxer.push(part, &mut events);
            held += events.drain().count();
        }
        demuxer.finish(&mut events);
        held += events.drain().count();
        assert!(held < 2_000, "{held} events of {} bytes", bytes.len());
        let _ = read_header(&bytes[bytes.len().min(4)..]);
    }
}

#[test]
fn packet_readers_hand_out_no_byte_twice() {
    let bytes = sample::read(&ffmpeg("h264-aac", USUAL));
    let mut random = Random(0xB17E5);
    for _ in 0..500 {
        let bytes = mutate(&bytes[..188 * 80], &mut random);
        let mut reader = PacketReader::new();
        let (mut packets, mut skipped) = (0_u64, 0);
        let mut count = |found: millstream_mpegts::Found<'_>| match found {
            millstream_mpegts::Found::Packet { .. } => packets += 188,
            millstream_mpegts::Found::Garbage { skipped: n, .. }
            | millstream_mpegts::Found::Truncated { skipped: n, .. } => skipped += n,
            millstream_mpegts::Found::BadSync { .. } => skipped += 188,
            // The packet before it lent its end to the one after it.
            millstream_mpegts::Found::Cut { .. } => packets -= 0,
            _ => {}
        };
        for part in bytes.chunks(1 + random.below(2_000)) {
            reader.push(part, &mut count);
        }
        reader.finish(&mut count);
        assert_eq!(reader.buffered(), 0);
        assert!(
            packets + skipped >= bytes.len() as u64,
            "every byte is accounted for"
        );
        assert!(skipped <= bytes.len() as u64);
    }
}
