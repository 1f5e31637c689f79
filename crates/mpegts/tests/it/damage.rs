//! Damaged files: only the frames that were damaged are lost, each loss is told, and everything else comes out as it was.

use std::collections::{BTreeSet, HashMap};

use core_frame::FrameFlags;
use core_frame::bytes::Bytes;
use millstream_mpegts::{
    DamageKind, MuxOptions, Packet, PesHeader, PesStart, Programs, read_header,
};

use crate::sample::{self, Media, Random, USUAL, demux, demux_in, ffmpeg, mux};

/// A file, the PES packets that its transport packets belong to, and the frames of these.
struct Whole {
    bytes: Vec<u8>,
    media: Media,
    /// For each packet its PID and the number of its PES packet among those of the PID.
    owners: Vec<(u16, usize)>,
    /// Payloads of frames by PID and number of the PES packet.
    frames: HashMap<(u16, usize), Vec<Bytes>>,
}

impl Whole {
    fn new(bytes: Vec<u8>) -> Self {
        let media = demux(&bytes);
        assert_eq!(media.damage, []);
        let mut headers: HashMap<u16, Vec<PesHeader>> = HashMap::new();
        let mut owners = Vec::new();
        for packet in bytes.chunks(188) {
            let packet = Packet::parse(packet.try_into().unwrap()).unwrap();
            let of = headers.entry(packet.pid).or_default();
            if packet.starts
                && let PesStart::Header(header) = read_header(packet.payload)
            {
                of.push(header);
            }
            owners.push((packet.pid, of.len()));
        }
        let mut frames: HashMap<_, Vec<Bytes>> = HashMap::new();
        for stream in &media.programs[0].streams {
            let starts = &headers[&stream.pid];
            for frame in media.of(stream.track.unwrap()) {
                let ticks = frame.dts.to_ticks(90_000) as u64;
                let at = |h: &PesHeader| h.dts.or(h.pts).unwrap();
                let pes = starts.iter().filter(|h| at(h) <= ticks + 1).count();
                frames
                    .entry((stream.pid, pes))
                    .or_default()
                    .push(frame.payload.clone());
            }
        }
        Self {
            bytes,
            media,
            owners,
            frames,
        }
    }

    /// The PES packets that damage to packet `n` may touch: its own and, where its end is not told, the one before.
    fn touched(&self, n: usize, all: bool, into: &mut BTreeSet<(u16, usize)>) {
        let (pid, _) = self.owners[n];
        for (p, _) in &self.owners {
            if !all && *p != pid {
                continue;
            }
            let before = self.owners[..n].iter().rev().find(|(o, _)| o == p);
            let after = self.owners[n..].iter().find(|(o, _)| o == p);
            into.extend(before.into_iter().chain(after));
        }
    }
}

/// Damages a copy and says which PES packets may have suffered.
fn damage(whole: &Whole, seed: u64) -> (Vec<u8>, BTreeSet<(u16, usize)>) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ ((seed + 1) * 0x1234_5677));
    let mut packets: Vec<Vec<u8>> = whole.bytes.chunks(188).map(<[u8]>::to_vec).collect();
    let mut touched = BTreeSet::new();
    // Spared are the first tables and the first key frame, without which nothing is a frame, and the last PES packets,
    // behind which nothing shows a gap.
    let video = whole.media.programs[0].streams[0].pid;
    let first = whole.owners.iter().position(|o| *o == (video, 3)).unwrap();
    let begins = |pid: u16| {
        let of = |o: &&(u16, usize)| o.0 == pid;
        let last = whole.owners.iter().rfind(of).unwrap();
        whole.owners.iter().position(|o| o == last).unwrap()
    };
    let streams = &whole.media.programs[0].streams;
    let end = streams.iter().map(|s| begins(s.pid)).min().unwrap() - 6;
    let pick = |random: &mut Random| first + random.below(end - first);
    match seed % 4 {
        0 => {
            for _ in 0..=random.below(6) {
                let (n, bit) = (pick(&mut random), random.below(188 * 8));
                packets[n][bit / 8] ^= 1 << (bit % 8);
                // A wrong PID, or a wrong kind of packet, may hit any stream.
                whole.touched(n, bit / 8 < 6, &mut touched);
            }
        }
        1 => {
            let (n, at) = (pick(&mut random), random.below(188));
            let from = n * 188 + at;
            let length = 1 + random.below(800);
            let to = (from + length).min(whole.bytes.len());
            for n in n.saturating_sub(1)..=(to / 188 + 1).min(packets.len() - 1) {
                whole.touched(n, false, &mut touched);
            }
            let mut bytes = whole.bytes.clone();
            bytes.drain(from..to);
            return (bytes, touched);
        }
        2 => {
            let n = pick(&mut random);
            for n in n..(n + 1 + random.below(4)).min(packets.len() - 1) {
                packets[n].clear();
                whole.touched(n, false, &mut touched);
            }
        }
        _ => {
            for _ in 0..=random.below(3) {
                let n = pick(&mut random);
                packets.swap(n, n + 1);
                for n in [n, n + 1] {
                    whole.touched(n, false, &mut touched);
                }
            }
        }
    }
    (packets.concat(), touched)
}

fn check(whole: &Whole, seed: u64) -> (usize, usize) {
    let (bytes, touched) = damage(whole, seed);
    let media = demux(&bytes);
    let mut have: HashMap<&Bytes, usize> = HashMap::new();
    for frame in &media.frames {
        *have.entry(&frame.payload).or_default() += 1;
    }
    let mut lost = 0;
    for (pes, frames) in &whole.frames {
        for frame in frames {
            match have.get_mut(frame) {
                Some(n) if *n > 0 => *n -= 1,
                _ => {
                    assert!(
                        touched.contains(pes),
                        "seed {seed}: a frame of {pes:?} is lost, {touched:?} were damaged"
                    );
                    lost += 1;
                }
            }
        }
    }
    let altered: usize = have.values().sum();
    if lost > altered {
        assert!(
            !media.damage.is_empty(),
            "seed {seed}: {lost} lost, {altered} altered, nothing told"
        );
        // Whoever comes after says so.
        let gaps = media
            .frames
            .iter()
            .filter(|f| f.flags.contains(FrameFlags::AFTER_GAP));
        let last_ones = media
            .damage
            .iter()
            .any(|d| d.offset + 40_000 > bytes.len() as u64);
        assert!(gaps.count() > 0 || last_ones, "seed {seed}");
    }
    // The same, however it is split.
    if seed.is_multiple_of(10) {
        let again = demux_in(&bytes, 777, Programs::First);
        assert_eq!(again.frames, media.frames, "seed {seed}");
        assert_eq!(again.damage, media.damage, "seed {seed}");
    }
    (lost, media.damage.len())
}

#[test]
fn four_hundred_damaged_files() {
    let theirs = sample::read(&ffmpeg("h264-aac", USUAL));
    let ours = mux(&demux(&theirs), MuxOptions::default()).to_vec();
    for bytes in [theirs, ours] {
        let whole = Whole::new(bytes);
        let (mut lost, mut told) = (0, 0);
        for seed in 0..400 {
            let (l, t) = check(&whole, seed);
            lost += l;
            told += t;
        }
        println!(
            "{lost} frames lost in 400 files of {}, {told} damages told",
            whole.media.frames.len()
        );
        assert!(lost > 200 && told > 200);
    }
}

#[test]
fn a_lost_packet_costs_its_frame_alone() {
    let whole = Whole::new(sample::read(&ffmpeg("h264-aac", USUAL)));
    let video = whole.media.programs[0].streams[0].pid;
    // In the middle of the fifth picture.
    let at = whole.owners.iter().position(|o| *o == (video, 5)).unwrap() + 1;
    let mut bytes = whole.bytes.clone();
    bytes.drain(at * 188..(at + 1) * 188);
    let media = demux(&bytes);
    let kinds: Vec<_> = media.damage.iter().map(|d| d.kind).collect();
    assert_eq!(kinds, [DamageKind::Continuity, DamageKind::Pes]);
    assert_eq!(media.frames.len(), whole.media.frames.len() - 1);
    let marked: Vec<_> = media
        .frames
        .iter()
        .filter(|f| f.flags.contains(FrameFlags::AFTER_GAP))
        .collect();
    assert_eq!(marked.len(), 1);
    assert_eq!(marked[0].payload, whole.frames[&(video, 6)][0]);
}

#[test]
fn joins_in_the_middle() {
    let whole = Whole::new(sample::read(&ffmpeg("h264-aac", USUAL)));
    let half = whole.bytes.len() / 3 + 33;
    let media = demux(&whole.bytes[half..]);
    // From the next table on, sound; from the next key frame on, pictures.
    let first = media.of(core_frame::TrackId::VIDEO);
    assert!(first.first().is_some_and(|f| f.is_keyframe()));
    assert_eq!(first.len(), 25);
    assert!(media.damage.iter().all(|d| d.kind == DamageKind::Garbage));
}
