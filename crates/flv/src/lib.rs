//! FLV and Enhanced RTMP media messages: tags to frames and frames to tags.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod amf0;
mod config;
mod demux;
mod error;
mod fourcc;
mod metadata;
mod mux;
mod render;
pub mod tag;
mod track;
mod write;

pub use demux::{Demuxer, Event, Events, Script};
pub use error::{Error, Result};
pub use fourcc::FourCc;
pub use metadata::{Metadata, metadata};
pub use mux::{Head, body_head, sequence_header, timestamp_ms};
pub use render::FlvRender;
pub use tag::TagKind;
pub use track::{track_id, track_index};
pub use write::{FileWriter, Pick, file_header, tag_header, write_tag};
