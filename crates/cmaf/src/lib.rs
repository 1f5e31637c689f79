//! ISO base media: init segments and CMAF chunks.

#![forbid(unsafe_code)]
