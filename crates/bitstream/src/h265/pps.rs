//! H.265 picture parameter set (ISO/IEC 23008-2 §7.3.2.3): what slice headers and `hvcC` need of it.

use super::{nal_type, unit_type};
use crate::bits::BitReader;
use crate::error::{Result, ensure};

const WHAT: &str = "H.265 PPS";

/// The head of a picture parameter set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pps {
    /// `pps_pic_parameter_set_id`.
    pub id: u8,
    /// `pps_seq_parameter_set_id`.
    pub sps_id: u8,
    /// `num_extra_slice_header_bits`.
    pub extra_slice_header_bits: u8,
    /// `tiles_enabled_flag`.
    pub tiles: bool,
    /// `entropy_coding_sync_enabled_flag`: wavefronts.
    pub wavefront: bool,
}

impl Pps {
    /// Parses a NAL unit, header included, without start code or length.
    ///
    /// # Errors
    /// When it is no PPS, ends early or has an id out of range.
    pub fn parse(unit: &[u8]) -> Result<Self> {
        ensure(
            unit_type(unit) == nal_type::PPS,
            WHAT,
            "nal_unit_type must be 34",
        )?;
        let mut r = BitReader::rbsp(unit.get(2..).unwrap_or_default(), WHAT);
        let id = r.ue_max(63, "pps_pic_parameter_set_id above 63")? as u8;
        let sps_id = r.ue_max(15, "pps_seq_parameter_set_id above 15")? as u8;
        r.skip(2)?; // dependent_slice_segments_enabled_flag, output_flag_present_flag
        let extra_slice_header_bits = r.small(3)?;
        r.skip(2)?; // sign_data_hiding_enabled_flag, cabac_init_present_flag
        r.ue()?;
        r.ue()?;
        r.se()?; // init_qp_minus26
        r.skip(2)?; // constrained_intra_pred_flag, transform_skip_enabled_flag
        if r.flag()? {
            r.ue()?; // diff_cu_qp_delta_depth
        }
        r.se()?;
        r.se()?;
        r.skip(4)?; // chroma qp offsets, weighted prediction, transquant bypass
        Ok(Self {
            id,
            sps_id,
            extra_slice_header_bits,
            tiles: r.flag()?,
            wavefront: r.flag()?,
        })
    }

    /// `parallelismType` of `hvcC`: 0 mixed or unknown, 1 slices, 2 tiles, 3 wavefronts (ISO/IEC 14496-15 §8.3.3.1.3).
    #[must_use]
    pub const fn parallelism(&self) -> u8 {
        match (self.tiles, self.wavefront) {
            (true, true) => 0,
            (true, false) => 2,
            (false, true) => 3,
            (false, false) => 1,
        }
    }
}
