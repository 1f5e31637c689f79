//! Behaviour of the segmenter: one file a scenario.

mod cuts;
mod harness;
mod keeping;
mod players;
mod rates;
mod shell;
mod trouble;
mod variants;
