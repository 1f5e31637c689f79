//! A playlist over a bound is refused before it costs anything.

use std::time::{Duration, Instant};

use millstream_m3u8::*;

fn limited(bytes: &[u8]) -> &'static str {
    match parse(bytes, &ParseOptions::default()) {
        Err(Error::Limit { what, .. }) => what,
        other => panic!("{:?}", other.map(|p| p.warnings)),
    }
}

#[test]
fn sizes_are_bounded() {
    let mut text = b"#EXTM3U\n".to_vec();
    text.resize(9 << 20, b'x');
    assert_eq!(limited(&text), "bytes");
    let mut text = b"#EXTM3U\n#EXTINF:1,".to_vec();
    text.resize(1 << 20, b'x');
    assert_eq!(limited(&text), "bytes in a line");
    let many = "#EXTINF:1,\na\n".repeat(200_000);
    let start = Instant::now();
    assert_eq!(limited(format!("#EXTM3U\n{many}").as_bytes()), "items");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn small_texts_do_not_become_large_lists() {
    let value = "v".repeat(60_000);
    let bomb = format!(
        "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{value}\"\n{}",
        "#EXTINF:1,\n{$a}\n".repeat(10_000)
    );
    assert_eq!(limited(bomb.as_bytes()), "bytes");
    let nested = format!(
        "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{value}\"\n#EXTINF:1,\n{}\n",
        "{$a}".repeat(9)
    );
    assert_eq!(limited(nested.as_bytes()), "bytes in a line");
    let formats: String = (0..20)
        .map(|n| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"{n}\"\n"))
        .collect();
    assert_eq!(
        limited(format!("#EXTM3U\n{formats}").as_bytes()),
        "key formats of a segment"
    );
    let attributes: String = (0..1_000).map(|n| format!("A{n}=1,")).collect();
    assert_eq!(
        limited(format!("#EXTM3U\n#EXT-X-STREAM-INF:{attributes}\n").as_bytes()),
        "attributes in a tag"
    );
}

#[test]
fn warnings_are_bounded() {
    let text = format!("#EXTM3U\n{}", "#EXTINF:x\na\n".repeat(1_000));
    let parsed = parse(text.as_bytes(), &ParseOptions::default()).unwrap();
    assert_eq!(parsed.warnings.len(), Limits::default().warnings);
}
