//! Explores `av1_obu`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("av1_obu", data));
