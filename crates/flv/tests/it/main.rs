//! Behaviour of the crate as a whole, one file a scenario.

mod damage;
mod demux_samples;
mod enhanced;
mod mutation;
mod players;
mod rendering;
mod round_trip;
mod sample;
