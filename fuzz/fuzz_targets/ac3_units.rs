//! Explores `ac3_units`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("ac3_units", data));
