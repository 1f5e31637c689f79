//! The chunk stream (RTMP 1.0 §5.3): messages cut into chunks, interleaved, with headers that lean on those before.
//!
//! ```text
//!  basic header      message header                          extended     data
//!  fmt csid          0: time(3) length(3) type(1) stream(4)  timestamp    at most chunk size
//!  2b  6b (+1,+2)    1: delta(3) length(3) type(1)           (4, when the
//!                    2: delta(3)                              3 bytes are
//!                    3: nothing                               0xFFFFFF)
//! ```

mod limits;
mod reader;
mod stream;
mod writer;

pub use limits::ChunkLimits;
pub use reader::ChunkReader;
pub use writer::{ChunkWriter, put_message};

/// The chunk size both sides start with (§5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;
/// The largest chunk stream id (§5.3.1.1).
pub const MAX_CHUNK_STREAM: u32 = 65_599;
/// The time stamp value that announces an extended time stamp (§5.3.1.3).
const EXTENDED: u32 = 0x00FF_FFFF;

#[cfg(test)]
mod tests;
