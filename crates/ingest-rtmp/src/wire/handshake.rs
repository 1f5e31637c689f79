//! The handshake (RTMP 1.0 §5.2), simple and with digests, both sides.

use bytes::{BufMut, BytesMut};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::Error;

/// Size of C1, S1, C2 and S2.
pub const PACKET: usize = 1536;
/// The protocol version in C0 and S0 (§5.2.2).
pub const VERSION: u8 = 3;

const DIGEST: usize = 32;
/// Key of the side that connects: the text signs C1, the whole signs C2.
const CLIENT_KEY: &[u8; 62] = b"Genuine Adobe Flash Player 001\
\xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57\x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE";
const CLIENT_TEXT: usize = 30;
/// Key of the side that listens: the text signs S1, the whole signs S2.
const SERVER_KEY: &[u8; 68] = b"Genuine Adobe Flash Media Server 001\
\xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57\x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE";
const SERVER_TEXT: usize = 36;

/// Where the 32-byte digest lies in C1 and S1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the first half: four offset bytes at 8, digest at 12 + their sum mod 728.
    Zero,
    /// In the second half: four offset bytes at 772, digest at 776 + their sum mod 728.
    One,
}

/// Which handshake was spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes and their echo (§5.2).
    Simple,
    /// Both sides sign their packets.
    Digest(Scheme),
}

/// The listening side: reads C0, C1, C2 and answers S0, S1, S2.
#[derive(Debug)]
pub struct ServerHandshake {
    packet: Packet,
    noise: Noise,
    stage: Stage,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Version,
    First,
    Second,
    Done,
}

impl ServerHandshake {
    /// `seed` varies the bytes we send; they keep no secret.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            packet: Packet::default(),
            noise: Noise(seed),
            stage: Stage::Version,
            kind: Kind::Simple,
        }
    }

    /// Reads from the front of `input` and appends the answers to `out`. True when the handshake is complete; what is
    /// left in `input` then belongs to the chunk stream.
    ///
    /// # Errors
    /// [`Error::NotRtmp`] at the first byte when it is not 3.
    pub fn read(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        loop {
            match self.stage {
                Stage::Version => {
                    let Some((&first, rest)) = input.split_first() else {
                        return Ok(false);
                    };
                    if first != VERSION {
                        return Err(Error::NotRtmp { first });
                    }
                    *input = rest;
                    self.stage = Stage::First;
                }
                Stage::First => {
                    let Some(c1) = self.packet.fill(input) else {
                        return Ok(false);
                    };
                    self.kind = answer(&c1, &mut self.noise, out);
                    self.stage = Stage::Second;
                }
                // Nobody's C2 is worth a refusal: many encoders send zeros or their own C1.
                Stage::Second => {
                    if self.packet.fill(input).is_none() {
                        return Ok(false);
                    }
                    self.stage = Stage::Done;
                }
                Stage::Done => return Ok(true),
            }
        }
    }

    /// Which handshake the peer chose; simple until C1 has come.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

/// The connecting side: sends C0 and C1, reads S0, S1, S2 and answers C2.
#[derive(Debug)]
pub struct ClientHandshake {
    packet: Packet,
    noise: Noise,
    stage: Stage,
    /// Signed with this scheme, or simple.
    kind: Kind,
}

impl ClientHandshake {
    /// A handshake of `kind`; `seed` varies the bytes we send.
    #[must_use]
    pub fn new(kind: Kind, seed: u64) -> Self {
        Self {
            packet: Packet::default(),
            noise: Noise(seed),
            stage: Stage::Version,
            kind,
        }
    }

    /// Appends C0 and C1; call it once, first.
    pub fn start(&mut self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        let mut c1 = self.noise.packet();
        match self.kind {
            Kind::Simple => put_at(&mut c1, 0, &[0; 8]),
            Kind::Digest(scheme) => {
                put_at(&mut c1, 0, &[0, 0, 0, 0, 128, 0, 7, 2]);
                sign(&mut c1, scheme, text(CLIENT_KEY, CLIENT_TEXT));
            }
        }
        out.put_slice(&c1);
    }

    /// Reads from the front of `input` and appends C2 to `out` when it is due. True when the handshake is complete; what
    /// is left in `input` then belongs to the chunk stream.
    ///
    /// # Errors
    /// [`Error::NotRtmp`] at the first byte when it is not 3.
    pub fn read(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        loop {
            match self.stage {
                Stage::Version => {
                    let Some((&first, rest)) = input.split_first() else {
                        return Ok(false);
                    };
                    if first != VERSION {
                        return Err(Error::NotRtmp { first });
                    }
                    *input = rest;
                    self.stage = Stage::First;
                }
                Stage::First => {
                    let Some(s1) = self.packet.fill(input) else {
                        return Ok(false);
                    };
                    let signed = match self.kind {
                        Kind::Simple => None,
                        Kind::Digest(_) => verify(&s1, text(SERVER_KEY, SERVER_TEXT)),
                    };
                    match signed {
                        Some((_, digest)) => {
                            out.put_slice(&prove(&mut self.noise, CLIENT_KEY, &digest))
                        }
                        None => out.put_slice(s1.as_slice()),
                    }
                    self.stage = Stage::Second;
                }
                Stage::Second => {
                    if self.packet.fill(input).is_none() {
                        return Ok(false);
                    }
                    self.stage = Stage::Done;
                }
                Stage::Done => return Ok(true),
            }
        }
    }
}

/// Appends S0, S1, S2 for this C1 and tells which handshake it is.
fn answer(c1: &[u8; PACKET], noise: &mut Noise, out: &mut BytesMut) -> Kind {
    out.reserve(1 + 2 * PACKET);
    out.put_u8(VERSION);
    // A zero version field announces the simple form (§5.2.3).
    let versioned = c1.get(4..8).is_some_and(|v| v != [0; 4]);
    let signed = versioned
        .then(|| verify(c1, text(CLIENT_KEY, CLIENT_TEXT)))
        .flatten();
    let mut s1 = noise.packet();
    match signed {
        Some((scheme, digest)) => {
            put_at(&mut s1, 0, &[0, 0, 0, 0, 4, 5, 0, 1]);
            sign(&mut s1, scheme, text(SERVER_KEY, SERVER_TEXT));
            out.put_slice(&s1);
            out.put_slice(&prove(noise, SERVER_KEY, &digest));
            Kind::Digest(scheme)
        }
        None => {
            put_at(&mut s1, 0, &[0; 8]);
            out.put_slice(&s1);
            out.put_slice(c1);
            Kind::Simple
        }
    }
}

/// C2 or S2: noise, and a signature that shows that we hold the key and saw the peer's digest.
fn prove(noise: &mut Noise, key: &[u8], digest: &[u8; DIGEST]) -> [u8; PACKET] {
    let mut packet = noise.packet();
    let (body, _) = packet.split_at(PACKET - DIGEST);
    let proof = hmac(&hmac(key, &[digest]), &[body]);
    put_at(&mut packet, PACKET - DIGEST, &proof);
    packet
}

/// Signs C1 or S1 in place.
fn sign(packet: &mut [u8; PACKET], scheme: Scheme, key: &[u8]) {
    let at = digest_at(packet, scheme);
    let (head, rest) = packet.split_at(at);
    let tail = rest.get(DIGEST..).unwrap_or(&[]);
    let digest = hmac(key, &[head, tail]);
    put_at(packet, at, &digest);
}

/// The digest of C1 or S1 and the scheme that holds it, when one of the two does.
fn verify(packet: &[u8; PACKET], key: &[u8]) -> Option<(Scheme, [u8; DIGEST])> {
    [Scheme::One, Scheme::Zero].into_iter().find_map(|scheme| {
        let (head, rest) = packet.split_at_checked(digest_at(packet, scheme))?;
        let (digest, tail) = rest.split_first_chunk::<DIGEST>()?;
        (hmac(key, &[head, tail]) == *digest).then_some((scheme, *digest))
    })
}

/// At most 776 + 727 = 1503, so that 32 bytes always fit behind it.
fn digest_at(packet: &[u8; PACKET], scheme: Scheme) -> usize {
    let base = match scheme {
        Scheme::Zero => 8,
        Scheme::One => 772,
    };
    let sum: usize = packet
        .iter()
        .skip(base)
        .take(4)
        .map(|&b| usize::from(b))
        .sum();
    sum % 728 + base + 4
}

fn text(key: &[u8], len: usize) -> &[u8] {
    key.get(..len).unwrap_or(key)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; DIGEST]; // HMAC takes keys of every length
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn put_at(packet: &mut [u8; PACKET], at: usize, bytes: &[u8]) {
    for (to, from) in packet.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

/// Gathers one packet over any number of reads.
#[derive(Debug, Default)]
struct Packet(Vec<u8>);

impl Packet {
    fn fill(&mut self, input: &mut &[u8]) -> Option<[u8; PACKET]> {
        let (now, later) = input.split_at(input.len().min(PACKET.saturating_sub(self.0.len())));
        self.0.extend_from_slice(now);
        *input = later;
        let packet = <[u8; PACKET]>::try_from(self.0.as_slice()).ok()?;
        self.0 = Vec::new();
        Some(packet)
    }
}

/// SplitMix64: bytes that differ from one connection to the next.
#[derive(Debug)]
struct Noise(u64);

impl Noise {
    fn packet(&mut self) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        for eight in packet.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            for (to, from) in eight.iter_mut().zip(z.to_le_bytes()) {
                *to = from;
            }
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shake(kind: Kind, cut: usize) -> (Kind, usize) {
        let mut server = ServerHandshake::new(1);
        let mut client = ClientHandshake::new(kind, 2);
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        client.start(&mut up);
        let (mut client_done, mut server_done, mut rounds) = (false, false, 0);
        while !(client_done && server_done) {
            rounds += 1;
            assert!(rounds < 10_000, "no progress");
            let part = up.split_to(cut.min(up.len()));
            server_done = server.read(&mut &part[..], &mut down).unwrap();
            let part = down.split_to(cut.min(down.len()));
            client_done = client.read(&mut &part[..], &mut up).unwrap();
        }
        (server.kind(), rounds)
    }

    #[test]
    fn both_sides_agree_in_every_form_and_any_split() {
        for cut in [1, 7, 1536, 1537, 100_000] {
            for kind in [
                Kind::Simple,
                Kind::Digest(Scheme::Zero),
                Kind::Digest(Scheme::One),
            ] {
                assert_eq!(shake(kind, cut).0, kind, "cut {cut}");
            }
        }
    }

    #[test]
    fn the_servers_proof_holds() {
        for scheme in [Scheme::Zero, Scheme::One] {
            let mut out = BytesMut::new();
            ClientHandshake::new(Kind::Digest(scheme), 7).start(&mut out);
            let c1: [u8; PACKET] = out[1..].try_into().unwrap();
            let (_, digest) = verify(&c1, &CLIENT_KEY[..CLIENT_TEXT]).unwrap();
            let mut reply = BytesMut::new();
            let mut server = ServerHandshake::new(3);
            assert!(!server.read(&mut &out[..], &mut reply).unwrap());
            let s1: [u8; PACKET] = reply[1..=PACKET].try_into().unwrap();
            assert_eq!(verify(&s1, &SERVER_KEY[..SERVER_TEXT]).unwrap().0, scheme);
            let s2 = &reply[1 + PACKET..];
            let want = hmac(&hmac(SERVER_KEY, &[&digest]), &[&s2[..PACKET - DIGEST]]);
            assert_eq!(s2[PACKET - DIGEST..], want);
        }
    }

    #[test]
    fn a_broken_digest_falls_back_to_the_simple_form() {
        let mut out = BytesMut::new();
        ClientHandshake::new(Kind::Digest(Scheme::One), 7).start(&mut out);
        out[1000] ^= 1;
        let mut reply = BytesMut::new();
        let mut server = ServerHandshake::new(3);
        server.read(&mut &out[..], &mut reply).unwrap();
        assert_eq!(server.kind(), Kind::Simple);
        assert_eq!(reply[1 + PACKET..], out[1..], "S2 echoes C1");
    }

    #[test]
    fn refuses_at_the_first_byte() {
        for first in [0, 2, 6, b'G', 0x16, 0xFF] {
            let mut out = BytesMut::new();
            let e = ServerHandshake::new(0).read(&mut &[first][..], &mut out);
            assert_eq!(e, Err(Error::NotRtmp { first }));
            assert!(out.is_empty());
        }
    }
}
