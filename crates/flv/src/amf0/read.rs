//! The bounded AMF0 reader.

use core_frame::Limits;

use super::{Value, marker};
use crate::amf3;
use crate::input::Input;

/// Depth no reader passes, whatever the limits say: it is what the smallest thread stack can bear.
pub(crate) const DEPTH_CEILING: u32 = 64;

/// Why bytes are no AMF, or more of it than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad AMF at byte {offset}: {rule}")]
pub struct Error {
    /// Where in the message, in bytes from its start.
    pub offset: usize,
    /// The rule that was broken.
    pub rule: &'static str,
}

/// Reads every value of a message.
///
/// # Errors
/// See [`Reader::read`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Error> {
    Reader::new(bytes, limits).collect()
}

/// Reads the values of one message, one after the other.
///
/// Depth, values in all and string lengths are bounded by [`Limits::amf_depth`], [`Limits::amf_nodes`] and
/// [`Limits::amf_string_bytes`]; a declared count or length never reserves memory. Text that is not UTF-8 is repaired
/// with U+FFFD, since senders put titles of other encodings into metadata.
///
/// A switch to AMF3 (§3.1) holds for the one value behind it. The AMF3 values of a message share their reference tables.
///
/// As an iterator it ends after the first error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: Input<'a>,
    nodes_left: u32,
    depth_max: u32,
    string_max: usize,
    /// What reads the AMF3 values of this message; made by the first of them.
    amf3: Option<Box<amf3::Reader<'a>>>,
    failed: bool,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            input: Input::new(bytes, "the message ends inside a value"),
            nodes_left: limits.amf_nodes,
            depth_max: limits.amf_depth.min(DEPTH_CEILING),
            string_max: limits.amf_string_bytes as usize,
            amf3: None,
            failed: false,
        }
    }

    /// A reader of an RTMP message of type 15 or 17, or of an FLV tag of type 15: a format selector of 0, then AMF0
    /// values, any of which may be switched to AMF3 (E-RTMP v2, "Enabling AMF3 in RTMP").
    ///
    /// Senders that leave the selector out are understood, since such a message begins with a name and not with an AMF0
    /// number.
    #[must_use]
    pub fn of_amf3_message(body: &'a [u8], limits: &Limits) -> Self {
        let mut reader = Self::new(body, limits);
        reader.input.at = usize::from(body.first() == Some(&marker::NUMBER));
        reader
    }

    /// True when one of the values read so far was AMF3.
    #[must_use]
    pub const fn has_amf3(&self) -> bool {
        self.amf3.is_some()
    }

    /// The next value.
    ///
    /// # Errors
    /// The bytes end inside the value, break AMF0, use a type that is not read (references, movie clips, record
    /// sets) or pass a limit.
    pub fn read(&mut self) -> Result<Value, Error> {
        self.value(0)
    }

    /// True when all bytes are read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.input.at
    }

    /// What is not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.input.bytes.get(self.input.at..).unwrap_or_default()
    }

    fn value(&mut self, depth: u32) -> Result<Value, Error> {
        let start = self.input.at;
        let fail = |rule| {
            Err(Error {
                offset: start,
                rule,
            })
        };
        self.nodes_left = match self.nodes_left.checked_sub(1) {
            Some(left) => left,
            None => return fail("more values than the limit of AMF nodes"),
        };
        match self.input.u8()? {
            marker::NUMBER => Ok(Value::Number(f64::from_bits(self.input.u64()?))),
            marker::BOOLEAN => Ok(Value::Boolean(self.input.u8()? != 0)),
            marker::STRING => {
                let len = usize::from(self.input.u16()?);
                Ok(Value::String(self.text(len)?))
            }
            marker::NULL => Ok(Value::Null),
            marker::UNDEFINED => Ok(Value::Undefined),
            marker::DATE => {
                let unix_ms = f64::from_bits(self.input.u64()?);
                let zone = self.input.u16()?.cast_signed();
                Ok(Value::Date { unix_ms, zone })
            }
            marker::LONG_STRING => Ok(Value::LongString(self.long_text()?)),
            marker::XML => Ok(Value::Xml(self.long_text()?)),
            marker::OBJECT | marker::ECMA_ARRAY | marker::STRICT_ARRAY | marker::TYPED_OBJECT
                if depth >= self.depth_max =>
            {
                fail("nested deeper than the limit of AMF depth")
            }
            marker::OBJECT => Ok(Value::Object(self.fields(depth)?)),
            marker::ECMA_ARRAY => {
                // The count is only a hint (§2.10): the members end at the end marker.
                self.input.u32()?;
                Ok(Value::EcmaArray(self.fields(depth)?))
            }
            marker::STRICT_ARRAY => {
                let count = self.input.u32()?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.value(depth + 1)?);
                }
                Ok(Value::StrictArray(items))
            }
            marker::TYPED_OBJECT => {
                let len = usize::from(self.input.u16()?);
                let class = self.text(len)?;
                let fields = self.fields(depth)?;
                Ok(Value::TypedObject { class, fields })
            }
            marker::REFERENCE => fail("references are not read (§2.9)"),
            marker::AVM_PLUS => self.switched(depth),
            marker::OBJECT_END => fail("an end marker outside an object (§2.11)"),
            _ => fail("unknown type marker (§2.1)"),
        }
    }

    /// The AMF3 value behind a switch (§3.1).
    fn switched(&mut self, depth: u32) -> Result<Value, Error> {
        let (bytes, depth_max, string_max) = (self.input.bytes, self.depth_max, self.string_max);
        let amf3 = self
            .amf3
            .get_or_insert_with(|| Box::new(amf3::Reader::within(bytes, depth_max, string_max, 0)));
        let (value, at, nodes_left) = amf3.read_at(self.input.at, depth, self.nodes_left)?;
        (self.input.at, self.nodes_left) = (at, nodes_left);
        Ok(value)
    }

    /// Members up to and with the end marker `00 00 09`.
    fn fields(&mut self, depth: u32) -> Result<Vec<(String, Value)>, Error> {
        let mut fields = Vec::new();
        loop {
            let start = self.input.at;
            let len = usize::from(self.input.u16()?);
            if len == 0 && self.rest().first() == Some(&marker::OBJECT_END) {
                self.input.at = self.input.at.saturating_add(1);
                return Ok(fields);
            }
            if self.rest().len() < len {
                return Err(Error {
                    offset: start,
                    rule: "an object without its end marker 00 00 09 (§2.11)",
                });
            }
            let key = self.text(len)?;
            let value = self.value(depth + 1)?;
            fields.push((key, value));
        }
    }

    fn long_text(&mut self) -> Result<String, Error> {
        let len = self.input.u32()? as usize;
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Result<String, Error> {
        if len > self.string_max {
            return Err(self
                .input
                .error("a string longer than the limit of AMF string bytes"));
        }
        let bytes = self.input.take(len)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.is_empty() {
            return None;
        }
        let value = self.read();
        self.failed = value.is_err();
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> Error {
        read(bytes, &Limits::default()).expect_err("must be refused")
    }

    #[test]
    fn knows_the_markers() {
        let bytes = [
            0x00, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, // 1.0
            0x01, 0x01, // true
            0x02, 0, 2, b'h', b'i', // "hi"
            0x05, 0x06, // null, undefined
            0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1, b'a', 0x05, 0, 0, 9, // lying count
            0x0A, 0, 0, 0, 1, 0x05, // [null]
            0x0B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // date 0
            0x0C, 0, 0, 0, 1, b'x', // long string
            0x10, 0, 1, b'C', 0, 0, 9, // typed object
        ];
        let values = read(&bytes, &Limits::default()).unwrap();
        assert_eq!(
            values,
            [
                Value::Number(1.0),
                Value::Boolean(true),
                Value::from("hi"),
                Value::Null,
                Value::Undefined,
                Value::ecma_array([("a", Value::Null)]),
                Value::StrictArray(vec![Value::Null]),
                Value::Date {
                    unix_ms: 0.0,
                    zone: 0
                },
                Value::LongString("x".into()),
                Value::TypedObject {
                    class: "C".into(),
                    fields: vec![]
                },
            ]
        );
    }

    #[test]
    fn refuses_with_the_offset() {
        assert_eq!(refused(&[0x05, 0x07, 0, 0]).offset, 1);
        assert!(refused(&[0x07, 0, 0]).rule.contains("references"));
        assert!(refused(&[0x11, 0x12]).rule.contains("AMF3"));
        assert!(refused(&[0x0D]).rule.contains("unknown"));
        assert!(refused(&[0x09]).rule.contains("end marker"));
        // An object whose end marker is missing.
        assert!(refused(&[0x03, 0, 1, b'a', 0x05]).rule.contains("ends"));
        assert!(refused(&[0x03, 0, 9, b'a', 0x05]).rule.contains("00 00 09"));
    }

    #[test]
    fn declared_lengths_reserve_nothing() {
        for marker in [0x0C, 0x0F] {
            let rule = refused(&[marker, 0xFF, 0xFF, 0xFF, 0xFF, b'x']).rule;
            assert!(rule.contains("string"), "{rule}");
        }
        assert!(
            refused(&[0x0A, 0xFF, 0xFF, 0xFF, 0xFF])
                .rule
                .contains("ends")
        );
        assert!(refused(&[0x02, 0xFF, 0xFF, b'x']).rule.contains("ends"));
        // An array of a billion nulls ends at the limit of nodes, not at memory.
        let mut nulls = vec![0x0A, 0x3F, 0xFF, 0xFF, 0xFF];
        nulls.resize(100_000, 0x05);
        assert!(refused(&nulls).rule.contains("nodes"));
    }

    #[test]
    fn nesting_ends_at_the_limit_on_a_small_stack() {
        let nests: Vec<Vec<u8>> = vec![
            [0x03, 0, 1, b'a'].repeat(15_000),
            [0x0A, 0, 0, 0, 1].repeat(15_000),
            [0x08, 0, 0, 0, 1, 0, 1, b'a'].repeat(15_000),
            [0x10, 0, 1, b'C', 0, 1, b'a'].repeat(15_000),
        ];
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                let mut wide = Limits::default();
                wide.amf_depth = u32::MAX;
                wide.amf_nodes = u32::MAX;
                for nest in &nests {
                    assert!(refused(nest).rule.contains("nested deeper"));
                    assert!(read(nest, &wide).is_err());
                }
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn repairs_text_of_other_encodings() {
        let values = read(&[0x02, 0, 2, b'a', 0xE9], &Limits::default()).unwrap();
        assert_eq!(values[0].as_str(), Some("a\u{FFFD}"));
    }
}
