//! Tables: programs and streams that come, go and change, and those that lie.

use core_frame::bytes::{Bytes, BytesMut};
use core_frame::{CodecId, Limits, MediaFrame, TrackId, TrackInfo, TrackTable};
use millstream_mpegts::{Demuxer, Event, Events, MuxOptions, Muxer, Programs, StreamKind};

use crate::sample::{Media, demux, demux_in};

fn aac(id: u16) -> TrackInfo {
    let mut info = TrackInfo::new(TrackId(id), CodecId::Aac);
    info.config = Bytes::from_static(&[0x11, 0x90]);
    info
}

fn sound(id: u16, n: i64) -> MediaFrame {
    let mut frame = MediaFrame::new_audio(n * 21, Bytes::from(vec![n as u8; 40]), CodecId::Aac);
    frame.track = TrackId(id);
    frame
}

/// A section on `pid`, filled up.
fn section(pid: u16, counter: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = body.to_vec();
    whole.extend(libmpegts::utils::crc32b(body).to_be_bytes());
    let mut out = Vec::new();
    let mut counter = counter;
    let mut rest = &[&[0][..], &whole].concat()[..];
    let mut first = 0x40;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(184));
        out.extend([
            0x47,
            first | (pid >> 8) as u8,
            pid as u8,
            0x10 | counter & 15,
        ]);
        out.extend(now);
        out.resize(out.len().next_multiple_of(188), 0xFF);
        (rest, first, counter) = (later, 0, counter + 1);
    }
    out
}

fn association(counter: u8, programs: &[(u16, u16)]) -> Vec<u8> {
    let length = (programs.len() * 4 + 9) as u16;
    let mut body = vec![
        0,
        0xB0 | (length >> 8) as u8,
        length as u8,
        0,
        1,
        0xC1,
        0,
        0,
    ];
    for (number, pid) in programs {
        body.extend(number.to_be_bytes());
        body.extend((0xE000 | pid).to_be_bytes());
    }
    section(0, counter, &body)
}

fn map(pid: u16, counter: u8, program: u16, version: u8, streams: &[(u8, u16)]) -> Vec<u8> {
    let length = (streams.len() * 5 + 13) as u16;
    let mut body = vec![2, 0xB0 | (length >> 8) as u8, length as u8];
    body.extend(program.to_be_bytes());
    body.extend([0xC1 | version << 1, 0, 0, 0xFF, 0xFF, 0xF0, 0]);
    for (kind, pid) in streams {
        body.push(*kind);
        body.extend((0xE000 | pid).to_be_bytes());
        body.extend([0xF0, 0]);
    }
    section(pid, counter, &body)
}

#[test]
fn tracks_come_and_go() {
    let mut muxer = Muxer::new(MuxOptions::default());
    let mut out = BytesMut::new();
    let mut n = 0;
    let tables = [vec![aac(2)], vec![aac(2), aac(7)], vec![aac(7)]];
    for tracks in tables {
        let ids: Vec<u16> = tracks.iter().map(|t| t.id.0).collect();
        let table = TrackTable::new(tracks);
        assert!(muxer.tracks(&table));
        assert!(!muxer.tracks(&table), "nothing changed");
        // A change counts when it was said twice.
        muxer.tables(&mut out);
        for _ in 0..10 {
            for id in &ids {
                assert_eq!(muxer.frame(&sound(*id, n), &mut out), Ok(true));
            }
            n += 1;
        }
    }
    let media = demux(&out);
    assert_eq!(media.damage, []);
    assert_eq!(media.frames.len(), 40);
    assert_eq!(media.programs.len(), 3);
    assert_eq!(media.ended, [TrackId::AUDIO]);
    // The second track has the number of its PID, and keeps it when the first is gone.
    let second = muxer.pid_of(TrackId(7)).unwrap();
    assert_eq!(media.of(TrackId(second)).len(), 20);
    assert_eq!(media.programs[2].streams.len(), 1);
}

#[test]
fn eight_thousand_programs() {
    let mut bytes = Vec::new();
    for part in 0..32_u16 {
        let programs: Vec<_> = (0..250)
            .map(|n| (part * 250 + n + 1, 0x20 + part * 250 + n))
            .collect();
        let mut sections = association(part as u8 * 6, &programs);
        // Section numbers, and the checksum that goes with them.
        sections[5 + 6] = part as u8;
        sections[5 + 7] = 31;
        let mut body: Vec<u8> = sections.chunks(188).flat_map(|p| p[4..].to_vec()).collect();
        body.remove(0);
        body.truncate(8 + 1_000);
        bytes.extend(section(0, part as u8 * 6, &body));
    }
    let mut demuxer = Demuxer::with_programs(&Limits::default(), Programs::All);
    let mut events = Events::new();
    demuxer.push(&bytes, &mut events);
    assert!(events.is_empty(), "{events:?}");
    for n in 0..16 {
        demuxer.push(
            &map(0x20 + n, 0, n + 1, 0, &[(0x1B, 0x1F00 + n)]),
            &mut events,
        );
    }
    let programs = events
        .drain()
        .filter(|e| matches!(e, Event::Program(_)))
        .count();
    assert_eq!(programs, 16);
    demuxer.push(&map(0x20 + 16, 0, 17, 0, &[(0x1B, 0x1F20)]), &mut events);
    assert!(events.is_empty());
}

#[test]
fn a_map_that_changes_with_every_packet() {
    let mut bytes = association(0, &[(1, 0x100)]);
    bytes.extend(map(0x100, 0, 1, 0, &[(0x0F, 0x200)]));
    for n in 1..100_u8 {
        bytes.extend(map(0x100, n, 1, n & 31, &[(0x0F, 0x200 + u16::from(n))]));
    }
    let media = demux(&bytes);
    assert_eq!(media.programs.len(), 1, "no map came twice");
    assert_eq!(media.programs[0].streams[0].pid, 0x200);
    // Twice the same is a change.
    for counter in 4..6 {
        bytes.extend(map(0x100, counter, 1, 9, &[(0x1B, 0x300)]));
    }
    let media = demux(&bytes);
    assert_eq!(media.programs.len(), 2);
    assert_eq!(media.programs[1].streams[0].pid, 0x300);
}

#[test]
fn pids_that_collide() {
    // A map on the association's PID, on a stream's, and streams on tables' PIDs.
    let mut bytes = association(0, &[(1, 0), (2, 0x100), (3, 0x1FFF)]);
    bytes.extend(map(
        0x100,
        0,
        2,
        0,
        &[
            (0x0F, 0x100),
            (0x0F, 0),
            (0x1B, 0x1FFF),
            (0x0F, 0x101),
            (0x1B, 0x101),
        ],
    ));
    let media = demux_in(&bytes, 188, Programs::All);
    assert_eq!(media.programs.len(), 1);
    let pids: Vec<_> = media.programs[0].streams.iter().map(|s| s.pid).collect();
    assert_eq!(pids, [0x101]);
}

#[test]
fn maps_without_media_and_without_end() {
    // The first program has nothing to show; the second is taken after a while.
    let mut bytes = association(0, &[(1, 0x100), (2, 0x101)]);
    for n in 0..6 {
        bytes.extend(map(0x100, n, 1, 0, &[(0x05, 0x200)]));
        bytes.extend(map(0x101, n, 2, 0, &[(0x0F, 0x201)]));
    }
    let media = demux(&bytes);
    assert!(
        media
            .programs
            .iter()
            .any(|p| p.number == 2 || p.streams[0].kind == StreamKind::Unknown)
    );
    // A section that says 4095 bytes, cut off after two packets.
    let mut endless = association(0, &[(1, 0x100)]);
    endless[6] |= 0x0F;
    endless[7] = 0xFF;
    let mut bytes = endless.clone();
    bytes.extend(association(1, &[(1, 0x100)]));
    bytes.extend(map(0x100, 0, 1, 0, &[(0x0F, 0x200)]));
    assert_eq!(demux(&bytes).programs.len(), 1);
    // More streams than a program has.
    let many: Vec<_> = (0..150).map(|n| (0x0F, 0x200 + n)).collect();
    let bytes = [association(0, &[(1, 0x100)]), map(0x100, 0, 1, 0, &many)].concat();
    assert_eq!(demux(&bytes).programs[0].streams.len(), 64);
}

#[test]
fn a_broken_checksum_changes_nothing() {
    let mut bytes = association(0, &[(1, 0x100)]);
    let mut broken = map(0x100, 0, 1, 0, &[(0x0F, 0x200)]);
    broken[20] ^= 1;
    bytes.extend(broken);
    bytes.extend(map(0x100, 1, 1, 0, &[(0x0F, 0x201)]));
    let media = demux(&bytes);
    assert_eq!(media.programs[0].streams[0].pid, 0x201);
    assert_eq!(media.damage.len(), 1);
}

#[test]
fn null_packets_scrambling_and_repeats() {
    let mut muxer = Muxer::new(MuxOptions::default());
    muxer.tracks(&TrackTable::new([aac(2)]));
    let mut out = BytesMut::new();
    for n in 0..20 {
        muxer.frame(&sound(2, n), &mut out).unwrap();
    }
    let null = [&[0x47, 0x1F, 0xFF, 0x10][..], &[0xFF; 184]].concat();
    // Twice as many null packets as others, each packet twice.
    let doubled: Vec<u8> = out
        .chunks(188)
        .flat_map(|p| [p.to_vec(), p.to_vec(), null.repeat(4)].concat())
        .collect();
    let media = demux(&doubled);
    assert_eq!((media.frames.len(), media.damage.len()), (20, 0));
    // Thrice is an error.
    let thrice: Vec<u8> = out.chunks(188).flat_map(|p| p.repeat(3)).collect();
    assert!(!demux(&thrice).damage.is_empty());
    // Scrambled from the sixth frame on.
    let mut scrambled = out.to_vec();
    let pid = muxer.pid_of(TrackId(2)).unwrap();
    let mut demuxer = Demuxer::new(&Limits::default());
    let (mut events, mut media) = (Events::new(), Media::default());
    let of = scrambled
        .chunks_mut(188)
        .filter(|p| u16::from_be_bytes([p[1] & 31, p[2]]) == pid);
    for packet in of.skip(6) {
        packet[3] |= 0x80;
    }
    demuxer.push(&scrambled, &mut events);
    demuxer.finish(&mut events);
    media.take(&mut events);
    assert_eq!((media.frames.len(), media.damage.len()), (6, 1));
    let stats = demuxer.stats().find(|s| s.pid == pid).unwrap();
    assert_eq!((stats.scrambled, stats.continuity_errors), (14, 0));
}

#[test]
fn endless_pes_packets_are_bounded() {
    let mut limits = Limits::default();
    limits.access_unit_bytes = 100_000;
    let mut bytes = association(0, &[(1, 0x100)]);
    bytes.extend(map(0x100, 0, 1, 0, &[(0x0F, 0x200), (0x1B, 0x201)]));
    let mut demuxer = Demuxer::new(&limits);
    let (mut events, mut media) = (Events::new(), Media::default());
    demuxer.push(&bytes, &mut events);
    for (pid, id) in [(0x200_u16, 0xC0), (0x201, 0xE0)] {
        for n in 0..2_000_u32 {
            let start = n == 0;
            let mut packet = vec![
                0x47,
                (pid >> 8) as u8 | u8::from(start) << 6,
                pid as u8,
                0x10 | (n & 15) as u8,
            ];
            if start {
                packet.extend([0, 0, 1, id, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1]);
            }
            packet.resize(188, 0xEE);
            demuxer.push(&packet, &mut events);
            media.take(&mut events);
        }
    }
    let kinds: Vec<_> = media.damage.iter().map(|d| d.kind.name()).collect();
    assert_eq!(kinds, ["limit", "limit"]);
}

#[test]
fn another_piece_is_announced_by_the_caller() {
    let piece = |id: u16| {
        let mut muxer = Muxer::new(MuxOptions::default());
        muxer.tracks(&TrackTable::new([aac(id), aac(id + 1)]));
        let mut out = BytesMut::new();
        for n in 0..3 {
            muxer.frame(&sound(id, n), &mut out).unwrap();
        }
        out
    };
    let mut demuxer = Demuxer::new(&Limits::default());
    let (mut events, mut media) = (Events::new(), Media::default());
    for id in [2, 40, 90] {
        demuxer.push(&piece(id), &mut events);
        demuxer.discontinuity(&mut events);
        media.take(&mut events);
    }
    assert_eq!((media.frames.len(), media.damage.len()), (9, 0));
}

/// A PES packet as transport packets.
fn pes(pid: u16, counter: &mut u8, times: Option<(u64, u64)>, payload: &[u8]) -> Vec<u8> {
    let stamp = |t: u64, prefix: u8| {
        [
            prefix << 4 | ((t >> 29) as u8 & 0x0E) | 1,
            (t >> 22) as u8,
            (t >> 14) as u8 | 1,
            (t >> 7) as u8,
            (t << 1) as u8 | 1,
        ]
    };
    let mut unit = vec![0, 0, 1, 0xE0, 0, 0, 0x80, 0, 0];
    if let Some((pts, dts)) = times {
        unit[7..9].copy_from_slice(&[0xC0, 10]);
        unit.extend(stamp(pts, 3));
        unit.extend(stamp(dts, 1));
    }
    unit.extend(payload);
    let mut out = Vec::new();
    for (n, part) in unit.chunks(184).enumerate() {
        let field = if part.len() < 184 { 0x20 } else { 0 };
        out.extend([
            0x47,
            (pid >> 8) as u8 | u8::from(n == 0) << 6,
            pid as u8,
            0x10 | field | *counter,
        ]);
        *counter = (*counter + 1) & 15;
        let stuffing = 184 - part.len();
        if stuffing > 0 {
            out.push(stuffing as u8 - 1);
            out.extend([0].iter().take(stuffing - 1));
            out.extend(std::iter::repeat_n(0xFF, stuffing.saturating_sub(2)));
        }
        out.extend(part);
    }
    out
}

#[test]
fn access_units_across_pes_packets() {
    use crate::sample::{USUAL, ffmpeg, read};
    // The byte stream of a file, cut every 3 000 bytes.
    let media = demux(&read(&ffmpeg("h264-aac", USUAL)));
    let info = media.table.video().unwrap();
    let record = bitstream::h264::AvcConfig::parse(&info.config).unwrap();
    let frames = media.of(TrackId::VIDEO);
    let (mut stream, mut starts) = (Vec::new(), Vec::new());
    for frame in &frames {
        starts.push((
            stream.len(),
            frame.pts.to_ticks(90_000) as u64,
            frame.dts.to_ticks(90_000) as u64,
        ));
        stream.extend([0, 0, 0, 1, 9, 0xF0]);
        if frame.is_keyframe() {
            for set in record.sps.iter().chain(&record.pps) {
                stream.extend([0, 0, 0, 1]);
                stream.extend(set);
            }
        }
        stream.extend(bitstream::nal::length_prefixed_to_annex_b(&frame.payload, 4).unwrap());
    }
    let mut bytes = [
        association(0, &[(1, 0x100)]),
        map(0x100, 0, 1, 0, &[(0x1B, 0x200)]),
    ]
    .concat();
    let mut counter = 0;
    for (n, part) in stream.chunks(3_000).enumerate() {
        let here = |s: &&(usize, u64, u64)| (n * 3_000..n * 3_000 + part.len()).contains(&s.0);
        let times = starts.iter().find(here).map(|s| (s.1, s.2));
        bytes.extend(pes(0x200, &mut counter, times, part));
    }
    let back = demux(&bytes);
    // What came before it was known that packets are cut anywhere is the price.
    assert_eq!(back.damage.len(), 2, "{:?}", back.damage);
    let facts = |f: &&MediaFrame| (f.payload.clone(), f.pts, f.dts);
    let got: Vec<_> = back.of(TrackId::VIDEO).iter().map(facts).collect();
    let want: Vec<_> = frames.iter().map(facts).collect();
    let pairs = got.iter().rev().zip(want.iter().rev());
    let same = pairs.take_while(|(g, w)| g.0 == w.0).count();
    assert!(same + 3 >= want.len(), "{same} of {}", want.len());
    // The first access unit that begins in a packet has the packet's times.
    let timed = got.iter().filter(|g| want.contains(g)).count();
    assert!(timed > 15, "{timed} of {}", want.len());
}
