//! Explores `mp4_boxes`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("mp4_boxes", data));
