//! AMF, script messages, tags and layouts of FLV.

use bytes::Bytes;
use core_frame::{
    CodecId, FrameFlags, Limits, MediaFrame, MediaTime, TrackChoice, TrackId, TrackInfo, TrackTable,
};
use flv::amf0::{self, Value};
use flv::{CodecForm, Demuxer, Event, Events, FourCc, Layout, Script, TagKind, amf3, scte35};

use super::input::Input;

/// AMF0 values; what was read can be written and read again.
pub fn amf0(data: &[u8]) {
    if let Ok(values) = amf0::read(data, &Limits::default()) {
        written_and_read(&values);
    }
}

/// AMF3 values, alone and behind the switches of AMF0. They are within the limits, and can be written as AMF0.
pub fn amf3(data: &[u8]) {
    let limits = Limits::default();
    if let Ok(values) = amf3::read(data, &limits) {
        assert!(values.iter().map(nodes).sum::<usize>() <= limits.amf_nodes as usize);
        written_and_read(&values);
    }
    let mut reader = amf0::Reader::of_amf3_message(data, &limits);
    let mut values = Vec::new();
    while !reader.is_empty() {
        let before = reader.offset();
        let Ok(value) = reader.read() else { return };
        assert!(
            before < reader.offset() && reader.offset() <= data.len(),
            "a value of no bytes"
        );
        values.push(value);
    }
    assert!(values.iter().map(nodes).sum::<usize>() <= limits.amf_nodes as usize);
    written_and_read(&values);
}

fn nodes(value: &Value) -> usize {
    let inner: usize = match value {
        Value::StrictArray(items) => items.iter().map(nodes).sum(),
        _ => value
            .members()
            .map_or(0, |m| m.iter().map(|(_, v)| nodes(v)).sum()),
    };
    1 + inner
}

/// Values compare by the bytes they are written as, since a number may be none.
fn written_and_read(values: &[Value]) {
    let bytes = amf0::write(values);
    let mut limits = Limits::default();
    // What AMF3 tells by reference is written out, and so may be longer.
    limits.amf_string_bytes = u32::MAX;
    let again = amf0::read(&bytes, &limits).expect("what was written can be read");
    assert_eq!(amf0::write(&again), bytes);
}

/// Script messages on their way to a frame and out again. The first byte says what the rest is: the body of a message, a
/// SCTE 35 section as it is, or one whose length and checksum are still to be made.
pub fn scte35_script(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 3 {
        0 => {
            let body = Bytes::copy_from_slice(input.0);
            if let Some(script) = script_of(body, 70) {
                script_travels(&script);
            }
        }
        1 => section_travels(input.0),
        _ => section_travels(&finished_section(input.0)),
    }
}

fn script_of(body: Bytes, time: u32) -> Option<Script> {
    let mut events = Events::new();
    Demuxer::new(&Limits::default())
        .push(TagKind::Script, time, body, &mut events)
        .ok()?;
    assert!(events.len() <= 1, "{events:?}");
    match events.pop() {
        Some(Event::Script(script)) => Some(script),
        _ => None,
    }
}

fn script_travels(script: &Script) {
    let frame = script.frame(&Limits::default());
    if frame.codec == CodecId::Scte35 {
        assert_eq!(frame.track, scte35::TRACK);
        section_travels(&frame.payload);
        assert_eq!(scte35::check(&frame.payload), Ok(()));
    } else {
        assert_eq!(frame.track, TrackId::DATA);
        assert_eq!(frame.payload, script.body);
    }
}

fn section_travels(section: &[u8]) {
    let Ok(body) = scte35::to_script(section, MediaTime::from_millis(70)) else {
        assert!(scte35::check(section).is_err());
        return;
    };
    let script = script_of(body, 70).expect("a script message");
    let frame = script.frame(&Limits::default());
    assert_eq!(frame.codec, CodecId::Scte35);
    assert_eq!(frame.payload, section);
}

/// Length and checksum of SCTE 35 §9.6 around `inside`.
fn finished_section(inside: &[u8]) -> Vec<u8> {
    let inside = &inside[..inside.len().min(4_089)];
    let [high, low] = ((inside.len() + 4) as u16).to_be_bytes();
    let mut section = [&[0xFC, 0x30 | high, low], inside].concat();
    let crc = super::input::crc32(&section);
    section.extend(crc.to_be_bytes());
    section
}

/// One tag body, as audio and as video.
pub fn flv_tag(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let _ = flv::tag::parse_audio(&body);
    let _ = flv::tag::parse_video(&body);
}

/// A row of media messages: kind, length, body.
pub fn flv_message(data: &[u8]) {
    let mut demuxer = Demuxer::new(&Limits::default());
    let mut events = Events::default();
    let mut rest = data;
    let mut time = 0_u32;
    while let Some((head, tail)) = rest.split_at_checked(3) {
        let kind = match head[0] % 3 {
            0 => TagKind::Audio,
            1 => TagKind::Video,
            _ => TagKind::Script,
        };
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let (body, tail) = tail.split_at(length.min(tail.len()));
        rest = tail;
        time = time.wrapping_add(u32::from(head[0]) << (head[0] >> 3));
        let _ = demuxer.push(kind, time, Bytes::copy_from_slice(body), &mut events);
        events.drain().for_each(drop);
    }
}

/// An FLV file, cut by its first byte.
pub fn flv_file(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let mut reader = flv::FileReader::new(&Limits::default());
    for part in rest.chunks(usize::from(*first).max(1) * 16) {
        reader.push(part);
        while let Ok(Some(event)) = reader.next_event() {
            drop(event);
        }
    }
}

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../../crates/bitstream/testdata/", $name))
    };
}

/// Codecs with the configuration their tracks have.
const TRACKS: [(CodecId, &[u8]); 13] = [
    (CodecId::H264, sample!("h264-tiny.config")),
    (CodecId::H265, sample!("h265-gray.config")),
    (CodecId::Av1, sample!("av1-gray.config")),
    (CodecId::Vp9, sample!("vp9-altref.config")),
    (CodecId::Aac, sample!("aac-48000-mono.config")),
    (CodecId::Opus, sample!("opus-mono.config")),
    (CodecId::Flac, sample!("flac-8000-small-blocks.config")),
    (CodecId::Ac3, sample!("ac3-44100-mono.config")),
    (CodecId::Eac3, sample!("eac3-metadata.config")),
    (CodecId::Mp3, b""),
    (CodecId::Vp8, b""),
    (CodecId::Pcma, b""),
    (CodecId::Mjpeg, b""),
];

/// A layout over tracks and frames made of the input. What goes out comes in again: each frame that a receiver is told
/// of, its codec, its time, byte for byte.
pub fn flv_layout(data: &[u8]) {
    round_trip(data);
}

/// Returns how many frames came in again.
fn round_trip(data: &[u8]) -> usize {
    let mut returned = 0;
    let mut input = Input(data);
    let mut layout = Layout::default();
    let query = input.of(&[
        "",
        "video=all&audio=all",
        "video=2&audio=2",
        "video=none",
        "audio=de",
        "video=all&audio=none",
    ]);
    layout.choice = TrackChoice::from_query(query).expect("a choice");
    let form = input.byte();
    layout.codecs = match form % 3 {
        0 => CodecForm::Enhanced,
        1 => CodecForm::Legacy,
        _ => {
            let mask = u16::from(input.byte()) << 4 | u16::from(form >> 4);
            let chosen = FourCc::all().enumerate();
            CodecForm::Only(
                chosen
                    .filter_map(|(n, f)| (mask >> n & 1 == 1).then_some(f))
                    .collect(),
            )
        }
    };
    (layout.multitrack, layout.nanos) = (form & 4 != 0, form & 8 != 0);
    let mut table = TrackTable::default();
    for n in 0..input.byte() % 12 {
        table.set(track(&mut input, n));
    }
    let plan = layout.plan(&table);
    assert_eq!(layout.to_string(), layout.clone().to_string());

    let mut demuxer = Demuxer::new(&Limits::default());
    let mut events = Events::new();
    for (kind, body) in plan.headers() {
        demuxer
            .push(kind, 0, body, &mut events)
            .expect("our own headers");
    }
    events.drain().for_each(drop);
    let mut dts = MediaTime::ZERO;
    while !input.is_empty() && !table.tracks.is_empty() {
        let (frame, step) = frame(&mut input, &table, dts, layout.nanos);
        dts += step;
        let Ok(Some(body)) = plan.body(&frame) else {
            continue;
        };
        let whole = [body.head.as_ref(), &body.payload[..]].concat();
        let dropped = demuxer.dropped();
        let result = demuxer.push(body.kind, body.timestamp_ms, whole.into(), &mut events);
        let mut came = Vec::new();
        for event in events.drain() {
            match event {
                Event::Frame(frame) => came.push(frame),
                Event::Track(_) => {}
                other => panic!("{other:?} of a frame"),
            }
        }
        if frame.payload.is_empty() || result.is_err() {
            let limits = Limits::default();
            let sound = bitstream::check_access_unit(frame.codec, &frame.payload, &limits).is_ok();
            assert!(
                frame.payload.is_empty() || !sound,
                "{result:?} of {frame:?}"
            );
            assert!(came.is_empty());
            continue;
        }
        assert_eq!(
            came.len() as u64 + demuxer.dropped() - dropped,
            1,
            "{frame:?}"
        );
        returned += came.len();
        for back in came {
            assert_eq!((back.codec, &back.payload), (frame.codec, &frame.payload));
            assert_eq!(back.kind(), frame.kind());
            let off = (back.pts.as_nanos() - frame.pts.as_nanos()).abs();
            let coarse = frame.dts.as_nanos() % 1_000_000 != 0;
            assert!(off < 1_000_000, "{back:?} of {frame:?}");
            assert!(off == 0 || coarse, "{back:?} of {frame:?}");
        }
    }
    returned
}

fn track(input: &mut Input<'_>, n: u8) -> TrackInfo {
    let (codec, config) = input.of(&TRACKS);
    let odd = input.byte();
    let id = match odd % 4 {
        // Numbers as a sender's own multitrack has them, and any.
        0..=2 => flv::track_id(codec.kind(), n),
        _ => TrackId(1_000 + u16::from(odd)),
    };
    let mut info = TrackInfo::new(id, codec);
    if odd & 0x40 == 0 {
        info = bitstream::describe(id, codec, Bytes::from_static(config)).expect("a sample");
    }
    info.language = (odd & 0x80 != 0).then(|| "de".to_owned());
    info
}

/// The next frame, and how much later the one after it is decoded.
fn frame(
    input: &mut Input<'_>,
    table: &TrackTable,
    dts: MediaTime,
    nanos: bool,
) -> (MediaFrame, MediaTime) {
    let track = &table.tracks[usize::from(input.byte()) % table.tracks.len()];
    let step = i64::from(input.byte()) * if nanos { 777_777 } else { 1_000_000 };
    let ahead = input.byte();
    let payload = input.row();
    let payload = if track.codec.is_nal() && ahead & 1 == 0 {
        // A NAL unit of a kind that is none of the parameter sets.
        let unit = [
            &[
                if track.codec == CodecId::H264 {
                    0x41
                } else {
                    0x02
                },
                1,
            ],
            payload,
        ]
        .concat();
        [&(unit.len() as u32).to_be_bytes(), &unit[..]].concat()
    } else {
        payload.to_vec()
    };
    let mut frame = MediaFrame::new(track.id, track.codec, dts, payload.into());
    if track.codec.is_nal() {
        frame.pts = dts + MediaTime::from_millis(i64::from(ahead >> 1) * 11);
    }
    frame.flags = bitstream::classify(track.codec, &frame.payload) & !FrameFlags::CONFIG;
    (frame, MediaTime::from_nanos(step))
}

#[cfg(test)]
mod tests {
    use super::super::input::seeds;
    use super::round_trip;

    #[test]
    fn the_seeds_reach_what_they_are_to_test() {
        let seeds = seeds("flv_layout");
        let returned: usize = seeds.iter().map(|seed| round_trip(seed)).sum();
        assert!(returned >= 15, "{returned} frames");
    }
}
