//! Explores `rtmp_chunk`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("rtmp_chunk", data));
