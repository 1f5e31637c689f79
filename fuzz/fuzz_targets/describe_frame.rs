//! Explores `describe_frame`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("describe_frame", data));
