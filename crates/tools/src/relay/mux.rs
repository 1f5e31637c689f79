//! Frames to the bytes of a file, and what is put right in it at its end. Pure.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use cmaf::{Fmp4Render, needs_new_init};
use core_frame::{
    MediaFrame, MediaKind, MediaTime, Render, RenderOut, RenderStep, TagValue, TrackInfo,
    TrackTable,
};
use flv::{FileWriter, Layout};

use super::FileFormat;
use crate::Result;

/// Something to be written over when the file is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// From the beginning of the file.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

/// Writes one file. Its times begin at 0 with the first frame.
pub(super) struct Mux {
    zero: MediaTime,
    /// End of the media so far, from `zero`.
    end: MediaTime,
    /// Bytes given out.
    written: u64,
    form: Form,
}

enum Form {
    Flv(Box<Flv>),
    Mp4(Box<Mp4>),
}

struct Flv {
    writer: FileWriter,
    begun: bool,
    has_video: bool,
    has_audio: bool,
    /// Where the numbers of the metadata are.
    duration_at: Option<u64>,
    filesize_at: Option<u64>,
}

struct Mp4 {
    render: Fmp4Render,
    out: RenderOut,
    /// What the file can hold.
    tracks: Vec<Arc<TrackInfo>>,
}

impl Mux {
    /// A file that begins with the frame at `zero`.
    pub(super) fn new(format: FileFormat, zero: MediaTime) -> Self {
        let form = match format {
            FileFormat::Flv => Form::Flv(Box::new(Flv {
                writer: FileWriter::with_layout(Layout::all_tracks()),
                begun: false,
                has_video: false,
                has_audio: false,
                duration_at: None,
                filesize_at: None,
            })),
            FileFormat::Mp4 => Form::Mp4(Box::new(Mp4 {
                render: Fmp4Render::new(),
                out: RenderOut::new(),
                tracks: Vec::new(),
            })),
        };
        Self {
            zero,
            end: MediaTime::ZERO,
            written: 0,
            form,
        }
    }

    /// How long the file is so far.
    pub(super) const fn length(&self) -> MediaTime {
        self.end
    }

    /// The tracks of the frames that follow. False when they cannot go into this file: an MP4 has one header, and other
    /// codec configurations need another.
    pub(super) fn tracks(&mut self, table: &TrackTable, out: &mut BytesMut) -> bool {
        let before = out.len();
        let fits = match &mut self.form {
            Form::Flv(flv) => {
                flv.tracks(table, self.written, out);
                true
            }
            Form::Mp4(mp4) => mp4.tracks(table, self.zero, out),
        };
        self.written += (out.len() - before) as u64;
        fits
    }

    /// Appends a frame. False when it has no place in the file: of a track that the format does not carry, or from before
    /// its beginning.
    pub(super) fn frame(
        &mut self,
        frame: &MediaFrame,
        seq: u64,
        out: &mut BytesMut,
    ) -> Result<bool> {
        if frame.dts < self.zero {
            return Ok(false);
        }
        let mut frame = frame.clone();
        frame.dts -= self.zero;
        frame.pts -= self.zero;
        let before = out.len();
        let taken = match &mut self.form {
            Form::Flv(flv) => {
                flv.has_video |= frame.kind() == MediaKind::Video;
                flv.has_audio |= frame.kind() == MediaKind::Audio;
                flv.writer.frame(&frame, out)?
            }
            Form::Mp4(mp4) => {
                mp4.render.frame(&frame, seq, &mut mp4.out);
                mp4.drain(out)
            }
        };
        self.written += (out.len() - before) as u64;
        if taken {
            self.end = self
                .end
                .max(frame.dts + frame.duration.max(MediaTime::ZERO));
        }
        Ok(taken)
    }

    /// What is to be written over in the complete file: how long it is, and which tracks it has.
    pub(super) fn finish(&self) -> Vec<Patch> {
        let Form::Flv(flv) = &self.form else {
            // The fragments tell the length of an MP4.
            return Vec::new();
        };
        if !flv.begun {
            return Vec::new();
        }
        let number = |at: Option<u64>, value: f64| {
            at.map(|offset| Patch {
                offset,
                bytes: value.to_be_bytes().to_vec(),
            })
        };
        let flags = flv::file_header(flv.has_video, flv.has_audio);
        let flags = Patch {
            offset: 4,
            bytes: flags.get(4..5).unwrap_or_default().to_vec(),
        };
        [
            Some(flags),
            number(flv.duration_at, self.end.as_secs_f64()),
            number(flv.filesize_at, self.written as f64),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Flv {
    fn tracks(&mut self, table: &TrackTable, written: u64, out: &mut BytesMut) {
        if self.begun {
            self.writer.tracks(table, out);
            return;
        }
        self.begun = true;
        // Numbers to be put right at the end. A sender's own would be those of another file.
        let mut table = table.clone();
        let mut tags = table.tags.as_ref().clone();
        tags.set("filesize", TagValue::Number(0.0));
        table.tags = Arc::new(tags);
        let before = out.len();
        self.writer.tracks(&table, out);
        let head = out.get(before..).unwrap_or_default();
        self.duration_at = number_of(head, "duration").map(|at| written + at);
        self.filesize_at = number_of(head, "filesize").map(|at| written + at);
    }
}

/// Where the number of a member of an AMF0 object stands (AMF 0 §2.5: name as UTF-8 with its length, then the marker 0 and
/// eight bytes).
fn number_of(bytes: &[u8], name: &str) -> Option<u64> {
    let mut wanted = BytesMut::new();
    wanted.put_u16(u16::try_from(name.len()).ok()?);
    wanted.put_slice(name.as_bytes());
    wanted.put_u8(0);
    let at = bytes.windows(wanted.len()).position(|w| w == wanted)?;
    Some((at + wanted.len()) as u64)
}

impl Mp4 {
    fn tracks(&mut self, table: &TrackTable, zero: MediaTime, out: &mut BytesMut) -> bool {
        let media: Vec<_> = table
            .tracks
            .iter()
            .filter(|t| matches!(t.kind(), MediaKind::Video | MediaKind::Audio) && t.is_ready())
            .cloned()
            .collect();
        if !self.tracks.is_empty() {
            // A new epoch is no new header: times go on. A track that is gone leaves its place empty.
            let known = |new: &Arc<TrackInfo>| {
                let mut old = self.tracks.iter();
                old.any(|old| old.id == new.id && !needs_new_init(old, new))
            };
            return media.iter().all(known);
        }
        self.tracks = media;
        let mut table = table.clone();
        // The file begins where its first frame does, wherever the stream began.
        table.epoch.origin = (table.epoch.origin - zero).max(MediaTime::ZERO);
        self.render.tracks(&Arc::new(table), &mut self.out);
        self.drain(out);
        true
    }

    /// Copies what was rendered: a file is one run of bytes. True when there was a frame among it.
    fn drain(&mut self, out: &mut BytesMut) -> bool {
        let mut frames = false;
        for step in self.out.drain() {
            let slices = match &step {
                RenderStep::Preamble(preamble) => &preamble.join,
                RenderStep::Item(item) => {
                    frames = true;
                    &item.slices
                }
            };
            slices.iter().for_each(|slice| out.put_slice(slice));
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synth::{Options, Source};

    fn media() -> (TrackTable, Vec<MediaFrame>) {
        let source = Source::new(Options::default().gop(10).bitrate(300_000).frames(60)).unwrap();
        (TrackTable::new(source.tracks()), source.collect())
    }

    #[test]
    fn a_number_is_found_by_its_name() {
        let (table, _) = media();
        let body = flv::metadata(&table);
        let at = number_of(&body, "duration").unwrap() as usize;
        assert_eq!(&body[at..at + 8], &[0; 8]);
        assert_eq!(number_of(&body, "no such thing"), None);
    }

    #[test]
    fn an_flv_says_how_long_it_is() {
        let (table, frames) = media();
        let begin = MediaTime::from_secs(3_600);
        let mut mux = Mux::new(FileFormat::Flv, begin);
        let mut file = BytesMut::new();
        assert!(mux.tracks(&table, &mut file));
        for (n, frame) in frames.iter().enumerate() {
            let mut frame = frame.clone();
            frame.dts += begin;
            frame.pts += begin;
            assert!(mux.frame(&frame, n as u64, &mut file).unwrap());
        }
        // What lies before the beginning is no part of it.
        assert!(!mux.frame(&frames[0], 99, &mut file).unwrap());
        let mut bytes = file.to_vec();
        for patch in mux.finish() {
            let at = patch.offset as usize;
            bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
        }
        let mut reader = flv::FileReader::new(&core_frame::Limits::default());
        reader.push(&bytes);
        reader.finish();
        let mut first = None;
        let mut said = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            match event {
                flv::FileEvent::Header { audio, video } => assert!(audio && video),
                flv::FileEvent::Tag {
                    kind: flv::TagKind::Script,
                    body,
                    ..
                } => said = body.to_vec(),
                flv::FileEvent::Tag { timestamp_ms, .. } => {
                    first.get_or_insert(timestamp_ms);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(first, Some(0));
        let number = |name| {
            let at = number_of(&said, name).unwrap() as usize;
            f64::from_be_bytes(said[at..at + 8].try_into().unwrap())
        };
        assert!(
            (1.9..2.1).contains(&number("duration")),
            "{:?}",
            mux.length()
        );
        assert_eq!(number("filesize"), bytes.len() as f64);
    }

    #[test]
    fn an_mp4_goes_on_over_an_epoch_and_not_over_a_codec() {
        let (table, frames) = media();
        let mut mux = Mux::new(FileFormat::Mp4, MediaTime::ZERO);
        let mut file = BytesMut::new();
        assert!(mux.tracks(&table, &mut file));
        assert!(mux.frame(&frames[0], 0, &mut file).unwrap());
        let len = file.len();
        let mut later = table.clone();
        later.epoch.id = core_frame::Epoch(7);
        assert!(mux.tracks(&later, &mut file));
        assert_eq!(file.len(), len, "no second header");
        let mut other = TrackInfo::clone(&table.tracks[0]);
        other.config = bytes::Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
        assert!(!mux.tracks(&TrackTable::new([other]), &mut file));
        assert!(mux.finish().is_empty());
    }
}
