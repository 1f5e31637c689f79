//! What a demuxer tells: programs, tracks, frames, data, damage.

use std::collections::VecDeque;

use bytes::Bytes;
use core_frame::{MediaFrame, MediaTime, TrackId, TrackInfo};

use crate::StreamKind;

/// What a demuxer found, in order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A program, new or with another map. Comes before the tracks it names.
    Program(Box<Program>),
    /// A track with a new or changed description.
    Track(Box<TrackInfo>),
    /// The program map has this track no more.
    TrackEnded(TrackId),
    /// An access unit.
    Frame(MediaFrame),
    /// A packet of a stream that is no track: subtitles, teletext, private data.
    Data(Data),
    /// A program clock reference.
    Clock(Clock),
    /// Something was wrong. The demuxer has gone on.
    Damage(Damage),
}

/// A program: what belongs together in a multiplex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// `program_number`.
    pub number: u16,
    /// Where its map comes.
    pub map_pid: u16,
    /// Where its clock comes; 8191 for none.
    pub clock_pid: u16,
    /// `version_number` of the map.
    pub version: u8,
    /// Its streams, in the order of the map.
    pub streams: Vec<Stream>,
}

/// A stream of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Where it comes.
    pub pid: u16,
    /// `stream_type` as it came.
    pub stream_type: u8,
    /// What it is taken for.
    pub kind: StreamKind,
    /// BCP 47 language.
    pub language: Option<String>,
    /// Its track, when it is one. The track is described by an [`Event::Track`] of its own once the stream itself has
    /// told enough.
    pub track: Option<TrackId>,
}

/// A packet of a stream that is no track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Where it came.
    pub pid: u16,
    /// What it is.
    pub kind: StreamKind,
    /// Its time, when it has one.
    pub time: Option<MediaTime>,
    /// The PES packet's payload.
    pub payload: Bytes,
}

/// A program clock reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The PID it came on.
    pub pid: u16,
    /// The packet's first byte, counted from the start of the input.
    pub offset: u64,
    /// What the clock says, on the timeline of the frames.
    pub time: MediaTime,
    /// The sender says that the clock jumps here.
    pub discontinuity: bool,
}

/// Damage that was met and got over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where, in bytes from the start of the input.
    pub offset: u64,
    /// What.
    pub kind: DamageKind,
    /// On which PID, where that is known.
    pub pid: Option<u16>,
    /// Of which track, where that is known. Its next frame is marked as coming after a gap.
    pub track: Option<TrackId>,
    /// Bytes of the input, or of a PES packet or section, that were thrown away.
    pub lost: u64,
}

/// The kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DamageKind {
    /// Bytes that are no packets.
    Garbage,
    /// The sync byte of one packet is wrong.
    Sync,
    /// A packet was cut short.
    Cut,
    /// The input ends inside a packet.
    Truncated,
    /// A packet that the receiver before us, or its own fields, say is broken.
    Packet,
    /// The continuity counter jumps: packets are missing or out of order.
    Continuity,
    /// The PES packet under way when packets went missing was thrown away.
    Pes,
    /// A payload that should begin with a PES header does not.
    PesHeader,
    /// A PES packet is longer or shorter than it says.
    PesLength,
    /// A section of tables breaks its format or its checksum.
    Section,
    /// Scrambled packets begin: they are counted and passed over.
    Scrambled,
    /// An access unit that breaks its format.
    Frame,
    /// A bound was passed.
    Limit,
}

impl DamageKind {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Sync => "sync",
            Self::Cut => "cut",
            Self::Truncated => "truncated",
            Self::Packet => "packet",
            Self::Continuity => "continuity",
            Self::Pes => "pes",
            Self::PesHeader => "pes_header",
            Self::PesLength => "pes_length",
            Self::Section => "section",
            Self::Scrambled => "scrambled",
            Self::Frame => "frame",
            Self::Limit => "limit",
        }
    }
}

/// What was counted on one PID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidStats {
    /// The PID.
    pub pid: u16,
    /// Packets.
    pub packets: u64,
    /// Jumps of the continuity counter that nothing announced.
    pub continuity_errors: u64,
    /// Packets sent twice, which is allowed once.
    pub duplicates: u64,
    /// Scrambled packets.
    pub scrambled: u64,
    /// Packets marked as broken, or whose fields are.
    pub errors: u64,
    /// Program clock references.
    pub clocks: u64,
    /// PES packets thrown away because of losses.
    pub dropped_pes: u64,
    /// Access units that came before anything said how to decode them.
    pub undecodable: u64,
}

/// Where a [`crate::Demuxer`] puts its events, in order. Keep one and drain it after each push: it allocates once.
#[derive(Clone, Debug, Default)]
pub struct Events(pub(crate) VecDeque<Event>);

impl Events {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes out the next event.
    pub fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// Takes out every event, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.0.drain(..)
    }

    /// The events, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
