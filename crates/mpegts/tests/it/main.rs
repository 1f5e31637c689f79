//! The crate judged by ffmpeg, ffprobe and GStreamer, by damage, by numbers.

mod allocations;
mod damage;
mod made_by_others;
mod mutation;
mod read_by_others;
mod rendering;
mod round_trip;
mod sample;
mod tables;

//
//static ALLOCATOR: allocations::Counting = allocations::Counting;
