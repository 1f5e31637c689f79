//! Explores `rtmp_chunk`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::targets::rtmp_chunk(data));
