//! The trait every store implements.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, Result};

/// A store of whole objects, used by the DVR window, recordings and caches.
///
/// Contract (checked by the `conformance` suite):
/// * `put` is atomic: a concurrent `get` sees the old object or the new one, never a mixture, and after a crash there
///   is no half object under the key.
/// * What was put is visible to every following `get`, `list`, `size` and `exists`.
/// * `delete` of an object that is not there is not an error.
/// * Keys obey [`Key`](crate::Key); others get [`Error::InvalidKey`]. A store may refuse a key that uses another
///   object's key as a folder (`a` and `a/b`).
#[async_trait]
pub trait StorageBackend: Send + Sync + 'static {
    /// Writes `data` at `key`, replacing what was there.
    async fn put(&self, key: &str, data: Bytes) -> Result<()>;

    /// Reads the whole object.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    async fn get(&self, key: &str) -> Result<Bytes>;

    /// Removes the object; nothing to remove is fine.
    async fn delete(&self, key: &str) -> Result<()>;

    /// All keys that begin with `prefix` (text, not folders: `a/b` finds `a/bc`), in byte order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// True when there is an object at `key`.
    async fn exists(&self, key: &str) -> Result<bool> {
        match self.size(key).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Bytes of the object.
    async fn size(&self, key: &str) -> Result<u64> {
        Ok(self.get(key).await?.len() as u64)
    }

    /// Reads the bytes `range` of the object; an end behind the object's is cut to it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the range starts behind the end.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let all = self.get(key).await?;
        let range = clip(key, range, all.len() as u64)?;
        Ok(all.slice(range.start as usize..range.end as usize))
    }

    /// Moves the file at `path` into the store, then removes it. The default reads it into memory; a backend on the
    /// same file system renames it.
    async fn put_file(&self, key: &str, path: &Path) -> Result<()> {
        let data = tokio::fs::read(path)
            .await
            .map_err(|e| read_source(path, e))?;
        self.put(key, Bytes::from(data)).await?;
        tokio::fs::remove_file(path).await.map_err(|e| Error::Io {
            action: "remove",
            what: path.display().to_string(),
            source: e,
        })
    }
}

/// The source file of `put_file` is not an object, so its absence is an IO error and not `NotFound`.
pub(crate) fn read_source(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        action: "read",
        what: path.display().to_string(),
        source,
    }
}

/// Cuts a range to an object of `size` bytes.
pub(crate) fn clip(key: &str, range: Range<u64>, size: u64) -> Result<Range<u64>> {
    if range.start > size {
        return Err(Error::OutOfRange {
            key: key.to_owned(),
            size,
        });
    }
    Ok(range.start..range.end.clamp(range.start, size))
}

/// A shared store is a store.
#[async_trait]
impl<B: StorageBackend + ?Sized> StorageBackend for Arc<B> {
    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        (**self).put(key, data).await
    }
    async fn get(&self, key: &str) -> Result<Bytes> {
        (**self).get(key).await
    }
    async fn delete(&self, key: &str) -> Result<()> {
        (**self).delete(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        (**self).list(prefix).await
    }
    async fn exists(&self, key: &str) -> Result<bool> {
        (**self).exists(key).await
    }
    async fn size(&self, key: &str) -> Result<u64> {
        (**self).size(key).await
    }
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        (**self).get_range(key, range).await
    }
    async fn put_file(&self, key: &str, path: &Path) -> Result<()> {
        (**self).put_file(key, path).await
    }
}
