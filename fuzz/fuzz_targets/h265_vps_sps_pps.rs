//! Explores `h265_vps_sps_pps`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::run("h265_vps_sps_pps", data));
