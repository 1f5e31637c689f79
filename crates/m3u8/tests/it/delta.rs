//! Delta updates: applying one gives the list that the server would have sent in full.

use std::sync::Arc;

use core_frame::MediaTime;
use millstream_m3u8::*;

/// A list of segments `from..to`; the key changes every 5 segments, the map every 7.
fn full(from: u64, to: u64) -> MediaPlaylist {
    let segment = |n: u64| Segment {
        uri: format!("{n}.m4s"),
        duration: MediaTime::from_secs(2),
        discontinuity: n.is_multiple_of(7),
        keys: if n % 10 < 5 {
            Arc::default()
        } else {
            Arc::from([Key::new(Method::SampleAes, format!("k{}", n / 10))])
        },
        map: Some(Arc::new(Map {
            uri: format!("init{}.mp4", n / 7),
            byte_range: None,
        })),
        bitrate_kbps: Some(100 + n / 4),
        ..Segment::default()
    };
    MediaPlaylist {
        version: Some(9),
        target_duration: 2,
        media_sequence: from,
        discontinuity_sequence: Some(from.div_ceil(7)),
        segments: (from..to).map(segment).collect(),
        date_ranges: vec![DateRange {
            id: "ad".into(),
            ..DateRange::default()
        }],
        ..MediaPlaylist::default()
    }
}

/// What a server sends: the text of the full list with the first `skip` segments cut out of it.
fn delta_text(list: &MediaPlaylist, skip: usize) -> String {
    let text = list.to_string();
    let (mut out, mut seen, mut state) = (String::new(), 0, Vec::new());
    for line in text.lines() {
        let of_segment = [
            "#EXTINF",
            "#EXT-X-KEY",
            "#EXT-X-MAP",
            "#EXT-X-DISC",
            "#EXT-X-BITRATE",
        ]
        .iter()
        .any(|t| line.starts_with(t) && !line.contains("SEQUENCE"));
        if line.starts_with('#') && !of_segment {
            out += &format!("{line}\n");
            continue;
        }
        if seen == 0 && state.is_empty() {
            out += &format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skip}\n");
        }
        if seen >= skip {
            out += &format!("{line}\n");
        } else {
            state.push(line);
        }
        seen += usize::from(!line.starts_with('#'));
    }
    out
}

#[test]
fn gives_the_full_list_at_every_boundary() {
    let previous = full(10, 40);
    let wanted = full(13, 43);
    for skip in 1..=20 {
        let text = delta_text(&wanted, skip);
        let delta = parse_media(text.as_bytes(), &ParseOptions::strict())
            .unwrap()
            .playlist;
        assert_eq!(delta.first_listed(), 13 + skip as u64);
        assert_eq!(delta.segments.len(), 30 - skip);
        let again = parse_media(delta.to_string().as_bytes(), &ParseOptions::strict()).unwrap();
        assert_eq!(again.playlist, delta, "a delta survives being written");
        assert_eq!(
            delta.apply_delta(&previous).unwrap(),
            wanted,
            "skip {skip}:\n{text}"
        );
    }
}

#[test]
fn a_delta_that_does_not_fit_is_refused() {
    let delta = |list: &MediaPlaylist, skip| {
        parse_media(delta_text(list, skip).as_bytes(), &ParseOptions::default())
            .unwrap()
            .playlist
    };
    let previous = full(10, 20);
    assert_eq!(
        delta(&full(5, 25), 3).apply_delta(&previous),
        Err(DeltaError::Missing { sequence: 5 })
    );
    assert_eq!(
        delta(&full(15, 35), 8).apply_delta(&previous),
        Err(DeltaError::Missing { sequence: 20 })
    );
    let a_delta = delta(&full(10, 20), 2);
    assert_eq!(
        a_delta.clone().apply_delta(&a_delta),
        Err(DeltaError::PreviousIsDelta)
    );
    assert_eq!(
        previous.clone().apply_delta(&a_delta).unwrap(),
        previous,
        "a full list is itself"
    );
}

#[test]
fn removed_date_ranges_go() {
    let mut next = full(12, 22);
    next.date_ranges = vec![DateRange {
        id: "new".into(),
        ..DateRange::default()
    }];
    next.skip = Some(Skip {
        skipped_segments: 0,
        recently_removed_date_ranges: vec!["ad".into()],
        ..Skip::default()
    });
    let ids = |list: MediaPlaylist| -> Vec<String> {
        list.date_ranges.into_iter().map(|d| d.id).collect()
    };
    let previous = full(10, 20);
    assert_eq!(ids(next.clone().apply_delta(&previous).unwrap()), ["new"]);
    next.skip = Some(Skip::default());
    assert_eq!(ids(next.apply_delta(&previous).unwrap()), ["ad", "new"]);
}

#[test]
fn byte_ranges_continue_over_the_boundary() {
    let previous = parse_media(
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:10@5\na\n#EXTINF:2,\n#EXT-X-BYTERANGE:7\na\n",
        &ParseOptions::default(),
    )
    .unwrap()
    .playlist;
    let delta = parse_media(
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXTINF:2,\n#EXT-X-BYTERANGE:7\na\n\
          #EXTINF:2,\n#EXT-X-BYTERANGE:3\na\n",
        &ParseOptions::default(),
    )
    .unwrap()
    .playlist;
    assert_eq!(delta.segments[0].byte_range.unwrap().offset, None);
    let ranges: Vec<_> = delta
        .apply_delta(&previous)
        .unwrap()
        .segments
        .iter()
        .map(|s| s.byte_range.unwrap())
        .collect();
    assert_eq!(
        ranges,
        [
            ByteRange::new(5, 10),
            ByteRange::new(15, 7),
            ByteRange::new(22, 3)
        ]
    );
}
