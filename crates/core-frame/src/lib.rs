//! The words every Millstream crate speaks: frames, media time, tracks, stream keys, limits, errors and the pure traits.
//!
//! ```text
//!            TrackTable (who is on the stream, which epoch)
//!                 │
//!  publisher ─▶ MediaFrame { track, codec, pts, dts, epoch, payload: Bytes } ─▶ every other crate
//!                 │
//!            MediaTime (ns on the stream's own timeline)   WallTime (NTP 32.32, mapped once per epoch)
//! ```
//!
//! ```
//! use millstream_core_frame::{CodecId, MediaFrame, MediaTime, StreamKey};
//!
//! let key = StreamKey::parse("live/cam")?;
//! assert_eq!((key.app(), key.name()), ("live", "cam"));
//!
//! // A 90 kHz wire clock converts to media time and back without loss.
//! let t = MediaTime::from_ticks(123_456_789, 90_000).ok_or("out of range")?;
//! assert_eq!(t.to_ticks(90_000), 123_456_789);
//!
//! let frame = MediaFrame::new_video(0, 0, bytes::Bytes::from_static(b"\0\0\0\x01\x65"), CodecId::H264, true);
//! assert!(frame.is_keyframe());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * There is no socket, no task, no clock and no async runtime here: "now" is always an argument.
//! * Time is one type. Every wire clock below 1 GHz converts to [`MediaTime`] and back losslessly, so no crate ever
//!   adds up rounded durations.
//! * A stream name is parsed once, into [`StreamKey`]; after that it is safe in paths, logs and metrics by type.

#![forbid(unsafe_code)]

mod choice;
mod codec;
mod error;
mod filter;
mod frame;
mod hwaccel;
mod key;
mod limits;
mod render;
mod secret;
mod shed;
mod side;
mod source;
mod tags;
mod time;
mod track;

pub use choice::{BadChoice, Pick, TrackChoice, languages_of};
pub use codec::{CodecId, MediaKind};
pub use error::{Result, StreamError};
pub use filter::{EpochReason, FilterOut, FilterStep, FrameFilter, Repair, Repairs};
pub use frame::{Epoch, FrameFlags, MediaFrame, TrackId};
pub use hwaccel::HwAccelBackend;
pub use key::{KeyError, StreamKey};
pub use limits::Limits;
pub use render::{Preamble, Render, RenderOut, RenderStep, Slices, ViewItem};
pub use secret::Secret;
pub use shed::{DropTail, ItemMarks, Lag, ShedDecision, ShedPolicy};
pub use side::SideData;
pub use source::{MediaSink, MediaSource};
pub use tags::{TagValue, Tags};
pub use time::{MediaTime, Unwrapper, WallTime};
pub use track::{AudioInfo, ColorInfo, EpochInfo, Role, TrackInfo, TrackTable, VideoInfo};

pub use bytes;
