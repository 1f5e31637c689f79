//! The frames of a byte stream.

use super::{FrameHeader, WHAT, tag_length};
use crate::error::{Error, Result};

/// A free format frame is looked through this far for the next header: twice what the highest bit rate of the tables
/// takes at the lowest rate.
const FREE_FORMAT_MAX: usize = 5_760;
/// The frames of a byte stream: each header with its whole frame. ID3 tags and bytes that are no frame are passed over; a
/// first header counts only when a consistent one follows where its frame ends, or nothing does. A frame that is cut off
/// at the end is left in [`Frames::rest`].
#[must_use]
pub const fn frames(data: &[u8]) -> Frames<'_> {
    Frames {
        rest: data,
        before: None,
    }
}

/// See [`frames`].
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    /// The frame that ended where `rest` begins.
    before: Option<FrameHeader>,
}

impl<'a> Frames<'a> {
    /// What has not been read: the start of a frame or tag whose rest is still to come.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A frame at the front, when it holds together with what is around it; `Err` when more bytes are needed to tell.
    fn at_front(&self) -> Result<Option<(FrameHeader, usize)>> {
        let header = match FrameHeader::parse(self.rest) {
            Ok(header) => header,
            Err(Error::Truncated { .. }) if could_be_sync(self.rest) => {
                return Err(Error::Truncated { what: WHAT });
            }
            Err(_) => return Ok(None),
        };
        let in_sync = self.before.is_some_and(|b| b.is_consistent_with(&header));
        let Some(length) = header.frame_length() else {
            return free_format_length(self.rest, &header).map(|l| l.map(|l| (header, l)));
        };
        let Some(after) = self.rest.get(length..) else {
            return Err(Error::Truncated { what: WHAT });
        };
        let followed = match FrameHeader::parse(after) {
            Ok(next) => next.is_consistent_with(&header),
            Err(Error::Truncated { .. }) => after.is_empty() || could_be_sync(after),
            Err(_) => tag_length(after).is_some(),
        };
        Ok((followed || in_sync).then_some((header, length)))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = (FrameHeader, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(length) = tag_length(self.rest) {
                self.rest = self.rest.get(length..)?;
                continue;
            }
            if let Some((header, length)) = self.at_front().ok()? {
                let (frame, rest) = self.rest.split_at_checked(length)?;
                (self.rest, self.before) = (rest, Some(header));
                return Some((header, frame));
            }
            self.before = None;
            let mut ahead = self.rest.iter().skip(1);
            let skip = ahead.position(|&b| matches!(b, 0xFF | b'I' | b'T'));
            match skip {
                Some(skip) => self.rest = self.rest.get(skip + 1..)?,
                None => {
                    self.rest = &[];
                    return None;
                }
            }
        }
    }
}

/// Length of a free format frame: up to the next header like it. Nothing when there is none near enough.
fn free_format_length(data: &[u8], header: &FrameHeader) -> Result<Option<usize>> {
    for at in FrameHeader::LENGTH..=FREE_FORMAT_MAX {
        match data.get(at..).map(FrameHeader::parse) {
            Some(Ok(next)) if next.is_consistent_with(header) => return Ok(Some(at)),
            None | Some(Err(Error::Truncated { .. })) => {
                return Err(Error::Truncated { what: WHAT });
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Fewer bytes than a header has, which may become one.
fn could_be_sync(data: &[u8]) -> bool {
    match data {
        [0xFF] => true,
        [0xFF, second, ..] => second & 0xE0 == 0xE0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_frame as frame;
    use super::*;

    #[test]
    fn a_stream_is_split() {
        let one = frame([0xFF, 0xFB, 0x90, 0x64]);
        let two = frame([0xFF, 0xFB, 0xB0, 0x64]);
        let mut data = b"ID3\x04\0\x10\0\0\x01\x02".to_vec();
        data.resize(10 + 130 + 10, 0xFF);
        // A header that no second one follows.
        data.extend([0xFF, 0xFB, 0x90, 0x64, 1, 2, 3]);
        for part in [&one, &two, &one] {
            data.extend(part);
        }
        data.extend(b"TAG");
        data.resize(data.len() + 125, b' ');
        let mut all = frames(&data);
        let got: Vec<_> = all.by_ref().map(|(_, f)| f.to_vec()).collect();
        assert_eq!(got, [one.clone(), two.clone(), one.clone()]);
        assert!(all.rest().is_empty());
        // Cut anywhere, the whole frames come out and the rest is kept.
        let joined = [one.clone(), two.clone()].concat();
        for cut in 0..joined.len() {
            let mut all = frames(&joined[..cut]);
            let whole = all.by_ref().count();
            assert_eq!(whole, usize::from(cut >= one.len()), "{cut}");
            let left = if cut >= one.len() {
                cut - one.len()
            } else {
                cut
            };
            assert_eq!(all.rest().len(), left, "{cut}");
        }
    }

    #[test]
    fn free_format_ends_where_the_next_begins() {
        let mut one = vec![0xFF, 0xFB, 0x00, 0x64];
        one.resize(500, 0x55);
        let data = [one.clone(), one.clone(), one.clone()].concat();
        let mut all = frames(&data);
        assert_eq!(
            all.by_ref().map(|(_, f)| f.len()).collect::<Vec<_>>(),
            [500, 500]
        );
        assert_eq!(all.rest().len(), 500);
        let mut lonely = vec![0xFF, 0xFB, 0x00, 0x64];
        lonely.resize(3 * FREE_FORMAT_MAX, 0x55);
        assert_eq!(frames(&lonely).count(), 0);
    }
}
