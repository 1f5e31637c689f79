//! Enhanced RTMP bodies made by hand: what no sender at hand writes, and what none may.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, Limits, MediaTime, TrackId};
use millstream_flv::amf0::{self, Value};
use millstream_flv::tag::{Channels, FrameType, PacketKind, Tag, parse_audio, parse_video};
use millstream_flv::{Demuxer, Error, Event, Events, TagKind};

const HVC1: [u8; 4] = *b"hvc1";

fn bytes(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

fn video(parts: &[&[u8]]) -> Tag {
    parse_video(&bytes(parts)).expect("a body")
}

/// The codec configuration of the first video track of a sample.
fn config(name: &str) -> Bytes {
    let media = crate::sample::demux(crate::sample::named(name));
    media.table.video().expect("video").config.clone()
}

struct Sender {
    demuxer: Demuxer,
    events: Events,
}

impl Sender {
    fn new() -> Self {
        Self {
            demuxer: Demuxer::new(&Limits::default()),
            events: Events::new(),
        }
    }

    fn send(&mut self, kind: TagKind, time: u32, parts: &[&[u8]]) -> Result<Vec<Event>, Error> {
        let result = self
            .demuxer
            .push(kind, time, bytes(parts), &mut self.events);
        let events = self.events.drain().collect();
        result.map(|()| events)
    }
}

#[test]
fn composition_times_are_signed() {
    for (wire, want) in [
        ([0, 0, 0], 0),
        ([0, 0, 40], 40),
        ([0xFF, 0xFF, 0xFF], -1),
        ([0x80, 0, 0], -8_388_608),
        ([0x7F, 0xFF, 0xFF], 8_388_607),
    ] {
        let legacy = video(&[&[0x27, 1], &wire, b"x"]);
        let enhanced = video(&[&[0xA1], &HVC1, &wire, b"x"]);
        for tag in [legacy, enhanced] {
            assert_eq!(tag.frame_type, FrameType::Inter);
            let PacketKind::Frame { composition_ms } = tag.packets[0].kind else {
                panic!("{tag:?}");
            };
            assert_eq!(composition_ms, want);
            assert_eq!(tag.packets[0].payload, "x");
        }
    }
    // CodedFramesX has none, and neither has AV1.
    assert_eq!(video(&[&[0xA3], &HVC1, b"xyz"]).packets[0].payload, "xyz");
    assert_eq!(video(&[&[0xA1], b"av01", b"xyz"]).packets[0].payload, "xyz");
}

#[test]
fn modifiers_are_read_in_any_number_and_length() {
    let nano = |ns: u32| {
        let [_, a, b, c] = ns.to_be_bytes();
        [2, a, b, c]
    };
    let one = video(&[&[0x97], &nano(999_999), &[0x03], &HVC1, b"x"]);
    assert_eq!(
        (one.nanos, &one.packets[0].payload[..]),
        (999_999, &b"x"[..])
    );
    // An unknown modifier of 300 bytes (16-bit length), then a known one.
    let two = video(&[
        &[0x97, 255, 0x01, 0x2B],
        &[0xEE; 300],
        &[0x57],
        &nano(5),
        &[0x03],
        &HVC1,
        b"x",
    ]);
    assert_eq!((two.nanos, &two.packets[0].payload[..]), (5, &b"x"[..]));
    // More than a millisecond is held to what the field may say.
    assert_eq!(
        video(&[&[0x97], &nano(0xFF_FFFF), &[3], &HVC1]).nanos,
        999_999
    );
    let short = parse_video(&bytes(&[&[0x97, 1, 0, 0, 0x03], &HVC1, b"x"]));
    assert!(matches!(short, Err(Error::Invalid { .. })), "{short:?}");
    let cut = parse_video(&bytes(&[&[0x97, 255, 0xFF, 0xFF, 1, 2]]));
    assert!(matches!(cut, Err(Error::Truncated { .. })), "{cut:?}");
}

#[test]
fn nanoseconds_refine_presentation() {
    let mut sender = Sender::new();
    let avcc = config("ffmpeg5_h264_aac");
    sender
        .send(TagKind::Video, 0, &[&[0x90], b"avc1", &avcc])
        .unwrap();
    let nal = [0, 0, 0, 2, 0x41, 0x9A];
    let nanos = [2, 0, 0x03, 0xE8];
    let events = sender
        .send(
            TagKind::Video,
            40,
            &[&[0xA7], &nanos, &[0x01], b"avc1", &[0, 0, 20], &nal],
        )
        .unwrap();
    let [Event::Frame(frame)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(frame.dts, MediaTime::from_millis(40));
    assert_eq!(frame.pts, MediaTime::from_nanos(60_001_000));
    let asc = [0x12, 0x10];
    sender
        .send(TagKind::Audio, 0, &[&[0x90], b"mp4a", &asc])
        .unwrap();
    let events = sender
        .send(
            TagKind::Audio,
            7,
            &[&[0x97], &nanos, &[0x01], b"mp4a", b"aac"],
        )
        .unwrap();
    let [Event::Frame(frame)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(frame.dts, MediaTime::from_nanos(7_001_000));
    assert_eq!(frame.dts, frame.pts);
}

#[test]
fn many_tracks_in_one_body() {
    let sized = |n: u8, body: &[u8]| [&[n, 0, 0, body.len() as u8], body].concat();
    // ManyTracks of one codec.
    let tag = video(&[
        &[0x96, 0x13],
        &HVC1,
        &sized(0, b"aa"),
        &sized(7, b"b"),
        &sized(9, b""),
    ]);
    let seen: Vec<_> = tag
        .packets
        .iter()
        .map(|p| (p.track, p.codec, p.payload.clone()))
        .collect();
    assert_eq!(
        seen,
        [
            (0, CodecId::H265, "aa".into()),
            (7, CodecId::H265, "b".into()),
            (9, CodecId::H265, "".into())
        ]
    );
    // ManyTracksManyCodecs, with composition times inside the tracks.
    let tag = video(&[
        &[0x96, 0x21],
        &HVC1,
        &sized(1, &[0, 0, 40, b'x']),
        b"av01",
        &sized(2, b"yy"),
    ]);
    assert_eq!(
        tag.packets[0].kind,
        PacketKind::Frame { composition_ms: 40 }
    );
    assert_eq!(tag.packets[0].payload, "x");
    assert_eq!(
        (tag.packets[1].codec, &tag.packets[1].payload[..]),
        (CodecId::Av1, &b"yy"[..])
    );
    // OneTrack has no size.
    let tag = parse_audio(&bytes(&[&[0x95, 0x01], b"Opus", &[3], b"zz"])).unwrap();
    assert_eq!(
        (tag.packets[0].track, &tag.packets[0].payload[..]),
        (3, &b"zz"[..])
    );
}

#[test]
fn broken_multitrack_is_refused() {
    for (name, parts) in [
        ("nested video", &[&[0x96, 0x16][..], &HVC1, &[0]][..]),
        ("modifier inside", &[&[0x96, 0x17], &HVC1, &[0]]),
        ("reserved type", &[&[0x96, 0x31], &HVC1, &[0]]),
        (
            "size past the end",
            &[&[0x96, 0x13], &HVC1, &[0, 0xFF, 0xFF, 0xFF], b"a"],
        ),
        ("no room for a size", &[&[0x96, 0x13], &HVC1, &[0, 0]]),
        ("an audio code", &[&[0x93], b"Opus", b"x"]),
        ("no code", &[&[0x93], b"hv"]),
    ] {
        assert!(parse_video(&bytes(parts)).is_err(), "{name}");
    }
    let nested = parse_audio(&bytes(&[&[0x95, 0x05], b"Opus", &[0], b"x"]));
    assert!(matches!(nested, Err(Error::Invalid { .. })), "{nested:?}");
}

#[test]
fn one_bad_track_does_not_cost_the_others() {
    let mut sender = Sender::new();
    let avcc = config("ffmpeg5_h264_aac");
    for track in [0, 1] {
        sender
            .send(
                TagKind::Video,
                0,
                &[&[0x96, 0x00], b"avc1", &[track], &avcc],
            )
            .unwrap();
    }
    let good = [0, 0, 0, 2, 0x41, 0x9A];
    let bad = [0xFF, 0xFF, 0xFF, 0xFF, 0x41, 0x9A];
    let body: &[&[u8]] = &[
        &[0xA6, 0x13],
        b"avc1",
        &[0, 0, 0, 6],
        &bad,
        &[1, 0, 0, 6],
        &good,
    ];
    let mut events = Events::new();
    let result = sender
        .demuxer
        .push(TagKind::Video, 40, bytes(body), &mut events);
    assert!(matches!(result, Err(Error::Frame(_))), "{result:?}");
    let tracks: Vec<_> = events
        .drain()
        .map(|e| match e {
            Event::Frame(f) => f.track,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(tracks, [TrackId(12)]);
}

#[test]
fn color_info_reaches_the_track() {
    let mut sender = Sender::new();
    let hvcc = config("ffmpeg9_hevc_aac");
    let color = amf0::write(&[
        "colorInfo".into(),
        Value::object([(
            "colorConfig",
            Value::object([
                ("bitDepth", 10.0),
                ("colorPrimaries", 9.0),
                ("transferCharacteristics", 16.0),
                ("matrixCoefficients", 9.0),
            ]),
        )]),
    ]);
    sender
        .send(TagKind::Video, 0, &[&[0x90], &HVC1, &hvcc])
        .unwrap();
    let events = sender
        .send(TagKind::Video, 0, &[&[0xD4], &HVC1, &color])
        .unwrap();
    let [Event::Track(track)] = &events[..] else {
        panic!("{events:?}");
    };
    let color_info = track.video.unwrap().color.unwrap();
    assert_eq!(
        (color_info.primaries, color_info.transfer, color_info.matrix),
        (9, 16, 9)
    );
    // Said again it says nothing, and the configuration said again does not undo it.
    assert_eq!(
        sender.send(TagKind::Video, 0, &[&[0xD4], &HVC1, &color]),
        Ok(vec![])
    );
    assert_eq!(
        sender.send(TagKind::Video, 0, &[&[0x90], &HVC1, &hvcc]),
        Ok(vec![])
    );
}

#[test]
fn channels_are_counted() {
    let kind = |parts: &[&[u8]]| parse_audio(&bytes(parts)).map(|t| t.packets[0].kind);
    let native = kind(&[&[0x94], b"Opus", &[1, 6, 0, 0, 0, 0x3F]]);
    let channels = |count, mask| Ok(PacketKind::Multichannel(Channels { count, mask }));
    assert_eq!(native, channels(6, Some(0x3F)));
    assert_eq!(kind(&[&[0x94], b"Opus", &[2, 2, 0, 1]]), channels(2, None));
    assert_eq!(kind(&[&[0x94], b"Opus", &[0, 8]]), channels(8, None));
    assert!(kind(&[&[0x94], b"Opus", &[0, 0]]).is_err());
    assert!(kind(&[&[0x94], b"Opus", &[2, 9, 0]]).is_err());
    let mut sender = Sender::new();
    sender.send(TagKind::Audio, 0, &[&[0x90], b"Opus"]).unwrap();
    let events = sender
        .send(
            TagKind::Audio,
            0,
            &[&[0x94], b"Opus", &[1, 6, 0, 0, 0, 0x3F]],
        )
        .unwrap();
    assert!(matches!(&events[..], [Event::Track(t)] if t.audio.unwrap().channels == 6));
}

#[test]
fn legacy_codecs_are_known_or_refused() {
    let audio = |first: u8| parse_audio(&bytes(&[&[first, 1], b"x"])).map(|t| t.packets[0].codec);
    assert_eq!(audio(0xAF), Ok(CodecId::Aac));
    assert_eq!(audio(0x2F), Ok(CodecId::Mp3));
    assert_eq!(audio(0xE2), Ok(CodecId::Mp3));
    assert_eq!(audio(0x72), Ok(CodecId::Pcma));
    assert_eq!(audio(0x82), Ok(CodecId::Pcmu));
    assert_eq!(audio(0x3E), Ok(CodecId::Pcm));
    for refused in [0x0E, 0x10, 0x3C, 0x42, 0x52, 0x62, 0xB2, 0xC2, 0xF2] {
        assert!(
            matches!(audio(refused), Err(Error::Unsupported(_))),
            "{refused:#x}"
        );
    }
    let video = |first: u8| parse_video(&bytes(&[&[first, 1, 0, 0, 0], b"x"]));
    assert_eq!(video(0x17).unwrap().packets[0].codec, CodecId::H264);
    assert_eq!(video(0x1C).unwrap().packets[0].codec, CodecId::H265);
    for refused in [0x12, 0x13, 0x14, 0x15, 0x16, 0x10, 0x1F] {
        assert!(
            matches!(video(refused), Err(Error::Unsupported(_))),
            "{refused:#x}"
        );
    }
    // Silence, an empty message, a seek command: no media and no error.
    assert!(parse_audio(&Bytes::new()).unwrap().packets.is_empty());
    assert!(parse_video(&Bytes::new()).unwrap().packets.is_empty());
    assert!(video(0x57).unwrap().packets.is_empty());
    assert!(
        parse_video(&bytes(&[&[0xD1, 0]]))
            .unwrap()
            .packets
            .is_empty()
    );
}

#[test]
fn configurations_rule_the_frames() {
    let mut sender = Sender::new();
    let avcc = config("ffmpeg5_h264_aac");
    let idr: &[&[u8]] = &[&[0x17, 1, 0, 0, 0], &[0, 0, 0, 3, 0x65, 0x88, 0x84]];
    assert_eq!(sender.send(TagKind::Video, 0, idr), Ok(vec![]));
    assert_eq!(sender.demuxer.dropped(), 1);
    let start: &[&[u8]] = &[&[0x17, 0, 0, 0, 0], &avcc];
    let events = sender.send(TagKind::Video, 0, start).unwrap();
    assert!(matches!(&events[..], [Event::Track(t)] if t.config == avcc && t.timescale == 1_000));
    assert_eq!(
        sender.send(TagKind::Video, 0, start),
        Ok(vec![]),
        "said again"
    );
    let events = sender.send(TagKind::Video, 0, idr).unwrap();
    assert!(matches!(&events[..], [Event::Frame(f)] if f.flags.contains(FrameFlags::KEY)));
    // Garbage in place of a configuration: refused, and no frame passes under it.
    for garbage in [
        &b"garbage"[..],
        &avcc[..9],
        &[1, 100, 0, 31, 0xFF, 0xE1, 0xFF, 0xFF],
    ] {
        let result = sender.send(TagKind::Video, 0, &[&[0x17, 0, 0, 0, 0], garbage]);
        assert!(matches!(result, Err(Error::Config(_))), "{result:?}");
        assert_eq!(sender.send(TagKind::Video, 0, idr), Ok(vec![]));
    }
    let rate_zero = sender.send(TagKind::Audio, 0, &[&[0xAF, 0], &[0x17, 0x80, 0, 0, 0x10]]);
    assert!(matches!(rate_zero, Err(Error::Config(_))), "{rate_zero:?}");
    // A good one heals it.
    assert_eq!(sender.send(TagKind::Video, 0, start).unwrap().len(), 1);
    let bomb = sender.send(TagKind::Video, 0, &[&[0x17, 1, 0, 0, 0], &[0xFF; 20]]);
    assert!(matches!(bomb, Err(Error::Frame(_))), "{bomb:?}");
    assert_eq!(sender.send(TagKind::Video, 0, idr).unwrap().len(), 1);
}

#[test]
fn short_lengths_are_rewritten() {
    let mut sender = Sender::new();
    let mut avcc = config("ffmpeg5_h264_aac").to_vec();
    avcc[4] = 0xFD; // 2-byte lengths
    let events = sender
        .send(TagKind::Video, 0, &[&[0x17, 0, 0, 0, 0], &avcc])
        .unwrap();
    assert!(matches!(&events[..], [Event::Track(t)] if t.config[4] == 0xFF));
    let events = sender
        .send(
            TagKind::Video,
            0,
            &[&[0x17, 1, 0, 0, 0], &[0, 2, 0x65, 0x88, 0, 1, 0x65]],
        )
        .unwrap();
    let [Event::Frame(frame)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        frame.payload[..],
        [0, 0, 0, 2, 0x65, 0x88, 0, 0, 0, 1, 0x65]
    );
}

#[test]
fn the_clock_is_unwrapped_and_driven_by_media_alone() {
    let mut sender = Sender::new();
    sender
        .send(TagKind::Audio, 0, &[&[0xAF, 0], &[0x12, 0x10]])
        .unwrap();
    let mut times = Vec::new();
    for time in [0xFFFF_FFF0, 0xFFFF_FFFF, 5, 26, 0xFFFF_FFFE, 40] {
        // Headers and metadata stamped 0 in between do not move it.
        sender
            .send(TagKind::Audio, 0, &[&[0xAF, 0], &[0x12, 0x10]])
            .unwrap();
        sender
            .send(TagKind::Script, 0, &[&[2, 0, 1, b'x', 5]])
            .unwrap();
        sender.send(TagKind::Audio, 0, &[&[0xAF, 1]]).unwrap();
        let events = sender
            .send(TagKind::Audio, time, &[&[0xAF, 1], b"a"])
            .unwrap();
        let [Event::Frame(frame)] = &events[..] else {
            panic!("{events:?}");
        };
        times.push(frame.dts.as_millis() - 0xFFFF_FFF0);
    }
    assert_eq!(times, [0, 15, 21, 42, 14, 56]);
    // The clock of a hostile sender: no panic, whatever the order.
    for time in [0, 40, 0xFFFF_FFFE, 5, 0x7FFF_FFFF, 1, 0x8000_0000, 0] {
        assert!(
            sender
                .send(TagKind::Audio, time, &[&[0xAF, 1], b"a"])
                .is_ok()
        );
    }
}

#[test]
fn script_messages_are_told_apart() {
    let mut sender = Sender::new();
    let meta = amf0::write(&["onMetaData".into(), Value::ecma_array([("width", 640.0)])]);
    let set = amf0::write(&["@setDataFrame".into()]);
    for body in [&[&set[..], &meta][..], &[&meta]] {
        let events = sender.send(TagKind::Script, 0, body).unwrap();
        let [Event::Metadata(metadata)] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!((metadata.width, &metadata.raw), (Some(640), &meta));
    }
    let cue = amf0::write(&["onCuePoint".into(), Value::Null]);
    let events = sender.send(TagKind::Script, 1_000, &[&cue]).unwrap();
    let [Event::Script(script)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((script.name.as_str(), &script.body), ("onCuePoint", &cue));
    assert_eq!(script.time, MediaTime::from_secs(1));
    assert!(sender.send(TagKind::Script, 0, &[&[5]]).is_err());
    assert_eq!(sender.send(TagKind::Script, 0, &[]), Ok(vec![]));
}

#[test]
fn tracks_are_bounded() {
    let mut sender = Sender::new();
    let mut refused = 0;
    for n in 0..=255 {
        let body: &[&[u8]] = &[&[0x95, 0x00], b"mp4a", &[n], &[0x12, 0x10]];
        refused += usize::from(sender.send(TagKind::Audio, 0, body).is_err());
    }
    assert_eq!(refused, 256 - 64);
}
