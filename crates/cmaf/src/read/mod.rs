//! The reader: boxes, movies, fragments, and frames out of a byte stream.

mod boxes;
mod entry;
mod fragment;
mod movie;
mod reader;
mod table;

pub use boxes::{BoxRef, Boxes};
pub use fragment::{Fragment, FragmentSample, TrackFragment};
pub use movie::{Movie, MovieTrack, SampleDefaults};
pub use reader::{Event, Reader};
pub use table::{SampleTable, TableSample};
