//! MPEG transport streams (ISO/IEC 13818-1): packets to frames and frames to packets.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod demux;
mod kind;
mod packet;
mod pes;
mod sync;

pub use demux::{
    Clock, Damage, DamageKind, Data, Demuxer, Event, Events, PidStats, Program, Programs, Stream,
};
pub use kind::StreamKind;
pub use packet::{Adaptation, NULL_PID, PACKET, PCR_HZ, Packet, SYNC};
pub use pes::{PTS_HZ, PesHeader, PesStart, read_header};
pub use sync::{Found, PacketReader};
