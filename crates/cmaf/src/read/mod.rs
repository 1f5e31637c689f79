//! The reader: boxes, movies, fragments, and frames out of a byte stream.

mod boxes;
mod entry;
mod fragment;
mod movie;
mod reader;

pub use boxes::{BoxRef, Boxes};
pub use fragment::{Fragment, FragmentSample, TrackFragment};
pub use movie::{Movie, MovieTrack, SampleDefaults};
pub use reader::{Event, Reader};
