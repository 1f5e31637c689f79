//! Behaviour of the segmenter: one file a scenario.

mod cuts;
mod harness;
mod keeping;
mod rates;
mod shell;
mod trouble;
