//! What is demuxed, muxed and demuxed again is the same; files are read the same however they are cut.

use bytes::{Bytes, BytesMut};
use core_frame::{MediaFrame, MediaKind, Pick, TrackChoice, TrackInfo, TrackTable};
use millstream_flv::{FileWriter, Layout};

use crate::sample::{self, ALL};

fn write(table: &TrackTable, frames: &[MediaFrame], video: Pick, audio: Pick) -> Bytes {
    let mut out = BytesMut::new();
    let mut writer = FileWriter::with_layout(Layout::of(TrackChoice { video, audio }));
    writer.tracks(table, &mut out);
    for frame in frames {
        writer.frame(frame, &mut out).expect("writable");
    }
    out.freeze()
}

/// The same track with the number it has alone.
fn alone(track: &TrackInfo) -> TrackInfo {
    let mut track = track.clone();
    track.id = millstream_flv::track_id(track.kind(), 0);
    track
}

#[test]
fn files_come_back_as_they_went() {
    for (name, bytes) in ALL {
        let media = sample::demux(bytes);
        for track in &media.table.tracks {
            let of_kind = media.table.tracks.iter();
            let before = of_kind.filter(|t| t.kind() == track.kind() && t.id < track.id);
            let nth = Pick::Nth(1 + before.count() as u8);
            let (video, audio) = match track.kind() {
                MediaKind::Video => (nth, Pick::None),
                _ => (Pick::None, nth),
            };
            let back = sample::demux(&write(&media.table, &media.frames, video, audio));
            assert_eq!(back.errors, [], "{name} {}", track.codec);
            let want = alone(track);
            let got = back.table.tracks[0].as_ref();
            assert_eq!((got.id, got.codec), (want.id, want.codec), "{name}");
            assert_eq!(got.config, want.config, "{name}");
            assert_eq!(got.codec_string, want.codec_string, "{name}");
            assert_eq!((got.video, got.audio), (want.video, want.audio), "{name}");
            let mut frames: Vec<_> = media.frames.clone();
            frames.retain(|f| f.track == track.id);
            assert_eq!(back.frames.len(), frames.len(), "{name} {}", track.codec);
            for (mut frame, back) in frames.into_iter().zip(back.frames) {
                frame.track = want.id;
                assert_eq!(frame, back, "{name}");
            }
        }
    }
}

#[test]
fn all_tracks_come_back_from_a_multitrack_file() {
    for (name, bytes) in ALL {
        let media = sample::demux(bytes);
        let mut out = BytesMut::new();
        let mut writer = FileWriter::multitrack();
        writer.tracks(&media.table, &mut out);
        for frame in &media.frames {
            assert!(writer.frame(frame, &mut out).expect("writable"));
        }
        let back = sample::demux(&out);
        assert_eq!(back.errors, [], "{name}");
        let essence = |t: &TrackInfo| (t.id, t.codec, t.config.clone());
        let tracks =
            |table: &TrackTable| -> Vec<_> { table.tracks.iter().map(|t| essence(t)).collect() };
        assert_eq!(tracks(&back.table), tracks(&media.table), "{name}");
        assert_eq!(back.frames, media.frames, "{name}");
    }
}

#[test]
fn bodies_go_out_as_they_came_in() {
    for (name, bytes) in ALL {
        let media = sample::demux(bytes);
        let plan = Layout::all_tracks().plan(&media.table);
        let mut theirs = sample::tags(bytes).into_iter();
        let mut compared = 0;
        for frame in &media.frames {
            let body = plan.body(frame).expect("writable").expect("wanted");
            let ours = [body.head.as_ref(), &body.payload].concat();
            // Between the frames lie configurations and metadata.
            let their = theirs.find(|(_, _, their)| their.ends_with(&frame.payload));
            let (kind, time, their) = their.expect("the body of this frame");
            assert_eq!((body.kind, body.timestamp_ms), (kind, time), "{name}");
            assert_eq!(ours, their, "{name} {} at {time}", frame.codec);
            compared += 1;
        }
        assert!(compared > 10, "{name}");
    }
}

#[test]
fn foreign_tracks_get_numbers_of_their_own() {
    let media = sample::demux(sample::named("ffmpeg5_h264_aac"));
    let video = media.table.video().expect("video");
    let ids = [5, 6, 14, 16].map(core_frame::TrackId);
    let table = TrackTable::new(ids.map(|id| {
        let mut track = TrackInfo::clone(video);
        track.id = id;
        track
    }));
    let mut out = BytesMut::new();
    FileWriter::multitrack().tracks(&table, &mut out);
    let back = sample::demux(&out);
    let found: Vec<_> = back.table.tracks.iter().map(|t| t.id.0).collect();
    // The first is track 0; 14 and 16 are tracks 2 and 3 of multitrack and stay so; the other gets what is free.
    assert_eq!(found, [1, 12, 14, 16]);
}

#[test]
fn color_goes_there_and_back() {
    let media = sample::demux(sample::named("ffmpeg9_hevc_aac"));
    let mut track = TrackInfo::clone(media.table.video().expect("video"));
    let color = core_frame::ColorInfo {
        primaries: 9,
        transfer: 18,
        matrix: 9,
        full_range: false,
    };
    if let Some(video) = &mut track.video {
        video.color = Some(color);
    }
    let tags = [
        millstream_flv::sequence_header(&track).expect("a configuration"),
        millstream_flv::color_metadata(&track).expect("colour"),
    ];
    let tags = tags.map(|body| (millstream_flv::TagKind::Video, 0, body));
    let back = sample::demux_tags(tags);
    assert_eq!(back.table.video().and_then(|t| t.video?.color), Some(color));
    track.codec = core_frame::CodecId::H264;
    assert_eq!(millstream_flv::color_metadata(&track), None);
}

#[test]
fn any_split_gives_the_same_events() {
    for (name, bytes) in ALL {
        let whole = sample::read(bytes, bytes.len());
        for piece in [1, 2, 3, 7, 11, 15, 16, 255, 4_095] {
            assert_eq!(sample::read(bytes, piece), whole, "{name} in {piece}s");
        }
        assert!(
            !whole
                .iter()
                .any(|e| matches!(e, millstream_flv::FileEvent::Damage(_)))
        );
    }
}

#[test]
fn every_cut_in_two_gives_the_same_events() {
    let bytes = sample::named("ffmpeg9_hevc_aac");
    let whole = sample::read(bytes, bytes.len());
    for at in 1..2_000 {
        let mut reader = millstream_flv::FileReader::new(&core_frame::Limits::default());
        let mut events = Vec::new();
        for part in [&bytes[..at], &bytes[at..]] {
            reader.push(part);
            while let Some(event) = reader.next_event().unwrap() {
                events.push(event);
            }
        }
        reader.finish();
        while let Some(event) = reader.next_event().unwrap() {
            events.push(event);
        }
        assert_eq!(events, whole, "cut at {at}");
    }
}
