//! Explores `rtmp_server_session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("rtmp_server_session", data));
