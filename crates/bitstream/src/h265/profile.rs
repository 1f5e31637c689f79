//! H.265 profile, tier and level (ISO/IEC 23008-2 §7.3.3).

use std::fmt::Write;

use crate::bits::BitReader;
use crate::error::Result;

/// The general part of `profile_tier_level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// `general_profile_space`.
    pub space: u8,
    /// `general_tier_flag`: the high tier.
    pub high_tier: bool,
    /// `general_profile_idc`.
    pub idc: u8,
    /// `general_profile_compatibility_flag[0]` is the top bit.
    pub compatibility: u32,
    /// The 48 bits from `general_progressive_source_flag` on.
    pub constraints: [u8; 6],
    /// `general_level_idc`, thirty times the level.
    pub level_idc: u8,
}

impl Profile {
    /// Reads `profile_tier_level(1, max_sub_layers_minus1)`; the sub-layers' own parts are passed over.
    pub(super) fn read(r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self> {
        let mut profile = Self {
            space: r.small(2)?,
            high_tier: r.flag()?,
            idc: r.small(5)?,
            compatibility: r.bits(32)?,
            ..Self::default()
        };
        for byte in &mut profile.constraints {
            *byte = r.byte()?;
        }
        profile.level_idc = r.byte()?;
        if max_sub_layers_minus1 > 0 {
            let mut present = [(false, false); 8];
            // The table of flags is always eight entries long.
            for (at, flags) in present.iter_mut().enumerate() {
                let read = (r.flag()?, r.flag()?);
                if at < usize::from(max_sub_layers_minus1) {
                    *flags = read;
                }
            }
            for (profile_present, level_present) in present {
                r.skip(if profile_present { 88 } else { 0 })?;
                r.skip(if level_present { 8 } else { 0 })?;
            }
        }
        Ok(profile)
    }

    /// The part of the codec string after `hvc1.` (ISO/IEC 14496-15 §E.3): space and profile, compatibility flags in
    /// reverse bit order, tier and level, constraint bytes without trailing zero ones.
    #[must_use]
    pub fn codec_suffix(&self) -> String {
        let space = match self.space {
            1 => "A",
            2 => "B",
            3 => "C",
            _ => "",
        };
        let tier = if self.high_tier { 'H' } else { 'L' };
        let compatibility = self.compatibility.reverse_bits();
        let mut text = format!(
            "{space}{}.{compatibility:X}.{tier}{}",
            self.idc, self.level_idc
        );
        let used = self
            .constraints
            .iter()
            .rposition(|&b| b != 0)
            .map_or(0, |at| at + 1);
        for byte in self.constraints.iter().take(used) {
            // Writing to a String cannot fail.
            let _ = write!(text, ".{byte:X}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        let mut profile = Profile {
            idc: 1,
            compatibility: 0x6000_0000,
            constraints: [0x90, 0, 0, 0, 0, 0],
            level_idc: 93,
            ..Profile::default()
        };
        assert_eq!(profile.codec_suffix(), "1.6.L93.90");
        profile.constraints = [0xB0, 0, 0x10, 0, 0, 0];
        profile.space = 1;
        profile.high_tier = true;
        assert_eq!(profile.codec_suffix(), "A1.6.H93.B0.0.10");
        profile.constraints = [0; 6];
        assert_eq!(profile.codec_suffix(), "A1.6.H93");
    }
}
