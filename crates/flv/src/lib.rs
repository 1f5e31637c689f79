//! FLV and Enhanced RTMP media messages: tags to frames and frames to tags.
//!
//! ```text
//!  file, HTTP-FLV ──FileReader──▶ (kind, time, body) ─┐
//!  RTMP message ────────────────▶ (kind, time, body) ─┴─Demuxer──▶ Track, Frame, Metadata
//!
//!  Layout (which tracks, which codec form) + TrackTable ──▶ Plan
//!  Plan ──headers()──▶ onMetaData and the bodies that announce configurations
//!  MediaFrame ──Plan::body()──▶ the few bytes before the payload in a tag or RTMP message
//!  frames ──FlvRender, FileWriter──▶ a stream or file of tags
//!  commands, script tags ◀──amf0──▶ values ◀──amf3── what a sender of AMF3 says
//! ```
//!
//! A body is demuxed without copying: the payload is a slice of it.
//!
//! ```
//! use core_frame::{Limits, MediaTime, bytes::Bytes};
//! use millstream_flv::{Demuxer, Event, Events, TagKind, body_head, sequence_header};
//!
//! let mut demuxer = Demuxer::new(&Limits::default());
//! let mut events = Events::new();
//! // The configuration of an AAC track, then one access unit.
//! demuxer.push(TagKind::Audio, 0, Bytes::from_static(&[0xAF, 0, 0x12, 0x10]), &mut events)?;
//! demuxer.push(TagKind::Audio, 23, Bytes::from_static(&[0xAF, 1, 0x21, 0x1B]), &mut events)?;
//!
//! let Some(Event::Track(track)) = events.pop() else { unreachable!() };
//! assert_eq!(track.codec_string.as_deref(), Some("mp4a.40.2"));
//! let Some(Event::Frame(frame)) = events.pop() else { unreachable!() };
//! assert_eq!((frame.dts, &frame.payload[..]), (MediaTime::from_millis(23), &[0x21, 0x1B][..]));
//!
//! // And back.
//! assert_eq!(sequence_header(&track).as_deref(), Some(&[0xAF, 0, 0x12, 0x10][..]));
//! assert_eq!(body_head(&frame, &track)?.as_ref(), [0xAF, 1]);
//! # Ok::<(), millstream_flv::Error>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * RTMP messages and FLV tags have the same bodies, so there is one demuxer for both; the file around the tags is a
//!   parser of its own, and RTMP's chunks are another crate's.
//! * Nothing is repaired here. Times leave as the sender gave them, unwrapped to 64 bits; the stream's timeline is the one
//!   place that knows better. What a file reader passes over is an event, with its place and length.
//! * The bitstream says what is a key frame, not the tag: a claim it does not bear out marks a recovery point.
//! * No socket, no clock, no task. Declared lengths reserve no memory, and hostile bytes end in an [`Error`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod amf0;
pub mod amf3;
mod config;
mod demux;
mod error;
mod fourcc;
mod input;
mod layout;
mod metadata;
mod mux;
mod plan;
mod read;
mod render;
pub mod scte35;
pub mod tag;
mod track;
mod write;

pub use demux::{Demuxer, Event, Events, Script};
pub use error::{Error, Result};
pub use fourcc::{FourCc, FourCcs};
pub use layout::{CodecForm, Layout};
pub use metadata::{Metadata, TrackClaim, metadata};
pub use mux::{Head, body_head, color_metadata, sequence_header, timestamp_ms};
pub use plan::{Body, Plan};
pub use read::{Damage, DamageKind, FileEvent, FileReader};
pub use render::FlvRender;
pub use tag::TagKind;
pub use track::{track_id, track_index};
pub use write::{FileWriter, file_header, tag_header, write_tag};
