//! WebSocket (RFC 6455), the server's side of it as far as sending media goes: the handshake, frames out without
//! copying a payload, and control frames in.

use base64::Engine as _;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use sha1::{Digest, Sha1};

use super::reply::{self, Request, Response};

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Largest frame a reader may send us: it has nothing to say beyond control frames (§5.5: at most 125 bytes) and may
/// chat a little.
const MAX_INCOMING: u64 = 4 * 1024;

/// What a frame is (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// Close codes we send (§7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum CloseCode {
    /// The stream ended.
    Normal = 1000,
    /// An operator or the shutdown ended the session.
    GoingAway = 1001,
    /// The peer broke the protocol.
    Protocol = 1002,
    /// A frame longer than we take.
    TooBig = 1009,
}

/// True when the request asks for a WebSocket.
pub(crate) fn wanted(request: &Request) -> bool {
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(request.headers(), header::UPGRADE, "websocket")
        && has_token(request.headers(), header::CONNECTION, "upgrade")
}

/// The answer to the handshake (§4.2.2): 101, or what is wrong with it.
pub(crate) fn accept(headers: &HeaderMap) -> Result<Response, Box<Response>> {
    let bad = |message| {
        Box::new(reply::error(
            StatusCode::BAD_REQUEST,
            "bad_websocket",
            message,
        ))
    };
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|v| v.as_bytes() != b"13")
    {
        let mut response = *bad("the WebSocket version must be 13");
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        reply::set(&mut response, header::SEC_WEBSOCKET_VERSION, "13");
        return Err(Box::new(response));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| bad("Sec-WebSocket-Key is missing"))?;
    if base64::engine::general_purpose::STANDARD
        .decode(key.as_bytes())
        .map_or(0, |k| k.len())
        != 16
    {
        return Err(bad("Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    let mut response = reply::empty(StatusCode::SWITCHING_PROTOCOLS);
    reply::set(&mut response, header::UPGRADE, "websocket");
    reply::set(&mut response, header::CONNECTION, "upgrade");
    let value = HeaderValue::from_str(&accept_key(key.as_bytes())).map_err(|_| bad("bad key"))?;
    response
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_ACCEPT, value);
    Ok(response)
}

fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    base64::engine::general_purpose::STANDARD.encode(digest)
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|t| t.trim().eq_ignore_ascii_case(token))
}

/// The header of a final, unmasked frame (§5.2).
pub(crate) fn frame_header(opcode: Opcode, len: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(10);
    out.put_u8(0x80 | opcode as u8);
    match len {
        0..=125 => out.put_u8(len as u8),
        126..=0xFFFF => {
            out.put_u8(126);
            out.put_u16(len as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(len as u64);
        }
    }
    out.freeze()
}

/// A close frame.
pub(crate) fn close_frame(code: CloseCode, reason: &str) -> Bytes {
    let reason = reason.get(..reason.len().min(120)).unwrap_or("");
    let mut out = BytesMut::from(&frame_header(Opcode::Close, reason.len() + 2)[..]);
    out.put_u16(code as u16);
    out.put_slice(reason.as_bytes());
    out.freeze()
}

/// What the reader said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// Answer this with a pong of the same payload.
    Ping(Bytes),
    /// The reader closes.
    Close,
    /// Nothing that needs an answer.
    Other,
}

/// Takes the next whole frame out of `input`; `None` when there is none yet.
///
/// # Errors
/// The close code for a peer that breaks the protocol (§5.1: frames to a server are masked, §5.5: control frames are
/// short and whole).
pub(crate) fn take_frame(input: &mut BytesMut) -> Result<Option<Incoming>, CloseCode> {
    let [first, second, ..] = **input else {
        return Ok(None);
    };
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Err(CloseCode::Protocol);
    }
    let (len, at) = match second & 0x7F {
        126 => match input.get(2..4).and_then(|b| b.try_into().ok()) {
            Some(b) => (u64::from(u16::from_be_bytes(b)), 4),
            None => return Ok(None),
        },
        127 => match input.get(2..10).and_then(|b| b.try_into().ok()) {
            Some(b) => (u64::from_be_bytes(b), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    let opcode = first & 0x0F;
    let (control, whole) = (opcode >= 0x8, first & 0x80 != 0);
    if control && (len > 125 || !whole) {
        return Err(CloseCode::Protocol);
    }
    if len > MAX_INCOMING {
        return Err(CloseCode::TooBig);
    }
    let len = len as usize;
    if input.len() < at + 4 + len {
        return Ok(None);
    }
    let head = input.split_to(at + 4);
    let mut payload = input.split_to(len);
    let mask = head.get(at..).unwrap_or_default();
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    match opcode {
        0x0..=0x2 | 0xA => Ok(Some(Incoming::Other)),
        0x8 => Ok(Some(Incoming::Close)),
        0x9 => Ok(Some(Incoming::Ping(payload.freeze()))),
        _ => Err(CloseCode::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a client sends it.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let key = [0x12, 0x34, 0x56, 0x78];
        let mut out = vec![first];
        match payload.len() {
            n @ 0..=125 => out.push(0x80 | n as u8),
            n => {
                out.push(0x80 | 126);
                out.extend((n as u16).to_be_bytes());
            }
        }
        out.extend(key);
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
        out
    }

    #[test]
    fn answers_the_key_of_the_standard() {
        // RFC 6455 §1.3.
        assert_eq!(
            accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(&frame_header(Opcode::Binary, 125)[..], [0x82, 125]);
        assert_eq!(&frame_header(Opcode::Binary, 126)[..], [0x82, 126, 0, 126]);
        assert_eq!(
            &frame_header(Opcode::Text, 0xFFFF)[..],
            [0x81, 126, 0xFF, 0xFF]
        );
        assert_eq!(
            &frame_header(Opcode::Binary, 0x1_0000)[..],
            [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    #[test]
    fn reads_frames_cut_anywhere() {
        let mut wire = masked(0x89, b"are you there");
        wire.extend(masked(0x81, &[b'x'; 300]));
        wire.extend(masked(0x88, b"\x03\xe8"));
        for cut in 0..=wire.len() {
            let mut input = BytesMut::new();
            let mut got = Vec::new();
            for piece in [&wire[..cut], &wire[cut..]] {
                input.extend_from_slice(piece);
                while let Some(frame) = take_frame(&mut input).unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!(
                got,
                [
                    Incoming::Ping(Bytes::from_static(b"are you there")),
                    Incoming::Other,
                    Incoming::Close
                ]
            );
        }
    }

    #[test]
    fn refuses_what_breaks_the_protocol() {
        let check = |wire: &[u8]| take_frame(&mut BytesMut::from(wire));
        assert_eq!(check(&[0x89, 0x00]), Err(CloseCode::Protocol), "not masked");
        assert_eq!(
            check(&[0xC1, 0x80]),
            Err(CloseCode::Protocol),
            "reserved bit"
        );
        assert_eq!(
            check(&masked(0x83, b"")),
            Err(CloseCode::Protocol),
            "reserved opcode"
        );
        assert_eq!(
            check(&masked(0x09, b"")),
            Err(CloseCode::Protocol),
            "control frame in pieces"
        );
        assert_eq!(
            check(&[0x89, 0xFE, 0, 126]),
            Err(CloseCode::Protocol),
            "long control frame"
        );
        let huge = [0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(
            check(&huge),
            Err(CloseCode::TooBig),
            "a declared length reserves nothing"
        );
    }

    #[test]
    fn ten_thousand_mutations_do_no_harm() {
        let mut wire = masked(0x89, b"ping");
        wire.extend(masked(0x81, &[7; 200]));
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..10_000 {
            let mut bad = wire.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (seed >> 33) as usize % bad.len();
                bad[at] ^= (seed >> 20) as u8;
            }
            bad.truncate((seed >> 40) as usize % (bad.len() + 1));
            let mut input = BytesMut::from(&bad[..]);
            while let Ok(Some(_)) = take_frame(&mut input) {}
        }
    }
}
