//! One PID: what comes on it, its continuity counter, what was counted.

use core_frame::TrackId;

use super::event::PidStats;
use super::splice::Splice;
use super::stream::Elementary;
use crate::StreamKind;
use crate::packet::Packet;

/// No counter was seen yet.
pub(super) const NO_COUNTER: u8 = 0xFF;

#[derive(Debug)]
pub(super) struct Pid {
    pub(super) stats: PidStats,
    pub(super) counter: u8,
    pub(super) repeated: bool,
    pub(super) scrambling: bool,
    /// The last bytes of the last payload, to know a repeated packet.
    pub(super) tail: [u8; 8],
    pub(super) role: Role,
}

#[derive(Debug)]
pub(super) enum Role {
    Other,
    Association,
    Map,
    Stream {
        program: u16,
        stream: Box<Elementary>,
    },
    Sections {
        program: u16,
        splice: Box<Splice>,
    },
}

/// What the continuity counter says of a packet.
pub(super) enum Continuity {
    Next,
    Repeated,
    Gap,
    Announced,
}

impl Role {
    pub(super) fn track(&self) -> Option<TrackId> {
        match self {
            Self::Stream { stream, .. } => stream.output.info.track,
            Self::Sections { splice, .. } => splice.track(),
            _ => None,
        }
    }

    pub(super) fn is(&self, kind: StreamKind) -> bool {
        match self {
            Self::Stream { stream, .. } => stream.is(kind),
            Self::Sections { .. } => kind == StreamKind::Scte35,
            _ => false,
        }
    }
}

impl Pid {
    pub(super) fn new(pid: u16, role: Role) -> Self {
        Self {
            stats: PidStats {
                pid,
                ..PidStats::default()
            },
            counter: NO_COUNTER,
            repeated: false,
            scrambling: false,
            tail: [0; 8],
            role,
        }
    }

    /// §2.4.3.3: up by one with each payload; a packet may come twice; a break may be announced.
    #[inline]
    pub(super) fn continuity(&mut self, packet: &Packet<'_>) -> Continuity {
        if !packet.has_payload {
            // The counter stands still; where a break is announced it may be anything.
            if packet.adaptation.discontinuity {
                self.counter = packet.counter;
                return Continuity::Announced;
            }
            return Continuity::Next;
        }
        let tail = packet
            .payload
            .last_chunk::<8>()
            .copied()
            .unwrap_or_default();
        let last = std::mem::replace(&mut self.counter, packet.counter);
        let was = std::mem::replace(&mut self.tail, tail);
        let repeated = std::mem::take(&mut self.repeated);
        if last == NO_COUNTER || packet.counter == (last + 1) & 15 {
            return Continuity::Next;
        }
        if packet.adaptation.discontinuity {
            return Continuity::Announced;
        }
        if packet.counter == last && !repeated && tail == was {
            self.repeated = true;
            return Continuity::Repeated;
        }
        Continuity::Gap
    }
}
