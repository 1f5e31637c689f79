//! Checksums of chunks: CRC-32 against accidents, SHA-256 where a digest is at hand anyway.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A checksum of a chunk's data, written in hexadecimal: 8 digits are a CRC-32 (ISO/IEC 13239, as in zip and Ethernet), 64 a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// CRC-32.
    Crc32(u32),
    /// SHA-256 (FIPS 180-4).
    Sha256([u8; 32]),
}

/// Text that is no checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 8 (CRC-32) or 64 (SHA-256) hexadecimal digits")]
pub struct ChecksumError;

impl Checksum {
    /// The CRC-32 of `data`.
    #[must_use]
    pub fn crc32(data: &[u8]) -> Self {
        Self::Crc32(crc32fast::hash(data))
    }

    /// The SHA-256 of `data`.
    #[must_use]
    pub fn sha256(data: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(data).into())
    }

    /// True when `data` has this checksum.
    #[must_use]
    pub fn fits(&self, data: &[u8]) -> bool {
        match self {
            Self::Crc32(_) => *self == Self::crc32(data),
            Self::Sha256(_) => *self == Self::sha256(data),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crc32(crc) => write!(f, "{crc:08x}"),
            Self::Sha256(digest) => digest.iter().try_for_each(|b| write!(f, "{b:02x}")),
        }
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let digits = text.bytes().all(|b| b.is_ascii_hexdigit());
        match text.len() {
            8 if digits => u32::from_str_radix(text, 16)
                .map(Self::Crc32)
                .map_err(|_| ChecksumError),
            64 if digits => {
                let mut digest = [0; 32];
                for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_| ChecksumError)?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| ChecksumError)?;
                }
                Ok(Self::Sha256(digest))
            }
            _ => Err(ChecksumError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_standards() {
        // The check value of CRC-32, and the digest of "abc" of FIPS 180-4.
        let crc = Checksum::crc32(b"123456789");
        assert_eq!(crc.to_string(), "cbf43926");
        let sha = Checksum::sha256(b"abc");
        assert!(
            sha.to_string()
                .starts_with("ba7816bf8f01cfea414140de5dae2223")
        );
        for (sum, data) in [(crc, &b"123456789"[..]), (sha, b"abc")] {
            assert_eq!(sum.to_string().parse(), Ok(sum));
            assert!(sum.fits(data));
            assert!(!sum.fits(b"other"));
        }
        for text in ["", "cbf4392", "cbf4392g", "cbf439261", "+bf43926", "ééüü"] {
            assert_eq!(text.parse::<Checksum>(), Err(ChecksumError), "{text}");
        }
    }
}
