//! Explores `h264_sps`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::targets::h264_sps(data));
