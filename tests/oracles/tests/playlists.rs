//! `m3u8-rs` reads plain playlists as we do. It knows nothing of LL-HLS, so lists with parts are left out.

use std::fs;
use std::path::{Path, PathBuf};

use m3u8::{ParseOptions, Playlist, parse};

fn playlists(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            playlists(&path, into);
        } else if path.extension().is_some_and(|e| e == "m3u8") {
            into.push(path);
        }
    }
    into.sort();
}

#[test]
fn plain_playlists_are_read_alike() {
    let mut files = Vec::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/m3u8/testdata");
    playlists(&data, &mut files);
    let mut compared = 0;
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("#EXT-X-PART") || text.contains("#EXT-X-SKIP") {
            continue;
        }
        let (Ok(ours), Ok((_, theirs))) = (
            parse(&bytes, &ParseOptions::default()),
            m3u8_rs::parse_playlist(&bytes),
        ) else {
            continue;
        };
        let shown = file.display();
        if !ours.warnings.is_empty() {
            // What a list means that breaks a rule is a matter of opinion.
            continue;
        }
        match (ours.playlist, theirs) {
            (Playlist::Media(ours), m3u8_rs::Playlist::MediaPlaylist(theirs)) => {
                assert_eq!(ours.segments.len(), theirs.segments.len(), "{shown}");
                assert_eq!(ours.media_sequence, theirs.media_sequence, "{shown}");
                assert_eq!(ours.end_list, theirs.end_list, "{shown}");
                for (a, b) in ours.segments.iter().zip(&theirs.segments) {
                    // m3u8-rs keeps blanks at the end of a line.
                    assert_eq!(a.uri, b.uri.trim_end(), "{shown}");
                    let off = a.duration.as_secs_f64() - f64::from(b.duration);
                    assert!(off.abs() < 1e-3, "{shown}: {} and {}", a.duration, b.duration);
                    assert_eq!(a.discontinuity, b.discontinuity, "{shown}");
                }
                compared += 1;
            }
            (Playlist::Multivariant(ours), m3u8_rs::Playlist::MasterPlaylist(theirs)) => {
                let plain: Vec<_> = theirs.variants.iter().filter(|v| !v.is_i_frame).collect();
                assert_eq!(ours.variants.len(), plain.len(), "{shown}");
                for (a, b) in ours.variants.iter().zip(plain) {
                    assert_eq!(a.uri, b.uri, "{shown}");
                    assert_eq!(a.bandwidth, b.bandwidth, "{shown}");
                }
                compared += 1;
            }
            _ => panic!("{shown}: one sees a media playlist, the other a multivariant one"),
        }
    }
    assert!(compared >= 10, "only {compared} playlists were compared");
}
