//! What publishers send: a wish for numbered frames, or a file made fit to go round.

use bytes::Bytes;
use core_frame::{Limits, MediaTime};
use flv::{FileEvent, FileReader, TagKind};
use synth::{Options, Source};

use crate::load::PublishOptions;
use crate::{Error, Result};

/// What is sent.
pub(in crate::load) enum Media {
    Numbered(Options),
    File(Loop),
}

/// A file that is sent over and over.
pub(in crate::load) struct Loop {
    /// In the order they are sent in a round.
    pub(super) tags: Vec<Tag>,
    /// How long a round is: as long as the longest track, so that no time goes back and no gap is larger than it must be.
    pub(super) length: MediaTime,
}

/// A tag of a file.
pub(in crate::load) struct Tag {
    pub(super) kind: TagKind,
    /// In the round.
    pub(super) time: MediaTime,
    /// The first round it is part of: what lies behind the length of a round belongs to the next.
    pub(super) round: u64,
    pub(super) body: Bytes,
    pub(super) is_config: bool,
}

impl Loop {
    fn new(mut tags: Vec<Tag>) -> Option<Self> {
        let times = |kind: TagKind| {
            let mut times: Vec<_> = tags
                .iter()
                .filter(|t| !t.is_config && t.kind == kind)
                .map(|t| t.time)
                .collect();
            times.sort();
            times
        };
        let (video, audio) = (times(TagKind::Video), times(TagKind::Audio));
        let first = video
            .first()
            .into_iter()
            .chain(audio.first())
            .min()
            .copied()?;
        let span = |times: &[MediaTime]| {
            let (Some(first), Some(last)) = (times.first(), times.last()) else {
                return 0;
            };
            let length = (*last - *first).as_millis();
            // The last frame lasts as long as the mean of the others.
            length + (length / (times.len() as i64 - 1).max(1)).clamp(1, 1_000)
        };
        let length = MediaTime::from_millis(span(&video).max(span(&audio)));
        // A configuration goes with the media behind it.
        let mut next = first;
        for tag in tags.iter_mut().rev() {
            if tag.is_config {
                tag.time = next;
            }
            next = tag.time;
            tag.time = (tag.time - first).max(MediaTime::ZERO);
            if tag.time >= length {
                tag.time -= length;
                tag.round = 1;
            }
        }
        tags.sort_by_key(|t| t.time);
        Some(Self { tags, length })
    }
}

impl Media {
    pub(in crate::load) fn open(options: &PublishOptions) -> Result<Self> {
        let Some(path) = &options.file else {
            let mut wish = Options::default()
                .fps(options.fps)
                .gop(options.gop)
                .size(options.size.0, options.size.1)
                .bitrate(options.bitrate);
            if !options.audio {
                wish = wish.sample_rate(None);
            }
            // Said now, rather than by each session.
            Source::new(wish.clone()).map_err(|e| Error::Usage(e.to_string()))?;
            return Ok(Self::Numbered(wish));
        };
        let bytes = std::fs::read(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        let mut reader = FileReader::new(&Limits::default());
        reader.push(&bytes);
        reader.finish();
        let mut tags = Vec::new();
        while let Some(event) = reader.next_event()? {
            if let FileEvent::Tag {
                kind,
                timestamp_ms,
                body,
                ..
            } = event
            {
                tags.push(Tag {
                    is_config: is_config(kind, &body),
                    kind,
                    time: MediaTime::from_millis(i64::from(timestamp_ms)),
                    round: 0,
                    body,
                });
            }
        }
        let file = Loop::new(tags);
        file.map(Self::File)
            .ok_or_else(|| Error::Media(format!("{} holds no media", path.display())))
    }
}

/// Metadata and codec configurations: sent once, not in each loop.
fn is_config(kind: TagKind, body: &[u8]) -> bool {
    match (kind, body) {
        (TagKind::Script, _) => true,
        (TagKind::Video, [first, packet, ..]) if first & 0x80 == 0 => *packet == 0,
        (TagKind::Video, [first, ..]) => first & 0x0F == 0,
        (TagKind::Audio, [0xA0..=0xAF, 0, ..] | [0x90, ..]) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_told_from_media() {
        for (kind, body, want) in [
            (TagKind::Script, &[2, 0][..], true),
            (TagKind::Video, &[0x17, 0, 0, 0, 0], true),
            (TagKind::Video, &[0x17, 1, 0, 0, 0], false),
            (TagKind::Video, b"\x90hvc1", true),
            (TagKind::Video, b"\x93hvc1", false),
            (TagKind::Audio, &[0xAF, 0, 0x12, 0x10], true),
            (TagKind::Audio, &[0xAF, 1, 0x21], false),
            (TagKind::Audio, b"\x90Opus", true),
            (TagKind::Audio, b"\x91Opus", false),
            (TagKind::Audio, &[0x2F, 0xFF], false),
        ] {
            assert_eq!(is_config(kind, body), want, "{body:x?}");
        }
    }
}
