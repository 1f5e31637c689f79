//! Boxes into a buffer: sizes are patched when a box is closed.

use bytes::{BufMut, BytesMut};

/// Writes nested boxes (ISO/IEC 14496-12 §4.2: 32-bit size, four-character type, body).
pub(crate) struct BoxWriter<'a> {
    pub(crate) buf: &'a mut BytesMut,
}

impl BoxWriter<'_> {
    /// A box; its body is what `body` writes.
    pub(crate) fn put(&mut self, kind: &[u8; 4], body: impl FnOnce(&mut Self)) {
        let start = self.buf.len();
        self.buf.put_u32(0);
        self.buf.put_slice(kind);
        body(self);
        let size = u32::try_from(self.buf.len() - start).unwrap_or(u32::MAX);
        if let Some(at) = self.buf.get_mut(start..start + 4) {
            at.copy_from_slice(&size.to_be_bytes());
        }
    }

    /// A full box: version and 24 flag bits before the body.
    pub(crate) fn full(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        body: impl FnOnce(&mut Self),
    ) {
        self.put(kind, |w| {
            w.u32((u32::from(version) << 24) | (flags & 0xFF_FFFF));
            body(w);
        });
    }

    pub(crate) fn u8(&mut self, v: u8) {
        self.buf.put_u8(v);
    }

    pub(crate) fn u16(&mut self, v: u16) {
        self.buf.put_u16(v);
    }

    pub(crate) fn u32(&mut self, v: u32) {
        self.buf.put_u32(v);
    }

    pub(crate) fn u64(&mut self, v: u64) {
        self.buf.put_u64(v);
    }

    pub(crate) fn bytes(&mut self, v: &[u8]) {
        self.buf.put_slice(v);
    }

    pub(crate) fn zeros(&mut self, n: usize) {
        self.buf.put_bytes(0, n);
    }
}
