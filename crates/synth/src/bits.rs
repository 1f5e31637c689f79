//! Writing bits: fixed and Exp-Golomb codes, and the emulation prevention of a NAL unit.

/// Bits, most significant first.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits already used in the last byte, 0 when it is full or there is none.
    used: u32,
}

impl BitWriter {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            used: 0,
        }
    }

    /// The lowest `count` bits of `value`.
    pub(crate) fn put(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            let bit = ((value >> at) & 1) as u8;
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// ue(v), H.264 §9.1.
    pub(crate) fn ue(&mut self, value: u32) {
        let code = value.saturating_add(1);
        let bits = 32 - code.leading_zeros();
        self.put(0, bits - 1);
        self.put(code, bits);
    }

    /// se(v), H.264 §9.1.1.
    pub(crate) fn se(&mut self, value: i32) {
        let code = if value > 0 {
            value.unsigned_abs() * 2 - 1
        } else {
            value.unsigned_abs() * 2
        };
        self.ue(code);
    }

    /// Zero bits up to the next byte.
    pub(crate) fn align(&mut self) {
        self.used = 0;
    }

    /// Whole bytes; the writer must be aligned.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.used, 0);
        self.bytes.extend_from_slice(bytes);
    }

    /// The same byte `count` times; the writer must be aligned.
    pub(crate) fn repeat(&mut self, byte: u8, count: usize) {
        debug_assert_eq!(self.used, 0);
        self.bytes.resize(self.bytes.len() + count, byte);
    }

    /// `rbsp_trailing_bits()`, H.264 §7.3.2.11.
    pub(crate) fn trailing(&mut self) {
        self.put(1, 1);
        self.align();
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Appends a NAL unit with a 4-byte length: the header byte and the RBSP with emulation prevention (H.264 §7.4.1).
pub(crate) fn put_nal(out: &mut Vec<u8>, header: u8, rbsp: &[u8]) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(header);
    escape(out, rbsp);
    let len = (out.len() - at - 4) as u32;
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

fn escape(out: &mut Vec<u8>, rbsp: &[u8]) {
    let mut zeros = 0;
    for &byte in rbsp {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golomb_codes_are_those_of_the_standard() {
        let mut w = BitWriter::default();
        for v in [0, 1, 2, 3, 7] {
            w.ue(v);
        }
        // 1 010 011 00100 0001000 + stop
        w.trailing();
        assert_eq!(w.finish(), [0b1010_0110, 0b0100_0001, 0b0001_0000]);
        let mut w = BitWriter::default();
        for v in [0, 1, -1, 2] {
            w.se(v);
        }
        w.align();
        assert_eq!(w.finish(), [0b1010_0110, 0b0100_0000]);
    }

    #[test]
    fn start_codes_cannot_appear_in_a_nal_unit() {
        let mut out = Vec::new();
        put_nal(&mut out, 0x65, &[0, 0, 0, 0, 0, 1, 0, 0, 3]);
        assert_eq!(out, [0, 0, 0, 13, 0x65, 0, 0, 3, 0, 0, 3, 0, 1, 0, 0, 3, 3]);
    }
}
