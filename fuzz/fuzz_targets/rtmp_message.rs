//! Explores `rtmp_message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("rtmp_message", data));
