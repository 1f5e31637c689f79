//! H.264 picture parameter set (ISO/IEC 14496-10 §7.3.2.2): the part that says which SPS and which entropy coding.

use super::{nal_type, unit_type};
use crate::bits::BitReader;
use crate::error::{Result, ensure};

const WHAT: &str = "H.264 PPS";

/// The head of a picture parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pps {
    /// `pic_parameter_set_id`.
    pub id: u8,
    /// `seq_parameter_set_id` of the SPS it belongs to.
    pub sps_id: u8,
    /// `entropy_coding_mode_flag`: CABAC.
    pub cabac: bool,
    /// `bottom_field_pic_order_in_frame_present_flag`.
    pub bottom_field_poc: bool,
}

impl Pps {
    /// Parses a NAL unit, header byte included, without start code or length.
    ///
    /// # Errors
    /// When it is no PPS, ends early or has an id out of range.
    pub fn parse(unit: &[u8]) -> Result<Self> {
        ensure(
            unit_type(unit) == nal_type::PPS,
            WHAT,
            "nal_unit_type must be 8",
        )?;
        let mut r = BitReader::rbsp(unit.get(1..).unwrap_or_default(), WHAT);
        Ok(Self {
            id: r.ue_max(255, "pic_parameter_set_id above 255")? as u8,
            sps_id: r.ue_max(31, "seq_parameter_set_id above 31")? as u8,
            cabac: r.flag()?,
            bottom_field_poc: r.flag()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_head() {
        let pps = Pps::parse(&[0x68, 0xEB, 0xE3, 0xCB]).unwrap();
        assert_eq!((pps.id, pps.sps_id, pps.cabac), (0, 0, true));
        assert!(Pps::parse(&[0x67, 0xEB]).is_err());
        assert!(Pps::parse(&[0x68]).is_err());
    }
}
