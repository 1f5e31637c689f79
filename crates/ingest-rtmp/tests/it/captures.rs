//! What real senders sent (data/, named by sender): the session tells the same story however the bytes are cut, and
//! neither cut-off nor damaged bytes make it panic.

use std::fmt::Write as _;
use std::time::Instant;

use expect_test::{Expect, expect};
use millstream_ingest_rtmp::session::{Event, Input, Output, Session, SessionConfig};
use millstream_ingest_rtmp::wire::handshake::PACKET;

macro_rules! capture {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("data/", $name, ".bin")).as_slice(),
        )
    };
}

const CAPTURES: [(&str, &[u8]); 7] = [
    capture!("ffmpeg_5_1_h264_aac"),
    capture!("ffmpeg_9_h264_mp3"),
    capture!("ffmpeg_9_hevc_aac"),
    capture!("ffmpeg_9_av1_opus"),
    capture!("ffmpeg_9_vp9_opus"),
    capture!("gstreamer_1_22_rtmp2sink"),
    capture!("gstreamer_1_22_rtmpsink"),
];

/// Feeds the parts; yields every event. Requests are granted.
fn feed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Result<(), String>) {
    let now = Instant::now();
    let mut session = Session::new(SessionConfig::default(), now);
    let mut events = Vec::new();
    for part in parts {
        let mut result = session.handle_input(now, Input::Bytes(part));
        loop {
            let mut asked = false;
            while let Some(output) = session.poll_output() {
                if let Output::Event(event) = output {
                    asked |= matches!(event, Event::Publish(_));
                    events.push(event);
                }
            }
            if !asked || result.is_err() {
                break;
            }
            result = session.accept_publish(now);
        }
        if let Err(e) = result {
            return (events, Err(e.to_string()));
        }
    }
    (events, Ok(()))
}

fn story(events: &[Event]) -> String {
    let mut out = String::new();
    let (mut frames, mut bytes) = ([0_usize; 4], 0);
    let (mut keys, mut last) = (0, 0);
    for event in events {
        match event {
            Event::Connected(c) => {
                let enhanced = c.enhanced.as_ref().map(|e| (&e.four_ccs, e.caps));
                writeln!(out, "connect {} {:?} {enhanced:?}", c.app, c.agent).unwrap();
            }
            Event::Publish(r) => writeln!(out, "publish {} {}", r.key, r.kind).unwrap(),
            Event::Track(t) => {
                let (video, audio) = (
                    t.video.map(|v| (v.width, v.height)),
                    t.audio.map(|a| (a.sample_rate, a.channels)),
                );
                let codec = t.codec_string.as_deref().unwrap_or("-");
                writeln!(
                    out,
                    "track {} {} {codec} {video:?} {audio:?}",
                    t.id, t.codec
                )
                .unwrap();
            }
            Event::Frame(f) => {
                frames[usize::from(f.track.0).min(3)] += 1;
                keys += usize::from(f.is_keyframe() && f.track.0 == 1);
                bytes += f.payload.len();
                last = last.max(f.dts.as_millis());
            }
            Event::Tags(t) => writeln!(out, "tags {:?}", t.text("encoder").is_some()).unwrap(),
            Event::Damaged(why) => writeln!(out, "damaged {why}").unwrap(),
            Event::Unpublished => writeln!(out, "unpublished").unwrap(),
            other => writeln!(out, "{other:?}").unwrap(),
        }
    }
    writeln!(
        out,
        "{} pictures ({keys} key), {} sounds, {bytes} bytes, to {last} ms",
        frames[1], frames[2]
    )
    .unwrap();
    out
}

fn check(name: &str, expect: Expect) {
    let (_, bytes) = CAPTURES.iter().find(|(n, _)| *n == name).unwrap();
    let (events, result) = feed([*bytes]);
    expect.assert_eq(&story(&events));
    assert_eq!(result, Ok(()));
}

#[test]
fn ffmpeg_5_1_h264_aac() {
    check(
        "ffmpeg_5_1_h264_aac",
        expect![[r#"
        connect live Some("FMLE/3.0 (compatible; Lavf59.27.100)") None
        publish live/cam live
        tags true
        track 1 h264 avc1.42d00b Some((64, 64)) None
        track 2 aac mp4a.40.2 None Some((48000, 1))
        unpublished
        25 pictures (3 key), 48 sounds, 18856 bytes, to 1002 ms
    "#]],
    );
}

#[test]
fn ffmpeg_9_h264_mp3() {
    check(
        "ffmpeg_9_h264_mp3",
        expect![[r#"
            connect live Some("FMLE/3.0 (compatible; Lavf63.1.102)") None
            publish live/cam live
            tags true
            track 1 h264 avc1.42d00b Some((64, 64)) None
            track 2 mp3 mp4a.6B None Some((48000, 1))
            unpublished
            25 pictures (3 key), 43 sounds, 18800 bytes, to 1008 ms
        "#]],
    );
}

#[test]
fn ffmpeg_9_hevc_aac() {
    check(
        "ffmpeg_9_hevc_aac",
        expect![[r#"
        connect live Some("FMLE/3.0 (compatible; Lavf63.1.102)") Some((["hvc1"], 0))
        publish live/cam live
        tags true
        track 1 h265 hvc1.1.6.L30.90 Some((64, 64)) None
        track 2 aac mp4a.40.2 None Some((48000, 1))
        unpublished
        25 pictures (3 key), 48 sounds, 10853 bytes, to 1061 ms
    "#]],
    );
}

#[test]
fn ffmpeg_9_av1_opus() {
    check(
        "ffmpeg_9_av1_opus",
        expect![[r#"
        connect live Some("FMLE/3.0 (compatible; Lavf63.1.102)") Some((["av01", "Opus"], 0))
        publish live/cam live
        tags true
        track 1 av1 av01.0.00M.08 Some((64, 64)) None
        track 2 opus opus None Some((48000, 1))
        unpublished
        25 pictures (3 key), 51 sounds, 18750 bytes, to 1001 ms
    "#]],
    );
}

#[test]
fn ffmpeg_9_vp9_opus() {
    check(
        "ffmpeg_9_vp9_opus",
        expect![[r#"
        connect live Some("FMLE/3.0 (compatible; Lavf63.1.102)") Some((["vp09", "Opus"], 0))
        publish live/cam live
        tags true
        track 1 vp9 vp09.00.10.08 Some((64, 64)) None
        track 2 opus opus None Some((48000, 1))
        unpublished
        25 pictures (3 key), 51 sounds, 17388 bytes, to 1001 ms
    "#]],
    );
}

#[test]
fn gstreamer_1_22_rtmp2sink() {
    check(
        "gstreamer_1_22_rtmp2sink",
        expect![[r#"
            connect live Some("LNX 10,0,32,18") None
            publish live/cam live
            tags true
            track 1 h264 avc1.f4000a Some((64, 64)) None
            track 2 aac mp4a.40.2 None Some((44100, 1))
            unpublished
            25 pictures (3 key), 41 sounds, 14811 bytes, to 960 ms
        "#]],
    );
}

#[test]
fn gstreamer_1_22_rtmpsink() {
    check(
        "gstreamer_1_22_rtmpsink",
        expect![[r#"
        connect live None None
        publish live/cam live
        tags true
        track 1 h264 avc1.f4000a Some((64, 64)) None
        track 2 aac mp4a.40.2 None Some((44100, 1))
        unpublished
        25 pictures (3 key), 41 sounds, 14811 bytes, to 960 ms
    "#]],
    );
}

#[test]
fn any_split_tells_the_same() {
    for (name, bytes) in CAPTURES {
        let whole = story(&feed([bytes]).0);
        for size in [1, 2, 3, 11, 127, 128, 129, 1_536, 4_096] {
            assert_eq!(
                story(&feed(bytes.chunks(size)).0),
                whole,
                "{name} in pieces of {size}"
            );
        }
        for at in (0..bytes.len()).step_by(101) {
            let (a, b) = bytes.split_at(at);
            assert_eq!(story(&feed([a, b]).0), whole, "{name} cut at {at}");
        }
    }
}

#[test]
fn cut_off_anywhere_is_no_panic() {
    for (name, bytes) in CAPTURES {
        for at in (0..bytes.len()).step_by(53) {
            let (_, result) = feed([&bytes[..at]]);
            assert_eq!(result, Ok(()), "{name} cut off at {at}: more could come");
        }
    }
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides.max(1)
    }
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    // The handshake is worth a few of the tries only.
    let start = if dice.roll(20) == 0 {
        0
    } else {
        1 + 2 * PACKET
    };
    for _ in 0..=dice.roll(3) {
        let at = start + dice.roll(bytes.len().saturating_sub(start));
        match dice.roll(6) {
            0 => bytes[at] ^= 1 << dice.roll(8),
            1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][dice.roll(5)],
            2 | 3 => {
                let wide = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0x00FF_FFFF][dice.roll(6)];
                for (to, from) in bytes[at..].iter_mut().zip(wide.to_be_bytes()) {
                    *to = from;
                }
            }
            4 => {
                let end = (at + dice.roll(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + dice.roll(40)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
        if bytes.len() <= start {
            return;
        }
    }
}

#[test]
fn ten_thousand_mutations_never_panic() {
    let mut dice = Dice(0x4D69_6C6C_7374_7265);
    let (mut refused, mut damaged) = (0, 0);
    for (_, bytes) in CAPTURES {
        for _ in 0..1_500 {
            let mut bytes = bytes.to_vec();
            damage(&mut bytes, &mut dice);
            let size = 1 + dice.roll(8_192);
            let (events, result) = feed(bytes.chunks(size));
            refused += usize::from(result.is_err());
            damaged += usize::from(events.iter().any(|e| matches!(e, Event::Damaged(_))));
        }
    }
    // The mutations bite: they are neither all harmless nor all fatal at once.
    assert!(
        refused > 1_000 && refused < 9_500,
        "{refused} of 10500 refused"
    );
    assert!(damaged > 100, "{damaged} of 10500 had damaged messages");
}
