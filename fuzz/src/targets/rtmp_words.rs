//! What a hostile peer of an RTMP server has to say.

use bytes::{BufMut, BytesMut};

use super::input::Input;

/// Names of streams, good and bad.
pub(super) const NAMES: [&str; 6] = [
    "cam",
    "cam?video=all&audio=de",
    "a/b/c?token=",
    "../..",
    "\0",
    "",
];

/// Commands beside `connect`, `createStream`, `publish` and `play`.
pub(super) const OTHERS: [&str; 20] = [
    "deleteStream",
    "closeStream",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "FCUnsubscribe",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "getStreamLength",
    "_checkbw",
    "play2",
    "_result",
    "_error",
    "onStatus",
    "call",
    "",
];

/// Bodies that begin like media; the input may go on with them.
pub(super) const HEADS: [(u8, &[u8]); 14] = [
    (8, b"\xAF\0\x12\x10"),
    (8, b"\xAF\x01"),
    (8, b"\x90OpusOpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0"),
    (8, b"\x91Opus"),
    (8, b"\x95\x01Opus\x03"),
    (8, b"\x97\0\0\0"),
    (9, b"\x17\0\0\0\0"),
    (9, b"\x17\x01\0\0\0"),
    (9, b"\x27\x02\0\0\0"),
    (9, b"\x90av01"),
    (9, b"\x96\x10hvc1"),
    (18, b"\x02\0\x0D@setDataFrame\x02\0\x0AonMetaData\x03"),
    (18, b"\x02\0\x0AonCuePoint\x03"),
    (15, b"\0\x02\0\x0AonMetaData\x11\x0A\x0B\x01"),
];

/// Tags in an aggregate; a length may lie, a tag may be cut.
pub(super) fn aggregate(input: &mut Input<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    for _ in 0..input.byte() % 4 {
        let (kind, head) = input.of(&HEADS);
        let (odd, time, tail) = (input.byte(), input.word(), input.row());
        let body = [head, tail].concat();
        let length = if odd == 1 {
            u32::MAX
        } else {
            body.len() as u32
        };
        let kind = if odd == 2 { 22 } else { kind };
        out.put_u32(u32::from(kind) << 24 | length & 0x00FF_FFFF);
        let [t3, t0, t1, t2] = time.to_be_bytes();
        out.put_slice(&[t0, t1, t2, t3, 0, 0, 0]);
        out.put_slice(&body);
        out.put_u32(11 + body.len() as u32);
    }
    let cut = usize::from(input.byte() / 8);
    out.truncate(out.len().saturating_sub(cut));
    out.to_vec()
}
