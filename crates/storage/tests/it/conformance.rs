//! Both backends pass the public suite, in every durability.

use std::sync::Arc;

use millstream_storage::{Durability, FileOptions, FileStorage, MemoryStorage, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_conforms() {
    conformance::check(Arc::new(MemoryStorage::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_conforms() {
    for durability in [Durability::Process, Durability::Disk] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("new/root");
        let options = FileOptions::default().durability(durability);
        let store = FileStorage::open(&root, options).await.unwrap();
        conformance::check(Arc::new(store)).await;
        let left = std::fs::read_dir(&root).unwrap().count();
        assert_eq!(left, 0, "no file and no empty folder is left behind");
    }
}
