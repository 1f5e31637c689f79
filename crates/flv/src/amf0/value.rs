//! The AMF0 value.

/// One AMF0 value. Members of objects keep the order they had on the wire.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// IEEE 754 double (§2.2).
    Number(f64),
    /// Boolean (§2.3).
    Boolean(bool),
    /// String of up to 65 535 bytes of UTF-8 (§2.4); a longer one is written as [`Value::LongString`].
    String(String),
    /// Anonymous object (§2.5).
    Object(Vec<(String, Value)>),
    /// Null (§2.7).
    Null,
    /// Undefined (§2.8).
    Undefined,
    /// Associative array (§2.10).
    EcmaArray(Vec<(String, Value)>),
    /// Dense array (§2.12).
    StrictArray(Vec<Value>),
    /// Date (§2.13).
    Date {
        /// Milliseconds since the Unix epoch, UTC.
        unix_ms: f64,
        /// Time zone field; the specification reserves it as 0.
        zone: i16,
    },
    /// String with a 32-bit length (§2.14).
    LongString(String),
    /// XML document (§2.17).
    Xml(String),
    /// Object with a class name (§2.18).
    TypedObject {
        /// The class name.
        class: String,
        /// The members.
        fields: Vec<(String, Value)>,
    },
    /// Bytes. AMF0 has no such type: they come from AMF3 (§3.14 there) and are written behind a switch to it.
    ByteArray(Vec<u8>),
}

impl Value {
    /// An object of these members.
    pub fn object<K: Into<String>, V: Into<Self>>(
        members: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self::Object(own(members))
    }

    /// An associative array of these members.
    pub fn ecma_array<K: Into<String>, V: Into<Self>>(
        members: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self::EcmaArray(own(members))
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(b) => Some(*b),
            _ => None,
        }
    }

    /// The text of a string or long string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) | Self::LongString(s) => Some(s),
            _ => None,
        }
    }

    /// The bytes of a byte array.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::ByteArray(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The members of an object, typed object or associative array.
    #[must_use]
    pub fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(m) | Self::EcmaArray(m) | Self::TypedObject { fields: m, .. } => Some(m),
            _ => None,
        }
    }

    /// The items of a dense array.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::StrictArray(items) => Some(items),
            _ => None,
        }
    }

    /// The member of this name; the first one where a sender repeats it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.members()?
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v)
    }

    /// True for null and undefined.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined)
    }
}

fn own<K: Into<String>, V: Into<Value>>(
    members: impl IntoIterator<Item = (K, V)>,
) -> Vec<(String, Value)> {
    members
        .into_iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect()
}

impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Self::Number(n)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Number(f64::from(n))
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Boolean(b)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::String(s.to_owned())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::String(s)
    }
}
