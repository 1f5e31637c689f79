//! Codec configurations and frames that are none (case R12).

use testkit::rtmp::{Fate, Peer, Target};

use super::{Battle, Outcome, attack};
use crate::support::secs;

/// Message type and body.
type Body = (u8, Vec<u8>);

/// Publishes these messages; the publisher or the frames must be refused, without harm.
fn publish(to: Target, name: &str, messages: &[Body]) -> Outcome {
    let mut peer = attack(Peer::publish(to, "live", name), |p| {
        messages
            .iter()
            .try_for_each(|(kind, body)| p.message(*kind, 1, body))
    })?;
    let (fate, said) = peer.fate(secs(1));
    let said = super::summary(&said);
    Ok(match fate {
        Fate::Closed(after) => format!("publisher refused after {} ms: {said}", after.as_millis()),
        Fate::Open => format!("frames refused, publisher kept: {said}"),
    })
}

/// A sequence header around an SPS.
fn avcc(sps: &[u8]) -> Vec<u8> {
    let mut body = vec![0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xFF, 0xE1];
    body.extend_from_slice(&(sps.len() as u16).to_be_bytes());
    body.extend_from_slice(sps);
    body.extend_from_slice(&[1, 0, 4, 0x68, 0xCE, 0x3C, 0x80]);
    body
}

/// Bits, most significant first, as a NAL unit with emulation prevention.
fn nal(bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits
        .bytes()
        .filter(|b| *b != b' ')
        .map(|b| b - b'0')
        .collect();
    let mut out = Vec::new();
    let mut zeros = 0;
    for byte in bits.chunks(8) {
        let byte = (0..8).fold(0, |v, n| v << 1 | byte.get(n).copied().unwrap_or(0));
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

fn ue(value: u64) -> String {
    let code = format!("{:b}", value + 1);
    "0".repeat(code.len() - 1) + &code
}

/// Baseline SPS up to and including `log2_max_frame_num`, then what is given.
fn sps(rest: &str) -> Vec<u8> {
    nal(&format!(
        "01100111 01000010 00000000 00011110 {}{}{rest}",
        ue(0),
        ue(0)
    ))
}

#[test]
fn r12_hostile_media() {
    let mut battle = Battle::begin();
    let frame = |payload: &[u8]| (9, [&[0x17, 1, 0, 0, 0][..], payload].concat());
    let good = sps(&format!("{}{}1{}{}1000 1", ue(2), ue(1), ue(9), ue(5)));
    let huge = sps(&format!(
        "{}{}1{}{}1000 1",
        ue(2),
        ue(1),
        ue(0xFFFF_FFFE),
        ue(0xFFFF_FFFE)
    ));
    let cycle = sps(&format!("{} 0 1 1 {}{}", ue(1), ue(255), "0".repeat(40)));
    let cases: [(&str, Vec<Body>); 9] = [
        (
            "sequence header of garbage",
            vec![
                (9, b"\x17\0\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff".to_vec()),
                frame(b"\xff\xff\xff\xffzzzz"),
            ],
        ),
        (
            "SPS of 4 294 967 295 macroblocks",
            vec![(9, avcc(&huge)), frame(&[0, 0, 0, 2, 0x65, 0x88])],
        ),
        (
            "SPS with a POC cycle of 255",
            vec![(9, avcc(&cycle)), frame(&[0, 0, 0, 2, 0x65, 0x88])],
        ),
        (
            "SPS of endless zeros",
            vec![
                (9, avcc(&[0x67, 66, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0])),
                frame(&[0, 0, 0, 2, 0x65, 0x88]),
            ],
        ),
        (
            "SPS that ends at once",
            vec![(9, avcc(&[0x67])), frame(&[0, 0, 0, 2, 0x65, 0x88])],
        ),
        (
            "AAC of sample rate 0",
            vec![
                (8, vec![0xAF, 0, 0x17, 0x80, 0, 0, 0x08]),
                (8, vec![0xAF, 1, 1, 2, 3]),
            ],
        ),
        (
            "AAC of reserved sample rate",
            vec![(8, vec![0xAF, 0, 0x16, 0x90]), (8, vec![0xAF, 1, 1, 2, 3])],
        ),
        (
            "NAL unit of 2^32-1 bytes",
            vec![
                (9, avcc(&good)),
                frame(b"\xff\xff\xff\xff\x65\x88"),
                frame(b"\0\0\0\x02\x65\x88"),
            ],
        ),
        (
            "multitrack in multitrack",
            vec![
                (
                    9,
                    vec![0x96, 0x06, b'a', b'v', b'c', b'1', 0, 0x96, 0x06, 0, 0, 0],
                ),
                (9, vec![0x96, 0x26]),
                (8, vec![0x95, 0x25]),
            ],
        ),
    ];
    for (n, (name, messages)) in cases.into_iter().enumerate() {
        battle.case(&format!("R12 {name}"), 1..=5, |to| {
            publish(to, &format!("r12-{n}"), &messages)
        });
    }
    // Frames before, between and after their headers, of every first byte.
    battle.case("R12 every first byte of video and audio", 1..=1, |to| {
        let messages: Vec<_> = (0..=255_u8)
            .flat_map(|first| [(9, vec![first, 0, 0, 0, 0, 1]), (8, vec![first, 1, 2])])
            .collect();
        publish(to, "r12-all", &messages)
    });
    battle.end();
}
