//! MPEG audio (layers I to III of MPEG-1, MPEG-2 and MPEG-2.5): frame headers, byte streams, and the tags around them
//! (ISO/IEC 11172-3 §2.4, 13818-3 §2.4).

mod frames;
mod header;
mod tags;

pub use frames::{Frames, frames};
pub use header::{ChannelMode, FrameHeader, Version};
pub use tags::{InfoKind, InfoTag, info_tag, tag_length};

const WHAT: &str = "MPEG audio header";

/// A frame of this header, filled so that nothing in it looks like a header.
#[cfg(test)]
fn test_frame(header: [u8; 4]) -> Vec<u8> {
    let header_of = FrameHeader::parse(&header).unwrap();
    let mut frame = header.to_vec();
    frame.resize(header_of.frame_length().unwrap(), 0x55);
    frame
}
