//! Explores `rtmp_server_bytes`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("rtmp_server_bytes", data));
