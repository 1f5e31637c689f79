//! FLV and Enhanced RTMP media messages: tags to frames and frames to tags.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod amf0;
mod error;
mod fourcc;
pub mod tag;
mod track;

pub use error::{Error, Result};
pub use fourcc::FourCc;
pub use tag::TagKind;
pub use track::{track_id, track_index};
