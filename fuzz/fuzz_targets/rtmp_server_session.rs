//! Explores `rtmp_server_session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::targets::rtmp_server_session(data));
