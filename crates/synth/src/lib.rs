//! Live sources of our own making: numbered frames for tests and load, and the looping clip of the demo.
//!
//! ```text
//!  Options ─▶ Source ─▶ MediaFrame 0, 1, 2, ...  ─▶ any path through any protocol ─▶ read_number(frame) ─▶ n
//!                        H.264: SEI + a bar along the picture                        decoder ─▶ read_barcode(luma) ─▶ n
//!                        AAC:   data stream element + silence
//!  demo.flv ─▶ Clip   ─▶ MediaFrame, looping on one continuous timeline
//! ```
//!
//! ```
//! use millstream_synth::{Options, Source, read_number};
//!
//! let source = Source::new(Options::default().fps(25).gop(50).bitrate(4_200_000))?;
//! let tracks = source.tracks(); // H.264 and AAC, with their configurations
//! assert_eq!(tracks.len(), 2);
//! let first = source.take(1).next().ok_or("endless")?;
//! assert_eq!(read_number(&first).map(|number| number.n), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * No encoder is needed: a flat picture with a bar of raw samples is legal H.264 that every decoder shows exactly, and a
//!   server that loses or doubles a frame anywhere is caught by the number, both in the payload and on the screen.
//! * There is no clock here. Frame times are computed from frame numbers; who sends the frames paces them.

#![forbid(unsafe_code)]

mod aac;
mod barcode;
mod bits;
mod clip;
mod error;
mod h264;
mod number;
mod source;

pub use barcode::read_barcode;
pub use clip::Clip;
pub use error::Error;
pub use number::{Number, read_number, read_number_in};
pub use source::{Options, Source};
