//! The crate judged by ffmpeg, ffprobe and GStreamer, by damage, by numbers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it found"
)]

mod allocations;
mod damage;
mod made_by_others;
mod mutation;
mod read_by_others;
mod rendering;
mod round_trip;
mod sample;
mod tables;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
