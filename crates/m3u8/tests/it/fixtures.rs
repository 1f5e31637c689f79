//! Playlists of other projects: each is read, means what its name says, and survives being written and read again.

use std::path::{Path, PathBuf};

use millstream_m3u8::{
    Error, HintKind, MediaPlaylist, MediaType, MultivariantPlaylist, ParseOptions, Playlist, parse,
};

/// All sample files, sorted.
pub(crate) fn all() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_dir() {
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|e| e == "m3u8") {
                    files.push((path.clone(), std::fs::read(&path).unwrap()));
                }
            }
        }
    }
    files.sort();
    files
}

fn load(name: &str) -> Playlist {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    parse(&std::fs::read(path).unwrap(), &ParseOptions::default())
        .unwrap()
        .playlist
}

fn media(name: &str) -> MediaPlaylist {
    match load(name) {
        Playlist::Media(list) => list,
        Playlist::Multivariant(_) => panic!("{name} is a media playlist"),
    }
}

fn multivariant(name: &str) -> MultivariantPlaylist {
    match load(name) {
        Playlist::Multivariant(list) => list,
        Playlist::Media(_) => panic!("{name} is a multivariant playlist"),
    }
}

#[test]
fn every_one_is_read_and_survives_the_trip() {
    let mut read = 0;
    for (path, bytes) in all() {
        let name = path.display();
        match parse(&bytes, &ParseOptions::default()) {
            Ok(first) => {
                let text = first.playlist.to_string();
                let again = parse(text.as_bytes(), &ParseOptions::default()).unwrap();
                assert_eq!(again.playlist, first.playlist, "{name}:\n{text}");
                read += 1;
            }
            Err(Error::NotAPlaylist(_)) => {
                assert!(path.ends_with("empty.m3u8"), "{name} is a playlist");
            }
            Err(e) => panic!("{name}: {e}"),
        }
    }
    assert!(read > 100, "only {read} samples were found");
}

#[test]
fn segments_are_counted_right() {
    for (name, segments, first) in [
        ("videojs-m3u8-parser/playlist.m3u8", 17, 0),
        ("videojs-m3u8-parser/byteRange.m3u8", 17, 0),
        ("videojs-m3u8-parser/emptyMediaSequence.m3u8", 4, 0),
        ("videojs-m3u8-parser/manifestExtXEndlistEarly.m3u8", 5, 0),
        ("videojs-m3u8-parser/missingSegmentDuration.m3u8", 4, 0),
        ("videojs-m3u8-parser/whiteSpace.m3u8", 4, 0),
        ("videojs-m3u8-parser/llhls.m3u8", 7, 266),
        (
            "kuu-hls-parser/8.3-Playlist-with-encrypted-Media-Segments.m3u8",
            4,
            7794,
        ),
        ("rutgersc-m3u8-rs/mediaplaylist-byterange.m3u8", 8, 0),
        ("streamlink/test_date.m3u8", 2, 0),
    ] {
        let list = media(name);
        if name == "streamlink/test_date.m3u8" {
            assert!(
                !list.segments.is_empty() && !list.date_ranges.is_empty(),
                "{name}"
            );
            continue;
        }
        assert_eq!(
            (list.segments.len(), list.media_sequence),
            (segments, first),
            "{name}"
        );
    }
}

#[test]
fn low_latency_tags_behind_the_last_segment_are_kept() {
    let name = "kuu-hls-parser/Low-Latency_Example-01_Low-Latency_HLS_Playlist.m3u8";
    let list = media(name);
    let control = list.server_control.unwrap();
    assert!(control.can_block_reload);
    assert_eq!(control.part_hold_back.unwrap().as_millis(), 1_000);
    assert_eq!(list.open.as_ref().unwrap().parts.len(), 3);
    assert!(list.open.as_ref().unwrap().parts[0].independent);
    assert_eq!(list.preload_hints.len(), 1);
    assert_eq!(list.preload_hints[0].kind, HintKind::Part);
    assert_eq!(list.preload_hints[0].uri, "filePart273.3.mp4");
    assert_eq!(list.rendition_reports.len(), 2);
    assert_eq!(list.rendition_reports[1].last_msn, Some(273));
    assert_eq!(list.edge(), Some((273, Some(2))));
    assert_eq!(list.next_sequence(), 273);
    assert_eq!(list.segment(271).unwrap().parts.len(), 12);
}

#[test]
fn byte_range_parts_continue_where_the_last_ended() {
    let list = media("kuu-hls-parser/Low-Latency_Example-03_Byterange-addressed_Parts-02.m3u8");
    let parts: Vec<_> = list
        .segments
        .iter()
        .chain(list.open.as_deref())
        .flat_map(|s| &s.parts)
        .filter_map(|p| p.byte_range)
        .collect();
    assert!(!parts.is_empty());
    assert!(parts.iter().all(|r| r.offset.is_some()), "{parts:?}");
}

#[test]
fn keys_and_maps_are_resolved_for_each_segment() {
    let list = media("kuu-hls-parser/8.3-Playlist-with-encrypted-Media-Segments.m3u8");
    let uris: Vec<_> = list
        .segments
        .iter()
        .map(|s| {
            s.keys[0]
                .uri
                .as_deref()
                .unwrap()
                .rsplit('=')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(uris, ["52", "52", "52", "53"]);

    let list = media("videojs-m3u8-parser/diff-init-key.m3u8");
    assert!(list.segments.iter().all(|s| s.map.is_some()));
    let maps: std::collections::HashSet<_> = list
        .segments
        .iter()
        .filter_map(|s| s.map.as_ref().map(|m| m.uri.clone()))
        .collect();
    assert!(maps.len() > 1, "{maps:?}");
}

#[test]
fn several_date_ranges_and_vendor_tags_are_kept() {
    let list = media("kuu-hls-parser/SCTE-35_07.m3u8");
    assert_eq!(list.date_ranges.len(), 2);
    assert_eq!(list.date_ranges[0].id, list.date_ranges[1].id);
    assert_eq!(
        list.date_ranges[0].scte35_out.as_ref().unwrap()[..2],
        [0xFC, 0x30]
    );
    let list = media("kuu-hls-parser/8.11-EXT-X-CUE-OUT-Media-Playlist.m3u8");
    let cues: Vec<_> = list.segments.iter().flat_map(|s| &s.unknown).collect();
    assert!(
        cues.iter().any(|t| t.starts_with("#EXT-X-CUE-OUT")),
        "{cues:?}"
    );
}

#[test]
fn renditions_and_variants_are_joined_by_group() {
    let list = multivariant("yt-dlp/img_bipbop_adv_example_fmp4.m3u8");
    assert_eq!(list.variants.len(), 24);
    assert_eq!(list.i_frame_variants.len(), 6);
    let audio = list.variants[0].audio.clone().unwrap();
    assert_eq!(list.group(MediaType::Audio, &audio).count(), 1);
    assert_eq!(
        list.variants[0].codec_list().collect::<Vec<_>>(),
        ["avc1.640020", "mp4a.40.2"]
    );
    assert_eq!(list.variants[0].resolution.unwrap().to_string(), "960x540");
    let list = multivariant("kuu-hls-parser/8.8-Session-Data-in-a-Master-Playlist.m3u8");
    assert_eq!(list.session_data.len(), 3);
}
