//! The suite every backend passes; public, so that a backend of your own can be held to it.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, StorageBackend};

/// Checks the whole contract of [`StorageBackend`] on a store that is empty below `conformance/`, and leaves it empty
/// there.
///
/// # Panics
/// At the first rule the backend breaks; the message names the rule.
pub async fn check(store: Arc<dyn StorageBackend>) {
    reads_back(&store).await;
    ranges(&store).await;
    lists(&store).await;
    deletes(&store).await;
    refuses_bad_keys(&store).await;
    takes_files(&store).await;
    replaces_atomically(&store).await;
    let left = ok(store.list("conformance/").await, "list at the end");
    assert!(left.is_empty(), "nothing may be left behind: {left:?}");
}

async fn reads_back(store: &Arc<dyn StorageBackend>) {
    let key = "conformance/read/a.m4s";
    assert!(
        !ok(store.exists(key).await, "exists"),
        "the store is not empty"
    );
    assert_not_found(store.get(key).await, "get of nothing");
    assert_not_found(store.size(key).await, "size of nothing");
    assert_not_found(store.get_range(key, 0..1).await, "get_range of nothing");
    for data in [&b""[..], b"one", b"a longer second version"] {
        ok(store.put(key, Bytes::from_static(data)).await, "put");
        assert_eq!(ok(store.get(key).await, "get"), data, "get after put");
        assert_eq!(
            ok(store.size(key).await, "size"),
            data.len() as u64,
            "size after put"
        );
        assert!(ok(store.exists(key).await, "exists"), "exists after put");
    }
    let big = Bytes::from(vec![0x5A; 3 * 1024 * 1024 + 1]);
    ok(store.put(key, big.clone()).await, "put of 3 MiB");
    assert!(
        ok(store.get(key).await, "get of 3 MiB") == big,
        "3 MiB come back"
    );
    ok(store.delete(key).await, "delete");
    // The shared form is the same store.
    let shared = Arc::clone(store);
    ok(
        StorageBackend::put(&shared, key, Bytes::from_static(b"x")).await,
        "put through Arc",
    );
    ok(
        StorageBackend::delete(&shared, key).await,
        "delete through Arc",
    );
    assert!(
        !ok(store.exists(key).await, "exists"),
        "deleted through Arc"
    );
}

async fn ranges(store: &Arc<dyn StorageBackend>) {
    let key = "conformance/range/a";
    ok(
        store.put(key, Bytes::from_static(b"0123456789")).await,
        "put",
    );
    for (range, want) in [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..7, "3456"),
        (9..10, "9"),
        (8..99, "89"),
        (10..20, ""),
        (5..5, ""),
        (5..u64::MAX, "56789"),
    ] {
        let got = ok(store.get_range(key, range.clone()).await, "get_range");
        assert_eq!(got, want, "range {range:?}");
    }
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "a caller's mistake must be harmless"
    )]
    let backwards = ok(store.get_range(key, 7..3).await, "backwards range");
    assert!(backwards.is_empty(), "a backwards range is empty");
    assert!(
        matches!(
            store.get_range(key, 11..12).await,
            Err(Error::OutOfRange { size: 10, .. })
        ),
        "a range behind the end is OutOfRange with the size"
    );
    ok(store.delete(key).await, "delete");
}

async fn lists(store: &Arc<dyn StorageBackend>) {
    let keys = [
        "conformance/list/a",
        "conformance/list/a.b",
        "conformance/list/b/1",
        "conformance/list/b/10",
        "conformance/list/b/2",
        "conformance/list/bc",
        "conformance/list/é/x",
    ];
    for key in keys.iter().rev() {
        ok(store.put(key, Bytes::from_static(b"x")).await, "put");
    }
    for (prefix, want) in [
        ("conformance/list/", &keys[..]),
        ("conformance/list", &keys[..]),
        ("conformance/list/b", &keys[2..6]),
        ("conformance/list/b/", &keys[2..5]),
        ("conformance/list/b/1", &keys[2..4]),
        ("conformance/list/a.", &keys[1..2]),
        ("conformance/list/é", &keys[6..]),
        ("conformance/list/z", &[]),
        ("conformance/none/", &[]),
    ] {
        let got = ok(store.list(prefix).await, "list");
        assert_eq!(got, want, "list of prefix {prefix:?}, in byte order");
    }
    let all = ok(store.list("").await, "list of everything");
    assert!(
        keys.iter().all(|k| all.iter().any(|a| a == k)),
        "the empty prefix lists everything"
    );
    for key in keys {
        ok(store.delete(key).await, "delete");
    }
}

async fn deletes(store: &Arc<dyn StorageBackend>) {
    let (key, other) = ("conformance/delete/a", "conformance/delete/ab");
    ok(store.put(key, Bytes::from_static(b"x")).await, "put");
    ok(store.put(other, Bytes::from_static(b"y")).await, "put");
    ok(store.delete(key).await, "delete");
    ok(store.delete(key).await, "delete of nothing is no error");
    ok(
        store.delete("conformance/delete").await,
        "delete of a folder is no error",
    );
    assert_not_found(store.get(key).await, "get after delete");
    assert_eq!(
        ok(store.get(other).await, "get"),
        "y",
        "delete takes one object"
    );
    assert_eq!(
        ok(store.list("conformance/delete/").await, "list"),
        [other],
        "a deleted object is not listed"
    );
    ok(store.delete(other).await, "delete");
}

async fn refuses_bad_keys(store: &Arc<dyn StorageBackend>) {
    for key in [
        "",
        "/etc/passwd",
        "conformance/../../x",
        "../x",
        "conformance//x",
        "conformance/x/",
        "conformance/./x",
        "conformance/a\0b",
        "conformance/a\nb",
        "conformance\\x",
        "conformance/%2e%2e",
    ] {
        assert_invalid(store.put(key, Bytes::new()).await, key);
        assert_invalid(store.get(key).await, key);
        assert_invalid(store.get_range(key, 0..1).await, key);
        assert_invalid(store.size(key).await, key);
        assert_invalid(store.exists(key).await, key);
        assert_invalid(store.delete(key).await, key);
    }
    for prefix in ["../", "/", "conformance/../x", "a\0"] {
        assert_invalid(store.list(prefix).await, prefix);
    }
}

async fn takes_files(store: &Arc<dyn StorageBackend>) {
    let key = "conformance/file/a.mp4";
    let path = std::env::temp_dir().join(format!(
        "storage-conformance-{}-{:p}",
        std::process::id(),
        Arc::as_ptr(store)
    ));
    let missing = store.put_file(key, &path).await;
    assert!(
        matches!(missing, Err(Error::Io { .. })),
        "a missing source is an IO error: {missing:?}"
    );
    for text in ["first", "second version"] {
        if let Err(e) = std::fs::write(&path, text) {
            fail("write of the source file", &e);
        }
        ok(store.put_file(key, &path).await, "put_file");
        assert_eq!(
            ok(store.get(key).await, "get"),
            text,
            "put_file keeps the bytes"
        );
        assert!(!path.exists(), "put_file removes its source");
    }
    ok(store.delete(key).await, "delete");
}

/// Writers of different versions and readers at once: a reader sees one whole version.
async fn replaces_atomically(store: &Arc<dyn StorageBackend>) {
    const KEY: &str = "conformance/atomic/a";
    let version = |n: u8| Bytes::from(vec![n; 60_000 + usize::from(n) * 1_000]);
    ok(store.put(KEY, version(0)).await, "put");
    let writers: Vec<_> = (0..3_u8)
        .map(|w| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                for n in 0..10 {
                    ok(store.put(KEY, version(w * 10 + n)).await, "concurrent put");
                }
            })
        })
        .collect();
    for _ in 0..100 {
        let seen = ok(store.get(KEY).await, "concurrent get");
        let first = seen.first().copied().unwrap_or(u8::MAX);
        assert!(seen == version(first), "a reader saw a mixture of versions");
        let listed = ok(store.list("conformance/atomic/").await, "concurrent list");
        assert_eq!(listed, [KEY], "only whole objects are listed");
        tokio::task::yield_now().await;
    }
    for writer in writers {
        if let Err(e) = writer.await {
            fail("a concurrent writer", &e);
        }
    }
    ok(store.delete(KEY).await, "delete");
}

fn ok<T>(result: Result<T, Error>, rule: &str) -> T {
    match result {
        Ok(value) => value,
        Err(e) => fail(rule, &e),
    }
}

#[expect(clippy::panic, reason = "a conformance suite reports by panicking")]
fn fail(rule: &str, why: &dyn std::error::Error) -> ! {
    panic!("{rule}: {why} ({why:?})")
}

fn assert_not_found<T>(result: Result<T, Error>, rule: &str) {
    assert!(
        matches!(result, Err(Error::NotFound { .. })),
        "{rule} is NotFound"
    );
}

fn assert_invalid<T>(result: Result<T, Error>, key: &str) {
    assert!(
        matches!(result, Err(Error::InvalidKey { .. })),
        "{key:?} is InvalidKey"
    );
}
