//! Tags: ID3 around the frames, and those of encoders in a frame of their own.

use super::{FrameHeader, Version};

/// Bytes of the ID3 tag that `data` begins with, which may be more than `data` has: an ID3v2 tag with its header and
/// footer (ID3v2.4 §3.1), or the 128 bytes of ID3v1. Nothing when it begins with none.
#[must_use]
pub fn tag_length(data: &[u8]) -> Option<usize> {
    match data {
        [b'I', b'D', b'3', major, minor, flags, s0, s1, s2, s3, ..]
            if *major != 0xFF && *minor != 0xFF && (s0 | s1 | s2 | s3) < 0x80 =>
        {
            let body = [s0, s1, s2, s3]
                .iter()
                .fold(0_usize, |n, &&b| (n << 7) | usize::from(b));
            let footer = if flags & 0x10 != 0 { 10 } else { 0 };
            Some(10 + body + footer)
        }
        [b'T', b'A', b'G', ..] => Some(128),
        _ => None,
    }
}

/// What a frame that carries no sound tells of the file it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct InfoTag {
    /// Which writer's form.
    pub kind: InfoKind,
    /// Frames of sound that follow, when told.
    pub frames: Option<u32>,
}

/// The writers of [`InfoTag`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InfoKind {
    /// `Xing`: variable bit rate.
    Xing,
    /// `Info`: constant bit rate (LAME).
    Info,
    /// `VBRI` (Fraunhofer).
    Vbri,
}

/// The tag in a frame (header included) that stands in for one of sound: first of its file, to be played by nobody.
#[must_use]
pub fn info_tag(frame: &[u8]) -> Option<InfoTag> {
    let header = FrameHeader::parse(frame).ok()?;
    if header.layer != 3 {
        return None;
    }
    let word = |at: usize| frame.get(at..)?.first_chunk::<4>().copied();
    let side = match (header.version, header.channels()) {
        (Version::Mpeg1, 1) => 17,
        (Version::Mpeg1, _) => 32,
        (_, 1) => 9,
        _ => 17,
    };
    // Writers disagree whether a checksum moves it.
    for at in [4 + side, 6 + side] {
        let kind = match &word(at)? {
            b"Xing" => InfoKind::Xing,
            b"Info" => InfoKind::Info,
            _ => continue,
        };
        let told = word(at + 4).is_some_and(|flags| flags[3] & 1 != 0);
        let frames = word(at + 8).map(u32::from_be_bytes).filter(|_| told);
        return Some(InfoTag { kind, frames });
    }
    (&word(36)? == b"VBRI").then(|| InfoTag {
        kind: InfoKind::Vbri,
        frames: word(36 + 14).map(u32::from_be_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_frame as frame;
    use super::*;

    #[test]
    fn info_tags() {
        for (header, at, name, kind) in [
            ([0xFF, 0xFB, 0x90, 0x64], 36, b"Xing", InfoKind::Xing),
            ([0xFF, 0xFB, 0x90, 0xC4], 21, b"Info", InfoKind::Info),
            ([0xFF, 0xF3, 0x80, 0xC4], 13, b"Xing", InfoKind::Xing),
            ([0xFF, 0xFA, 0x90, 0x64], 38, b"Info", InfoKind::Info),
        ] {
            let mut data = frame(header);
            assert_eq!(info_tag(&data), None);
            data[at..at + 4].copy_from_slice(name);
            data[at + 4..at + 12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 1, 2]);
            assert_eq!(
                info_tag(&data),
                Some(InfoTag {
                    kind,
                    frames: Some(258)
                })
            );
            data[at + 7] = 2;
            assert_eq!(info_tag(&data), Some(InfoTag { kind, frames: None }));
        }
        let mut data = frame([0xFF, 0xFB, 0x90, 0x64]);
        data[36..40].copy_from_slice(b"VBRI");
        data[50..54].copy_from_slice(&[0, 0, 0, 9]);
        assert_eq!(
            info_tag(&data),
            Some(InfoTag {
                kind: InfoKind::Vbri,
                frames: Some(9)
            })
        );
    }
}
