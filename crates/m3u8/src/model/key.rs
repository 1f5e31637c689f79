//! How segments are encrypted.

/// `EXT-X-KEY` and `EXT-X-SESSION-KEY` (§4.4.4.4, §4.4.6.5). METHOD=NONE has no value: such segments have no keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// METHOD.
    pub method: Method,
    /// Where the key is.
    pub uri: Option<String>,
    /// Initialisation vector; when absent see [`Key::iv_for`].
    pub iv: Option<[u8; 16]>,
    /// KEYFORMAT; `identity` when absent.
    pub key_format: Option<String>,
    /// KEYFORMATVERSIONS; `1` when absent.
    pub key_format_versions: Option<String>,
}

impl Key {
    /// A key of the identity format.
    #[must_use]
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self {
            method,
            uri: Some(uri.into()),
            iv: None,
            key_format: None,
            key_format_versions: None,
        }
    }

    /// The key format, with its default.
    #[must_use]
    pub fn format(&self) -> &str {
        self.key_format.as_deref().unwrap_or("identity")
    }

    /// The initialisation vector of the segment with this media sequence number: the IV attribute, or the number as a
    /// 128-bit big-endian integer (§5.2).
    #[must_use]
    pub fn iv_for(&self, media_sequence: u64) -> [u8; 16] {
        self.iv
            .unwrap_or_else(|| u128::from(media_sequence).to_be_bytes())
    }
}

/// METHOD of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Whole segments in AES-128 CBC with PKCS7 padding.
    Aes128,
    /// Samples in CBC (`cbcs` in fragmented MP4).
    SampleAes,
    /// Samples in CTR (`cenc` in fragmented MP4).
    SampleAesCtr,
    /// A method that is not in the standard.
    Other(String),
}

impl Method {
    /// The word in the playlist.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Aes128 => "AES-128",
            Self::SampleAes => "SAMPLE-AES",
            Self::SampleAesCtr => "SAMPLE-AES-CTR",
            Self::Other(word) => word,
        }
    }

    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "AES-128" => Self::Aes128,
            "SAMPLE-AES" => Self::SampleAes,
            "SAMPLE-AES-CTR" => Self::SampleAesCtr,
            other => Self::Other(other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_iv_is_the_sequence_number() {
        let mut key = Key::new(Method::Aes128, "k");
        assert_eq!(key.iv_for(0x0102)[14..], [1, 2]);
        key.iv = Some([9; 16]);
        assert_eq!(key.iv_for(1), [9; 16]);
    }
}
