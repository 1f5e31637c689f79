//! `scuffle-flv` reads the files we write: every tag, with its kind and time.

use std::io::Cursor;

use bytes::BytesMut;
use core_frame::{MediaKind, TrackTable};
use scuffle_flv::file::FlvFile;
use scuffle_flv::tag::FlvTagData;
use synth::{Options, Source};

#[test]
fn scuffle_reads_every_tag() {
    let source = Source::new(Options::default().frames(120)).unwrap();
    let mut writer = flv::FileWriter::new();
    let mut file = BytesMut::new();
    writer.tracks(&TrackTable::new(source.tracks()), &mut file);
    let mut want = Vec::new();
    for frame in source {
        if writer.frame(&frame, &mut file).unwrap() {
            want.push((frame.kind(), flv::timestamp_ms(frame.dts)));
        }
    }
    let theirs = FlvFile::demux(&mut Cursor::new(file.freeze())).unwrap();
    // A script tag and two configurations stand before the media.
    let media = &theirs.tags[3..];
    assert_eq!(media.len(), want.len());
    for (tag, (kind, time)) in media.iter().zip(want) {
        let theirs = match tag.data {
            FlvTagData::Audio(_) => MediaKind::Audio,
            FlvTagData::Video(_) => MediaKind::Video,
            _ => MediaKind::Data,
        };
        assert_eq!((theirs, tag.timestamp_ms), (kind, time));
    }
}
