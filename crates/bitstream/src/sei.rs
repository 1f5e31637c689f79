//! Supplemental enhancement information of H.264 and H.265: walking messages, user data with a UUID.

use crate::bits::BitReader;
use crate::error::Result;
use crate::nal::escape_rbsp;

/// `user_data_unregistered` (H.264 §D.1.7, H.265 §D.2.7).
pub const USER_DATA_UNREGISTERED: u32 = 5;
/// `recovery_point` (H.264 §D.1.8, H.265 §D.2.8).
pub const RECOVERY_POINT: u32 = 6;

/// One SEI message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// `payloadType`.
    pub kind: u32,
    /// `payloadSize` as declared, in bytes without emulation prevention; the payload may end earlier.
    pub size: u32,
    body: BitReader<'a>,
}

impl<'a> Message<'a> {
    /// A reader at the first bit of the payload.
    #[must_use]
    pub fn reader(&self) -> BitReader<'a> {
        self.body.clone()
    }

    /// The payload without emulation prevention bytes; shorter than declared when the unit ends before.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        (0..self.size).map_while(|_| body.byte().ok()).collect()
    }

    /// True when the payload is `user_data_unregistered` with this UUID.
    #[must_use]
    pub fn is_user_data(&self, uuid: &[u8; 16]) -> bool {
        let mut body = self.body.clone();
        self.kind == USER_DATA_UNREGISTERED
            && self.size >= 16
            && uuid.iter().all(|&want| body.byte() == Ok(want))
    }
}

/// The messages of an SEI NAL unit whose header of `header_size` bytes (1 in H.264, 2 in H.265) is passed over. Ends at
/// the first thing that is no message. Allocates nothing.
#[must_use]
pub fn messages(unit: &[u8], header_size: usize) -> Messages<'_> {
    let body = unit.get(header_size..).unwrap_or_default();
    Messages {
        rest: Some(BitReader::rbsp(body, "SEI")),
    }
}

/// See [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: Option<BitReader<'a>>,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let mut reader = self.rest.take()?;
        // The trailing 0x80 alone is no message either: no size follows it.
        let kind = number(&mut reader).ok()?;
        let size = number(&mut reader).ok()?;
        let message = Message {
            kind,
            size,
            body: reader.clone(),
        };
        // A size past the end: this message is the last.
        if size
            .checked_mul(8)
            .is_some_and(|bits| reader.skip(bits).is_ok())
        {
            self.rest = Some(reader);
        }
        Some(message)
    }
}

/// The data after the UUID of the first `user_data_unregistered` message with that UUID.
pub(crate) fn user_data(unit: &[u8], header_size: usize, uuid: &[u8; 16]) -> Option<Vec<u8>> {
    messages(unit, header_size)
        .find(|m| m.is_user_data(uuid))
        .map(|m| m.bytes().split_off(16))
}

/// An SEI NAL unit of one `user_data_unregistered` message behind the given NAL header.
pub(crate) fn write_user_data(header: &[u8], uuid: &[u8; 16], data: &[u8]) -> Vec<u8> {
    let mut rbsp = vec![USER_DATA_UNREGISTERED as u8];
    let mut size = data.len().saturating_add(16);
    while size >= 255 {
        rbsp.push(255);
        size -= 255;
    }
    rbsp.push(size as u8);
    rbsp.extend_from_slice(uuid);
    rbsp.extend_from_slice(data);
    rbsp.push(0x80);
    let mut unit = header.to_vec();
    unit.extend(escape_rbsp(&rbsp));
    unit
}

/// A `payloadType` or `payloadSize`: bytes of 255 add up (H.264 §7.3.2.3.1).
fn number(reader: &mut BitReader<'_>) -> Result<u32> {
    let mut value = 0_u32;
    loop {
        let byte = reader.byte()?;
        value = value.saturating_add(u32::from(byte));
        if byte != 255 {
            return Ok(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: [u8; 16] = [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

    #[test]
    fn user_data_survives_zeros_and_length_255() {
        for length in [0, 1, 17, 238, 239, 240, 600] {
            let data = vec![0; length];
            let unit = write_user_data(&[6], &UUID, &data);
            assert!(!unit.windows(3).any(|w| w == [0, 0, 0] || w == [0, 0, 1]));
            assert_eq!(user_data(&unit, 1, &UUID), Some(data));
            assert_eq!(user_data(&unit, 1, &[7; 16]), None);
        }
    }

    #[test]
    fn several_messages_and_a_lying_size() {
        let unit = [6, 1, 2, 0xAA, 0xBB, 6, 1, 0xC0, 5, 200, 1, 2];
        let kinds: Vec<_> = messages(&unit, 1)
            .map(|m| (m.kind, m.size, m.bytes().len()))
            .collect();
        assert_eq!(kinds, [(1, 2, 2), (6, 1, 1), (5, 200, 2)]);
    }
}
