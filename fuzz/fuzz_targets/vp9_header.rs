//! Explores `vp9_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("vp9_header", data));
