//! Explores `mp3_frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("mp3_frames", data));
