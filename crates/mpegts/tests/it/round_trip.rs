//! Frames → transport stream → frames: what goes in comes out, byte for byte and tick for tick.

use core_frame::bytes::{Bytes, BytesMut};
use core_frame::{
    AudioInfo, CodecId, Epoch, FrameFlags, MediaFrame, MediaTime, TrackId, TrackInfo, TrackTable,
};
use millstream_mpegts::{MuxOptions, Muxer, Packet, Programs, StreamKind};

use crate::made_by_others::register_av1;
use crate::sample::{self, Media, USUAL, demux, demux_in, ffmpeg, mux};

/// Payloads, marks, and times on a clock of 90 kHz that counts from the first frame.
fn facts(media: &Media) -> Vec<(TrackId, Bytes, i64, i64, FrameFlags)> {
    let origin = media.frames.iter().map(|f| f.dts).min().unwrap_or_default();
    let tick = |t: MediaTime| (t - origin).to_ticks(90_000);
    let mut all: Vec<_> = media
        .frames
        .iter()
        .map(|f| {
            (
                f.track,
                f.payload.clone(),
                tick(f.pts),
                tick(f.dts),
                f.flags,
            )
        })
        .collect();
    all.sort_by_key(|f| f.0);
    all
}

#[test]
fn every_codec_comes_back() {
    let h26x = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25";
    let sources = [
        ("h264-aac", USUAL.to_owned()),
        ("h265-ac3", format!("{h26x} -c:a ac3")),
        (
            "mpeg2-mp2",
            "-c:v mpeg2video -bf 2 -g 12 -c:a mp2".to_owned(),
        ),
        ("h264-eac3", format!("{USUAL} -c:a eac3")),
        ("h264-opus", format!("{USUAL} -c:a libopus")),
        ("h264-mp3", format!("{USUAL} -c:a libmp3lame")),
        ("h264-mp3-low", format!("{USUAL} -c:a libmp3lame -ar 22050")),
        (
            "h264-nodelimiter",
            format!("{USUAL} -bsf:v h264_metadata=aud=remove"),
        ),
        (
            "h264-slices",
            format!("{USUAL} -x264-params slices=4:aud=1"),
        ),
        (
            "h264-interlaced",
            format!("{USUAL} -flags +ildct+ilme -x264-params tff=1"),
        ),
        ("h265-opus51", format!("{h26x} -c:a libopus -ac 6")),
    ];
    for (name, options) in sources {
        let media = demux(&sample::read(&ffmpeg(name, &options)));
        assert_eq!(media.damage, [], "{name}");
        let back = demux(&mux(&media, MuxOptions::default()));
        assert_eq!(back.damage, [], "{name}");
        let mut want = facts(&media);
        let mut got = facts(&back);
        for (w, g) in want.iter_mut().zip(&mut got) {
            // Times between ticks are rounded once.
            if (w.2 - g.2).abs() <= 1 {
                (w.2, w.3) = (g.2, g.3);
            }
        }
        assert_eq!(got.len(), want.len(), "{name}");
        for (n, (g, w)) in got.iter().zip(&want).enumerate() {
            assert_eq!(g, w, "{name}: frame {n}");
        }
        for (ours, theirs) in back.table.tracks.iter().zip(&media.table.tracks) {
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

#[test]
fn av1_comes_back() {
    let mut bytes = sample::read(&ffmpeg("av1", "-an -c:v libaom-av1 -cpu-used 8 -g 25"));
    register_av1(&mut bytes);
    let media = demux(&bytes);
    assert_eq!(media.frames.len(), 50);
    let ours = mux(&media, MuxOptions::default());
    let back = demux(&ours);
    assert_eq!(back.damage, []);
    assert_eq!(facts(&back), facts(&media));
    assert_eq!(back.table.tracks, media.table.tracks);
}

fn track(id: u16, codec: CodecId) -> TrackInfo {
    TrackInfo::new(TrackId(id), codec)
}

fn frame(id: u16, codec: CodecId, ms: i64, payload: &[u8]) -> MediaFrame {
    let time = MediaTime::from_millis(ms);
    MediaFrame::new(TrackId(id), codec, time, Bytes::copy_from_slice(payload))
        .with_flags(FrameFlags::KEY)
}

/// A table of `tracks` and `frames`, muxed and demuxed.
fn through(tracks: Vec<TrackInfo>, frames: &[MediaFrame]) -> Media {
    let mut muxer = Muxer::new(MuxOptions::default());
    assert!(muxer.tracks(&TrackTable::new(tracks)));
    let mut out = BytesMut::new();
    for frame in frames {
        assert_eq!(muxer.frame(frame, &mut out), Ok(true));
    }
    let media = demux(&out);
    assert_eq!(media.damage, []);
    media
}

fn splice() -> Vec<u8> {
    // splice_null (SCTE 35 §9.7.1), with its checksum.
    let mut section = vec![
        0xFC, 0x30, 0x11, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xF0, 0, 0, 0, 0,
    ];
    section.truncate(16);
    let crc = libmpegts::utils::crc32b(&section);
    section.extend(crc.to_be_bytes());
    section
}

#[test]
fn timed_data_comes_back() {
    let mut aac = track(2, CodecId::Aac);
    aac.config = Bytes::from_static(&[0x11, 0x90]);
    aac.language = Some("de".to_owned());
    let klv = [&[0x06, 0x0E, 0x2B, 0x34][..], &[7; 300]].concat();
    let id3 = b"ID3\x04\0\0\0\0\0\x0ATXXX\0\0\0\0\0\0".to_vec();
    let tracks = vec![
        aac,
        track(3, CodecId::Scte35),
        track(4, CodecId::Klv),
        track(5, CodecId::Id3),
    ];
    let frames = [
        frame(2, CodecId::Aac, 0, &[1, 2, 3]),
        frame(3, CodecId::Scte35, 1, &splice()),
        frame(4, CodecId::Klv, 2, &klv),
        frame(5, CodecId::Id3, 3, &id3),
        frame(2, CodecId::Aac, 21, &[4, 5, 6]),
    ];
    let media = through(tracks, &frames);
    let payloads: Vec<_> = media.frames.iter().map(|f| (f.codec, &f.payload)).collect();
    let want: Vec<_> = frames.iter().map(|f| (f.codec, &f.payload)).collect();
    assert_eq!(payloads.len(), want.len());
    for pair in want {
        assert!(payloads.contains(&pair), "{pair:?}");
    }
    let kinds: Vec<_> = media.programs[0].streams.iter().map(|s| s.kind).collect();
    assert_eq!(
        kinds,
        [
            StreamKind::AacAdts,
            StreamKind::Scte35,
            StreamKind::KlvSync,
            StreamKind::Id3
        ]
    );
    let sound = media.table.audio().unwrap();
    assert_eq!(sound.language.as_deref(), Some("de"));
    // Data has the times it was given, one second on.
    let klv = media
        .frames
        .iter()
        .find(|f| f.codec == CodecId::Klv)
        .unwrap();
    assert_eq!(klv.dts, MediaTime::from_millis(1_002));
}

#[test]
fn own_parameter_sets_come_back() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let info = media.table.video().unwrap();
    let key = media
        .frames
        .iter()
        .find(|f| f.kind() == core_frame::MediaKind::Video)
        .unwrap();
    let record = bitstream::h264::AvcConfig::parse(&info.config).unwrap();
    let (sps, pps) = (record.sps[0].clone(), record.pps[0].clone());
    let slice: Vec<Bytes> = bitstream::nal::length_prefixed(&key.payload, 4)
        .map(|u| Bytes::copy_from_slice(u.unwrap()))
        .collect();
    let delimiter = Bytes::from_static(&[9, 0xF0]);
    let other = Bytes::from_static(&[9, 0x10]);
    let sei = Bytes::from_static(&[6, 5, 1, 0, 0x80]);
    let forms: Vec<Vec<Bytes>> = vec![
        vec![],
        vec![sps.clone(), pps.clone()],
        vec![sps.clone()],
        vec![pps.clone(), sps.clone()],
        vec![sps.clone(), pps.clone(), sps.clone(), pps.clone()],
        vec![sei.clone(), sps.clone(), pps.clone()],
        vec![other.clone()],
        vec![other, sps.clone(), pps.clone()],
    ];
    for form in forms {
        let units = form.iter().chain(&slice).map(|u| &u[..]);
        let mut one = key.clone();
        one.payload = bitstream::nal::join(units);
        let table = TrackTable::new([TrackInfo::clone(info)]);
        let mut muxer = Muxer::new(MuxOptions::default());
        muxer.tracks(&table);
        let mut out = BytesMut::new();
        muxer.frame(&one, &mut out).unwrap();
        let back = demux(&out);
        assert_eq!(back.frames.len(), 1, "{form:?}");
        assert_eq!(back.frames[0].payload, one.payload, "{form:?}");
        assert_eq!(back.table.video().unwrap().config, info.config);
    }
    // The plain delimiter is the container's.
    let mut one = key.clone();
    one.payload = bitstream::nal::join(std::iter::once(&delimiter).chain(&slice).map(|u| &u[..]));
    let back = through(vec![TrackInfo::clone(info)], &[one]);
    assert_eq!(back.frames[0].payload, key.payload);
}

#[test]
fn what_has_no_place_is_left_out() {
    let mut muxer = Muxer::new(MuxOptions::default());
    let mut aac = track(2, CodecId::Aac);
    aac.config = Bytes::from_static(&[0x11, 0x90]);
    aac.audio = Some(AudioInfo::default());
    assert!(muxer.tracks(&TrackTable::new([
        aac,
        track(1, CodecId::Vp8),
        track(9, CodecId::Flac)
    ])));
    let mut out = BytesMut::new();
    assert_eq!(
        muxer.frame(&frame(1, CodecId::Vp8, 0, &[1]), &mut out),
        Ok(false)
    );
    assert_eq!(out.len(), 0);
    let broken = frame(2, CodecId::Aac, 0, &[0; 9_000]);
    assert!(muxer.frame(&broken, &mut out).is_err());
    assert_eq!(out.len(), 0);
    assert_eq!(
        muxer.frame(&frame(2, CodecId::Aac, 0, &[1]), &mut out),
        Ok(true)
    );
    assert_eq!(demux(&out).frames.len(), 1);
}

#[test]
fn epochs_and_restarts_are_announced() {
    let mut aac = track(2, CodecId::Aac);
    aac.config = Bytes::from_static(&[0x11, 0x90]);
    let table = TrackTable::new([aac]);
    let mut muxer = Muxer::new(MuxOptions::default());
    muxer.tracks(&table);
    let mut out = BytesMut::new();
    for n in 0..20 {
        let mut one = frame(2, CodecId::Aac, n * 21, &[n as u8; 50]);
        if n >= 10 {
            one.epoch = Epoch(1);
            one.pts += MediaTime::from_secs(500);
            one.dts = one.pts;
        }
        muxer.frame(&one, &mut out).unwrap();
    }
    let continuity = muxer.continuity();
    let mut other = Muxer::resume(MuxOptions::default(), continuity);
    other.tracks(&table);
    for n in 0..5 {
        other
            .frame(&frame(2, CodecId::Aac, n * 21, &[0xAA; 50]), &mut out)
            .unwrap();
    }
    let jumps: Vec<usize> = out
        .chunks(188)
        .enumerate()
        .filter(|(_, p)| {
            Packet::parse((*p).try_into().unwrap())
                .unwrap()
                .adaptation
                .discontinuity
        })
        .map(|(n, _)| n)
        .collect();
    assert_eq!(jumps.len(), 2, "{jumps:?}");
    let media = demux(&out);
    assert_eq!((media.damage, media.frames.len()), (vec![], 25));
}

#[test]
fn a_constant_rate_is_constant() {
    let media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    let mut options = MuxOptions::default();
    let bitrate = 1_500_000;
    options.bitrate_bps = Some(bitrate);
    let ours = mux(&media, options);
    let back = demux_in(&ours, 1_000, Programs::First);
    assert_eq!(back.damage, []);
    assert_eq!(back.frames.len(), media.frames.len());
    // Every clock reference stands where the rate says, and none is more than 40 ms from the last.
    let mut clocks = Vec::new();
    for (n, packet) in ours.chunks(188).enumerate() {
        let packet = Packet::parse(packet.try_into().unwrap()).unwrap();
        if let Some(pcr) = packet.adaptation.pcr {
            clocks.push((n as u64 * 188, pcr));
        }
    }
    assert!(clocks.len() > 50);
    for pair in clocks.windows(2) {
        let ticks = pair[1].1 - pair[0].1;
        let bits = (pair[1].0 - pair[0].0) * 8;
        let want = bits * 27_000_000 / u64::from(bitrate);
        assert!(ticks.abs_diff(want) <= 1, "{ticks} instead of {want}");
        assert!(ticks <= 27_000 * 40, "{ticks}");
    }
    let seconds = 2.0;
    let rate = ours.len() as f64 * 8.0 / seconds;
    assert!((rate / f64::from(bitrate) - 1.0).abs() < 0.1, "{rate}");
}

#[test]
fn clocks_and_tables_come_in_time() {
    let mut media = demux(&sample::read(&ffmpeg("h264-aac", USUAL)));
    // In the order in which an engine hands them on.
    media.frames.sort_by_key(|f| f.dts);
    // Up to the last picture: nobody expects that none follows.
    let last = media.of(TrackId::VIDEO).last().unwrap().dts;
    media.frames.retain(|f| f.dts <= last);
    let ours = mux(&media, MuxOptions::default());
    let back = demux(&ours);
    let clocks: Vec<u64> = ours
        .chunks(188)
        .filter_map(|p| Packet::parse(p.try_into().unwrap()).unwrap().adaptation.pcr)
        .collect();
    assert!(
        clocks
            .windows(2)
            .all(|w| w[0] < w[1] && w[1] - w[0] <= 27_000 * 40),
        "{clocks:?}"
    );
    assert_eq!(back.clocks, clocks.len());
    let tables = ours
        .chunks(188)
        .filter(|p| p[1] & 0x1F == 0 && p[2] == 0)
        .count();
    assert!((20..=26).contains(&tables), "{tables} in two seconds");
    // No decode time lies before the clock.
    let first = back.frames.iter().map(|f| f.dts).min().unwrap();
    assert!(first.to_ticks(27_000_000) >= clocks[0] as i64);
}
