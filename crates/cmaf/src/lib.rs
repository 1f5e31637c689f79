//! ISO base media: init segments and CMAF chunks, written without copying payload, and a hardened reader.
//!
//! ```text
//!  TrackInfo ──InitSegment::build──▶ ftyp moov                      once a configuration
//!
//!  MediaFrame ──TrackWriter::push──▶ Sample ──ChunkWriter::chunk──▶ Chunk { slices: [header, payload, payload, …] }
//!               (one frame behind,            styp? prft? emsg*      header: one slice of a shared block
//!                exact durations)             moof mdat              payload: the frames' own buffers
//!
//!  stream ──Fmp4Render (core_frame::Render)──▶ one chunk a frame, at once: /live/cam.mp4 over HTTP and WebSocket
//!
//!  bytes ──read::Reader──▶ Movie (tracks), MediaFrame, MediaFrame, …
//! ```
//!
//! ```
//! use bytes::Bytes;
//! use core_frame::{CodecId, Limits, MediaFrame, MediaTime, TrackId, TrackInfo};
//! use millstream_cmaf::read::{Event, Reader};
//! use millstream_cmaf::{ChunkExtras, ChunkWriter, InitSegment, TrackWriter};
//!
//! let mut track = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
//! track.config = Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
//! let init = InitSegment::build(&[&track])?;
//! let mut writer = TrackWriter::new(&track, &init.tracks[0], MediaTime::ZERO);
//! let mut chunks = ChunkWriter::new(&init.tracks[0]);
//!
//! let unit = Bytes::from_static(b"\0\0\0\x02\x65\x88");
//! let mut samples = Vec::new();
//! for n in 0..3 {
//!     let frame = MediaFrame::new_video(n * 40, n * 40, unit.clone(), CodecId::H264, n == 0);
//!     samples.extend(writer.push(&frame)); // the frame before this one
//! }
//! samples.extend(writer.flush());
//! let chunk = chunks.chunk(&samples, &ChunkExtras::default()).ok_or("no samples")?;
//! assert_eq!(chunk.duration, 3 * 3_600); // 90 000 ticks a second
//! assert_eq!(chunk.slices[1].as_ptr(), unit.as_ptr()); // not copied
//!
//! let mut reader = Reader::new(&Limits::default());
//! reader.push(&init.bytes);
//! chunk.slices.iter().for_each(|s| reader.push(s));
//! assert!(matches!(reader.next_event()?, Some(Event::Movie(_))));
//! assert!(matches!(reader.next_event()?, Some(Event::Frame(f)) if f.payload == unit));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * A chunk is a list of slices, because payload is by far the most of it: the header is laid out in one go in a block
//!   that many headers share, and everything else is a reference. `benches/chunk.rs` counts: a one-sample chunk allocates
//!   nothing of its own.
//! * Time is converted absolutely and then subtracted, so that `tfdt` is exactly the sum of the durations before it,
//!   for ever ([`TrackWriter`]). Video runs at 90 000 ticks a second, audio at its sample rate ([`TrackClock`]).
//! * There is no edit list and no box is ever patched later: every chunk is final when it is made, which is what lets
//!   HLS, DASH, recordings and WebSocket players share the same bytes.
//! * Parameter sets live in the sample entry; in-band ones (and AV1 temporal delimiters) are cut out as slices
//!   ([`payload_slices`]).
//! * The reader believes nothing: sizes are checked against what is there, counts reserve nothing, boxes are looked for by
//!   name and never by recursion, and samples must lie in the `mdat` of their own fragment.

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

pub use bytes;
pub use chunk::{Chunk, ChunkExtras, ChunkWriter, EventMessage, ProducerReference};
pub use clock::{TrackClock, timescale_of};
pub use core_frame;
pub use error::Error;
pub use init::{InitSegment, InitTrack, needs_new_init};
pub use render::Fmp4Render;
pub use sample::{Sample, payload_slices};
pub use track::TrackWriter;
