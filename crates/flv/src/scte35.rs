//! SCTE 35 cues in script messages: sections out of what encoders send, and back.
//!
//! RTMP has no place of its own for splice information. What is in use:
//!
//! | message | members | who |
//! |---|---|---|
//! | `onAdCue` | `type` (`scte35` or `urn:scte:scte35:2013:bin`), `cue` (the section in Base64), `id`, `duration`, `time` | Adobe Primetime's "SCTE-35 mode", read by Azure Media Services and packagers after it |
//! | `onCuePoint` | `name` (`scte35…`), a member with the section in Base64 or hexadecimal, at the top or under `parameters` | encoders' and servers' own |
//! | `onCuePoint` | `parameters` with the fields of `splice_insert` by name (`splice_command_type`, `splice_event_id`, `break_duration`, …) | Elemental's "onCuePointScte35" |
//! | `onCuePoint`, `onAdCue` | a time and a duration, no more | Elemental's plain "onCuePoint", "simple mode" |
//!
//! The first two are taken wherever a section stands whose checksum is right, the third is made into a section. The last
//! says too little for one and stays a script message. Sections are written in the first form, the only published one
//! that carries all of a section.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{BufMut, Bytes, BytesMut};
use core_frame::{Limits, MediaTime, TrackId};

use crate::amf0::{self, Value};
use crate::{Error, Script, error::Result};

/// The track of SCTE 35 sections that came in script messages.
pub const TRACK: TrackId = TrackId(4);

/// Longest section: 12 bits of length (SCTE 35 §9.6, at most 4 093), and what stands before it.
const SECTION_MAX: usize = 4_096;
/// `splice_command_type` of `splice_insert`.
const SPLICE_INSERT: u8 = 5;

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Checks that these bytes are one splice information section: `table_id` 0xFC, the length, the checksum (SCTE 35 §9.6).
///
/// # Errors
/// They are not.
pub fn check(section: &[u8]) -> Result<()> {
    let broken = |rule| Err(Error::invalid("SCTE 35 section", rule));
    let [0xFC, high, low, rest @ ..] = section else {
        return broken("table_id must be FC (§9.6)");
    };
    if high & 0xC0 != 0 {
        return broken("section_syntax_indicator and private_indicator must be 0 (§9.6)");
    }
    let length = usize::from(high & 0x0F) << 8 | usize::from(*low);
    if length != rest.len() || rest.len() < 17 {
        return broken("section_length must be that of the section (§9.6)");
    }
    match crc(section) {
        0 => Ok(()),
        _ => broken("CRC_32 is wrong (§9.6)"),
    }
}

/// The section that a script message carries; nothing when it carries none.
///
/// Splice times that a section says are on the clock of its maker, as everywhere; a section that is made here of named
/// fields has the message's own time as its clock (at 90 kHz, in 33 bits).
#[must_use]
pub fn from_script(script: &Script, limits: &Limits) -> Option<Bytes> {
    if !matches!(script.name.as_str(), "onAdCue" | "onCuePoint") {
        return None;
    }
    let values = amf0::read(&script.body, limits).ok()?;
    let about = values.get(1)?;
    let parameters = about.get("parameters");
    let members = [Some(about), parameters]
        .into_iter()
        .flatten()
        .filter_map(Value::members);
    let mut sections = members.flatten().filter_map(|(_, value)| section_in(value));
    sections
        .next()
        .or_else(|| insert_of(parameters?, script.time))
}

/// `onAdCue` with the section in Base64. `time` is when it was due, on the stream's timeline.
///
/// # Errors
/// The bytes are no section ([`check`]).
pub fn to_script(section: &[u8], time: MediaTime) -> Result<Bytes> {
    check(section)?;
    let insert = Insert::read(section);
    // A name for this cue: repeated, it has the same one.
    let id = match insert {
        Some(insert) => insert.event_id.to_string(),
        None => format!(
            "{:08x}",
            crc(section.get(..section.len() - 4).unwrap_or_default())
        ),
    };
    let seconds = insert.and_then(|i| i.duration).unwrap_or(0) as f64 / 90_000.0;
    let cue = Value::object([
        ("cue", Value::String(BASE64.encode(section))),
        ("type", "scte35".into()),
        ("id", id.into()),
        ("duration", Value::Number(seconds)),
        ("time", Value::Number(time.as_secs_f64())),
    ]);
    Ok(amf0::write(&["onAdCue".into(), cue]))
}

/// A section in Base64, in hexadecimal or as it is.
fn section_in(value: &Value) -> Option<Bytes> {
    let section = match value {
        Value::String(text) | Value::LongString(text) if text.len() <= 2 * SECTION_MAX + 64 => {
            let text = text.trim();
            let hex = text.strip_prefix("0x").unwrap_or(text);
            match text.as_bytes().first()? {
                // FC in Base64.
                b'/' => BASE64.decode(text).ok()?,
                _ => from_hex(hex)?,
            }
        }
        Value::ByteArray(bytes) => bytes.clone(),
        _ => return None,
    };
    check(&section).ok()?;
    Some(section.into())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !matches!(text, [b'f' | b'F', b'c' | b'C', ..]) || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [a, b] => Some((digit(*a)? << 4 | digit(*b)?) as u8),
        _ => None,
    };
    text.chunks(2).map(byte).collect()
}

/// What a `splice_insert` says (SCTE 35 §9.7.3), so far as messages name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Insert {
    event_id: u32,
    is_cancel: bool,
    is_out: bool,
    /// On a clock of 90 kHz; nothing for "now".
    splice_time: Option<u64>,
    /// In ticks of 90 kHz.
    duration: Option<u64>,
    program_id: u16,
    avail_num: u8,
    avails_expected: u8,
}

/// The members of Elemental's message as a section. Its times are milliseconds.
fn insert_of(parameters: &Value, now: MediaTime) -> Option<Bytes> {
    let number = |key: &str| {
        let number = parameters.get(key)?.as_f64();
        number.filter(|n| (0.0..=f64::from(u32::MAX)).contains(n))
    };
    let flag = |key: &str| match parameters.get(key) {
        Some(Value::Boolean(flag)) => *flag,
        Some(Value::Number(n)) => *n != 0.0,
        _ => false,
    };
    if number("splice_command_type")? as u8 != SPLICE_INSERT {
        return None;
    }
    let ticks = |ms: f64| (ms * 90.0).round() as u64 & 0x1_FFFF_FFFF;
    let byte = |key| number(key).map_or(0, |n| n as u8);
    let due = || {
        let ahead = number("pre_roll_time").unwrap_or(0.0);
        ticks((now.as_millis().max(0) as f64 + ahead) % 95_443_717.0)
    };
    let insert = Insert {
        event_id: number("splice_event_id")? as u32,
        is_cancel: flag("splice_event_cancel_indicator"),
        is_out: flag("out_of_network_indicator"),
        splice_time: (!flag("splice_immediate")).then(due),
        duration: number("break_duration").filter(|n| *n > 0.0).map(ticks),
        program_id: number("unique_program_id").map_or(0, |n| n as u16),
        avail_num: byte("avail_num"),
        avails_expected: number("avails_expected").map_or(byte("avail_expected"), |n| n as u8),
    };
    Some(insert.section())
}

impl Insert {
    /// The fields of a section that was checked; nothing when it holds another command.
    fn read(section: &[u8]) -> Option<Self> {
        let (&[kind, e3, e2, e1, e0, cancel], rest) =
            section.get(13..)?.split_first_chunk::<6>()?;
        if kind != SPLICE_INSERT {
            return None;
        }
        let mut insert = Self {
            event_id: u32::from_be_bytes([e3, e2, e1, e0]),
            is_cancel: cancel & 0x80 != 0,
            ..Self::default()
        };
        if insert.is_cancel {
            return Some(insert);
        }
        let (flags, mut rest) = rest.split_first()?;
        insert.is_out = flags & 0x80 != 0;
        let (is_program, has_duration, is_now) =
            (flags & 0x40 != 0, flags & 0x20 != 0, flags & 0x10 != 0);
        if !is_program {
            // Splices of single components have a list of them here.
            return Some(insert);
        }
        if !is_now {
            (insert.splice_time, rest) = match rest.first()? & 0x80 {
                0 => (None, rest.get(1..)?),
                _ => (ticks_33(rest), rest.get(5..)?),
            };
        }
        if has_duration {
            insert.duration = ticks_33(rest);
        }
        Some(insert)
    }

    fn section(self) -> Bytes {
        let mut command = BytesMut::with_capacity(32);
        command.put_u32(self.event_id);
        command.put_u8(if self.is_cancel { 0xFF } else { 0x7F });
        if !self.is_cancel {
            let flag = |set: bool, bit: u8| u8::from(set) << bit;
            command.put_u8(
                flag(self.is_out, 7)
                    | flag(true, 6)
                    | flag(self.duration.is_some(), 5)
                    | flag(self.splice_time.is_none(), 4)
                    | 0x0F,
            );
            // `flag 1 | reserved 6 | time 33`: the time is specified; the break ends by itself.
            for time in [self.splice_time, self.duration].into_iter().flatten() {
                command.put_u8(0xFE | (time >> 32 & 1) as u8);
                command.put_u32(time as u32);
            }
            command.put_u16(self.program_id);
            command.put_u8(self.avail_num);
            command.put_u8(self.avails_expected);
        }
        let mut out = BytesMut::with_capacity(64);
        // What follows the length: 11 bytes of head, the command, no descriptors, the checksum.
        let length = 11 + command.len() + 2 + 4;
        out.put_u8(0xFC);
        out.put_u16(0x3000 | length as u16);
        // Version, no encryption, no adjustment, control word 0.
        out.put_slice(&[0; 7]);
        // `tier 12 | splice_command_length 12`.
        out.put_slice(&[0xFF, 0xF0, command.len() as u8, SPLICE_INSERT]);
        out.put_slice(&command);
        out.put_u16(0);
        out.put_u32(crc(&out));
        out.freeze()
    }
}

/// `flag 1 | reserved 6 | time 33`.
fn ticks_33(bytes: &[u8]) -> Option<u64> {
    let [a, b, c, d, e] = *bytes.first_chunk::<5>()?;
    Some(u64::from_be_bytes([0, 0, 0, a & 1, b, c, d, e]))
}

/// CRC-32 of ISO/IEC 13818-1, annex A; 0 over a section with its own.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        let crc = crc ^ u32::from(*byte) << 24;
        (0..8).fold(crc, |crc, _| {
            let carry = (crc >> 31) * 0x04C1_1DB7;
            crc << 1 ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `splice_insert` as Google's Live Stream API prints it, and a `time_signal` of the threefive documentation.
    const INSERT: &str = "/DAlAAAAAAAAAP/wFAVDE1agf+//yBysA/4APcxQAAAAAAAAXhEvvQ==";
    const SIGNAL: &str = "/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g=";

    fn script(name: &str, value: Value) -> Script {
        Script {
            name: name.to_owned(),
            time: MediaTime::from_millis(10_000),
            body: amf0::write(&[name.into(), value]),
        }
    }

    fn found(name: &str, value: Value) -> Option<Bytes> {
        from_script(&script(name, value), &Limits::default())
    }

    fn bytes(base64: &str) -> Bytes {
        BASE64.decode(base64).unwrap().into()
    }

    #[test]
    fn sections_are_checked() {
        for section in [bytes(INSERT), bytes(SIGNAL)] {
            check(&section).unwrap();
            for at in 0..section.len() {
                let mut broken = section.to_vec();
                broken[at] ^= 0x10;
                assert!(check(&broken).is_err(), "byte {at}");
                assert!(check(&section[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn sections_are_found_where_senders_put_them() {
        let section = bytes(SIGNAL);
        let hex: String = section.iter().map(|b| format!("{b:02X}")).collect();
        let cue = |text: &str| Value::object([("type", "scte35"), ("cue", text)]);
        for text in [
            SIGNAL,
            SIGNAL.trim_end_matches('='),
            &hex,
            &format!("0x{hex}"),
        ] {
            assert_eq!(
                found("onAdCue", cue(text)).as_ref(),
                Some(&section),
                "{text}"
            );
        }
        let parameters = Value::object([("scte35", SIGNAL)]);
        let point = Value::object([("name", "scte35".into()), ("parameters", parameters)]);
        assert_eq!(found("onCuePoint", point), Some(section.clone()));
        let raw = Value::object([("data", Value::ByteArray(section.to_vec()))]);
        assert_eq!(found("onCuePoint", raw), Some(section));
        // Other messages, other texts, and what says too little for a section.
        assert_eq!(found("onTextData", cue(SIGNAL)), None);
        assert_eq!(found("onAdCue", cue("SpliceOut")), None);
        assert_eq!(found("onAdCue", cue("/DAvAAAA")), None);
        let simple = Value::object([("time", 1.0), ("duration", 30.0)]);
        assert_eq!(found("onCuePoint", simple), None);
    }

    #[test]
    fn named_fields_become_a_splice_insert() {
        let parameters = Value::object([
            ("messageType", Value::from("splice_insert")),
            ("splice_command_type", 5.0.into()),
            ("splice_event_id", 1_125_325_472.0.into()),
            ("splice_event_cancel_indicator", false.into()),
            ("out_of_network_indicator", true.into()),
            ("splice_immediate", false.into()),
            ("pre_roll_time", 4_000.0.into()),
            ("break_duration", 30_000.0.into()),
            ("unique_program_id", 7.0.into()),
            ("avail_num", 1.0.into()),
            ("avail_expected", 2.0.into()),
        ]);
        let point = Value::object([("type", "event".into()), ("parameters", parameters)]);
        let section = found("onCuePoint", point).expect("a section");
        check(&section).unwrap();
        let want = Insert {
            event_id: 1_125_325_472,
            is_cancel: false,
            is_out: true,
            splice_time: Some(14_000 * 90),
            duration: Some(30_000 * 90),
            program_id: 0,
            avail_num: 0,
            avails_expected: 0,
        };
        assert_eq!(Insert::read(&section), Some(want));
        assert_eq!(
            section[section.len() - 10..section.len() - 4],
            [0, 7, 1, 2, 0, 0]
        );
        // Cancelled, it says no more than that.
        let cancel = Insert {
            event_id: 9,
            is_cancel: true,
            ..Insert::default()
        };
        assert_eq!(Insert::read(&cancel.section()), Some(cancel));
        check(&cancel.section()).unwrap();
        let now = Insert {
            is_out: true,
            ..Insert::default()
        };
        assert_eq!(Insert::read(&now.section()), Some(now));
    }

    #[test]
    fn what_is_written_is_found_again() {
        for base64 in [INSERT, SIGNAL] {
            let section = bytes(base64);
            let body = to_script(&section, MediaTime::from_millis(1_500)).unwrap();
            let values = amf0::read(&body, &Limits::default()).unwrap();
            assert_eq!(values[1].get("cue").and_then(Value::as_str), Some(base64));
            assert_eq!(values[1].get("time"), Some(&Value::Number(1.5)));
            let script = Script {
                name: "onAdCue".to_owned(),
                time: MediaTime::ZERO,
                body,
            };
            assert_eq!(from_script(&script, &Limits::default()), Some(section));
        }
        let insert = to_script(&bytes(INSERT), MediaTime::ZERO).unwrap();
        let values = amf0::read(&insert, &Limits::default()).unwrap();
        assert_eq!(
            values[1].get("id").and_then(Value::as_str),
            Some("1125340832")
        );
        assert_eq!(values[1].get("duration"), Some(&Value::Number(45.0)));
        assert!(to_script(b"nothing", MediaTime::ZERO).is_err());
    }
}
