//! Explores `flv_tag`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("flv_tag", data));
