//! Explores `aac_asc_adts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("aac_asc_adts", data));
