//! The AMF0 writer.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Value, marker};
use crate::amf3;

/// The bytes of a message that holds these values.
#[must_use]
pub fn write(values: &[Value]) -> Bytes {
    let mut writer = Writer::new();
    for value in values {
        writer.value(value);
    }
    writer.finish()
}

/// Writes the values of a message one after the other.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: BytesMut,
}

impl Writer {
    /// An empty message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Any value.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Number(n) => return self.number(*n),
            Value::Boolean(b) => return self.boolean(*b),
            Value::String(s) => return self.string(s),
            Value::Null => return self.null(),
            Value::Undefined => self.out.put_u8(marker::UNDEFINED),
            Value::Object(members) => {
                self.out.put_u8(marker::OBJECT);
                self.fields(members);
            }
            Value::EcmaArray(members) => {
                self.out.put_u8(marker::ECMA_ARRAY);
                self.out.put_u32(count(members.len()));
                self.fields(members);
            }
            Value::StrictArray(items) => {
                self.out.put_u8(marker::STRICT_ARRAY);
                self.out.put_u32(count(items.len()));
                for item in items {
                    self.value(item);
                }
            }
            Value::Date { unix_ms, zone } => {
                self.out.put_u8(marker::DATE);
                self.out.put_f64(*unix_ms);
                self.out.put_i16(*zone);
            }
            Value::LongString(s) => self.long(marker::LONG_STRING, s),
            Value::Xml(s) => self.long(marker::XML, s),
            Value::TypedObject { class, fields } => {
                self.out.put_u8(marker::TYPED_OBJECT);
                self.key(class);
                self.fields(fields);
            }
            Value::ByteArray(bytes) => self.byte_array(bytes),
        }
        self
    }

    /// A number.
    pub fn number(&mut self, n: f64) -> &mut Self {
        self.out.put_u8(marker::NUMBER);
        self.out.put_f64(n);
        self
    }

    /// A boolean.
    pub fn boolean(&mut self, b: bool) -> &mut Self {
        self.out.put_u8(marker::BOOLEAN);
        self.out.put_u8(u8::from(b));
        self
    }

    /// A string; one of more than 65 535 bytes becomes a long string.
    pub fn string(&mut self, s: &str) -> &mut Self {
        match u16::try_from(s.len()) {
            Ok(len) => {
                self.out.put_u8(marker::STRING);
                self.out.put_u16(len);
                self.out.put_slice(s.as_bytes());
            }
            Err(_) => self.long(marker::LONG_STRING, s),
        }
        self
    }

    /// A null.
    pub fn null(&mut self) -> &mut Self {
        self.out.put_u8(marker::NULL);
        self
    }

    /// The message.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.out.freeze()
    }

    fn fields(&mut self, members: &[(String, Value)]) {
        for (key, value) in members {
            self.key(key);
            self.value(value);
        }
        self.out.put_slice(&[0, 0, marker::OBJECT_END]);
    }

    /// A name without a marker. It has 16 bits of length: a longer one is cut at a character.
    fn key(&mut self, key: &str) {
        let key = key
            .get(..key.floor_char_boundary(usize::from(u16::MAX)))
            .unwrap_or_default();
        self.out.put_u16(key.len() as u16);
        self.out.put_slice(key.as_bytes());
    }

    /// AMF3 §3.14: a length of 28 bits and the bytes. No message is as long as that.
    fn byte_array(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..bytes.len().min(0xFFF_FFFF)).unwrap_or_default();
        let head = (bytes.len() as u32) << 1 | 1;
        self.out.put_u8(marker::AVM_PLUS);
        self.out.put_u8(amf3::marker::BYTE_ARRAY);
        // U29: seven bits a byte, eight in the fourth.
        let septet = |shift: u32| (head >> shift) as u8 | 0x80;
        match head {
            0..0x80 => {}
            0x80..0x4000 => self.out.put_u8(septet(7)),
            0x4000..0x20_0000 => self.out.put_slice(&[septet(14), septet(7)]),
            _ => {
                self.out.put_slice(&[septet(22), septet(15), septet(8)]);
                self.out.put_u8(head as u8);
                self.out.put_slice(bytes);
                return;
            }
        }
        self.out.put_u8(head as u8 & 0x7F);
        self.out.put_slice(bytes);
    }

    fn long(&mut self, marker: u8, s: &str) {
        self.out.put_u8(marker);
        self.out.put_u32(count(s.len()));
        self.out.put_slice(s.as_bytes());
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf0::read;
    use core_frame::Limits;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>()
                .prop_filter("NaN is unequal to itself", |n| !n.is_nan())
                .prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            ".{0,20}".prop_map(Value::LongString),
            ".{0,20}".prop_map(Value::Xml),
            Just(Value::Null),
            Just(Value::Undefined),
            (-1e15..1e15, any::<i16>()).prop_map(|(unix_ms, zone)| Value::Date { unix_ms, zone }),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            let members = proptest::collection::vec((".{1,9}", inner.clone()), 0..6);
            prop_oneof![
                members.clone().prop_map(Value::Object),
                members.clone().prop_map(Value::EcmaArray),
                proptest::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
                (".{0,9}", members)
                    .prop_map(|(class, fields)| Value::TypedObject { class, fields }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec(values(), 0..5)) {
            let bytes = write(&values);
            prop_assert_eq!(read(&bytes, &Limits::default()).unwrap(), values);
            // Cut anywhere it is an error or fewer values, never a panic.
            for end in 0..bytes.len() {
                let _ = read(&bytes[..end], &Limits::default());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, &Limits::default());
        }
    }

    #[test]
    fn long_strings_change_their_type() {
        let long = "x".repeat(65_536);
        let mut limits = Limits::default();
        limits.amf_string_bytes = 70_000;
        let back = read(&write(&[Value::String(long.clone())]), &limits).unwrap();
        assert_eq!(back, [Value::LongString(long)]);
    }
}
