//! Attributes nobody has named yet, kept as they came (§4.2).

/// An attribute that the model has no field for: `X-` attributes of date ranges, those of vendors and of later
/// versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: AttributeValue,
}

impl Attribute {
    /// An attribute with a quoted value.
    #[must_use]
    pub fn quoted(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: AttributeValue::Quoted(value.into()),
        }
    }

    /// An attribute with a bare value: a number, a hexadecimal sequence, a keyword.
    #[must_use]
    pub fn bare(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: AttributeValue::Bare(value.into()),
        }
    }
}

/// The value of an [`Attribute`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A quoted string, without its quotes.
    Quoted(String),
    /// A number, hexadecimal sequence, resolution or keyword.
    Bare(String),
}

impl AttributeValue {
    /// The text of either form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Quoted(s) | Self::Bare(s) => s,
        }
    }
}
