//! StorageBackend: memory and file system, atomic writes, safe keys, one public conformance suite.

#![forbid(unsafe_code)]
