//! A bounds-checked walk over a tag body that hands out slices of it.

use bytes::Bytes;

use crate::{Error, FourCc, error::Result};

pub(crate) struct Cursor<'a> {
    body: &'a Bytes,
    at: usize,
    what: &'static str,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(body: &'a Bytes, what: &'static str) -> Self {
        Self { body, at: 0, what }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let end = self.at.saturating_add(N);
        let bytes = self.body.get(self.at..end);
        let array = bytes
            .and_then(|b| <[u8; N]>::try_from(b).ok())
            .ok_or(Error::Truncated { what: self.what })?;
        self.at = end;
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u24(&mut self) -> Result<u32> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    pub(crate) fn i24(&mut self) -> Result<i32> {
        let [a, b, c] = self.array()?;
        Ok(i32::from_be_bytes([a, b, c, 0]) >> 8)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn fourcc(&mut self) -> Result<FourCc> {
        self.array().map(FourCc)
    }

    /// The next `len` bytes, without copying.
    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes> {
        let end = self.at.saturating_add(len);
        if end > self.body.len() {
            return Err(Error::Truncated { what: self.what });
        }
        let slice = self.body.slice(self.at..end);
        self.at = end;
        Ok(slice)
    }

    /// All that is left, without copying.
    pub(crate) fn rest(&mut self) -> Bytes {
        let slice = self.body.slice(self.at..);
        self.at = self.body.len();
        slice
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.body.len()
    }
}
