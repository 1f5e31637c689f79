//! Which tracks go out and in which form: the bytes, and what a reader makes of them.

use bytes::{Bytes, BytesMut};
use core_frame::{
    CodecId, FrameFlags, MediaFrame, MediaTime, TrackChoice, TrackId, TrackInfo, TrackTable,
};
use expect_test::{Expect, expect};
use millstream_flv::{CodecForm, Error, FileWriter, FourCc, FourCcs, Layout, TagKind};

use crate::sample;

/// Two pictures, two sounds and a frame of each.
fn table() -> (TrackTable, Vec<MediaFrame>) {
    let track = |id, codec, config: &'static [u8]| {
        let mut track = TrackInfo::new(TrackId(id), codec);
        track.config = Bytes::from_static(config);
        track
    };
    let tracks = [
        track(1, CodecId::H265, b"hvcC"),
        track(2, CodecId::Aac, b"\x12\x10"),
        track(12, CodecId::H264, b"avcC"),
        track(13, CodecId::Opus, b"\0\x02\x01\x38\0\0\xBB\x80\0\0\0"),
        track(15, CodecId::Ac3, b""),
        track(16, CodecId::Av1, b"av1C"),
    ];
    let frames = tracks.iter().map(|t| {
        let time = MediaTime::from_millis(40);
        let mut frame = MediaFrame::new(t.id, t.codec, time, Bytes::from_static(b"unit"));
        frame.flags = FrameFlags::KEY;
        if t.codec.is_nal() {
            frame.pts = MediaTime::from_millis(60);
        }
        frame
    });
    let frames = frames.collect();
    (TrackTable::new(tracks), frames)
}

fn layout(query: &str, codecs: CodecForm, multitrack: bool) -> Layout {
    let mut layout = Layout::of(TrackChoice::from_query(query).expect("a choice"));
    (layout.codecs, layout.multitrack) = (codecs, multitrack);
    layout
}

/// Configurations and the heads of frames, in hexadecimal.
fn check(layout: &Layout, want: Expect) {
    let (table, frames) = table();
    let plan = layout.plan(&table);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut got = format!("{layout}\n");
    for (kind, body) in plan.headers().into_iter().skip(1) {
        got += &format!("  {kind:?} {}\n", hex(&body));
    }
    for frame in &frames {
        let line = match plan.body(frame) {
            Ok(Some(body)) => format!("{:?} {}", body.kind, hex(body.head.as_ref())),
            Ok(None) => "-".to_owned(),
            Err(e) => e.to_string(),
        };
        got += &format!("  {} {line}\n", frame.codec);
    }
    want.assert_eq(&got);
}

#[test]
fn the_default_is_what_everyone_gets() {
    check(
        &Layout::default(),
        expect![[r#"
        video=main&audio=main&codecs=enhanced
          Video 906876633168766343
          Audio af001210
          h265 Video 9168766331000014
          aac Audio af01
          h264 -
          opus -
          ac3 -
          av1 -
    "#]],
    );
}

#[test]
fn the_legacy_form_of_hevc() {
    check(
        &layout("", CodecForm::Legacy, false),
        expect![[r#"
        video=main&audio=main&codecs=legacy
          Video 1c0000000068766343
          Audio af001210
          h265 Video 1c01000014
          aac Audio af01
          h264 -
          opus -
          ac3 -
          av1 -
    "#]],
    );
}

#[test]
fn what_a_receiver_does_not_know_is_left_out() {
    let known: FourCcs = [FourCc(*b"hvc1")].into_iter().collect();
    check(
        &layout("video=3&audio=2", CodecForm::Only(known), false),
        expect![[r#"
        video=3&audio=2&codecs=hvc1
          h265 -
          aac -
          h264 -
          opus not supported: a codec that the receiver cannot carry
          ac3 -
          av1 not supported: a codec that the receiver cannot carry
    "#]],
    );
}

#[test]
fn a_single_track_is_written_as_the_only_one() {
    check(
        &layout("video=2&audio=2", CodecForm::Enhanced, true),
        expect![[r#"
        video=2&audio=2&codecs=enhanced&multitrack=yes
          Video 170000000061766343
          Audio 904f7075734f707573486561640102380180bb0000000000
          h265 -
          aac -
          h264 Video 1701000014
          opus Audio 914f707573
          ac3 -
          av1 -
    "#]],
    );
}

#[test]
fn all_tracks_have_their_numbers() {
    check(
        &Layout::all_tracks(),
        expect![[r#"
        video=all&audio=all&codecs=enhanced&multitrack=yes
          Video 906876633168766343
          Audio af001210
          Video 9600617663310161766343
          Audio 95004f707573014f707573486561640102380180bb0000000000
          Audio 950061632d3302
          Video 9600617630310361763143
          h265 Video 9168766331000014
          aac Audio af01
          h264 Video 96016176633101000014
          opus Audio 95014f70757301
          ac3 Audio 950161632d3302
          av1 Video 96016176303103
    "#]],
    );
}

#[test]
fn all_tracks_that_a_receiver_knows() {
    let known: FourCcs = [*b"avc1", *b"Opus"].map(FourCc).into_iter().collect();
    check(
        &layout("video=all&audio=all", CodecForm::Only(known), true),
        expect![[r#"
        video=all&audio=all&codecs=avc1+Opus&multitrack=yes
          Video 1c0000000068766343
          Audio af001210
          Video 9600617663310161766343
          Audio 95004f707573014f707573486561640102380180bb0000000000
          h265 Video 1c01000014
          aac Audio af01
          h264 Video 96016176633101000014
          opus Audio 95014f70757301
          ac3 not supported: a codec that the receiver cannot carry
          av1 not supported: a codec that the receiver cannot carry
    "#]],
    );
}

#[test]
fn who_asks_for_all_gets_the_first_that_can_be_written() {
    let mut table = table().0;
    table.tracks.retain(|t| t.id.0 > 2);
    table.set(TrackInfo::new(TrackId::VIDEO, CodecId::Mjpeg));
    let ids = |layout: &Layout, table: &TrackTable| -> Vec<_> {
        let plan = layout.plan(table);
        plan.tracks().map(|t| t.id.0).collect()
    };
    let all = Layout::of(TrackChoice::ALL);
    assert_eq!(ids(&all, &table), [12, 13]);
    // Who asks for the main one gets that or none: the others' frames may not even be at hand.
    assert_eq!(ids(&Layout::default(), &table), [13]);
    let plan = Layout::default().plan(&table);
    assert!(!plan.has(TagKind::Video));
    let frame = MediaFrame::new_video(0, 0, Bytes::from_static(b"x"), CodecId::Mjpeg, true);
    assert!(matches!(plan.body(&frame), Err(Error::Unsupported(_))));
    // The others were never promised.
    let mut other = frame;
    other.track = TrackId(12);
    assert!(matches!(plan.body(&other), Ok(None)));
}

#[test]
fn nanoseconds_come_back_when_they_are_asked_for() {
    let (mut table, _) = table();
    table.tracks.retain(|t| [1, 12, 13].contains(&t.id.0));
    let media = sample::demux(sample::named("ffmpeg9_hevc_aac"));
    let mut hevc = TrackInfo::clone(media.table.video().expect("video"));
    hevc.id = TrackId(1);
    table.set(hevc);
    table.tracks.retain(|t| t.codec != CodecId::H264);
    let nal = Bytes::from_static(&[0, 0, 0, 3, 0x02, 0x01, 0xD0]);
    let at = |codec, id, dts: i64, pts: i64| {
        let payload = match codec {
            CodecId::H265 => nal.clone(),
            _ => Bytes::from_static(&[0xFC, 0xFF, 0xFE]),
        };
        let mut frame = MediaFrame::new(TrackId(id), codec, MediaTime::from_nanos(dts), payload);
        frame.pts = MediaTime::from_nanos(pts);
        frame
    };
    let frames = [
        at(CodecId::H265, 1, 40_000_000, 73_366_667),
        at(CodecId::Opus, 13, 40_999_999, 40_999_999),
        at(CodecId::H265, 1, 80_000_000, 80_000_000),
    ];
    let mut layout = Layout::default();
    layout.nanos = true;
    assert_eq!(
        layout.to_string(),
        "video=main&audio=main&codecs=enhanced&nanos=yes"
    );
    let plan = layout.plan(&table);
    let head = |n: usize| {
        plan.body(&frames[n])
            .expect("written")
            .expect("wanted")
            .head
    };
    assert_eq!(head(0).as_ref(), b"\xA7\x02\x05\x98\x4B\x01hvc1\0\0\x21");
    assert_eq!(head(1).as_ref(), b"\x97\x02\x0F\x42\x3F\x01Opus");
    assert_eq!(head(2).as_ref(), b"\xA3hvc1");
    let mut file = BytesMut::new();
    let mut writer = FileWriter::with_layout(layout);
    writer.tracks(&table, &mut file);
    for frame in &frames {
        assert!(writer.frame(frame, &mut file).expect("written"));
    }
    let back = sample::demux(&file);
    assert_eq!(back.errors, []);
    let times = |frames: &[MediaFrame]| frames.iter().map(|f| f.pts).collect::<Vec<_>>();
    assert_eq!(times(&back.frames), times(&frames));
}

#[test]
fn every_form_is_read_back() {
    let media = sample::demux(sample::named("ffmpeg9_multitrack"));
    let all: FourCcs = FourCcs::ALL;
    for form in [CodecForm::Enhanced, CodecForm::Legacy, CodecForm::Only(all)] {
        for query in ["", "video=2&audio=2", "video=none", "video=all&audio=all"] {
            for multitrack in [false, true] {
                let layout = layout(query, form, multitrack);
                let plan = layout.plan(&media.table);
                let mut file = BytesMut::new();
                let mut writer = FileWriter::with_layout(layout.clone());
                writer.tracks(&media.table, &mut file);
                let mut want = Vec::new();
                for frame in &media.frames {
                    if writer.frame(frame, &mut file).unwrap_or(false) {
                        want.push(frame.payload.clone());
                    }
                }
                let back = sample::demux(&file);
                assert_eq!(back.errors, [], "{layout}");
                assert_eq!(back.table.tracks.len(), plan.tracks().count(), "{layout}");
                let got: Vec<_> = back.frames.iter().map(|f| f.payload.clone()).collect();
                assert_eq!(got, want, "{layout}");
            }
        }
    }
}
