//! Script messages: metadata in AMF0 and AMF3, messages that travel as frames, cues.

use bytes::{Bytes, BytesMut};
use core_frame::{
    CodecId, Limits, MediaFrame, MediaKind, MediaTime, Role, TagValue, TrackId, TrackTable,
};
use millstream_flv::amf0::{self, Value};
use millstream_flv::{
    Demuxer, Event, Events, FileWriter, Layout, Metadata, Script, TagKind, scte35,
};

use crate::sample;

fn send(demuxer: &mut Demuxer, kind: TagKind, time: u32, body: impl Into<Bytes>) -> Vec<Event> {
    let mut events = Events::new();
    demuxer
        .push(kind, time, body.into(), &mut events)
        .expect("well-formed");
    events.drain().collect()
}

fn metadata_of(body: impl Into<Bytes>) -> Metadata {
    let mut demuxer = Demuxer::new(&Limits::default());
    match send(&mut demuxer, TagKind::Script, 0, body).pop() {
        Some(Event::Metadata(metadata)) => *metadata,
        other => unreachable!("{other:?}"),
    }
}

fn script_of(body: impl Into<Bytes>) -> Script {
    let mut demuxer = Demuxer::new(&Limits::default());
    match send(&mut demuxer, TagKind::Script, 70, body).pop() {
        Some(Event::Script(script)) => script,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn metadata_in_amf3_is_the_same_metadata() {
    let plain = amf0::write(&[
        "@setDataFrame".into(),
        "onMetaData".into(),
        Value::object([("title", Value::from("News")), ("width", 640.0.into())]),
    ]);
    // The same of a message of type 15: selector, AMF0 names, a switched object.
    let name = |n: &str| [&[2, 0, n.len() as u8][..], n.as_bytes()].concat();
    let switched = [
        &[0][..],
        &name("@setDataFrame"),
        &name("onMetaData"),
        b"\x11\x0A\x0B\x01\x0Btitle\x06\x09News\x0Bwidth\x04\x85\x00\x01",
    ]
    .concat();
    let (plain, switched) = (metadata_of(plain), metadata_of(switched));
    assert_eq!(plain, switched);
    assert_eq!(switched.tags().text("title"), Some("News"));
    // What is kept of it is AMF0, so that it can go out to anyone.
    assert!(switched.raw.starts_with(b"\x02\x00\x0AonMetaData\x03"));
}

#[test]
fn a_message_travels_as_a_frame_and_comes_out_as_it_was() {
    let body = amf0::write(&["onTextData".into(), Value::ecma_array([("text", "hello")])]);
    let frame = script_of(body.clone()).frame(&Limits::default());
    assert_eq!((frame.track, frame.codec), (TrackId::DATA, CodecId::Script));
    assert_eq!(
        (frame.dts, frame.kind()),
        (MediaTime::from_millis(70), MediaKind::Data)
    );
    let table = TrackTable::default();
    let out = Layout::default()
        .plan(&table)
        .body(&frame)
        .expect("written");
    let out = out.expect("always wanted");
    assert_eq!(
        (out.kind, out.timestamp_ms, out.head.as_ref()),
        (TagKind::Script, 70, &[][..])
    );
    assert_eq!(out.payload, body);
    assert_eq!(out.payload.as_ptr(), frame.payload.as_ptr(), "not copied");
    // And in a file.
    let mut file = BytesMut::new();
    let mut writer = FileWriter::new();
    writer.tracks(&table, &mut file);
    assert!(writer.frame(&frame, &mut file).expect("written"));
    let tags = sample::tags(&file);
    assert_eq!(tags.last(), Some(&(TagKind::Script, 70, body)));
}

#[test]
fn amf3_in_a_message_is_written_anew() {
    let body = b"\0\x02\0\x0AonTextData\x11\x0A\x0B\x01\x09text\x06\x0Bhello\x01";
    let script = script_of(&body[..]);
    let want = amf0::write(&["onTextData".into(), Value::object([("text", "hello")])]);
    assert_eq!((script.name.as_str(), &script.body), ("onTextData", &want));
    // The byte of the switch in a text is no switch.
    let text = amf0::write(&["onTextData".into(), "a\u{11}b".into()]);
    assert_eq!(script_of(text.clone()).body, text);
}

#[test]
fn a_cue_becomes_a_section_and_goes_out_as_a_cue() {
    let cue = "/DAlAAAAAAAAAP/wFAVDE1agf+//yBysA/4APcxQAAAAAAAAXhEvvQ==";
    let members = Value::object([("type", "scte35"), ("cue", cue)]);
    let script = script_of(amf0::write(&["onAdCue".into(), members]));
    let frame = script.frame(&Limits::default());
    assert_eq!((frame.track, frame.codec), (scte35::TRACK, CodecId::Scte35));
    scte35::check(&frame.payload).expect("a section");
    let plan = Layout::default().plan(&TrackTable::default());
    let out = plan.body(&frame).expect("written").expect("always wanted");
    let back = script_of(out.payload).frame(&Limits::default());
    assert_eq!(back.payload, frame.payload);
    let broken = MediaFrame::new(
        scte35::TRACK,
        CodecId::Scte35,
        MediaTime::ZERO,
        frame.payload.slice(..9),
    );
    assert!(plan.body(&broken).is_err());
    // One that says too little stays what it was.
    let simple = Value::object([("time", 1.0), ("duration", 30.0)]);
    let simple = script_of(amf0::write(&["onCuePoint".into(), simple]));
    assert_eq!(simple.frame(&Limits::default()).codec, CodecId::Script);
}

#[test]
fn tags_of_type_15_are_read() {
    let body = b"\0\x02\0\x0AonMetaData\x11\x0A\x0B\x01\x0Bwidth\x04\x85\x00\x01";
    let mut file = BytesMut::new();
    file.extend_from_slice(&millstream_flv::file_header(true, false));
    let head = millstream_flv::tag_header(TagKind::Script, 0, body.len());
    file.extend_from_slice(&[15]);
    file.extend_from_slice(&head[1..]);
    file.extend_from_slice(body);
    file.extend_from_slice(&(11 + body.len() as u32).to_be_bytes());
    let tags = sample::tags(&file);
    assert_eq!(tags.len(), 1);
    assert_eq!(metadata_of(tags[0].2.clone()).width, Some(640));
}

#[test]
fn what_is_said_of_a_track_reaches_it_early_or_late() {
    let media = sample::demux(sample::named("ffmpeg9_multitrack"));
    let second = media.table.tracks.iter().find(|t| t.id.0 == 13);
    let second = second.expect("a second sound");
    let entry = Value::object([("language", "de"), ("role", "dub")]);
    let map = Value::object([("1", entry)]);
    let metadata = amf0::write(&[
        "onMetaData".into(),
        Value::object([("audioTrackIdInfoMap", map)]),
    ]);
    let config = Layout::all_tracks().plan(&media.table).headers();
    let config = config
        .into_iter()
        .find(|(_, body)| body.starts_with(&[0x95, 0]));
    let config = config.expect("a configuration").1;
    for early in [true, false] {
        let mut messages = [(TagKind::Script, &metadata), (TagKind::Audio, &config)];
        if !early {
            messages.reverse();
        }
        let mut demuxer = Demuxer::new(&Limits::default());
        let mut last = None;
        for (kind, body) in messages {
            for event in send(&mut demuxer, kind, 0, body.clone()) {
                if let Event::Track(track) = event {
                    last = Some(track);
                }
            }
        }
        let track = last.expect("announced");
        assert_eq!((track.id, &track.config), (second.id, &second.config));
        assert_eq!(track.language.as_deref(), Some("de"), "early {early}");
        assert_eq!(track.role, Role::Dub);
    }
}

#[test]
fn tags_pass_from_sender_to_player() {
    let sent = amf0::write(&[
        "@setDataFrame".into(),
        "onMetaData".into(),
        Value::ecma_array([
            ("width", Value::from(1.0)),
            ("title", "News".into()),
            ("encoder", "obs-output module".into()),
        ]),
    ]);
    let mut table = sample::demux(sample::named("ffmpeg5_h264_aac")).table;
    table.tags = metadata_of(sent).tags().into();
    let got = metadata_of(Layout::default().plan(&table).metadata());
    assert_eq!(got.tags(), *table.tags);
    assert_eq!(got.encoder.as_deref(), Some("obs-output module"));
    assert_eq!(got.width, table.video().and_then(|t| Some(t.video?.width)));
    assert_eq!(
        got.tags().get("title"),
        Some(&TagValue::Text("News".into()))
    );
}
