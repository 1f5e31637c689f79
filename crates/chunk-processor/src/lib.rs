//! The timeline every input passes through: unwrap, de-quantise, re-anchor, and count every repair.

#![forbid(unsafe_code)]
