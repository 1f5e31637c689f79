//! Explores `ts_packet_psi`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("ts_packet_psi", data));
