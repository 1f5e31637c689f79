//! Explores `flv_layout`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("flv_layout", data));
