//! What `open` makes of a URL.

use bytes::Bytes;
use millstream_storage::{Error, open};

#[tokio::test]
async fn opens_memory_and_folders() {
    let memory = open("memory:").await.unwrap();
    memory.put("a", Bytes::from_static(b"x")).await.unwrap();

    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}/my%20media", dir.path().display());
    let files = open(&url).await.unwrap();
    files.put("a/b", Bytes::from_static(b"x")).await.unwrap();
    let on_disk = std::fs::read(dir.path().join("my media/a/b")).unwrap();
    assert_eq!(on_disk, b"x");
}

#[tokio::test]
async fn says_what_is_wrong() {
    for (url, part) in [
        ("media", "scheme"),
        ("s3://bucket/prefix", "not built in yet"),
        ("file://other/host", "another host"),
        ("ftp://x", "unknown scheme"),
        ("memory:x", "nothing behind"),
        ("file:", "path"),
    ] {
        match open(url).await.map(|_| ()).unwrap_err() {
            Error::BadUrl(why) => assert!(why.contains(part), "{url}: {why}"),
            other => panic!("{url}: {other}"),
        }
    }
}
