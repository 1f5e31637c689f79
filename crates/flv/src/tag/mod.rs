//! The bodies of audio and video tags: bytes to packets, no memory.

mod audio;
mod cursor;
mod packet;
mod video;

pub use audio::parse_audio;
pub use packet::{Channels, Packet, PacketKind, Packets, Tag};
pub use video::{FrameType, parse_video};

pub(crate) use cursor::Cursor;

/// What a tag or an RTMP message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Tag and message type 8.
    Audio,
    /// Tag and message type 9.
    Video,
    /// Tag and message type 18 (AMF0 data); read from type 15 too, whose AMF0 may be switched to AMF3.
    Script,
}

impl TagKind {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }

    /// The kind of a tag or message type.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            15 | 18 => Some(Self::Script),
            _ => None,
        }
    }
}
