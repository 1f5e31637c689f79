//! The bad-input rows R1 to R15 at the level of the session: each ends in a clear error, and nothing panics.

use bytes::{BufMut, BytesMut};
use flv::amf0::{self, Value};
use millstream_ingest_rtmp::Error;
use millstream_ingest_rtmp::session::{Event, Reject};
use millstream_ingest_rtmp::wire::chunk::put_message;
use millstream_ingest_rtmp::wire::message::MessageType;

use crate::pair::Raw;

fn message(chunk_stream: u32, kind: u8, stream: u32, time: u32, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_message(
        chunk_stream,
        MessageType::from(kind),
        stream,
        time,
        128,
        &[body],
        &mut out,
    );
    out
}

fn command(stream: u32, values: &[Value]) -> BytesMut {
    message(3, 20, stream, 0, &amf0::write(values))
}

fn connect(app: &str) -> BytesMut {
    let object = Value::object([("app", app), ("tcUrl", "rtmp://127.0.0.1/x")]);
    command(0, &["connect".into(), 1.0.into(), object])
}

fn create() -> BytesMut {
    command(0, &["createStream".into(), 2.0.into(), Value::Null])
}

fn publish(stream: u32, name: &str) -> BytesMut {
    command(
        stream,
        &[
            "publish".into(),
            3.0.into(),
            Value::Null,
            name.into(),
            "live".into(),
        ],
    )
}

fn created() -> Raw {
    let mut raw = Raw::greeted();
    raw.send(&connect("live")).unwrap();
    raw.send(&create()).unwrap();
    raw
}

fn publishing() -> Raw {
    let mut raw = created();
    raw.send(&publish(1, "cam")).unwrap();
    raw.accept_publish().unwrap();
    raw
}

fn is_protocol(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Protocol { .. }))
}

#[test]
fn r1_not_rtmp() {
    for start in [&b"\xFF"[..], b"GET / HTTP/1.1\r\n"] {
        let mut raw = Raw::new();
        assert_eq!(raw.send(start), Err(Error::NotRtmp { first: start[0] }));
        assert!(raw.down.is_empty());
    }
}

#[test]
fn r3_chunk_sizes() {
    for size in [0_u32, 0x8000_0001] {
        assert!(is_protocol(Raw::greeted().send(&message(
            2,
            1,
            0,
            0,
            &size.to_be_bytes()
        ))));
    }
    let mut raw = Raw::greeted();
    raw.send(&message(2, 1, 0, 0, &0x7FFF_FFFF_u32.to_be_bytes()))
        .unwrap();
    raw.send(&connect("live")).unwrap();
    assert!(raw.said("NetConnection.Connect.Success"));
}

#[test]
fn r4_one_byte_chunks_end_at_the_work_budget() {
    let mut raw = Raw::greeted();
    raw.send(&message(2, 1, 0, 0, &1_u32.to_be_bytes()))
        .unwrap();
    let mut out = BytesMut::new();
    put_message(6, MessageType::Video, 1, 0, 1, &[&[0; 30_000]], &mut out);
    assert_eq!(raw.send(&out), Err(Error::Limit("tiny chunks a second")));
}

#[test]
fn r5_declared_lengths_and_many_chunk_streams() {
    let declare = |id: u32, len: u32| {
        let mut out = BytesMut::new();
        out.put_u8(1);
        out.put_u16_le((id - 64) as u16);
        let [_, a, b, c] = len.to_be_bytes();
        out.put_slice(&[0, 0, 0, a, b, c, 9, 1, 0, 0, 0]);
        out.put_slice(&[b'x'; 128]);
        out
    };
    assert_eq!(
        Raw::greeted().send(&declare(64, 0xFF_FFFF)),
        Err(Error::Limit("bytes of a message"))
    );
    let mut raw = Raw::greeted();
    let ended = (64..20_064).find_map(|id| raw.send(&declare(id, 60_000)).err());
    assert_eq!(ended, Some(Error::Limit("chunk streams of a connection")));
}

#[test]
fn r6_headers_out_of_place() {
    assert!(is_protocol(Raw::greeted().send(&[0xC0 | 40, 1, 2, 3])));
    // A new header in mid-message drops the old message; an abort of nothing is nothing.
    let mut raw = Raw::greeted();
    raw.send(b"\x06\0\0\0\0\x03\xE8\x14\0\0\0\0").unwrap();
    raw.send(&[1; 128]).unwrap();
    raw.send(&message(2, 2, 0, 0, &[0xFF, 0xFF, 0xFF, 0xF0]))
        .unwrap();
    let object = Value::object([("app", "live")]);
    let body = amf0::write(&["connect".into(), 1.0.into(), object]);
    raw.send(&message(6, 20, 0, 0, &body)).unwrap();
    assert!(matches!(raw.events[..], [Event::Connected(_)]));
}

#[test]
fn r7_short_control_messages() {
    for kind in [1, 2, 3, 5, 6] {
        assert!(
            is_protocol(Raw::greeted().send(&message(2, kind, 0, 0, &[]))),
            "type {kind}"
        );
    }
    assert!(is_protocol(Raw::greeted().send(&message(2, 4, 0, 0, &[0]))));
    assert!(is_protocol(
        Raw::greeted().send(&message(2, 5, 0, 0, &[0; 4]))
    ));
}

#[test]
fn r8_amf_bombs_on_a_small_stack() {
    let head = || amf0::write(&["connect".into(), 1.0.into()]).to_vec();
    let with = |tail: &[u8]| [&head(), tail].concat();
    let bombs = [
        with(&[3, 0, 1, b'a'].repeat(15_000)),
        with(&[10, 0, 0, 0, 1].repeat(12_000)),
        with(&[8, 0, 0, 0, 1, 0, 1, b'a'].repeat(8_000)),
        with(b"\x0A\xFF\xFF\xFF\xFF"),
        with(b"\x08\xFF\xFF\xFF\xFF"),
        with(b"\x0C\xFF\xFF\xFF\xFFAAAA"),
        with(b"\x02\xFF\xFFAAAA"),
        with(b"\x07\x00\x01"),
        with(b"\x03\x00\x01a\x05"),
        with(&b"\x05".repeat(10_000)),
        b"\x0C\xFF\xFF\xFF\xFFAAAA".to_vec(),
        b"\x02\x00\xFFcon".to_vec(),
        Vec::new(),
    ];
    let small = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || {
            for bomb in bombs {
                let mut raw = Raw::greeted();
                assert!(is_protocol(raw.send(&message(3, 20, 0, 0, &bomb))));
                assert!(raw.said("_error"));
            }
        });
    small.unwrap().join().unwrap();
}

#[test]
fn r8_the_same_in_amf3() {
    let head = || {
        [
            &b"\0"[..],
            &amf0::write(&["connect".into(), 1.0.into()]),
            b"\x11",
        ]
        .concat()
    };
    let with = |tail: &[u8]| [&head(), tail].concat();
    let bombs = [
        with(&b"\x09\x03\x01".repeat(20_000)),
        with(&b"\x0A\x0B\x01\x03a".repeat(12_000)),
        with(b"\x06\xFF\xFF\xFF\xFFaaaa"),
        with(b"\x09\xFF\xFF\xFF\xFF\x01"),
        with(b"\x0C\xFF\xFF\xFF\xFF"),
        with(b"\x0D\xFF\xFF\xFF\xFF\x00"),
        with(b"\x11\xFF\xFF\xFF\xFF\x00"),
        with(b"\x0A\x7E"),
        with(b"\xFF"),
    ];
    let small = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || {
            for bomb in bombs {
                let mut raw = Raw::greeted();
                let result = raw.send(&message(3, 17, 0, 0, &bomb));
                assert!(is_protocol(result), "{:x?}", &bomb[..40.min(bomb.len())]);
                assert!(raw.said("_error"));
            }
        });
    small.unwrap().join().unwrap();
}

#[test]
fn r9_commands_out_of_order() {
    let mut raw = Raw::greeted();
    assert!(is_protocol(raw.send(&publish(1, "cam"))));
    assert!(raw.said("_error") && !raw.said("Publish.Start"));

    let mut raw = created();
    assert!(is_protocol(raw.send(&message(6, 9, 1, 0, b"\x17\0\0\0\0"))));
    assert!(raw.said("NetStream.Publish.Denied"));

    // No stream was created.
    let mut raw = Raw::greeted();
    raw.send(&connect("live")).unwrap();
    raw.send(&publish(1, "cam")).unwrap();
    assert!(raw.said("NetStream.Publish.BadName"));

    let mut raw = publishing();
    raw.send(&command(
        1,
        &["play".into(), 4.0.into(), Value::Null, "cam".into()],
    ))
    .unwrap();
    assert!(raw.said("NetStream.Play.Failed"));
    raw.send(&publish(1, "other")).unwrap();
    assert!(raw.said("NetStream.Publish.BadName"));
    assert!(raw.server.is_started(), "the first publish goes on");

    let mut raw = Raw::greeted();
    raw.send(&connect("live")).unwrap();
    for _ in 0..20 {
        raw.send(&create()).unwrap();
    }
    assert!(raw.said("Too many streams."));
    let flood: BytesMut = std::iter::repeat_with(create)
        .take(10_000)
        .flatten()
        .collect();
    assert_eq!(raw.send(&flood), Err(Error::Limit("commands a second")));
    assert!(raw.down.len() < 64 * 1024);
}

#[test]
fn r10_a_second_publisher_is_refused_as_the_caller_says() {
    let mut raw = created();
    raw.send(&publish(1, "cam")).unwrap();
    raw.reject(Reject::BadName, "The stream has a publisher.")
        .unwrap();
    assert!(raw.said("NetStream.Publish.BadName"));
    raw.send(&message(6, 9, 1, 0, b"\x17\0\0\0\0late")).unwrap();
    raw.send(&publish(1, "cam2")).unwrap();
    raw.accept_publish().unwrap();
    assert!(raw.said("NetStream.Publish.Start"));
}

#[test]
fn r11_bad_names() {
    let long = "n".repeat(60_000);
    for (app, name) in [
        ("live", "../../../../tmp/x"),
        ("live/../../x", "p"),
        ("live", "a\n2026 [alert] forged line\0b\u{1b}[31m"),
        ("live", "a%2f..%2fb"),
        ("live", long.as_str()),
    ] {
        let mut raw = Raw::greeted();
        raw.send(&connect(app)).unwrap();
        raw.send(&create()).unwrap();
        raw.send(&publish(1, name)).unwrap();
        assert!(raw.said("NetStream.Publish.BadName"));
        let Some(Event::Refused { reason, .. }) = raw.events.last() else {
            panic!("{:?}", raw.events.last());
        };
        assert!(!reason.contains(['\n', '\u{1b}', '\0']) && reason.len() < 100);
    }
}

#[test]
fn r12_media_that_breaks_its_format() {
    let seq = |tail: &[u8]| [&b"\x17\0\0\0\0"[..], tail].concat();
    let bodies: Vec<(u8, Vec<u8>)> = vec![
        (9, seq(b"\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF")),
        (9, seq(b"\x01\x64\x00\x1F\xFF\xE1\x00\x04\x67\x64\xFF\xFF")),
        (8, b"\xAF\x00\xFF\xFF".to_vec()),
        (9, b"\x17\x01\0\0\0\xFF\xFF\xFF\xFFzzzz".to_vec()),
        (9, b"\x96\x00\x96\x00\x96\x00\x96\x00".to_vec()),
        (9, Vec::new()),
        (8, Vec::new()),
    ];
    for (kind, body) in bodies {
        let mut raw = publishing();
        match raw.send(&message(6, kind, 1, 0, &body)) {
            Ok(()) => assert!(
                !raw.events.iter().any(|e| matches!(e, Event::Frame(_))),
                "{body:?}"
            ),
            Err(Error::Media(_)) => assert!(raw.said("NetStream.Publish.Failed")),
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn r13_aggregates_that_claim_too_much() {
    let mut raw = publishing();
    let bomb = b"\x09\xFF\xFF\xFF\0\0\0\0\0\0\0".repeat(200);
    assert!(matches!(
        raw.send(&message(6, 22, 1, 0, &bomb)),
        Err(Error::Media(_))
    ));
    assert!(raw.said("NetStream.Publish.Failed"));
}

#[test]
fn r13_aggregates_that_nest_or_repeat() {
    // An aggregate in an aggregate, and one of nothing but empty messages.
    let mut raw = publishing();
    let nested = b"\x16\0\0\0\0\0\0\0\0\0\0\0\0\0\x0B";
    let result = raw.send(&message(6, 22, 1, 0, nested));
    assert!(matches!(result, Err(Error::Media(why)) if why.contains("inside another")));
    let mut raw = publishing();
    let empty = b"\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\x0B".repeat(4_000);
    raw.send(&message(6, 22, 1, 0, &empty)).unwrap();
    let damaged = |e: &&Event| matches!(e, Event::Damaged(_));
    assert!(raw.events.iter().filter(damaged).count() < 250);
    // Unusable messages end the stream here as they do singly.
    let rubbish = b"\x09\0\0\x01\0\0\0\0\0\0\0\x1C\0\0\0\x0C".repeat(4_000);
    let result = raw.send(&message(6, 22, 1, 0, &rubbish));
    assert!(matches!(result, Err(Error::Media(_))));
    // Before a publish there is no media in any form.
    let result = created().send(&message(6, 22, 1, 0, &empty));
    assert!(is_protocol(result));
}

#[test]
fn r14_time_stamps_at_random() {
    let mut raw = publishing();
    for time in [0, 40, 0xFFFF_FFFE, 5, 0x7FFF_FFFF, 1] {
        raw.send(&message(6, 9, 1, time, b"\x27\x01\0\0\0zzzzzzzz"))
            .unwrap();
        raw.send(&message(6, 9, 1, time, &[0x27; 300])).unwrap();
    }
    // Deltas that overflow, with extended time stamps repeated on type 3.
    for _ in 0..3 {
        raw.send(b"\x46\xFF\xFF\xFF\0\0\x81\x09\xFF\xFF\xFF\xF0")
            .unwrap();
        raw.send(&[0x27; 128]).unwrap();
        raw.send(b"\xC6\xFF\xFF\xFF\xF0\x27").unwrap();
    }
}

#[test]
fn r15_a_player_that_talks_and_never_reads_is_cut_off() {
    let mut raw = created();
    let play = ["play".into(), 4.0.into(), Value::Null, "cam".into()];
    raw.send(&command(1, &play)).unwrap();
    raw.accept_play().unwrap();
    let pause = command(1, &["pause".into(), 0.0.into(), Value::Null, true.into()]);
    // As many as are welcome, second after second: each is heard, and answered within bounds.
    for _ in 0..5 {
        raw.down.clear();
        raw.events.clear();
        raw.now += std::time::Duration::from_secs(1);
        for _ in 0..90 {
            raw.send(&pause).unwrap();
        }
        assert_eq!(raw.events.len(), 90);
        assert!(raw.down.len() < 32 * 1024, "{} bytes", raw.down.len());
    }
    let flood: BytesMut = std::iter::repeat_n(pause, 1_000).flatten().collect();
    assert_eq!(raw.send(&flood), Err(Error::Limit("commands a second")));
}

#[test]
fn r15_floods_get_few_answers() {
    let mut raw = Raw::greeted();
    raw.send(&connect("live")).unwrap();
    raw.down.clear();
    let ping = message(2, 4, 0, 0, b"\0\x06\0\0\0\x01");
    let flood: BytesMut = std::iter::repeat_n(ping, 20_000).flatten().collect();
    let _ = raw.send(&flood);
    assert!(raw.down.len() < 1_024, "{} bytes of pongs", raw.down.len());
}
