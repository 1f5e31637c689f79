//! AAC: AudioSpecificConfig and ADTS headers (ISO/IEC 14496-3).

mod adts;
mod config;

pub use adts::{AdtsFrames, AdtsHeader, adts_frames};
pub use config::{AudioSpecificConfig, Signalling};

/// Audio object types (Table 1.17).
pub mod object_type {
    /// AAC main.
    pub const MAIN: u8 = 1;
    /// AAC low complexity.
    pub const LC: u8 = 2;
    /// AAC scalable sample rate.
    pub const SSR: u8 = 3;
    /// AAC long term prediction.
    pub const LTP: u8 = 4;
    /// Spectral band replication.
    pub const SBR: u8 = 5;
    /// Error resilient AAC low complexity.
    pub const ER_LC: u8 = 17;
    /// Error resilient AAC low delay.
    pub const ER_LD: u8 = 23;
    /// Parametric stereo.
    pub const PS: u8 = 29;
    /// Error resilient AAC enhanced low delay.
    pub const ER_ELD: u8 = 39;
    /// Unified speech and audio coding.
    pub const USAC: u8 = 42;
}

/// Table 1.18: `samplingFrequencyIndex` to Hz.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Table 1.19: `channelConfiguration` to channels; 0 for those told elsewhere and for reserved values.
const fn channels_of(config: u8) -> u8 {
    match config {
        1..=6 => config,
        7 | 12 | 14 => 8,
        11 => 7,
        13 => 24,
        _ => 0,
    }
}
