//! A key that uses another object's key as a folder is refused by both backends alike.

use std::sync::Arc;

use bytes::Bytes;
use millstream_storage::{Error, FileOptions, FileStorage, MemoryStorage, StorageBackend};

#[tokio::test]
async fn an_object_is_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = FileStorage::open(dir.path(), FileOptions::default())
        .await
        .unwrap();
    let stores: [Arc<dyn StorageBackend>; 2] = [Arc::new(MemoryStorage::new()), Arc::new(file)];
    for store in stores {
        store.put("a/b", Bytes::from_static(b"x")).await.unwrap();
        for key in ["a", "a/b/c", "a/b/c/d"] {
            let clash = store.put(key, Bytes::new()).await;
            assert!(
                matches!(clash, Err(Error::InvalidKey { .. })),
                "{key}: {clash:?}"
            );
            assert!(store.get(key).await.unwrap_err().is_not_found(), "{key}");
            store.delete(key).await.unwrap();
        }
        store.put("a/bc", Bytes::new()).await.unwrap();
        assert_eq!(store.list("a").await.unwrap(), ["a/b", "a/bc"]);
        store.delete("a/b").await.unwrap();
        store.put("a/b/c", Bytes::new()).await.unwrap();
    }
}
