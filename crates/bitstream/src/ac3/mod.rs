//! AC-3 and Enhanced AC-3: synchronisation frames, access units, and the `dac3` and `dec3` records (ETSI TS 102 366).

mod frames;
mod header;
mod records;

pub use frames::{AccessUnit, AccessUnits, access_units};
pub use header::{FrameHeader, Substream};
pub use records::{Ac3Config, Eac3Config, IndependentSubstream};

/// Samples of an audio block for each channel.
const BLOCK_SAMPLES: u32 = 256;

/// `fscod` to Hz (Table 4.1).
const RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// `frmsizecod >> 1`, which is `bit_rate_code` of `dac3`, to kbit/s (Table 4.13).
const BIT_RATES_KBPS: [u16; 19] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
];

/// Loudspeakers as the bits of `chanmap` (Table E.1.4), the first the highest.
mod location {
    pub(super) const L: u16 = 1 << 15;
    pub(super) const C: u16 = 1 << 14;
    pub(super) const R: u16 = 1 << 13;
    pub(super) const LS: u16 = 1 << 12;
    pub(super) const RS: u16 = 1 << 11;
    pub(super) const CS: u16 = 1 << 8;
    pub(super) const LFE2: u16 = 1 << 1;
    pub(super) const LFE: u16 = 1;
    /// Those that stand for two: Lc/Rc, Lrs/Rrs, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Lts/Rts.
    pub(super) const PAIRS: u16 = 1 << 10 | 1 << 9 | 1 << 6 | 1 << 5 | 1 << 4 | 1 << 2;
}

/// The loudspeakers of an `acmod` (Table 4.3). Two mono programmes (0) are counted as left and right.
const fn locations_of(acmod: u8, lfe: bool) -> u16 {
    use location::{C, CS, L, LFE, LS, R, RS};
    let main = match acmod & 7 {
        1 => C,
        3 => L | C | R,
        4 => L | R | CS,
        5 => L | C | R | CS,
        6 => L | R | LS | RS,
        7 => L | C | R | LS | RS,
        _ => L | R,
    };
    if lfe { main | LFE } else { main }
}

/// How many channels these loudspeakers are.
const fn channel_count(locations: u16) -> u16 {
    (locations.count_ones() + (locations & location::PAIRS).count_ones()) as u16
}
