//! How a target takes operations out of the bytes it is given, so that a person can write them by hand.

/// Takes bytes from the front; zeros at the end.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// Up to `length` bytes: less at the end.
    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Bytes behind their length in 8 bits.
    pub(crate) fn row(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// Bytes behind their length in 16 bits.
    pub(crate) fn long_row(&mut self) -> &'a [u8] {
        let length = usize::from(self.half());
        self.take(length)
    }

    pub(crate) fn half(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number of 32 bits: one where arithmetic turns over, by the first byte, or two bytes of any.
    pub(crate) fn word(&mut self) -> u32 {
        match self.byte() {
            0 => 0,
            1 => 1,
            2 => 0x00FF_FFFF,
            3 => 0x0100_0000,
            4 => 0x7FFF_FFFF,
            5 => 0x8000_0000,
            6 => u32::MAX,
            high => u32::from_be_bytes([0, 0, high - 7, self.byte()]),
        }
    }

    /// One of `all`.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

/// CRC-32 as MPEG-2 sections have it (ISO/IEC 13818-1 annex A).
pub(crate) fn crc32(data: &[u8]) -> u32 {
    data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let carry = if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
            crc << 1 ^ carry
        })
    })
}

/// The seeds of a target, for tests of what they reach; from both packages that these modules are part of.
#[cfg(test)]
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds");
    let files = std::fs::read_dir(std::path::Path::new(folder).join(target)).expect("seeds");
    files
        .map(|file| std::fs::read(file.expect("a file").path()).expect("bytes"))
        .collect()
}
