//! FLV read for its tag headers alone.

use super::rtmp_skim::is_key_body;

const FILE_HEADER: usize = 9 + 4;
const TAG_HEADER: usize = 11;
/// Tag header and the bytes of the body that tell a key frame.
const HEAD: usize = TAG_HEADER + 2;

/// Follows the tags of one stream. It trusts the server: this is a load generator.
#[derive(Debug, Default)]
pub(crate) struct FlvSkim {
    /// Bytes of the file header passed over.
    begun: usize,
    head: [u8; HEAD],
    head_len: usize,
    /// Bytes of the tag at hand, and of the size behind it, that are still to come.
    left: usize,
}

impl FlvSkim {
    /// Takes the next bytes. `on` is told of each audio or video tag with media, once it is complete: its time, and
    /// whether it is a key frame. False when the bytes are no FLV.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(u32, bool)) -> bool {
        let skip = (FILE_HEADER - self.begun).min(bytes.len());
        let magic = bytes.iter().zip(b"FLV".iter().skip(self.begun));
        if skip > 0 && magic.take(skip).any(|(a, b)| a != b) {
            return false;
        }
        self.begun += skip;
        bytes = &bytes[skip..];
        while !bytes.is_empty() {
            if self.left == 0 {
                // The head may be longer than a tiny tag; what it took from behind is given back below.
                let want = self.wanted();
                let n = (want - self.head_len).min(bytes.len());
                self.head[self.head_len..self.head_len + n].copy_from_slice(&bytes[..n]);
                self.head_len += n;
                bytes = &bytes[n..];
                if self.head_len < self.wanted() {
                    continue;
                }
                if !matches!(self.head[0] & 0x1F, 8 | 9 | 18) {
                    return false;
                }
                self.left = TAG_HEADER + self.body_len() + 4 - self.head_len;
            }
            let n = self.left.min(bytes.len());
            bytes = &bytes[n..];
            self.left -= n;
            if self.left == 0 {
                self.complete(&mut on);
                self.head_len = 0;
            }
        }
        true
    }

    /// How much of the head this tag has: with an empty body there is nothing to look at.
    fn wanted(&self) -> usize {
        if self.head_len < TAG_HEADER {
            TAG_HEADER
        } else {
            TAG_HEADER + self.body_len().min(2)
        }
    }

    fn body_len(&self) -> usize {
        u32::from_be_bytes([0, self.head[1], self.head[2], self.head[3]]) as usize
    }

    fn complete(&self, on: &mut impl FnMut(u32, bool)) {
        let h = &self.head;
        let time = u32::from_be_bytes([h[7], h[4], h[5], h[6]]);
        let body = &h[TAG_HEADER..self.head_len];
        match (h[0] & 0x1F, body) {
            (8, [0xA0..=0xAF, 0] | []) => {}
            (8, _) => on(time, false),
            (9, [first, packet]) if *first & 0x80 == 0 && *packet != 1 => {}
            (9, [first, _]) if *first & 0x80 != 0 && *first & 0x0F == 0 => {}
            (9, body) => on(time, is_key_body(body)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use core_frame::TrackTable;
    use synth::{Options, Source};

    #[test]
    fn sees_every_frame_however_it_is_cut() {
        let source = Source::new(Options::default().gop(10).bitrate(500_000)).unwrap();
        let mut file = BytesMut::new();
        let mut writer = flv::FileWriter::new();
        writer.tracks(&TrackTable::new(source.tracks()), &mut file);
        let frames: Vec<_> = source.take(120).collect();
        for frame in &frames {
            writer.frame(frame, &mut file).unwrap();
        }
        let is_start = |f: &core_frame::MediaFrame| {
            f.is_keyframe() && f.kind() == core_frame::MediaKind::Video
        };
        let want: Vec<_> = frames
            .iter()
            .map(|f| (flv::timestamp_ms(f.dts), is_start(f)))
            .collect();
        for piece in [1, 2, 11, 13, 1_000, file.len()] {
            let mut skim = FlvSkim::default();
            let mut seen = Vec::new();
            for part in file.chunks(piece) {
                assert!(skim.feed(part, |time, key| seen.push((time, key))));
            }
            assert_eq!(seen, want, "in {piece}s");
        }
        assert!(!FlvSkim::default().feed(b"<html>", |_, _| ()));
    }
}
