//! Writing AMF0 values.

/// AMF0 values, written one after the other.
#[derive(Clone, Debug, Default)]
pub struct Amf {
    bytes: Vec<u8>,
}

impl Amf {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A command: its name and transaction id.
    #[must_use]
    pub fn command(name: &str, transaction: f64) -> Self {
        Self::new().string(name).number(transaction)
    }

    /// A string of at most 65 535 bytes.
    #[must_use]
    pub fn string(mut self, value: impl AsRef<[u8]>) -> Self {
        self.bytes.push(2);
        self.short(value.as_ref());
        self
    }

    /// A number.
    #[must_use]
    pub fn number(mut self, value: f64) -> Self {
        self.bytes.push(0);
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Null.
    #[must_use]
    pub fn null(mut self) -> Self {
        self.bytes.push(5);
        self
    }

    /// An object of strings.
    #[must_use]
    pub fn object(self, fields: &[(&str, &str)]) -> Self {
        self.object_with(fields, &[])
    }

    /// An object of strings, and of values that are written already.
    #[must_use]
    pub fn object_with(mut self, fields: &[(&str, &str)], written: &[(&str, &[u8])]) -> Self {
        self.bytes.push(3);
        for (key, value) in fields {
            self.short(key.as_bytes());
            self = self.string(value);
        }
        for (key, value) in written {
            self.short(key.as_bytes());
            self = self.raw(value);
        }
        self.bytes.extend_from_slice(&[0, 0, 9]);
        self
    }

    /// Bytes as they are, for what no writer would write.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn short(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(65_535);
        self.bytes.extend_from_slice(&(len as u16).to_be_bytes());
        self.bytes
            .extend_from_slice(bytes.get(..len).unwrap_or_default());
    }
}
