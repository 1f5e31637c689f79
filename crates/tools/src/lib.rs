//! What the other verbs of the binary stand on: load generator and probe.

#![forbid(unsafe_code)]
