//! Bytes taken from the front of a record, big-endian, as slices of it.

use bytes::Bytes;

use crate::error::{Error, Result};

/// Reads a configuration record; byte strings come out as slices of it.
pub(crate) struct Cursor<'a> {
    all: &'a Bytes,
    at: usize,
    what: &'static str,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(all: &'a Bytes, what: &'static str) -> Self {
        Self { all, at: 0, what }
    }

    pub(crate) fn left(&self) -> usize {
        self.all.len().saturating_sub(self.at)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let end = self.at.checked_add(N).ok_or(self.truncated())?;
        let slice = self.all.get(self.at..end).ok_or(self.truncated())?;
        self.at = end;
        slice.try_into().map_err(|_| self.truncated())
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<Bytes> {
        let end = self.at.checked_add(length).ok_or(self.truncated())?;
        if end > self.all.len() {
            return Err(self.truncated());
        }
        let slice = self.all.slice(self.at..end);
        self.at = end;
        Ok(slice)
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        let rest = self.all.slice(self.at.min(self.all.len())..);
        self.at = self.all.len();
        rest
    }

    const fn truncated(&self) -> Error {
        Error::Truncated { what: self.what }
    }
}
