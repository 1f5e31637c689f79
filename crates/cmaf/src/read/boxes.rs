//! Walking boxes in a slice: sizes are checked against what is really there.

use crate::Error;

/// A box inside a slice.
#[derive(Clone, Copy, Debug)]
pub struct BoxRef<'a> {
    /// Its four-character type.
    pub kind: [u8; 4],
    /// What follows the header.
    pub body: &'a [u8],
    /// Where the box begins, counted like the start offset of the iterator.
    pub offset: u64,
    /// Bytes of the header: 8, 16 or (with `uuid`) 16 more.
    pub header: usize,
}

impl<'a> BoxRef<'a> {
    /// The boxes inside, after `skip` bytes of the body.
    #[must_use]
    pub fn children(&self, skip: usize) -> Boxes<'a> {
        let at = self.offset + (self.header + skip) as u64;
        Boxes::new(self.body.get(skip..).unwrap_or_default(), at)
    }

    /// Version and flags of a full box (ISO/IEC 14496-12 §4.2.2), and what follows.
    ///
    /// # Errors
    /// When the body is shorter than four bytes.
    pub(crate) fn full(&self) -> Result<(u8, u32, Fields<'a>), Error> {
        let mut fields = self.fields();
        let word = fields.u32()?;
        Ok(((word >> 24) as u8, word & 0xFF_FFFF, fields))
    }

    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields {
            rest: self.body,
            offset: self.offset,
        }
    }

    pub(crate) fn error(&self, rule: &'static str) -> Error {
        Error::Format {
            offset: self.offset,
            rule,
        }
    }
}

/// Iterates over the boxes of a slice; stops after the first error.
#[derive(Clone, Debug)]
pub struct Boxes<'a> {
    rest: &'a [u8],
    offset: u64,
    failed: bool,
}

impl<'a> Boxes<'a> {
    /// Over `bytes`, the first of which lies at `offset` of the file.
    #[must_use]
    pub const fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            rest: bytes,
            offset,
            failed: false,
        }
    }

    /// The first box of this type.
    ///
    /// # Errors
    /// When a box before it is malformed.
    pub fn find_kind(self, kind: &[u8; 4]) -> Result<Option<BoxRef<'a>>, Error> {
        for found in self {
            let found = found?;
            if &found.kind == kind {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<BoxRef<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Up to seven stray bytes at the end of a container are padding in files of some recorders.
        if self.failed || self.rest.len() < 8 {
            return None;
        }
        let error = |rule| {
            Some(Err(Error::Format {
                offset: self.offset,
                rule,
            }))
        };
        let Some(header) = header(self.rest) else {
            self.failed = true;
            return error("box size smaller than its header (14496-12 §4.2)");
        };
        let size = header.size.unwrap_or(self.rest.len() as u64);
        let body = usize::try_from(size)
            .ok()
            .and_then(|size| self.rest.get(header.len..size));
        let Some(body) = body else {
            self.failed = true;
            return error("box is longer than what contains it (14496-12 §4.2)");
        };
        let found = BoxRef {
            kind: header.kind,
            body,
            offset: self.offset,
            header: header.len,
        };
        let total = header.len + body.len();
        self.rest = self.rest.get(total..).unwrap_or_default();
        self.offset = self.offset.saturating_add(total as u64);
        Some(Ok(found))
    }
}

/// The header of a box (§4.2): size 1 means a 64-bit size follows, 0 means "to the end" (`size` is `None`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: [u8; 4],
    pub(crate) len: usize,
    pub(crate) size: Option<u64>,
}

/// Bytes that tell any header for sure.
pub(crate) const HEADER_MAX: usize = 16;

/// Parses a header; `None` when its size is smaller than itself, or bytes are missing.
pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (len, size) = match u32::from_be_bytes(*size) {
        0 => (8, None),
        1 => {
            let (large, _) = rest.split_first_chunk::<8>()?;
            (16, Some(u64::from_be_bytes(*large)))
        }
        n => (8, Some(u64::from(n))),
    };
    if size.is_some_and(|s| s < len as u64) {
        return None;
    }
    Some(Header {
        kind: *kind,
        len,
        size,
    })
}

/// Reads big-endian fields of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) offset: u64,
}

impl<'a> Fields<'a> {
    fn short(&self) -> Error {
        Error::Format {
            offset: self.offset,
            rule: "box is shorter than its fields",
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(self.short())?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A 64-bit field in version 1, a 32-bit one in version 0.
    pub(crate) fn sized(&mut self, version: u8) -> Result<u64, Error> {
        if version == 0 {
            self.u32().map(u64::from)
        } else {
            self.u64()
        }
    }

    pub(crate) fn skip(&mut self, n: usize) -> Result<(), Error> {
        self.rest = self.rest.get(n..).ok_or(self.short())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_sizes_are_errors() {
        // The 64-bit size bomb, and sizes below the header.
        let bomb = b"\0\0\0\x01ftyp\0\x84\xff\xff\xff\xff\0\x84";
        assert!(Boxes::new(bomb, 0).next().unwrap().is_err());
        for size in [4u8, 7] {
            let bytes = [0, 0, 0, size, b'f', b'r', b'e', b'e'];
            assert!(Boxes::new(&bytes, 0).next().unwrap().is_err());
        }
        // Size 0: to the end.
        let open = b"\0\0\0\0mdatabc";
        assert_eq!(Boxes::new(open, 0).next().unwrap().unwrap().body, b"abc");
    }
}
