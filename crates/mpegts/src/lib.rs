//! MPEG transport streams (ISO/IEC 13818-1): packets to frames and frames to packets.
//!
//! ```text
//!  file, UDP, SRT, HTTP ──PacketReader──▶ packets ──▶ tables, PES, access units ──▶ Program, Track, Frame, Damage
//!                         └───────────────────────── Demuxer ─────────────────────────┘
//!
//!  frames ──Muxer, TsRender, FileWriter──▶ tables, clock, packets of 188 bytes
//! ```
//!
//! ```
//! use core_frame::bytes::{Bytes, BytesMut};
//! use core_frame::{CodecId, Limits, MediaFrame, TrackId, TrackInfo, TrackTable};
//! use millstream_mpegts::{Demuxer, Event, Events, MuxOptions, Muxer};
//!
//! let mut aac = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
//! aac.config = Bytes::from_static(&[0x12, 0x10]);
//! let mut packets = BytesMut::new();
//! let mut muxer = Muxer::new(MuxOptions::default());
//! muxer.tracks(&TrackTable::new([aac]));
//! let unit = Bytes::from_static(&[0x21, 0x1B, 0x80]);
//! muxer.frame(&MediaFrame::new_audio(0, unit.clone(), CodecId::Aac), &mut packets)?;
//!
//! let mut demuxer = Demuxer::new(&Limits::default());
//! let mut events = Events::new();
//! demuxer.push(&packets, &mut events);
//! demuxer.finish(&mut events);
//! let frame = events.drain().find_map(|e| match e {
//!     Event::Frame(frame) => Some(frame),
//!     _ => None,
//! });
//! assert_eq!(frame.map(|f| f.payload), Some(unit));
//! # Ok::<(), millstream_mpegts::Error>(())
//! ```
//!
//! # The forms at this edge
//!
//! * Annex B becomes 4-byte lengths, in the buffer the PES packet was put together in; ADTS and LATM become raw access
//!   units with an AudioSpecificConfig; AV1 loses start codes and temporal delimiters; Opus its control headers.
//! * Parameter sets go into the configuration record. A key frame that begins with exactly the sets of the record, and the
//!   plain access unit delimiter in front of them, loses both, because every muxer puts them there: so frames that go
//!   through a transport stream come back byte for byte. Other parameter sets stay in the access unit, flagged.
//! * One PES packet is one frame, unless delimiters part several access units in it. A sender whose packets begin in the
//!   middle of access units is known after two of them; its access units then end where the next delimiter stands. Two fields of a frame in one PES
//!   packet stay one frame; a field with a PES packet of its own is a frame of its own.
//! * All three layers of MPEG audio are [`core_frame::CodecId::Mp3`], whose decoders know all three; the codec string says
//!   which.
//!
//! # Why it is shaped so
//!
//! * The demuxer has no errors. Live streams are never whole, so everything that can be wrong is an event with its place,
//!   and what it costs: a broken PES packet is dropped, the next frame of its track says that it comes after a gap.
//! * Nothing is repaired here. Times are the sender's, widened from 33 bits once per program; the stream's timeline is the
//!   one place that knows better.
//! * A table that is known changes only when the new one has come twice; [`Demuxer::discontinuity`] is for those who know
//!   that another piece begins.
//! * Tables, their checksums and sections come from `libmpegts`. Packets and the search for them are ours, because packets of
//!   192 and 204 bytes are met, a cut packet is told from garbage, and nothing may depend on how the input is split.
//! * No socket, no clock, no task. Declared lengths reserve no memory, and everything a sender can grow has a bound.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod demux;
mod error;
mod kind;
mod mux;
mod packet;
mod pes;
mod render;
mod sync;
mod write;

pub use demux::{
    Clock, Damage, DamageKind, Data, Demuxer, Event, Events, PidStats, Program, Programs, Stream,
};
pub use error::{Error, Result};
pub use kind::StreamKind;
pub use mux::{Continuity, MuxOptions, Muxer};
pub use packet::{Adaptation, NULL_PID, PACKET, PCR_HZ, Packet, SYNC};
pub use pes::{PTS_HZ, PesHeader, PesStart, read_header};
pub use render::TsRender;
pub use sync::{Found, PacketReader};
pub use write::FileWriter;
