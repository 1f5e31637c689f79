//! The Millstream live-media toolkit: one crate that re-exports the others by feature flag.

#![forbid(unsafe_code)]
