//! Explores `pes_pts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("pes_pts", data));
