//! Behaviour of the crate as a whole, one file a scenario.

mod elementary;
mod endless;
mod init_dumps;
mod mutation;
mod rewrite;
mod sample;
