//! Values by hand, references, and what must be refused.

use core_frame::Limits;
use proptest::prelude::*;

use super::*;
use crate::amf0::Reader as Amf0Reader;

fn one(bytes: &[u8]) -> Value {
    let values = read(bytes, &Limits::default()).expect("AMF3");
    assert_eq!(values.len(), 1, "{values:?}");
    values.into_iter().next().expect("one")
}

fn refused(bytes: &[u8]) -> &'static str {
    read(bytes, &Limits::default())
        .expect_err("must be refused")
        .rule
}

#[test]
fn plain_values() {
    assert_eq!(one(&[0]), Value::Undefined);
    assert_eq!(one(&[1]), Value::Null);
    assert_eq!(one(&[2]), Value::Boolean(false));
    assert_eq!(one(&[3]), Value::Boolean(true));
    for (bytes, want) in [
        (&[4, 0][..], 0.0),
        (&[4, 0x7F], 127.0),
        (&[4, 0x81, 0x00], 128.0),
        (&[4, 0xFF, 0x7F], 16_383.0),
        (&[4, 0x81, 0x80, 0x00], 16_384.0),
        (&[4, 0xBF, 0xFF, 0xFF, 0xFF], 268_435_455.0),
        (&[4, 0xC0, 0x80, 0x80, 0x00], -268_435_456.0),
        (&[4, 0xFF, 0xFF, 0xFF, 0xFF], -1.0),
        (&[5, 0xBF, 0xF8, 0, 0, 0, 0, 0, 0], -1.5),
    ] {
        assert_eq!(one(bytes), Value::Number(want), "{bytes:x?}");
    }
    assert_eq!(one(b"\x06\x05hi"), Value::from("hi"));
    assert_eq!(one(b"\x06\x01"), Value::from(""));
    assert_eq!(one(b"\x0B\x09<a/>"), Value::Xml("<a/>".into()));
    assert_eq!(one(b"\x07\x09<a/>"), Value::Xml("<a/>".into()));
    assert_eq!(
        one(b"\x0C\x07\0\x01\xFF"),
        Value::ByteArray(vec![0, 1, 255])
    );
    let date = one(&[8, 1, 0x42, 0x76, 0xE3, 0x60, 0, 0, 0, 0]);
    assert!(matches!(date, Value::Date { zone: 0, unix_ms } if unix_ms > 1e12));
}

#[test]
fn arrays_vectors_and_dictionaries() {
    let list = Value::StrictArray(vec![1.0.into(), "a".into()]);
    assert_eq!(one(b"\x09\x05\x01\x04\x01\x06\x03a"), list);
    let mixed = one(b"\x09\x03\x03k\x03\x01\x04\x07");
    assert_eq!(
        mixed,
        Value::ecma_array([("k", Value::Boolean(true)), ("0", Value::Number(7.0))])
    );
    let numbers = |n: &[f64]| Value::StrictArray(n.iter().map(|n| (*n).into()).collect());
    let ints = one(b"\x0D\x05\0\xFF\xFF\xFF\xFE\0\0\0\x01");
    assert_eq!(ints, numbers(&[-2.0, 1.0]));
    let uints = one(b"\x0E\x03\0\xFF\xFF\xFF\xFE");
    assert_eq!(uints, numbers(&[4_294_967_294.0]));
    let doubles = one(b"\x0F\x03\x01\x3F\xF0\0\0\0\0\0\0");
    assert_eq!(doubles, numbers(&[1.0]));
    let objects = one(b"\x10\x05\0\x03T\x01\x06\x03x");
    assert_eq!(objects, Value::StrictArray(vec![Value::Null, "x".into()]));
    let dictionary = one(b"\x11\x05\0\x06\x03k\x04\x01\x04\x02\x03");
    assert_eq!(
        dictionary,
        Value::ecma_array([("k", Value::Number(1.0)), ("2", Value::Boolean(true))])
    );
    assert!(refused(b"\x11\x03\0\x01\x01").contains("dictionary key"));
}

#[test]
fn objects_and_their_references() {
    // Two objects of one class, the second with the traits, the class name and a string of the first.
    let bytes = b"\x09\x05\x01\x0A\x23\x05Pt\x03x\x03y\x04\x01\x06\x07one\x0A\x01\x04\x02\x06\x06";
    let point = |x: f64| Value::TypedObject {
        class: "Pt".into(),
        fields: vec![("x".into(), x.into()), ("y".into(), "one".into())],
    };
    assert_eq!(one(bytes), Value::StrictArray(vec![point(1.0), point(2.0)]));
    // Sealed and dynamic members together.
    let both = one(b"\x0A\x1B\x01\x03a\x01\x03b\x03\x01");
    assert_eq!(
        both,
        Value::object([("a", Value::Null), ("b", Value::Boolean(true))])
    );
    // The wrapper of an array is the array; other classes keep their form to themselves.
    let wrapped = [
        b"\x0A\x07\x43flex.messaging.io.ArrayCollection".as_slice(),
        b"\x09\x03\x01\x03",
    ]
    .concat();
    assert_eq!(one(&wrapped), Value::StrictArray(vec![true.into()]));
    assert!(refused(b"\x0A\x07\x03X\x01").contains("externalizable"));
}

#[test]
fn circles_and_bombs_are_refused() {
    // An array that holds itself.
    assert!(refused(b"\x09\x03\x01\x09\x00").contains("circle"));
    // Each array holds the one before it twice: 2^40 values from 240 bytes.
    let mut bomb = b"\x09\x53\x01\x09\x03\x01\x01".to_vec();
    for n in 1..41_u8 {
        bomb.extend([9, 5, 1, 9, n * 2, 9, n * 2]);
    }
    let rule = refused(&bomb);
    assert!(rule.contains("nodes") || rule.contains("deeper"), "{rule}");
    // One long string, repeated.
    let mut text = vec![9, 0x9F, 0x3D, 1, 6, 0x87, 0xFF, 0x7F];
    text.extend(vec![b'x'; 65_535]);
    text.extend([6, 0].repeat(3_997));
    assert!(refused(&text).contains("text"), "{}", refused(&text));
    // References to nothing.
    for bytes in [&b"\x06\x00"[..], b"\x0A\x00", b"\x0A\x01", b"\x09\x02"] {
        assert!(refused(bytes).contains("did not come"), "{bytes:x?}");
    }
    // A declared length reserves nothing.
    for marker in [6, 7, 9, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x11] {
        refused(&[marker, 0xFF, 0xFF, 0xFF, 0xFF, 1]);
    }
    refused(b"\x0A\xFF\xFF\xFF\xFB\x01\x01\x01\x01");
    assert!(refused(&[0x12]).contains("unknown"));
}

#[test]
fn nesting_ends_at_the_limit_on_a_small_stack() {
    let nests: Vec<Vec<u8>> = vec![
        [0x09, 3, 1].repeat(15_000),
        [0x0A, 0x0B, 1, 3, b'a'].repeat(15_000),
        [0x10, 3, 0, 1].repeat(15_000),
        [0x11, 3, 0].repeat(15_000),
    ];
    std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || {
            let mut wide = Limits::default();
            wide.amf_depth = u32::MAX;
            wide.amf_nodes = u32::MAX;
            for nest in &nests {
                assert!(refused(nest).contains("deeper"));
                assert!(read(nest, &wide).is_err());
                let switched = [&[0x11][..], nest].concat();
                assert!(amf0::read(&switched, &wide).is_err());
            }
        })
        .expect("a thread")
        .join()
        .expect("no overflow");
}

#[test]
fn a_switch_lasts_for_one_value() {
    // "connect" in AMF0, 1, an AMF3 object, null in AMF0, an AMF3 string by reference into the tables of the first.
    let body = b"\0\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x11\x0A\x0B\x01\x07app\x06\x09live\x01\x05\x11\x06\x02";
    let mut reader = Amf0Reader::of_amf3_message(body, &Limits::default());
    let values: Vec<_> = reader.by_ref().collect::<Result<_, _>>().expect("values");
    assert!(reader.has_amf3());
    let want = [
        "connect".into(),
        1.0.into(),
        Value::object([("app", "live")]),
        Value::Null,
        "live".into(),
    ];
    assert_eq!(values, want);
    // Without the selector, as some senders have it.
    let bare = Amf0Reader::of_amf3_message(&body[1..], &Limits::default());
    assert_eq!(bare.collect::<Result<Vec<_>, _>>().expect("values"), want);
}

#[test]
fn byte_arrays_go_out_behind_a_switch() {
    for len in [0, 1, 63, 64, 127, 8_191, 8_192, 65_535] {
        let value = Value::ByteArray((0..len).map(|n| n as u8).collect());
        let bytes = amf0::write(std::slice::from_ref(&value));
        let back = amf0::read(&bytes, &Limits::default()).expect("values");
        assert_eq!(back, [value], "{len}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, &Limits::default());
    }

    #[test]
    fn no_markers_panic(bytes in proptest::collection::vec(0_u8..20, 0..300)) {
        let _ = read(&bytes, &Limits::default());
        let _ = Amf0Reader::of_amf3_message(&bytes, &Limits::default()).count();
    }
}
