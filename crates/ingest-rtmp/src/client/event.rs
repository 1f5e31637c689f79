//! What comes out of a client session.

use bytes::Bytes;
use core_frame::{MediaFrame, Tags, TrackInfo};

use crate::wire::command::Command;
use crate::wire::message::Message;

/// What comes out of a client session.
#[derive(Clone, Debug)]
pub enum Output {
    /// Bytes for the server.
    Transmit(Bytes),
    /// Something for the caller.
    Event(Event),
}

/// What a client session tells its caller.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server answered `connect`: the whole command. What it says about Enhanced RTMP stands in
    /// [`Session::enhanced`](super::Session::enhanced) from now on.
    Connected(Command),
    /// Publishing or playing has begun.
    Started,
    /// A status beside the flow: its code and description.
    Status(String, String),
    /// Media of the stream that is played, as it came: audio, video or data. With
    /// [`Media::Messages`](super::Media::Messages).
    Message(Message),
    /// A track of the stream that is played appeared or changed. Comes before the first frame that needs it. With
    /// [`Media::Frames`](super::Media::Frames), as the four that follow.
    Track(Box<TrackInfo>),
    /// A frame of the stream that is played, in the order of arrival; times are those of the wire, in milliseconds,
    /// unwrapped.
    Frame(MediaFrame),
    /// What the server says about the stream as a whole, in place of what it said before.
    Tags(Tags),
    /// A message of the stream that could not be used was left out.
    Damaged(String),
    /// The server asks us to connect anew, at this `tcUrl` if it names one (see
    /// [`Target::moved`](super::Target::moved)). The stream goes on here until we do.
    Reconnect {
        /// Where to; as the server wrote it.
        tc_url: Option<String>,
    },
    /// The stream that was played has ended, or the server ended the connection. Said once.
    Ended,
}
