//! Aggregate messages (RTMP 1.0 §7.1.6): several messages of one message stream in the body of one.

use bytes::Buf;

use super::message::{Message, MessageType};

/// The messages inside an aggregate message, in order, as slices of its body.
///
/// ```text
///  type(1) length(3) time(3) time bits 24 to 31(1) stream(3) body(length) back pointer(4)   … and again
/// ```
///
/// Times count from that of the first, which is sent at the time of the aggregate itself. The stream of a message inside
/// is that of the aggregate. The back pointer behind the last message may be missing, as some senders leave it out; what
/// it says is not looked at. An aggregate inside an aggregate is an error.
#[derive(Clone, Debug)]
pub struct Aggregate {
    rest: Message,
    first: Option<u32>,
}

/// Bytes of a header inside an aggregate.
const HEADER: usize = 11;

impl Aggregate {
    /// The messages of this aggregate message (type 22).
    #[must_use]
    pub const fn new(message: Message) -> Self {
        Self {
            rest: message,
            first: None,
        }
    }
}

impl Iterator for Aggregate {
    /// A message, or the rule that was broken; nothing follows that.
    type Item = Result<Message, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = &mut self.rest.body;
        if body.is_empty() {
            return None;
        }
        let next = match body.first_chunk::<HEADER>() {
            Some(&[kind, l0, l1, l2, t0, t1, t2, t3, ..]) => {
                let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
                let time = u32::from_be_bytes([t3, t0, t1, t2]);
                body.advance(HEADER);
                (length <= body.len()).then(|| {
                    let inner = body.split_to(length);
                    body.advance(body.len().min(4));
                    (MessageType::from(kind), time, inner)
                })
            }
            None => None,
        };
        let Some((kind, time, inner)) = next else {
            self.rest.body.clear();
            return Some(Err("an aggregate message ends inside a message (§7.1.6)"));
        };
        if kind == MessageType::Aggregate {
            self.rest.body.clear();
            return Some(Err("an aggregate message inside another (§7.1.6)"));
        }
        let since = time.wrapping_sub(*self.first.get_or_insert(time));
        Some(Ok(Message {
            chunk_stream: self.rest.chunk_stream,
            timestamp: self.rest.timestamp.wrapping_add(since),
            kind,
            stream: self.rest.stream,
            body: inner,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut, Bytes, BytesMut};

    fn aggregate(body: impl Into<Bytes>) -> Aggregate {
        Aggregate::new(Message {
            chunk_stream: 6,
            timestamp: 1_000,
            kind: MessageType::Aggregate,
            stream: 1,
            body: body.into(),
        })
    }

    fn inner(kind: u8, time: u32, body: &[u8], out: &mut BytesMut) {
        let [t3, t0, t1, t2] = time.to_be_bytes();
        out.put_u32(u32::from(kind) << 24 | body.len() as u32);
        out.put_slice(&[t0, t1, t2, t3, 0, 0, 0]);
        out.put_slice(body);
        out.put_u32(11 + body.len() as u32);
    }

    #[test]
    fn messages_come_out_as_slices_with_their_times() {
        let mut body = BytesMut::new();
        // The clock inside passes 2^32.
        for (kind, time, bytes) in [
            (8, u32::MAX - 9, &b"sound"[..]),
            (9, u32::MAX, b"picture"),
            (18, 30, b""),
        ] {
            inner(kind, time, bytes, &mut body);
        }
        let body = body.freeze();
        let range = body.as_ptr_range();
        for cut in [0, 4] {
            // The last back pointer may be missing.
            let messages: Vec<Message> = aggregate(body.slice(..body.len() - cut))
                .collect::<Result<_, _>>()
                .unwrap();
            let told: Vec<_> = messages
                .iter()
                .map(|m| (u8::from(m.kind), m.timestamp, m.stream, &m.body[..]))
                .collect();
            assert_eq!(
                told,
                [
                    (8, 1_000, 1, &b"sound"[..]),
                    (9, 1_009, 1, b"picture"),
                    (18, 1_040, 1, b"")
                ]
            );
            assert!(range.contains(&messages[1].body.as_ptr()), "no copy");
        }
    }

    #[test]
    fn every_cut_and_every_lie_ends_in_an_error() {
        let mut body = BytesMut::new();
        inner(9, 0, b"picture", &mut body);
        inner(9, 40, b"picture", &mut body);
        let body = body.freeze();
        let first = 11 + 7 + 4;
        for len in 0..body.len() {
            let result: Result<Vec<_>, _> = aggregate(body.slice(..len)).collect();
            // At the end of a message, or inside the back pointer behind it.
            let whole = len == 0 || (first - 4..=first).contains(&len) || len >= body.len() - 4;
            assert_eq!(result.is_ok(), whole, "cut to {len}");
        }
        let bomb = b"\x09\xFF\xFF\xFF\0\0\0\0\0\0\0".repeat(200);
        assert_eq!(aggregate(bomb).count(), 1, "one error, and no more");
        let mut nested = BytesMut::new();
        inner(22, 0, &body, &mut nested);
        assert!(aggregate(nested.freeze()).next().unwrap().is_err());
    }
}
