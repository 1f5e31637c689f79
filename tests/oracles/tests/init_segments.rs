//! `mp4` reads the init segments we write for H.264 and AAC.

use std::io::Cursor;

use cmaf::InitSegment;
use synth::{Options, Source};

#[test]
fn mp4_reads_our_init_segments() {
    let source = Source::new(Options::default().size(320, 192)).unwrap();
    let tracks = source.tracks();
    let all: Vec<_> = tracks.iter().collect();
    let init = InitSegment::build(&all).unwrap();
    let size = init.bytes.len() as u64;
    let theirs = mp4::Mp4Reader::read_header(Cursor::new(&init.bytes[..]), size).unwrap();
    assert_eq!(theirs.tracks().len(), 2);
    for track in theirs.tracks().values() {
        match track.media_type().unwrap() {
            mp4::MediaType::H264 => {
                assert_eq!((track.width(), track.height()), (320, 192));
                assert!(!track.sequence_parameter_set().unwrap().is_empty());
            }
            mp4::MediaType::AAC => {
                assert_eq!(track.timescale(), 48_000);
                assert_eq!(track.sample_freq_index().unwrap().freq(), 48_000);
            }
            other => panic!("{other:?}"),
        }
    }
}
