//! An RTMP peer that tests drive by hand, well or badly behaved; it shares no code with the product.

mod amf;
mod media;
mod peer;
mod stream;

pub use amf::Amf;
pub use media::{
    AudioTag, VideoTag, audio_body, sequence_headers, unwrap_audio, unwrap_video, video_body,
};
pub use peer::{Fate, Message, Peer, Target, chunked};
pub use stream::{Publisher, Reader};
