//! H.265 sequence parameter set (ISO/IEC 23008-2 §7.3.2.2) and its video usability information (Annex E).

use core_frame::{ColorInfo, VideoInfo};

use super::{Profile, layer_id, nal_type, rps, unit_type};
use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};
use crate::vui::{Signal, rate, read_signal};

const WHAT: &str = "H.265 SPS";

/// Luma samples of the largest picture of any level (7.2, Table A.8), and the longest side it allows: √(8 · MaxLumaPs).
const MAX_LUMA: u64 = 142_606_336;
const MAX_SIDE: u32 = 33_776;

/// A sequence parameter set of the base layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sps {
    /// `sps_video_parameter_set_id`.
    pub vps_id: u8,
    /// `sps_seq_parameter_set_id`.
    pub id: u8,
    /// Temporal sub-layers, 1 to 7.
    pub sub_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub temporal_id_nesting: bool,
    /// Profile, tier and level.
    pub profile: Profile,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format_idc: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
    /// `pic_width_in_luma_samples`.
    pub coded_width: u32,
    /// `pic_height_in_luma_samples`.
    pub coded_height: u32,
    /// Luma samples across, after the conformance window.
    pub width: u32,
    /// Luma samples down, after the conformance window.
    pub height: u32,
    /// `sps_max_num_reorder_pics` of the highest sub-layer.
    pub max_reorder_pics: u8,
    /// `sps_max_dec_pic_buffering` of the highest sub-layer.
    pub max_dec_pic_buffering: u8,
    /// Video usability information.
    pub vui: Option<Vui>,
}

/// Video usability information (§E.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vui {
    /// Width to height of a sample.
    pub sample_aspect: Option<(u32, u32)>,
    /// Colour description.
    pub color: Option<ColorInfo>,
    /// `field_seq_flag`: each picture is a field.
    pub field_seq: bool,
    /// `vui_num_units_in_tick` and `vui_time_scale`: a tick is a picture.
    pub timing: Option<(u32, u32)>,
    /// `min_spatial_segmentation_idc`.
    pub min_spatial_segmentation: u16,
    /// False when the unit ends inside the VUI: what stands before is still good.
    pub complete: bool,
}

impl Sps {
    /// Parses a NAL unit, header included, without start code or length.
    ///
    /// # Errors
    /// When it is no SPS of the base layer, ends early, or has values outside the standard's ranges (a picture larger
    /// than any level knows included). A damaged VUI is no error: see [`Vui::complete`].
    pub fn parse(unit: &[u8]) -> Result<Self> {
        ensure(
            unit_type(unit) == nal_type::SPS,
            WHAT,
            "nal_unit_type must be 33",
        )?;
        if layer_id(unit) != 0 {
            return Err(Error::Unsupported {
                what: WHAT,
                feature: "layers above the base layer",
            });
        }
        let mut r = BitReader::rbsp(unit.get(2..).unwrap_or_default(), WHAT);
        let vps_id = r.small(4)?;
        let max_sub_layers_minus1 = r.small(3)?;
        ensure(max_sub_layers_minus1 <= 6, WHAT, "more than 7 sub-layers")?;
        let temporal_id_nesting = r.flag()?;
        let profile = Profile::read(&mut r, max_sub_layers_minus1)?;
        let mut sps = Self {
            vps_id,
            id: r.ue_max(15, "sps_seq_parameter_set_id above 15")? as u8,
            sub_layers: max_sub_layers_minus1 + 1,
            temporal_id_nesting,
            profile,
            ..Self::default()
        };
        sps.read_size(&mut r)?;
        sps.bit_depth_luma = 8 + r.ue_max(8, "bit depth above 16")? as u8;
        sps.bit_depth_chroma = 8 + r.ue_max(8, "bit depth above 16")? as u8;
        let poc_lsb_bits = 4 + r.ue_max(12, "log2_max_pic_order_cnt_lsb above 16")?;
        sps.read_buffering(&mut r, max_sub_layers_minus1)?;
        skip_tools(&mut r, poc_lsb_bits)?;
        if r.flag()? {
            let mut vui = Vui::default();
            vui.complete = vui.read(&mut r, max_sub_layers_minus1).is_ok();
            sps.vui = Some(vui);
        }
        Ok(sps)
    }

    /// Pictures a second as a reduced fraction, when the VUI tells.
    #[must_use]
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        let (units, scale) = self.vui?.timing?;
        rate(u64::from(scale), u64::from(units))
    }

    /// What a track description wants to know.
    #[must_use]
    pub fn video_info(&self) -> VideoInfo {
        VideoInfo {
            width: self.width,
            height: self.height,
            frame_rate: self.frame_rate(),
            sample_aspect: self.vui.and_then(|v| v.sample_aspect),
            color: self.vui.and_then(|v| v.color),
            reorder_depth: Some(self.max_reorder_pics),
        }
    }

    fn read_size(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        const HUGE: &str = "picture larger than level 7.2 allows";
        self.chroma_format_idc = r.ue_max(3, "chroma_format_idc above 3")? as u8;
        let separate_planes = self.chroma_format_idc == 3 && r.flag()?;
        self.coded_width = r.ue_max(MAX_SIDE, HUGE)?;
        self.coded_height = r.ue_max(MAX_SIDE, HUGE)?;
        let area = u64::from(self.coded_width) * u64::from(self.coded_height);
        ensure(area <= MAX_LUMA, WHAT, HUGE)?;
        ensure(area > 0, WHAT, "picture without samples")?;
        let (mut crop_x, mut crop_y) = (0, 0);
        if r.flag()? {
            let (unit_x, unit_y) = match (separate_planes, self.chroma_format_idc) {
                (false, 1) => (2, 2),
                (false, 2) => (2, 1),
                _ => (1, 1),
            };
            let (left, right) = (u64::from(r.ue()?), u64::from(r.ue()?));
            let (top, bottom) = (u64::from(r.ue()?), u64::from(r.ue()?));
            crop_x = (left + right) * unit_x;
            crop_y = (top + bottom) * unit_y;
        }
        ensure(
            crop_x < u64::from(self.coded_width) && crop_y < u64::from(self.coded_height),
            WHAT,
            "conformance window leaves no picture",
        )?;
        self.width = self.coded_width - crop_x as u32;
        self.height = self.coded_height - crop_y as u32;
        Ok(())
    }

    fn read_buffering(&mut self, r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<()> {
        let all = r.flag()?;
        for _ in if all { 0 } else { max_sub_layers_minus1 }..=max_sub_layers_minus1 {
            let buffering = r.ue_max(15, "sps_max_dec_pic_buffering_minus1 above 15")?;
            let reorder = r.ue_max(buffering, "reordering deeper than the picture buffer")?;
            r.ue()?; // sps_max_latency_increase_plus1
            self.max_dec_pic_buffering = buffering as u8 + 1;
            self.max_reorder_pics = reorder as u8;
        }
        Ok(())
    }
}

/// From `log2_min_luma_coding_block_size_minus3` up to `vui_parameters_present_flag`.
fn skip_tools(r: &mut BitReader<'_>, poc_lsb_bits: u32) -> Result<()> {
    for _ in 0..6 {
        r.ue()?; // coding block and transform sizes and depths
    }
    if r.flag()? && r.flag()? {
        skip_scaling_lists(r)?;
    }
    r.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if r.flag()? {
        r.skip(8)?; // PCM bit depths
        r.ue()?;
        r.ue()?;
        r.skip(1)?;
    }
    let sets = r.ue_max(64, "num_short_term_ref_pic_sets above 64")?;
    rps::skip_sets(r, sets)?;
    if r.flag()? {
        let pictures = r.ue_max(32, "num_long_term_ref_pics_sps above 32")?;
        for _ in 0..pictures {
            r.skip(poc_lsb_bits + 1)?;
        }
    }
    r.skip(2) // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
}

/// §7.3.4.
fn skip_scaling_lists(r: &mut BitReader<'_>) -> Result<()> {
    for size in 0..4 {
        let coefficients = if size == 0 { 16 } else { 64 };
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !r.flag()? {
                r.ue()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size > 1 {
                r.se()?; // scaling_list_dc_coef_minus8
            }
            for _ in 0..coefficients {
                r.se()?;
            }
        }
    }
    Ok(())
}

impl Vui {
    /// What was read before an error stays.
    fn read(&mut self, r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<()> {
        let mut signal = Signal::default();
        let read = read_signal(r, &mut signal);
        self.sample_aspect = signal.sample_aspect;
        self.color = signal.color;
        read?;
        r.skip(1)?; // neutral_chroma_indication_flag
        self.field_seq = r.flag()?;
        r.skip(1)?; // frame_field_info_present_flag
        if r.flag()? {
            for _ in 0..4 {
                r.ue()?; // default display window
            }
        }
        if r.flag()? {
            let (units, scale) = (r.bits(32)?, r.bits(32)?);
            self.timing = (units > 0 && scale > 0).then_some((units, scale));
            if r.flag()? {
                r.ue()?; // vui_num_ticks_poc_diff_one_minus1
            }
            if r.flag()? {
                skip_hrd(r, max_sub_layers_minus1)?;
            }
        }
        if r.flag()? {
            r.skip(3)?; // tiles_fixed, motion_vectors_over_pic_boundaries, restricted_ref_pic_lists
            let segmentation = r.ue_max(4_095, "min_spatial_segmentation_idc above 4095")?;
            self.min_spatial_segmentation = segmentation as u16;
            for _ in 0..4 {
                r.ue()?;
            }
        }
        Ok(())
    }
}

/// `hrd_parameters(1, max_sub_layers_minus1)` (§E.2.2, §E.2.3).
fn skip_hrd(r: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<()> {
    let (nal, vcl) = (r.flag()?, r.flag()?);
    let mut sub_pic = false;
    if nal || vcl {
        sub_pic = r.flag()?;
        if sub_pic {
            r.skip(19)?;
        }
        r.skip(8)?; // bit_rate_scale, cpb_size_scale
        if sub_pic {
            r.skip(4)?;
        }
        r.skip(15)?; // delay lengths
    }
    for _ in 0..=max_sub_layers_minus1 {
        let fixed_general = r.flag()?;
        let fixed_in_cvs = fixed_general || r.flag()?;
        let mut low_delay = false;
        if fixed_in_cvs {
            r.ue()?; // elemental_duration_in_tc_minus1
        } else {
            low_delay = r.flag()?;
        }
        let mut count = 1;
        if !low_delay {
            count += r.ue_max(31, "cpb_cnt_minus1 above 31")?;
        }
        for _ in 0..u32::from(nal) + u32::from(vcl) {
            for _ in 0..count {
                for _ in 0..if sub_pic { 4 } else { 2 } {
                    r.ue()?;
                }
                r.skip(1)?; // cbr_flag
            }
        }
    }
    Ok(())
}
