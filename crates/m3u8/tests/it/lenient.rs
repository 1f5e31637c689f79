//! What senders get wrong and players live with: the value, and the warning.

use core_frame::MediaTime;
use millstream_m3u8::*;

fn lenient(text: &str) -> (MediaPlaylist, Vec<&'static str>) {
    let parsed = parse_media(text.as_bytes(), &ParseOptions::default()).unwrap();
    (
        parsed.playlist,
        parsed.warnings.iter().map(|w| w.rule).collect(),
    )
}

#[test]
fn repairs_and_says_so() {
    let good = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n";
    assert_eq!(lenient(good).1, [""; 0]);
    for (text, rule) in [
        (
            "\u{FEFF}#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n",
            "byte order mark",
        ),
        ("#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n", "first line"),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4\na.ts\n",
            "comma",
        ),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\na.ts\n", "needs EXTINF"),
        ("#EXTM3U\n#EXTINF:4,\na.ts\n", "TARGETDURATION is required"),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:3.6\n#EXTINF:4,\na.ts\n",
            "whole number",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-VERSION:x\n#EXTINF:4,\na.ts\n",
            "VERSION",
        ),
    ] {
        let (list, warnings) = lenient(text);
        assert_eq!(list.target_duration, 4, "{text}");
        assert_eq!(list.segments.len(), 1);
        assert_eq!(list.segments[0].uri, "a.ts");
        assert_eq!(list.segments[0].duration, MediaTime::from_secs(4), "{text}");
        assert!(
            warnings.len() == 1 && warnings[0].contains(rule),
            "{text}: {warnings:?}"
        );
    }
    let (list, _) = lenient(&good.replace('\n', "\r\n"));
    assert_eq!(list.segments[0].uri, "a.ts");
}

#[test]
fn numbers_out_of_range_do_no_harm() {
    let (list, warnings) = lenient(
        "#EXTM3U\n#EXT-X-TARGETDURATION:100000000000000000000\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n\
         #EXTINF:-1e308,\na.ts\n#EXTINF:NaN,\nb.ts\n#EXTINF:-1 tvg-id=\"x\",Name\nc.ts\n\
         #EXT-X-PART:DURATION=0,URI=\"p\"\n",
    );
    assert!(list.segments.iter().all(|s| s.duration == MediaTime::ZERO));
    assert_eq!(list.media_sequence, u64::MAX);
    assert_eq!(
        list.sequenced().last().unwrap().0,
        u64::MAX,
        "numbers stop at the end"
    );
    assert_eq!(list.next_sequence(), u64::MAX);
    assert_eq!(list.target_duration, 0);
    assert!(warnings.len() >= 5);
}

#[test]
fn attribute_lists_of_all_kinds() {
    let text = "#EXTM3U\n#EXT-X-STREAM-INF: BANDWIDTH=1280000 , CODECS=avc1.4d401e , RESOLUTION=\"640x360\", \
                NAME=\"a, b\",X-NEW=0x1F,X-Q=\"q\",BANDWIDTH=5,BROKEN,CLOSED-CAPTIONS=NONE\nv.m3u8\n";
    let parsed = parse_multivariant(text.as_bytes(), &ParseOptions::default()).unwrap();
    let v = &parsed.playlist.variants[0];
    assert_eq!(v.bandwidth, 1_280_000, "the first of two counts");
    assert_eq!(v.codecs.as_deref(), Some("avc1.4d401e"));
    assert_eq!(
        v.resolution,
        Some(Resolution {
            width: 640,
            height: 360
        })
    );
    assert_eq!(v.name.as_deref(), Some("a, b"));
    assert_eq!(v.closed_captions, Some(ClosedCaptions::None));
    assert_eq!(
        v.extra,
        [
            Attribute::bare("X-NEW", "0x1F"),
            Attribute::quoted("X-Q", "q")
        ]
    );
}

#[test]
fn variables_are_put_in() {
    let text = "#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"host\",VALUE=\"http://h\"\n\
                #EXT-X-DEFINE:IMPORT=\"dir\"\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXT-X-MAP:URI=\"{$host}/i\"\n\
                #EXTINF:4,\n{$host}/{$dir}/a.ts?t={$token}&{$none}\n";
    let options = ParseOptions {
        imports: vec![("dir".into(), "d/e".into())],
        query: vec![("token".into(), "{$host}".into())],
        ..ParseOptions::default()
    };
    let parsed = parse_media(text.as_bytes(), &options).unwrap();
    assert_eq!(
        parsed.playlist.segments[0].uri,
        "http://h/d/e/a.ts?t={$host}&{$none}"
    );
    assert_eq!(
        parsed.playlist.segments[0].map.as_ref().unwrap().uri,
        "http://h/i"
    );
    assert_eq!(parsed.warnings.len(), 1);
}

#[test]
fn what_is_no_playlist_is_refused() {
    for (bytes, why) in [
        (&b""[..], "empty"),
        (b" \n", "empty"),
        (b"<!DOCTYPE html><p>#EXTM3U", "web page"),
        (b"\x00\x00\x00\x18ftypmp42", "no #EXTM3U"),
    ] {
        match parse(bytes, &ParseOptions::default()) {
            Err(Error::NotAPlaylist(text)) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    let wrong = parse_multivariant(b"#EXTM3U\n#EXTINF:1,\na\n", &ParseOptions::default());
    assert!(matches!(
        wrong,
        Err(Error::WrongKind { found: "media", .. })
    ));
}

#[test]
fn dates_and_discontinuities_are_carried_on() {
    let (list, _) = lenient(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXTINF:4,\na\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:00:00Z\n#EXTINF:4,\nb\n#EXTINF:4,\nc\n\
         #EXT-X-DISCONTINUITY\n#EXTINF:4,\nd\n",
    );
    let dates: Vec<_> = list
        .program_date_times()
        .map(|t| t.map(|t| t.to_rfc3339()))
        .collect();
    assert_eq!(
        dates,
        [
            None,
            Some("2026-11-21T06:00:00.000Z".into()),
            Some("2026-11-21T06:00:04.000Z".into()),
            None
        ]
    );
    assert_eq!(
        list.discontinuity_sequences().collect::<Vec<_>>(),
        [3, 3, 3, 4]
    );
    assert_eq!(list.duration(), MediaTime::from_secs(16));
}
