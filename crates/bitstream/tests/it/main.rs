//! Behaviour of the crate, judged by ffmpeg and ffprobe on samples they make while the tests run.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

mod agrees_with_ffprobe;
mod allocations;
mod codec_strings;
mod disposable_frames_can_go;
mod forms;
mod frames_tell_all;
mod h265_reference_sets;
mod high_efficiency_aac;
mod hostile_headers;
mod mutations;
mod records_are_rebuilt;
mod sample;
mod seeds;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
