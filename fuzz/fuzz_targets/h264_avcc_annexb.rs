//! Explores `h264_avcc_annexb`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("h264_avcc_annexb", data));
