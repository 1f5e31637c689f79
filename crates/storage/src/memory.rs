//! The memory backend: `Bytes` in a sorted map, bounded.

use std::collections::BTreeMap;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;

use crate::backend::clip;
use crate::key::check_prefix;
use crate::{Error, Key, Result, StorageBackend};

/// Objects in memory. Reads hand out the stored `Bytes` without a copy, so an object that is replaced or deleted
/// lives on until its last reader is done.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    max_bytes: Option<u64>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    bytes: u64,
}

impl MemoryStorage {
    /// An empty store without a bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that refuses a `put` with [`Error::Full`] when its objects would hold more than `max_bytes`
    /// together (payload only; keys and the map are not counted).
    #[must_use]
    pub fn bounded(max_bytes: u64) -> Self {
        Self {
            max_bytes: Some(max_bytes),
            ..Self::default()
        }
    }

    /// Bytes held by all objects.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state.read().bytes
    }
}

#[async_trait]
impl StorageBackend for MemoryStorage {
    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        let parsed = Key::parse(key)?;
        let mut state = self.state.write();
        let clash = parsed.parents().any(|p| state.objects.contains_key(p)) || {
            let below = format!("{key}/");
            state
                .objects
                .range(below.clone()..)
                .next()
                .is_some_and(|(k, _)| k.starts_with(&below))
        };
        if clash {
            return Err(Error::InvalidKey {
                rule: "uses the key of another object as a folder",
            });
        }
        let old = state.objects.get(key).map_or(0, |o| o.len() as u64);
        let total = state.bytes - old + data.len() as u64;
        if let Some(limit) = self.max_bytes.filter(|max| total > *max) {
            return Err(Error::Full { limit });
        }
        state.bytes = total;
        state.objects.insert(key.to_owned(), data);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        Key::parse(key)?;
        let state = self.state.read();
        state
            .objects
            .get(key)
            .cloned()
            .ok_or_else(|| Error::not_found(key))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Key::parse(key)?;
        let mut state = self.state.write();
        if let Some(old) = state.objects.remove(key) {
            state.bytes -= old.len() as u64;
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        check_prefix(prefix)?;
        let state = self.state.read();
        Ok(state
            .objects
            .range(prefix.to_owned()..)
            .map(|(k, _)| k)
            .take_while(|k| k.starts_with(prefix))
            .cloned()
            .collect())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let all = self.get(key).await?;
        let range = clip(key, range, all.len() as u64)?;
        Ok(all.slice(range.start as usize..range.end as usize))
    }
}
