//! Bits: a reader that skips emulation prevention bytes on its way, and a writer.

use crate::error::{Error, Result};

/// Reads bits, most significant first. Never reads past the end, never allocates.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    data: &'a [u8],
    /// Index of the next byte to load.
    at: usize,
    /// The loaded byte, its unread bits on the left.
    current: u8,
    /// Unread bits of `current`.
    left: u32,
    /// Zero bytes just passed, for emulation prevention.
    zeros: u8,
    escaped: bool,
    what: &'static str,
}

impl<'a> BitReader<'a> {
    /// Over plain bytes; `what` names the structure in errors.
    #[must_use]
    pub const fn new(data: &'a [u8], what: &'static str) -> Self {
        Self {
            data,
            at: 0,
            current: 0,
            left: 0,
            zeros: 0,
            escaped: false,
            what,
        }
    }

    /// Over the bytes of a NAL unit: `00 00 03` is read as `00 00` (H.264 and H.265 §7.3.1.1).
    #[must_use]
    pub const fn rbsp(data: &'a [u8], what: &'static str) -> Self {
        let mut reader = Self::new(data, what);
        reader.escaped = true;
        reader
    }

    /// One bit as a flag.
    pub fn flag(&mut self) -> Result<bool> {
        Ok(self.bits(1)? == 1)
    }

    /// `count` bits (at most 32; more are taken as 32).
    pub fn bits(&mut self, count: u32) -> Result<u32> {
        let mut wanted = count.min(32);
        let mut value = 0_u64;
        while wanted > 0 {
            if self.left == 0 {
                self.load()?;
            }
            let take = wanted.min(self.left);
            let chunk = u32::from(self.current) >> (8 - take);
            value = (value << take) | u64::from(chunk);
            self.current = (u32::from(self.current) << take) as u8;
            self.left -= take;
            wanted -= take;
        }
        Ok(value as u32)
    }

    /// Eight bits.
    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.bits(8)? as u8)
    }

    /// Up to eight bits as a byte.
    pub fn small(&mut self, count: u32) -> Result<u8> {
        Ok(self.bits(count.min(8))? as u8)
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, mut count: u32) -> Result<()> {
        while count > 0 {
            let step = count.min(32);
            self.bits(step)?;
            count -= step;
        }
        Ok(())
    }

    /// Unsigned Exp-Golomb code, 0 to 2^32-2 (H.264 §9.1).
    pub fn ue(&mut self) -> Result<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Error::invalid(
                    self.what,
                    "Exp-Golomb code longer than 63 bits",
                ));
            }
        }
        let rest = self.bits(zeros)?;
        Ok(((1_u64 << zeros) - 1 + u64::from(rest)) as u32)
    }

    /// Unsigned Exp-Golomb code of at most `max`.
    pub fn ue_max(&mut self, max: u32, rule: &'static str) -> Result<u32> {
        let value = self.ue()?;
        if value > max {
            return Err(Error::invalid(self.what, rule));
        }
        Ok(value)
    }

    /// Signed Exp-Golomb code (H.264 §9.1.1).
    pub fn se(&mut self) -> Result<i32> {
        let code = i64::from(self.ue()?);
        let value = if code & 1 == 1 {
            (code + 1) / 2
        } else {
            -(code / 2)
        };
        Ok(value as i32)
    }

    /// Unsigned variable length code of AV1 (§4.10.3): as [`BitReader::ue`], and 2^32-1 for 32 zeros or more.
    pub fn uvlc(&mut self) -> Result<u32> {
        let mut zeros = 0_u32;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros >= 32 {
            return Ok(u32::MAX);
        }
        let rest = self.bits(zeros)?;
        Ok(((1_u64 << zeros) - 1 + u64::from(rest)) as u32)
    }

    /// Drops the rest of a byte that was begun.
    pub const fn align(&mut self) {
        self.left = 0;
    }

    /// True when more than the trailing bits (a one, then zeros) follows (`more_rbsp_data`, H.264 §7.2).
    #[must_use]
    pub fn more_rbsp_data(&self) -> bool {
        let mut ahead = self.clone();
        match ahead.flag() {
            Err(_) => return false,
            Ok(false) => {}
            // The stop bit, if nothing but zeros follows it.
            Ok(true) => {
                if !ahead.has_one() {
                    return false;
                }
                return true;
            }
        }
        ahead.has_one()
    }

    /// True when any bit that is left is set.
    fn has_one(&mut self) -> bool {
        if self.left > 0 && self.current != 0 {
            return true;
        }
        self.left = 0;
        while self.load().is_ok() {
            if self.current != 0 {
                return true;
            }
        }
        false
    }

    fn load(&mut self) -> Result<()> {
        let mut byte = self.next()?;
        if self.escaped {
            if self.zeros >= 2 && byte == 3 {
                self.zeros = 0;
                byte = self.next()?;
            }
            self.zeros = if byte == 0 {
                self.zeros.saturating_add(1)
            } else {
                0
            };
        }
        self.current = byte;
        self.left = 8;
        Ok(())
    }

    fn next(&mut self) -> Result<u8> {
        let byte = self.data.get(self.at).copied();
        self.at = self.at.saturating_add(1);
        byte.ok_or(Error::Truncated { what: self.what })
    }
}

/// Writes bits, most significant first.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    current: u8,
    used: u32,
}

impl BitWriter {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The low `count` bits of `value` (at most 32).
    pub fn bits(&mut self, value: u32, count: u32) {
        for at in (0..count.min(32)).rev() {
            let bit = (value >> at) & 1;
            self.current = (self.current << 1) | bit as u8;
            self.used += 1;
            if self.used == 8 {
                self.bytes.push(self.current);
                self.current = 0;
                self.used = 0;
            }
        }
    }

    /// One bit.
    pub fn flag(&mut self, value: bool) {
        self.bits(u32::from(value), 1);
    }

    /// Unsigned Exp-Golomb code; 2^32-1 has none and is written as 2^32-2.
    pub fn ue(&mut self, value: u32) {
        let code = value.min(u32::MAX - 1) + 1;
        let length = 32 - code.leading_zeros();
        self.bits(0, length - 1);
        self.bits(code, length);
    }

    /// Signed Exp-Golomb code.
    pub fn se(&mut self, value: i32) {
        let wide = i64::from(value);
        let code = if wide > 0 { 2 * wide - 1 } else { -2 * wide };
        self.ue(u32::try_from(code).unwrap_or(u32::MAX));
    }

    /// Zero bits up to the next byte.
    pub fn align(&mut self) {
        while self.used != 0 {
            self.bits(0, 1);
        }
    }

    /// The bytes, the last one filled up with zero bits.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exp_golomb_known_codes() {
        // 1 | 010 | 011 | 00100 | 00111 -> 0 1 2 3 6
        let bytes = [0b1010_0110, 0b0100_0011, 0b1000_0000];
        let mut r = BitReader::new(&bytes, "test");
        let read: Vec<u32> = (0..5).map(|_| r.ue().unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3, 6]);
    }

    #[test]
    fn long_codes_and_ends_are_errors() {
        assert!(BitReader::new(&[0; 64], "x").ue().is_err());
        assert_eq!(
            BitReader::new(&[0], "x").ue(),
            Err(Error::Truncated { what: "x" })
        );
        let mut r = BitReader::new(&[0xFF], "x");
        assert_eq!(r.bits(8), Ok(255));
        assert!(r.bits(1).is_err());
        assert_eq!(r.bits(0), Ok(0));
    }

    #[test]
    fn emulation_prevention_is_skipped() {
        let mut r = BitReader::rbsp(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3], "x");
        let read: Vec<u8> = std::iter::from_fn(|| r.byte().ok()).collect();
        assert_eq!(read, [0, 0, 1, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn sees_trailing_bits() {
        let more = |bytes: &[u8], skip| {
            let mut r = BitReader::rbsp(bytes, "x");
            r.skip(skip).unwrap();
            r.more_rbsp_data()
        };
        assert!(!more(&[0b1000_0000], 0));
        assert!(more(&[0b1100_0000], 0));
        assert!(!more(&[0xF8], 4));
        assert!(more(&[0xF8], 3));
        assert!(!more(&[0xFF, 0x80, 0, 0], 8));
        assert!(!more(&[0xFF], 8));
    }

    proptest! {
        #[test]
        fn codes_survive(values in proptest::collection::vec((any::<u32>(), any::<i32>(), 1u32..=32), 1..50)) {
            let mut w = BitWriter::new();
            for &(u, s, n) in &values {
                w.ue(u.min(u32::MAX - 1));
                w.se(s.max(i32::MIN + 2));
                w.bits(u, n);
            }
            let bytes = w.finish();
            let mut r = BitReader::new(&bytes, "x");
            for &(u, s, n) in &values {
                prop_assert_eq!(r.ue().unwrap(), u.min(u32::MAX - 1));
                prop_assert_eq!(r.se().unwrap(), s.max(i32::MIN + 2));
                let mask = if n == 32 { u32::MAX } else { (1 << n) - 1 };
                prop_assert_eq!(r.bits(n).unwrap(), u & mask);
            }
        }
    }
}
