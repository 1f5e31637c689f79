//! How to parse: strictness, limits, and values for `EXT-X-DEFINE`.

/// What happens when a sender breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Repair it, or leave the value out, and record a [`Warning`](crate::Warning): what players do.
    #[default]
    Lenient,
    /// The first broken rule is an error: what a checker wants.
    Strict,
}

/// Bounds of what a playlist may cost; a text over one is refused before the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all.
    pub bytes: usize,
    /// Bytes of one line, also after variables were put in.
    pub line_bytes: usize,
    /// Segments, parts, date ranges, variants, renditions and unknown tags together.
    pub items: usize,
    /// Warnings kept; later ones are only counted out.
    pub warnings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            line_bytes: 64 << 10,
            items: 100_000,
            warnings: 64,
        }
    }
}

/// Options of [`parse`](crate::parse).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ParseOptions {
    /// Strictness.
    pub mode: Mode,
    /// Bounds.
    pub limits: Limits,
    /// Name and value of variables that the multivariant playlist defined, for `EXT-X-DEFINE:IMPORT` (§4.4.2.3).
    pub imports: Vec<(String, String)>,
    /// Decoded query parameters of the playlist's own URI, for `EXT-X-DEFINE:QUERYPARAM` (§4.4.2.3).
    pub query: Vec<(String, String)>,
}

impl ParseOptions {
    /// Options with [`Mode::Strict`].
    #[must_use]
    pub fn strict() -> Self {
        Self {
            mode: Mode::Strict,
            ..Self::default()
        }
    }
}
