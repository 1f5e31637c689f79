//! H.265 video parameter set (ISO/IEC 23008-2 §7.3.2.1): sub-layers, profile and timing.

use super::{Profile, nal_type, unit_type};
use crate::bits::BitReader;
use crate::error::{Result, ensure};
use crate::vui::rate;

const WHAT: &str = "H.265 VPS";

/// A video parameter set, up to its timing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vps {
    /// `vps_video_parameter_set_id`.
    pub id: u8,
    /// Temporal sub-layers, 1 to 7.
    pub sub_layers: u8,
    /// `vps_temporal_id_nesting_flag`.
    pub temporal_id_nesting: bool,
    /// Profile, tier and level.
    pub profile: Profile,
    /// `vps_num_units_in_tick` and `vps_time_scale`: a tick is a picture.
    pub timing: Option<(u32, u32)>,
}

impl Vps {
    /// Parses a NAL unit, header included, without start code or length.
    ///
    /// # Errors
    /// When it is no VPS of the base layer, ends early or has values outside the standard's ranges.
    pub fn parse(unit: &[u8]) -> Result<Self> {
        ensure(
            unit_type(unit) == nal_type::VPS,
            WHAT,
            "nal_unit_type must be 32",
        )?;
        let mut r = BitReader::rbsp(unit.get(2..).unwrap_or_default(), WHAT);
        let id = r.small(4)?;
        r.skip(2)?; // base layer flags
        r.skip(6)?; // vps_max_layers_minus1
        let max_sub_layers_minus1 = r.small(3)?;
        ensure(max_sub_layers_minus1 <= 6, WHAT, "more than 7 sub-layers")?;
        let temporal_id_nesting = r.flag()?;
        r.skip(16)?; // vps_reserved_0xffff_16bits
        let profile = Profile::read(&mut r, max_sub_layers_minus1)?;
        let all = r.flag()?;
        for _ in if all { 0 } else { max_sub_layers_minus1 }..=max_sub_layers_minus1 {
            r.ue()?;
            r.ue()?;
            r.ue()?;
        }
        let max_layer_id = r.bits(6)?;
        let layer_sets = r.ue_max(1_023, "vps_num_layer_sets_minus1 above 1023")?;
        for _ in 0..layer_sets {
            r.skip(max_layer_id + 1)?;
        }
        let mut timing = None;
        if r.flag()? {
            let (units, scale) = (r.bits(32)?, r.bits(32)?);
            timing = (units > 0 && scale > 0).then_some((units, scale));
        }
        Ok(Self {
            id,
            sub_layers: max_sub_layers_minus1 + 1,
            temporal_id_nesting,
            profile,
            timing,
        })
    }

    /// Pictures a second as a reduced fraction, when the VPS tells.
    #[must_use]
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        let (units, scale) = self.timing?;
        rate(u64::from(scale), u64::from(units))
    }
}
