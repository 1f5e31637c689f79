//! Headers of H.264, H.265, AV1, VP8, VP9, AAC, Opus, MP3, AC-3, Enhanced AC-3 and FLAC: parse them, build codec
//! configurations, name codecs (RFC 6381).
//!
//! ```text
//!  avcC hvcC av1C vpcC ASC dOps dac3 dec3 dfLa ──describe()──▶ TrackInfo { codec string, size, rate, channels }
//!  SPS PPS VPS OBU ADTS OpusHead STREAMINFO ──parse/build──▶ the same records
//!  first frame of MP3, AC-3, VP8, … ──describe_frame()──▶ the same TrackInfo, with the record the frame makes
//!  access unit ──classify()──▶ FrameFlags      ──check_access_unit()──▶ within Limits
//!  Annex B, 1..3-byte lengths ──nal──▶ 4-byte lengths (the form of the bus)
//! ```
//!
//! ```
//! use bytes::Bytes;
//! use core_frame::{CodecId, FrameFlags, TrackId};
//! use millstream_bitstream as bitstream;
//!
//! // AAC low complexity, 44.1 kHz, stereo.
//! let track = bitstream::describe(TrackId::AUDIO, CodecId::Aac, Bytes::from_static(&[0x12, 0x10]))?;
//! assert_eq!(track.codec_string.as_deref(), Some("mp4a.40.2"));
//! assert_eq!(track.audio.map(|a| (a.sample_rate, a.channels)), Some((44_100, 2)));
//!
//! // An IDR slice in Annex B becomes the form of the bus, and is a key frame.
//! let unit = bitstream::nal::annex_b_to_length_prefixed(&[0, 0, 0, 1, 0x65, 0x88, 0x84]);
//! assert_eq!(&unit[..], [0, 0, 0, 3, 0x65, 0x88, 0x84]);
//! assert_eq!(bitstream::classify(CodecId::H264, &unit), FrameFlags::KEY);
//! # Ok::<(), bitstream::Error>(())
//! ```
//!
//! # Why it is shaped so
//!
//! * All bytes come from peers: nothing here panics on them, a declared length or count reserves no memory, and every
//!   loop is bounded by a field's range or by the bytes that are there.
//! * Parsing a record copies nothing: parameter sets are slices of it.
//! * `classify` runs on each frame of each stream, so it reads headers in place and allocates nothing.
//! * Only headers are read. Pixels and samples belong to `codec`, boxes and tags to the containers.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod aac;
pub mod ac3;
pub mod av1;
pub mod bits;
mod classify;
mod cursor;
mod describe;
mod error;
pub mod flac;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod h266;
pub mod mp3;
pub mod nal;
pub mod opus;
pub mod sei;
pub mod vp8;
pub mod vp9;
mod vui;

pub use classify::{Classifier, check_access_unit, classify};
pub use describe::{config_in_band, describe, describe_frame, frame_audio, key_frame_size};
pub use error::{Error, Result};
