//! Known bytes, any split and hostile headers.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::wire::message::{Control, Message, MessageType};

const LIMITS: ChunkLimits = ChunkLimits {
    message_bytes: 1 << 20,
    partial_bytes: 1 << 20,
    chunk_streams: 32,
};

fn reader() -> ChunkReader {
    ChunkReader::new(LIMITS, 0)
}

fn read_all(reader: &mut ChunkReader, mut bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let mut out = Vec::new();
    while let Some(message) = reader.read(&mut bytes)? {
        out.push(message);
    }
    assert!(bytes.is_empty());
    Ok(out)
}

fn message(chunk_stream: u32, timestamp: u32, stream: u32, body: &[u8]) -> Message {
    Message {
        chunk_stream,
        timestamp,
        kind: MessageType::Video,
        stream,
        body: Bytes::copy_from_slice(body),
    }
}

fn write(writer: &mut ChunkWriter, m: &Message, out: &mut BytesMut) {
    writer.write(
        m.chunk_stream,
        m.kind,
        m.stream,
        m.timestamp,
        &[&m.body],
        out,
    );
}

/// Every way to cut the bytes in two, and byte by byte, tells the same messages.
fn any_split(bytes: &[u8]) -> Vec<Message> {
    let whole = read_all(&mut reader(), bytes).unwrap();
    for at in 0..=bytes.len() {
        let mut r = reader();
        let mut parts = read_all(&mut r, &bytes[..at]).unwrap();
        parts.extend(read_all(&mut r, &bytes[at..]).unwrap());
        assert_eq!(parts, whole, "cut at {at}");
        assert_eq!(r.offset(), bytes.len() as u64);
    }
    let mut r = reader();
    let drops = bytes.chunks(1).flat_map(|b| read_all(&mut r, b).unwrap());
    assert_eq!(drops.collect::<Vec<_>>(), whole);
    whole
}

#[test]
fn golden_headers() {
    let mut writer = ChunkWriter::new();
    let mut out = BytesMut::new();
    let messages = [
        message(4, 1_000, 1, b"ab"),
        message(4, 1_020, 1, b"cde"),
        message(4, 1_060, 1, b"fgh"),
        message(4, 500, 1, b"i"),
    ];
    for m in &messages {
        write(&mut writer, m, &mut out);
    }
    let want: &[u8] = b"\x04\x00\x03\xE8\x00\x00\x02\x09\x01\x00\x00\x00ab\
        \x44\x00\x00\x14\x00\x00\x03\x09cde\
        \x84\x00\x00\x28fgh\
        \x04\x00\x01\xF4\x00\x00\x01\x09\x01\x00\x00\x00i";
    assert_eq!(&out[..], want);
    assert_eq!(any_split(&out), messages);
}

#[test]
fn the_example_of_the_specification() {
    // §5.3.2.1: four audio messages of 32 bytes, 20 ms apart, the last two with a type 3 and a type 2 header.
    let mut out = BytesMut::new();
    out.put_slice(b"\x03\x00\x03\xE8\x00\x00\x20\x08\x39\x30\x00\x00");
    out.put_slice(&[1; 32]);
    out.put_slice(b"\x83\x00\x00\x14");
    out.put_slice(&[2; 32]);
    out.put_slice(b"\xC3");
    out.put_slice(&[3; 32]);
    out.put_slice(b"\xC3");
    out.put_slice(&[4; 32]);
    let messages = any_split(&out);
    let times: Vec<_> = messages.iter().map(|m| (m.timestamp, m.stream)).collect();
    assert_eq!(times, [1000, 1020, 1040, 1060].map(|t| (t, 12345)));
}

#[test]
fn messages_interleave() {
    // Two messages of 200 bytes, chunk by chunk.
    let mut out = BytesMut::new();
    let (a, b) = ([b'a'; 200], [b'b'; 200]);
    out.put_slice(b"\x04\x00\x00\x05\x00\x00\xC8\x08\x01\x00\x00\x00");
    out.put_slice(&a[..128]);
    out.put_slice(b"\x06\x00\x00\x06\x00\x00\xC8\x09\x01\x00\x00\x00");
    out.put_slice(&b[..128]);
    out.put_slice(b"\xC4");
    out.put_slice(&a[128..]);
    out.put_slice(b"\xC6");
    out.put_slice(&b[128..]);
    let messages = any_split(&out);
    assert_eq!((&messages[0].body[..], messages[0].timestamp), (&a[..], 5));
    assert_eq!((&messages[1].body[..], messages[1].timestamp), (&b[..], 6));
}

#[test]
fn extended_time_stamps_repeat_on_type_3() {
    for timestamp in [0x00FF_FFFE, 0x00FF_FFFF, 0x0100_0000, u32::MAX] {
        let mut writer = ChunkWriter::new();
        let mut out = BytesMut::new();
        let m = message(6, timestamp, 1, &[7; 300]);
        write(&mut writer, &m, &mut out);
        let next = message(6, timestamp.wrapping_add(40), 1, &[8; 300]);
        write(&mut writer, &next, &mut out);
        assert_eq!(any_split(&out), [m, next]);
    }
}

#[test]
fn extended_time_stamps_may_be_missing_inside_a_message() {
    let mut out = BytesMut::new();
    out.put_slice(b"\x06\xFF\xFF\xFF\x00\x00\x82\x09\x01\x00\x00\x00\x01\x00\x00\x00");
    out.put_slice(&[1; 128]);
    // Two bytes of payload, no extended time stamp, and at once the next header.
    out.put_slice(b"\xC6\x01\x02");
    out.put_slice(b"\x06\x00\x00\x01\x00\x00\x01\x09\x01\x00\x00\x00x");
    let messages = any_split(&out);
    assert_eq!(messages[0].timestamp, 0x0100_0000);
    assert_eq!(messages[0].body[126..], [1, 1, 1, 2]);
    assert_eq!(
        (messages[1].timestamp, &messages[1].body[..]),
        (1, &b"x"[..])
    );
}

#[test]
fn chunk_stream_ids_of_every_size() {
    for id in [2, 63, 64, 319, 320, MAX_CHUNK_STREAM] {
        let mut out = BytesMut::new();
        let m = message(id, 9, 1, &[5; 150]);
        write(&mut ChunkWriter::new(), &m, &mut out);
        assert_eq!(any_split(&out), [m]);
    }
}

#[test]
fn chunk_size_changes_between_messages() {
    let mut writer = ChunkWriter::new();
    let mut out = BytesMut::new();
    let m = message(6, 1, 1, &[5; 1000]);
    write(&mut writer, &m, &mut out);
    writer.set_chunk_size(4096, &mut out);
    let before = out.len();
    write(&mut writer, &m, &mut out);
    assert_eq!(out.len() - before, 4 + 1000);
    let messages = any_split(&out);
    assert_eq!((&messages[0], &messages[2]), (&m, &m));
    assert_eq!(
        Control::parse(&messages[1]),
        Ok(Some(Control::SetChunkSize(4096)))
    );
}

#[test]
fn bad_chunk_sizes_end_the_stream() {
    for size in [0_u32, 0x8000_0001, u32::MAX] {
        let mut out = BytesMut::new();
        put_message(
            2,
            MessageType::SetChunkSize,
            0,
            0,
            128,
            &[&size.to_be_bytes()],
            &mut out,
        );
        let e = read_all(&mut reader(), &out).unwrap_err();
        assert!(matches!(e, Error::Protocol { .. }), "{size:#x}: {e}");
    }
    let mut out = BytesMut::new();
    put_message(
        2,
        MessageType::SetChunkSize,
        0,
        0,
        128,
        &[&0x7FFF_FFFF_u32.to_be_bytes()],
        &mut out,
    );
    let mut r = reader();
    read_all(&mut r, &out).unwrap();
    assert_eq!(r.chunk_size(), 0xFF_FFFF);
}

#[test]
fn a_header_inside_a_message_and_abort_drop_it() {
    let mut out = BytesMut::new();
    out.put_slice(b"\x06\x00\x00\x01\x00\x03\xE8\x09\x01\x00\x00\x00");
    out.put_slice(&[1; 128]);
    out.put_slice(b"\x06\x00\x00\x02\x00\x00\x01\x09\x01\x00\x00\x00x");
    out.put_slice(b"\x06\x00\x00\x01\x00\x03\xE8\x09\x01\x00\x00\x00");
    out.put_slice(&[1; 128]);
    put_message(
        2,
        MessageType::Abort,
        0,
        0,
        128,
        &[&6_u32.to_be_bytes()],
        &mut out,
    );
    put_message(
        2,
        MessageType::Abort,
        0,
        0,
        128,
        &[&0xFFFF_FFF0_u32.to_be_bytes()],
        &mut out,
    );
    out.put_slice(b"\x46\x00\x00\x02\x00\x00\x01\x09y");
    let mut r = reader();
    let messages = read_all(&mut r, &out).unwrap();
    let bodies: Vec<_> = messages
        .iter()
        .filter(|m| m.kind == MessageType::Video)
        .collect();
    assert_eq!(bodies[0].body, "x");
    assert_eq!(bodies[1].body, "y");
    assert_eq!(bodies.len(), 2);
}

#[test]
fn limits_hold() {
    let declare = |id: u32, len: u32, out: &mut BytesMut| {
        let [_, a, b, c] = len.to_be_bytes();
        out.put_slice(&[1]);
        out.put_u16_le((id - 64) as u16);
        out.put_slice(&[0, 0, 0, a, b, c, 9, 1, 0, 0, 0]);
    };
    let mut out = BytesMut::new();
    declare(64, (1 << 20) + 1, &mut out);
    assert_eq!(
        read_all(&mut reader(), &out),
        Err(Error::Limit("bytes of a message"))
    );

    let mut out = BytesMut::new();
    for id in 64..20_064 {
        declare(id, 1 << 20, &mut out);
        out.put_slice(&[0; 128]);
    }
    let e = read_all(&mut reader(), &out);
    assert_eq!(e, Err(Error::Limit("chunk streams of a connection")));

    let mut out = BytesMut::new();
    put_message(
        2,
        MessageType::SetChunkSize,
        0,
        0,
        128,
        &[&0xFFFF_u32.to_be_bytes()],
        &mut out,
    );
    for id in 64..64 + 31 {
        declare(id, 1 << 20, &mut out);
        out.put_slice(&[0; 0xFFFF]);
    }
    let e = read_all(&mut reader(), &out);
    assert_eq!(e, Err(Error::Limit("bytes of partly received messages")));

    let mut r = reader();
    r.allow_tiny_chunks(100);
    let mut out = BytesMut::new();
    put_message(
        2,
        MessageType::SetChunkSize,
        0,
        0,
        128,
        &[&1_u32.to_be_bytes()],
        &mut out,
    );
    put_message(6, MessageType::Video, 1, 0, 1, &[&[0; 200]], &mut out);
    assert_eq!(
        read_all(&mut r, &out),
        Err(Error::Limit("tiny chunks a second"))
    );
}

#[test]
fn fresh_chunk_streams_need_a_header_with_a_length() {
    for head in [&b"\xE8"[..], b"\xA8\x00\x00\x01"] {
        let e = read_all(&mut reader(), head).unwrap_err();
        assert!(matches!(e, Error::Protocol { offset: 0, .. }), "{e}");
    }
    // librtmp opens its control stream with type 1.
    let messages = read_all(&mut reader(), b"\x42\x00\x00\x05\x00\x00\x01\x09x").unwrap();
    assert_eq!((messages[0].timestamp, messages[0].stream), (5, 0));
}

#[test]
fn memory_follows_what_came_not_what_was_declared() {
    let mut r = ChunkReader::new(
        ChunkLimits {
            message_bytes: 10 << 20,
            partial_bytes: 16 << 20,
            chunk_streams: 32,
        },
        0,
    );
    read_all(
        &mut r,
        b"\x06\x00\x00\x01\x9F\xFF\xFF\x09\x01\x00\x00\x00abc",
    )
    .unwrap();
    assert!(r.held() <= 4096, "{}", r.held());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        list in proptest::collection::vec(
            (3u32..8, any::<u32>(), 0u32..3, 0usize..700, 0u8..4), 1..30),
        sizes in proptest::collection::vec(1u32..300, 30),
        cut in 1usize..200,
    ) {
        let mut writer = ChunkWriter::new();
        let mut out = BytesMut::new();
        let mut sent = Vec::new();
        for (i, (id, time, stream, len, change)) in list.into_iter().enumerate() {
            if change == 0 {
                writer.set_chunk_size(sizes[i], &mut out);
            }
            let m = message(id, time, stream, &vec![i as u8; len]);
            write(&mut writer, &m, &mut out);
            sent.push(m);
        }
        let mut r = reader();
        let mut got = Vec::new();
        for part in out.chunks(cut) {
            got.extend(read_all(&mut r, part).unwrap());
        }
        got.retain(|m| m.kind == MessageType::Video);
        prop_assert_eq!(got, sent);
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1usize..100) {
        let mut r = reader();
        for part in bytes.chunks(cut) {
            if read_all(&mut r, part).is_err() {
                break;
            }
        }
    }
}
