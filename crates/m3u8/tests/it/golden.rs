//! The text of playlists, byte for byte.

use std::sync::Arc;

use core_frame::{MediaTime, WallTime};
use expect_test::{Expect, expect};
use millstream_m3u8::*;

fn check(list: impl ToString, want: &Expect) {
    let text = list.to_string();
    want.assert_eq(&text);
    parse(text.as_bytes(), &ParseOptions::strict()).unwrap();
}

fn ms(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

#[test]
fn a_low_latency_media_playlist() {
    let part = |n: u32, independent| Part {
        uri: format!("8.{n}.m4s"),
        duration: ms(200),
        independent,
        ..Part::default()
    };
    let map = Some(Arc::new(Map {
        uri: "init.mp4".into(),
        byte_range: None,
    }));
    let mut list = MediaPlaylist {
        independent_segments: true,
        target_duration: 2,
        media_sequence: 7,
        discontinuity_sequence: Some(1),
        server_control: Some(ServerControl {
            can_block_reload: true,
            part_hold_back: Some(ms(600)),
            hold_back: Some(ms(6_000)),
            ..ServerControl::default()
        }),
        part_target: Some(ms(200)),
        segments: vec![Segment {
            uri: "7.m4s".into(),
            duration: MediaTime::from_nanos(1_966_666_667),
            discontinuity: true,
            program_date_time: Some(WallTime::from_unix_nanos(1_795_241_524_250_000_000)),
            map: map.clone(),
            ..Segment::default()
        }],
        open: Some(Box::new(Segment {
            map,
            parts: vec![part(0, true), part(1, false)],
            ..Segment::default()
        })),
        preload_hints: vec![PreloadHint {
            kind: HintKind::Part,
            uri: "8.2.m4s".into(),
            start: 0,
            length: None,
        }],
        rendition_reports: vec![RenditionReport {
            uri: "../audio/index.m3u8".into(),
            last_msn: Some(8),
            last_part: Some(1),
        }],
        ..MediaPlaylist::default()
    };
    list.version = Some(list.required_version());
    check(
        &list,
        &expect![[r#"
            #EXTM3U
            #EXT-X-VERSION:6
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXT-X-TARGETDURATION:2
            #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.000,PART-HOLD-BACK=0.600
            #EXT-X-PART-INF:PART-TARGET=0.200
            #EXT-X-MEDIA-SEQUENCE:7
            #EXT-X-DISCONTINUITY-SEQUENCE:1
            #EXT-X-MAP:URI="init.mp4"
            #EXT-X-DISCONTINUITY
            #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:04.250Z
            #EXTINF:1.966666667,
            7.m4s
            #EXT-X-PART:DURATION=0.200,URI="8.0.m4s",INDEPENDENT=YES
            #EXT-X-PART:DURATION=0.200,URI="8.1.m4s"
            #EXT-X-PRELOAD-HINT:TYPE=PART,URI="8.2.m4s"
            #EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=8,LAST-PART=1
        "#]],
    );
}

#[test]
fn keys_are_written_where_they_change() {
    let key = |uri: &str, format: Option<&str>| Key {
        key_format: format.map(Into::into),
        ..Key::new(Method::SampleAes, uri)
    };
    let one: Arc<[Key]> = Arc::from([key("a", None)]);
    let two: Arc<[Key]> = Arc::from([key("a", None), key("b", Some("com.example.drm"))]);
    let segment = |n: u32, keys: &Arc<[Key]>| Segment {
        uri: format!("{n}.ts"),
        duration: ms(4_000),
        keys: Arc::clone(keys),
        ..Segment::default()
    };
    let none = Arc::default();
    let mut list = MediaPlaylist {
        target_duration: 4,
        segments: vec![
            segment(0, &none),
            segment(1, &one),
            segment(2, &one),
            segment(3, &two),
            segment(4, &one),
            segment(5, &none),
        ],
        end_list: true,
        playlist_type: Some(PlaylistType::Vod),
        ..MediaPlaylist::default()
    };
    list.version = Some(list.required_version());
    check(
        &list,
        &expect![[r#"
            #EXTM3U
            #EXT-X-VERSION:5
            #EXT-X-TARGETDURATION:4
            #EXT-X-MEDIA-SEQUENCE:0
            #EXT-X-PLAYLIST-TYPE:VOD
            #EXTINF:4.000,
            0.ts
            #EXT-X-KEY:METHOD=SAMPLE-AES,URI="a"
            #EXTINF:4.000,
            1.ts
            #EXTINF:4.000,
            2.ts
            #EXT-X-KEY:METHOD=SAMPLE-AES,URI="a"
            #EXT-X-KEY:METHOD=SAMPLE-AES,URI="b",KEYFORMAT="com.example.drm"
            #EXTINF:4.000,
            3.ts
            #EXT-X-KEY:METHOD=NONE
            #EXT-X-KEY:METHOD=SAMPLE-AES,URI="a"
            #EXTINF:4.000,
            4.ts
            #EXT-X-KEY:METHOD=NONE
            #EXTINF:4.000,
            5.ts
            #EXT-X-ENDLIST
        "#]],
    );
}

#[test]
fn a_multivariant_playlist() {
    let mut audio = Media::new(MediaType::Audio, "aud", "English");
    audio.language = Some("en".into());
    audio.uri = Some("audio/index.m3u8".into());
    (audio.default, audio.autoselect) = (true, true);
    audio.channels = Some("2".into());
    let list = MultivariantPlaylist {
        independent_segments: true,
        media: vec![audio],
        variants: vec![Variant {
            uri: "video/index.m3u8".into(),
            bandwidth: 2_628_000,
            average_bandwidth: Some(2_400_000),
            codecs: Some("avc1.64001f,mp4a.40.2".into()),
            resolution: Some(Resolution {
                width: 1280,
                height: 720,
            }),
            frame_rate: Decimal::from_ratio_3(30_000, 1_001),
            audio: Some("aud".into()),
            closed_captions: Some(ClosedCaptions::None),
            ..Variant::default()
        }],
        ..MultivariantPlaylist::default()
    };
    assert_eq!(list.required_version(), 1);
    check(
        &list,
        &expect![[r#"
            #EXTM3U
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"
            #EXT-X-STREAM-INF:BANDWIDTH=2628000,AVERAGE-BANDWIDTH=2400000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="aud",CLOSED-CAPTIONS=NONE
            video/index.m3u8
        "#]],
    );
}

#[test]
fn text_cannot_break_out_of_its_place() {
    let list = MediaPlaylist {
        target_duration: 1,
        segments: vec![Segment {
            uri: "a\n#EXT-X-ENDLIST".into(),
            duration: ms(1_000),
            title: "x\r\ny".into(),
            parts: vec![Part {
                uri: "p\",GAP=YES\n".into(),
                ..Part::default()
            }],
            ..Segment::default()
        }],
        part_target: Some(ms(1_000)),
        ..MediaPlaylist::default()
    };
    let back = parse_media(list.to_string().as_bytes(), &ParseOptions::default())
        .unwrap()
        .playlist;
    assert!(!back.end_list);
    assert_eq!(back.segments[0].uri, "a#EXT-X-ENDLIST");
    assert_eq!(back.segments[0].title, "xy");
    assert_eq!(back.segments[0].parts[0].uri, "p,GAP=YES");
    assert!(!back.segments[0].parts[0].gap);
}
