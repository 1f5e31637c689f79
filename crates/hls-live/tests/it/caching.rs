//! Entity tags, compression, and how long what may be cached.

use std::io::Read;
use std::time::Instant;

use millstream_hls_live::{Answer, Request};

use super::live::{Live, Stage};

fn stage() -> Stage {
    let mut live = Live::av(5);
    (0..3).for_each(|_| live.part());
    Stage::new(live)
}

fn ask(stage: &Stage, path: &str, gzip: bool, etag: Option<&str>) -> Answer {
    let request = Request {
        accept_gzip: gzip,
        if_none_match: etag,
        ..Request::new(path, stage.now)
    };
    stage
        .origin
        .respond(&stage.live.snapshot(), &request, stage.now)
}

fn tag(answer: &Answer) -> &str {
    match answer {
        Answer::Playlist { etag, .. }
        | Answer::Media { etag, .. }
        | Answer::Stored { etag, .. }
        | Answer::NotModified { etag, .. } => etag,
        other => panic!("{other:?}"),
    }
}

fn cache_control(answer: &Answer) -> &str {
    match answer {
        Answer::Playlist { cache_control, .. }
        | Answer::Media { cache_control, .. }
        | Answer::Stored { cache_control, .. }
        | Answer::NotModified { cache_control, .. } => cache_control,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r074_r093_same_state_same_bytes_and_tag() {
    let mut stage = stage();
    for path in [
        "index.m3u8",
        "v1/index.m3u8",
        "a2/index.m3u8",
        "v1/104.m4s",
        "v1/105.1.m4s",
        "v1/init.0.e88cbfbf.mp4",
    ] {
        let first = ask(&stage, path, false, None);
        let etag = tag(&first).to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        assert_eq!(tag(&ask(&stage, path, false, None)), etag);
        for header in [
            etag.clone(),
            format!("W/{etag}"),
            format!("\"x\", {etag}"),
            "*".into(),
        ] {
            let again = ask(&stage, path, false, Some(&header));
            assert!(
                matches!(again, Answer::NotModified { .. }),
                "{path} {header}"
            );
        }
        assert!(!matches!(
            ask(&stage, path, false, Some("\"x\"")),
            Answer::NotModified { .. }
        ));
    }
    // A new part makes a new media playlist, but not a new multivariant playlist.
    let [main, video] =
        ["index.m3u8", "v1/index.m3u8"].map(|p| tag(&ask(&stage, p, false, None)).to_owned());
    stage.live.part();
    assert_eq!(tag(&ask(&stage, "index.m3u8", false, None)), main);
    assert_ne!(tag(&ask(&stage, "v1/index.m3u8", false, None)), video);
}

#[test]
fn r074_tags_of_different_things_differ() {
    let stage = stage();
    let mut tags: Vec<_> = [
        "index.m3u8",
        "v1/index.m3u8",
        "a2/index.m3u8",
        "v1/104.m4s",
        "v1/104.0.m4s",
        "v1/104.1.m4s",
        "v1/103.m4s",
    ]
    .map(|p| tag(&ask(&stage, p, false, None)).to_owned())
    .to_vec();
    tags.push(tag(&ask(&stage, "v1/index.m3u8", true, None)).to_owned());
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count);
}

#[test]
fn r091_playlists_are_compressed_once_a_version() {
    let stage = stage();
    let plain = stage.text("v1/index.m3u8");
    let packed = |_| match ask(&stage, "v1/index.m3u8", true, None) {
        Answer::Playlist {
            body,
            gzip: true,
            content_type,
            ..
        } => {
            assert_eq!(content_type, "application/vnd.apple.mpegurl");
            body
        }
        other => panic!("{other:?}"),
    };
    let [one, two] = [0, 1].map(packed);
    assert_eq!(one.as_ptr(), two.as_ptr(), "the same bytes for everybody");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&one[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain);
    assert!(
        one.len() * 3 < plain.len(),
        "{} of {}",
        one.len(),
        plain.len()
    );
    // Segments are compressed already.
    assert!(matches!(
        ask(&stage, "v1/104.m4s", true, None),
        Answer::Media { .. }
    ));
}

#[test]
fn one_rendering_a_version_serves_everybody() {
    let stage = stage();
    let body = || match stage.get("v1/index.m3u8") {
        Answer::Playlist { body, .. } => body,
        other => panic!("{other:?}"),
    };
    assert_eq!(body().as_ptr(), body().as_ptr());
    // A request that still holds an older snapshot gets that one's list, and does not disturb the newer.
    let old = stage.live.snapshot();
    let mut stage = stage;
    stage.live.part();
    let new = stage.text("v1/index.m3u8");
    let request = Request::new("v1/index.m3u8", stage.now);
    match stage.origin.respond(&old, &request, Instant::now()) {
        Answer::Playlist { body, .. } => assert_ne!(new.as_bytes(), &body[..]),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.text("v1/index.m3u8"), new);
}

#[test]
fn r093_ages() {
    let stage = stage();
    for (url, age) in [
        ("index.m3u8", "max-age=1"),
        ("v1/index.m3u8", "max-age=1"),
        ("v1/index.m3u8?_HLS_msn=105&_HLS_part=1", "max-age=12"),
        ("v1/index.m3u8?_HLS_msn=104", "max-age=12"),
        ("v1/index.m3u8?_HLS_msn=3", "max-age=1"),
        ("v1/104.m4s", "max-age=3600, immutable"),
        ("v1/105.0.m4s", "max-age=3600, immutable"),
        ("v1/init.0.e88cbfbf.mp4", "max-age=3600, immutable"),
    ] {
        assert_eq!(cache_control(&stage.get(url)), age, "{url}");
    }
    for url in ["v1/999.m4s", "v1/index.m3u8?_HLS_part=1", "x"] {
        match stage.get(url) {
            Answer::Refused(r) => assert_eq!(r.cache_control, "no-store", "{url}"),
            other => panic!("{other:?}"),
        }
    }
}
