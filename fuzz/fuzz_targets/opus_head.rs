//! Explores `opus_head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::targets::opus_head(data));
