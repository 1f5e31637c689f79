//! Explores `rtmp_client_session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("rtmp_client_session", data));
