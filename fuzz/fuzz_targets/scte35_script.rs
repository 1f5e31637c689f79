//! Explores `scte35_script`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("scte35_script", data));
