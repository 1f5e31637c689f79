//! Explores `h264_sps`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("h264_sps", data));
