//! Half-written files of a crashed writer are never objects and go away at the next open.

use bytes::Bytes;
use millstream_storage::{FileOptions, FileStorage, StorageBackend};

#[tokio::test]
async fn stale_temporary_files_are_invisible_and_removed_at_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStorage::open(dir.path(), FileOptions::default())
        .await
        .unwrap();
    store
        .put("live/cam/1.m4s", Bytes::from_static(b"whole"))
        .await
        .unwrap();

    // An earlier run of a process with our id (containers), one of a process that is gone, one that still runs.
    let folder = dir.path().join("live/cam");
    let me = std::process::id();
    let earlier = folder.join(format!("%tmp-{me}-00000000000000aa-3"));
    let gone = folder.join("%tmp-4294967294-00000000000000bb-0");
    let running = folder.join("%tmp-1-00000000000000cc-0");
    let foreign = folder.join("notes with blanks.txt");
    for path in [&earlier, &gone, &running, &foreign] {
        std::fs::write(path, b"half").unwrap();
    }
    assert_eq!(store.list("").await.unwrap(), ["live/cam/1.m4s"]);

    let store = FileStorage::open(dir.path(), FileOptions::default())
        .await
        .unwrap();
    assert!(!earlier.exists() && !gone.exists());
    assert!(running.exists() && foreign.exists(), "only leftovers go");
    assert_eq!(store.get("live/cam/1.m4s").await.unwrap(), "whole");
}

#[tokio::test]
async fn a_failed_write_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStorage::open(dir.path(), FileOptions::default())
        .await
        .unwrap();
    store.put("a/b", Bytes::from_static(b"x")).await.unwrap();
    store.put("a", Bytes::from_static(b"y")).await.unwrap_err();
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruning_empty_folders_never_fails_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStorage::open(dir.path(), FileOptions::default())
        .await
        .unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|t| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    let key = format!("deep/er/folder/{t}");
                    store.put(&key, Bytes::from_static(b"x")).await.unwrap();
                    store.delete(&key).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
