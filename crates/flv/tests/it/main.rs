//! Behaviour of the crate as a whole, one file a scenario.

mod allocations;
mod damage;
mod demux_samples;
mod enhanced;
mod layouts;
mod mutation;
mod players;
mod rendering;
mod round_trip;
mod sample;
mod scripts;
mod sound;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
