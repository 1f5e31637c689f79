//! The shell: tasks, the clock and waiting around the pure parts. Behind the feature `runtime`.

mod processor;
mod queue;

pub use processor::ChunkProcessor;
pub use queue::{Closed, MediaPriorityQueue};
