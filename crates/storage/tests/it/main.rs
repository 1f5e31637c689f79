//! Behaviour of the backends.

mod conformance;
mod crash_leftovers;
mod key_clash;
mod memory_bound;
mod urls;
