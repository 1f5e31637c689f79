//! The memory backend's bound counts what is held and refuses without losing anything.

use bytes::Bytes;
use millstream_storage::{Error, MemoryStorage, StorageBackend};

#[tokio::test]
async fn a_put_over_the_bound_changes_nothing() {
    let store = MemoryStorage::bounded(10);
    store.put("a", Bytes::from_static(b"123456")).await.unwrap();
    store.put("b", Bytes::from_static(b"1234")).await.unwrap();
    let full = store.put("c", Bytes::from_static(b"1")).await;
    assert!(matches!(full, Err(Error::Full { limit: 10 })));
    let full = store.put("a", Bytes::from_static(b"1234567")).await;
    assert!(
        matches!(full, Err(Error::Full { .. })),
        "replacing counts too"
    );
    assert_eq!(store.get("a").await.unwrap(), "123456");
    store.put("a", Bytes::from_static(b"12")).await.unwrap();
    assert_eq!(store.bytes(), 6);
    store.delete("b").await.unwrap();
    assert_eq!(store.bytes(), 2);
}
