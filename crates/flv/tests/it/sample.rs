//! The samples, named by their sender, and how tests read them.

use bytes::Bytes;
use core_frame::{Limits, MediaFrame, MediaKind, TrackInfo, TrackTable};
use millstream_flv::{Demuxer, Event, Events, FileEvent, FileReader, TagKind};

pub(crate) const ALL: [(&str, &[u8]); 12] = [
    (
        "ffmpeg5_h264_aac",
        include_bytes!("data/ffmpeg5_h264_aac.flv"),
    ),
    (
        "ffmpeg5_h264_mp3",
        include_bytes!("data/ffmpeg5_h264_mp3.flv"),
    ),
    (
        "ffmpeg5_h264_alaw",
        include_bytes!("data/ffmpeg5_h264_alaw.flv"),
    ),
    (
        "ffmpeg9_hevc_aac",
        include_bytes!("data/ffmpeg9_hevc_aac.flv"),
    ),
    (
        "ffmpeg9_av1_opus",
        include_bytes!("data/ffmpeg9_av1_opus.flv"),
    ),
    (
        "ffmpeg9_svtav1_aac",
        include_bytes!("data/ffmpeg9_svtav1_aac.flv"),
    ),
    (
        "ffmpeg9_vp9_opus",
        include_bytes!("data/ffmpeg9_vp9_opus.flv"),
    ),
    (
        "ffmpeg9_h264_ac3",
        include_bytes!("data/ffmpeg9_h264_ac3.flv"),
    ),
    (
        "ffmpeg9_h264_eac3",
        include_bytes!("data/ffmpeg9_h264_eac3.flv"),
    ),
    (
        "ffmpeg9_h264_mp3",
        include_bytes!("data/ffmpeg9_h264_mp3.flv"),
    ),
    (
        "ffmpeg9_h264_flac",
        include_bytes!("data/ffmpeg9_h264_flac.flv"),
    ),
    (
        "ffmpeg9_multitrack",
        include_bytes!("data/ffmpeg9_multitrack.flv"),
    ),
];

pub(crate) fn named(name: &str) -> &'static [u8] {
    ALL.iter().find(|(n, _)| *n == name).expect("a sample").1
}

/// Every event of a file that is pushed in pieces of `piece` bytes.
pub(crate) fn read(bytes: &[u8], piece: usize) -> Vec<FileEvent> {
    let mut reader = FileReader::new(&Limits::default());
    let mut events = Vec::new();
    for bytes in bytes.chunks(piece) {
        reader.push(bytes);
        while let Some(event) = reader.next_event().expect("FLV") {
            events.push(event);
        }
    }
    reader.finish();
    while let Some(event) = reader.next_event().expect("FLV") {
        events.push(event);
    }
    events
}

pub(crate) fn tags(bytes: &[u8]) -> Vec<(TagKind, u32, Bytes)> {
    read(bytes, 4_096)
        .into_iter()
        .filter_map(|event| match event {
            FileEvent::Tag {
                kind,
                timestamp_ms,
                body,
                ..
            } => Some((kind, timestamp_ms, body)),
            _ => None,
        })
        .collect()
}

/// A file, demuxed.
#[derive(Default)]
pub(crate) struct Media {
    pub(crate) table: TrackTable,
    pub(crate) announced: Vec<TrackInfo>,
    pub(crate) frames: Vec<MediaFrame>,
    pub(crate) errors: Vec<millstream_flv::Error>,
    pub(crate) ended: usize,
    pub(crate) dropped: u64,
}

impl Media {
    pub(crate) fn of(kind: MediaKind, frames: &[MediaFrame]) -> Vec<&MediaFrame> {
        frames.iter().filter(|f| f.kind() == kind).collect()
    }
}

pub(crate) fn demux(bytes: &[u8]) -> Media {
    demux_tags(tags(bytes))
}

pub(crate) fn demux_tags(tags: impl IntoIterator<Item = (TagKind, u32, Bytes)>) -> Media {
    let mut demuxer = Demuxer::new(&Limits::default());
    let mut events = Events::new();
    let mut media = Media::default();
    for (kind, time, body) in tags {
        if let Err(e) = demuxer.push(kind, time, body, &mut events) {
            media.errors.push(e);
        }
        for event in events.drain() {
            match event {
                Event::Track(info) => {
                    media.table.set((*info).clone());
                    media.announced.push(*info);
                }
                Event::Frame(frame) => media.frames.push(frame),
                Event::EndOfSequence(_) => media.ended += 1,
                _ => {}
            }
        }
    }
    media.dropped = demuxer.dropped();
    media
}
