//! The viewer's own parameters travel along, directives do not.

use super::live::{Live, Stage};

fn stage() -> Stage {
    let mut live = Live::av(5);
    live.part();
    Stage::new(live)
}

/// Every URI in a playlist, from lines and attributes.
fn uris(text: &str) -> Vec<String> {
    let quoted = text
        .split("URI=\"")
        .skip(1)
        .filter_map(|t| t.split('"').next());
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    quoted.chain(lines).map(str::to_owned).collect()
}

#[test]
fn a_token_is_on_every_uri() {
    let stage = stage();
    for url in ["index.m3u8", "v1/index.m3u8", "a2/index.m3u8"] {
        let query = "_HLS_skip=YES&token=a%2Bb&user=7";
        let text = stage.text(&format!("{url}?{query}"));
        let uris = uris(&text);
        assert!(uris.len() >= 2);
        for uri in uris {
            assert!(uri.ends_with("?token=a%2Bb&user=7"), "{uri}");
            // And what is named so is found.
            if let Some(file) = uri
                .strip_suffix("?token=a%2Bb&user=7")
                .filter(|u| !u.starts_with(".."))
            {
                let folder = url.strip_suffix("index.m3u8").unwrap();
                assert_ne!(
                    stage.status(&format!("{folder}{file}?token=x")),
                    404,
                    "{uri}"
                );
            }
        }
    }
}

#[test]
fn viewers_do_not_see_each_others_tokens() {
    let stage = stage();
    for n in 0..200 {
        let text = stage.text(&format!("v1/index.m3u8?token=t{n}"));
        assert!(
            uris(&text)
                .iter()
                .all(|u| u.ends_with(&format!("?token=t{n}"))),
            "{n}"
        );
    }
    assert!(!stage.text("v1/index.m3u8").contains("token"));
}

#[test]
fn r095_plain_playlists_stay_plain_all_the_way() {
    let stage = stage();
    let main = stage.multivariant("index.m3u8?ll=0&token=x");
    assert_eq!(main.variants[0].uri, "v1/index.m3u8?ll=0&token=x");
    let text = stage.text(&main.variants[0].uri);
    for tag in [
        "PART",
        "PRELOAD-HINT",
        "RENDITION-REPORT",
        "SERVER-CONTROL",
        "SKIP",
    ] {
        assert!(!text.contains(&format!("#EXT-X-{tag}")), "{tag}");
    }
    let list = stage.media(&main.variants[0].uri);
    assert_eq!(list.segments.len(), 5);
    assert_eq!(
        list.segments[0].uri, "100.m4s?token=x",
        "a segment has one URL for all"
    );
    // Directives mean nothing there.
    assert_eq!(
        stage.status("v1/index.m3u8?ll=0&_HLS_msn=106&_HLS_part=3"),
        200
    );
    // Without directives the full list plays anywhere: all segments are in it.
    assert_eq!(stage.media("v1/index.m3u8").segments.len(), 5);
}

#[test]
fn a_query_cannot_write_into_a_playlist_or_swell_it() {
    let stage = stage();
    let text = stage.text("v1/index.m3u8?t=\"\n#EXT-X-ENDLIST\n");
    assert!(!stage.media("v1/index.m3u8?t=\"\n#EXT-X-ENDLIST\n").end_list);
    assert!(text.contains("?t=%22%0A%23EXT-X-ENDLIST%0A"));
    let long = "x".repeat(2_100);
    assert_eq!(stage.status(&format!("v1/index.m3u8?{long}")), 400);
    assert_eq!(stage.status(&format!("index.m3u8?{long}")), 400);
}
