//! ISO base media: init segments and CMAF chunks, written without copying payload, and a hardened reader.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod chunk;
mod clock;
mod entry;
mod error;
mod init;
pub mod read;
mod render;
mod sample;
mod track;
mod write;

pub use chunk::{Chunk, ChunkExtras, ChunkWriter, EventMessage, ProducerReference};
pub use clock::{TrackClock, timescale_of};
pub use error::Error;
pub use init::{InitSegment, InitTrack, needs_new_init};
pub use render::Fmp4Render;
pub use sample::{Sample, payload_slices};
pub use track::TrackWriter;
