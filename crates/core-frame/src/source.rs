//! Sources and sinks of frames.

use async_trait::async_trait;

use crate::{MediaFrame, Result};

/// A source of frames: a protocol connection, a file, a generator.
#[async_trait]
pub trait MediaSource: Send + Sync {
    /// The next frame in decode order, or `None` at the end.
    ///
    /// # Errors
    /// A failure the source cannot recover from.
    async fn next_frame(&mut self) -> Result<Option<MediaFrame>>;
}

/// A sink of frames: a protocol connection, a recorder, a pipeline stage.
#[async_trait]
pub trait MediaSink: Send + Sync {
    /// Takes one frame, in decode order.
    ///
    /// # Errors
    /// A failure the sink cannot recover from.
    async fn send_frame(&mut self, frame: MediaFrame) -> Result<()>;

    /// Writes out what is buffered and marks the end.
    ///
    /// # Errors
    /// A failure the sink cannot recover from.
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
