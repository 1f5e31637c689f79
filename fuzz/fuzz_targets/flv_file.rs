//! Explores `flv_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::targets::flv_file(data));
