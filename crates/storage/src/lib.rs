//! Where media objects are kept: one small async trait, a memory and a file system backend, and one conformance suite.
//!
//! ```text
//!   segmenter, record ──▶ StorageBackend ──▶ MemoryStorage   Bytes in a map, bounded
//!                          put get delete    FileStorage     temp file, then rename; one file an object
//!                          list exists       (your own)      passes `conformance::check`
//! ```
//!
//! ```
//! use bytes::Bytes;
//! use millstream_storage::{StorageBackend, open};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = open("memory:").await?;
//! store.put("live/cam/1.m4s", Bytes::from_static(b"moof...")).await?;
//! assert_eq!(store.get_range("live/cam/1.m4s", 0..4).await?, "moof");
//! assert_eq!(store.list("live/").await?, ["live/cam/1.m4s"]);
//! # Ok::<(), millstream_storage::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * It is a store of whole objects, not a file system: an object appears complete or not at all, so a reader can
//!   never see half a segment, and the same contract holds for a bucket.
//! * Keys are text in the trait, so that callers need no type of ours, and every backend parses them into [`Key`]
//!   first: no key leaves the store's root, whatever a peer put into a stream name.
//! * Required methods are few; `exists`, `size`, `get_range` and `put_file` have defaults that a backend overrides
//!   where it can do better.

#![forbid(unsafe_code)]

mod backend;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
#[cfg(feature = "fs")]
mod file;
mod key;
mod memory;
mod url;

pub use backend::StorageBackend;
pub use error::{Error, Result};
#[cfg(feature = "fs")]
pub use file::{Durability, FileOptions, FileStorage};
pub use key::Key;
pub use memory::MemoryStorage;
pub use url::open;
