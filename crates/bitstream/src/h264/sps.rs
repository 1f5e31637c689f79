//! H.264 sequence parameter set (ISO/IEC 14496-10 §7.3.2.1.1) and its video usability information (Annex E).

use core_frame::{ColorInfo, VideoInfo};

use super::{nal_type, unit_type};
use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};
use crate::vui::{Signal, rate, read_signal};

const WHAT: &str = "H.264 SPS";

/// Macroblocks of the largest frame of any level (6.2, Table A-1), and the longest side it allows: √(8 · MaxFS).
const MAX_FRAME_MBS: u32 = 139_264;
const MAX_SIDE_MBS: u32 = 1_055;

/// A sequence parameter set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sps {
    /// `profile_idc`.
    pub profile_idc: u8,
    /// The byte between profile and level: `constraint_set0_flag` is its top bit.
    pub constraint_flags: u8,
    /// `level_idc`, ten times the level.
    pub level_idc: u8,
    /// `seq_parameter_set_id`.
    pub id: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format_idc: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
    /// Bits of `frame_num` in slice headers.
    pub frame_num_bits: u8,
    /// `pic_order_cnt_type`.
    pub poc_type: u8,
    /// Bits of `pic_order_cnt_lsb` in slice headers; 0 unless `poc_type` is 0.
    pub poc_lsb_bits: u8,
    /// `max_num_ref_frames`.
    pub max_ref_frames: u8,
    /// `frame_mbs_only_flag`: false when pictures may be fields or frames of interlaced macroblocks.
    pub frame_mbs_only: bool,
    /// Luma samples across, before cropping.
    pub coded_width: u32,
    /// Luma samples down, before cropping, of a whole frame.
    pub coded_height: u32,
    /// Luma samples across, after cropping.
    pub width: u32,
    /// Luma samples down, after cropping, of a whole frame.
    pub height: u32,
    /// Video usability information.
    pub vui: Option<Vui>,
}

/// Video usability information (§E.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vui {
    /// Width to height of a sample.
    pub sample_aspect: Option<(u32, u32)>,
    /// Colour description.
    pub color: Option<ColorInfo>,
    /// `num_units_in_tick` and `time_scale`: a tick is a field.
    pub timing: Option<(u32, u32)>,
    /// `fixed_frame_rate_flag`.
    pub fixed_frame_rate: bool,
    /// `max_num_reorder_frames`.
    pub max_reorder_frames: Option<u8>,
    /// `max_dec_frame_buffering`.
    pub max_dec_frame_buffering: Option<u8>,
    /// False when the unit ends inside the VUI: some cameras send it so, and what stands before is still good.
    pub complete: bool,
}

impl Sps {
    /// Parses a NAL unit, header byte included, without start code or length.
    ///
    /// # Errors
    /// When it is no SPS, ends early, or has values outside the standard's ranges (a frame larger than level 6.2 knows
    /// included). A damaged VUI is no error: see [`Vui::complete`].
    pub fn parse(unit: &[u8]) -> Result<Self> {
        ensure(
            unit_type(unit) == nal_type::SPS,
            WHAT,
            "nal_unit_type must be 7",
        )?;
        let mut r = BitReader::rbsp(unit.get(1..).unwrap_or_default(), WHAT);
        let mut sps = Self {
            profile_idc: r.byte()?,
            constraint_flags: r.byte()?,
            level_idc: r.byte()?,
            id: r.ue_max(31, "seq_parameter_set_id above 31")? as u8,
            chroma_format_idc: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            ..Self::default()
        };
        let mut separate_planes = false;
        if has_chroma_format(sps.profile_idc) {
            sps.chroma_format_idc = r.ue_max(3, "chroma_format_idc above 3")? as u8;
            if sps.chroma_format_idc == 3 {
                separate_planes = r.flag()?;
            }
            sps.bit_depth_luma = 8 + r.ue_max(6, "bit depth above 14")? as u8;
            sps.bit_depth_chroma = 8 + r.ue_max(6, "bit depth above 14")? as u8;
            r.skip(1)?; // qpprime_y_zero_transform_bypass_flag
            if r.flag()? {
                let lists = if sps.chroma_format_idc == 3 { 12 } else { 8 };
                for list in 0..lists {
                    if r.flag()? {
                        skip_scaling_list(&mut r, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        sps.frame_num_bits = 4 + r.ue_max(12, "log2_max_frame_num above 16")? as u8;
        sps.poc_type = r.ue_max(2, "pic_order_cnt_type above 2")? as u8;
        match sps.poc_type {
            0 => sps.poc_lsb_bits = 4 + r.ue_max(12, "log2_max_pic_order_cnt_lsb above 16")? as u8,
            1 => {
                r.skip(1)?; // delta_pic_order_always_zero_flag
                r.se()?;
                r.se()?;
                let cycle = r.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle above 255")?;
                for _ in 0..cycle {
                    r.se()?;
                }
            }
            _ => {}
        }
        sps.max_ref_frames = r.ue_max(16, "max_num_ref_frames above 16")? as u8;
        r.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        sps.read_size(&mut r, separate_planes)?;
        if r.flag()? {
            let mut vui = Vui::default();
            vui.complete = vui.read(&mut r).is_ok();
            sps.vui = Some(vui);
        }
        Ok(sps)
    }

    /// Frames a second as a reduced fraction, when the VUI tells: a frame is two ticks (§E.2.1).
    #[must_use]
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        let (units, scale) = self.vui?.timing?;
        rate(u64::from(scale), 2 * u64::from(units))
    }

    /// How many pictures a decoder holds back for reordering, when the stream tells: by `max_num_reorder_frames`, by
    /// an output order equal to the decoding order (`pic_order_cnt_type` 2), or by a profile without B slices or
    /// without prediction between pictures.
    #[must_use]
    pub fn reorder_depth(&self) -> Option<u8> {
        if let Some(told) = self.vui.and_then(|v| v.max_reorder_frames) {
            return Some(told);
        }
        (self.poc_type == 2 || self.profile_idc == 66 || self.is_intra_only()).then_some(0)
    }

    /// The most pictures a decoder may have to hold back: what [`Sps::reorder_depth`] says, or what the level's picture
    /// buffer holds (`MaxDpbFrames`, §A.3.1).
    #[must_use]
    pub fn max_reorder_depth(&self) -> u8 {
        self.reorder_depth()
            .or_else(|| self.vui.and_then(|v| v.max_dec_frame_buffering))
            .unwrap_or_else(|| self.max_dpb_frames())
    }

    /// Profiles in which every picture is intra.
    #[must_use]
    pub const fn is_intra_only(&self) -> bool {
        // constraint_set3_flag says it in the High profiles; CAVLC 4:4:4 Intra always is.
        self.profile_idc == 44
            || matches!(self.profile_idc, 86 | 100 | 110 | 122 | 244)
                && self.constraint_flags & 0x10 != 0
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
            reorder_depth: self.reorder_depth(),
        }
    }

    /// `avc1.PPCCLL`, six hexadecimal digits (RFC 6381 §3.3).
    #[must_use]
    pub fn codec_string(&self) -> String {
        super::avcc::codec_string(self.profile_idc, self.constraint_flags, self.level_idc)
    }

    fn read_size(&mut self, r: &mut BitReader<'_>, separate_planes: bool) -> Result<()> {
        const HUGE: &str = "frame larger than level 6.2 allows";
        let width_mbs = r.ue_max(MAX_SIDE_MBS - 1, HUGE)? + 1;
        let height_units = r.ue_max(MAX_SIDE_MBS - 1, HUGE)? + 1;
        self.frame_mbs_only = r.flag()?;
        let fields = if self.frame_mbs_only { 1 } else { 2 };
        let height_mbs = height_units * fields;
        ensure(width_mbs * height_mbs <= MAX_FRAME_MBS, WHAT, HUGE)?;
        if !self.frame_mbs_only {
            r.skip(1)?; // mb_adaptive_frame_field_flag
        }
        r.skip(1)?; // direct_8x8_inference_flag
        self.coded_width = width_mbs * 16;
        self.coded_height = height_mbs * 16;
        let (mut crop_x, mut crop_y) = (0_u64, 0_u64);
        if r.flag()? {
            let (unit_x, unit_y) = match (separate_planes, self.chroma_format_idc) {
                (false, 1) => (2, 2),
                (false, 2) => (2, 1),
                _ => (1, 1),
            };
            let (left, right) = (r.ue()?, r.ue()?);
            let (top, bottom) = (r.ue()?, r.ue()?);
            crop_x = (u64::from(left) + u64::from(right)) * unit_x;
            crop_y = (u64::from(top) + u64::from(bottom)) * unit_y * u64::from(fields);
        }
        ensure(
            crop_x < u64::from(self.coded_width) && crop_y < u64::from(self.coded_height),
            WHAT,
            "cropping leaves no picture",
        )?;
        self.width = self.coded_width - crop_x as u32;
        self.height = self.coded_height - crop_y as u32;
        Ok(())
    }

    fn max_dpb_frames(&self) -> u8 {
        let max_dpb_mbs: u32 = match self.level_idc {
            0..=10 => 396,
            11 if self.constraint_flags & 0x10 != 0 && matches!(self.profile_idc, 66 | 77 | 88) => {
                396
            }
            11 => 900,
            12..=20 => 2_376,
            21 => 4_752,
            22..=30 => 8_100,
            31 => 18_000,
            32 => 20_480,
            33..=41 => 32_768,
            42 => 34_816,
            43..=50 => 110_400,
            51..=52 => 184_320,
            _ => 696_320,
        };
        let frame_mbs = (self.coded_width / 16 * (self.coded_height / 16)).max(1);
        (max_dpb_mbs / frame_mbs).min(16) as u8
    }
}

impl Vui {
    /// §E.1.1. What was read before an error stays.
    fn read(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        let mut signal = Signal::default();
        let read = read_signal(r, &mut signal);
        self.sample_aspect = signal.sample_aspect;
        self.color = signal.color;
        read?;
        if r.flag()? {
            let (units, scale) = (r.bits(32)?, r.bits(32)?);
            self.fixed_frame_rate = r.flag()?;
            self.timing = (units > 0 && scale > 0).then_some((units, scale));
        }
        let nal_hrd = r.flag()?;
        if nal_hrd {
            skip_hrd(r)?;
        }
        let vcl_hrd = r.flag()?;
        if vcl_hrd {
            skip_hrd(r)?;
        }
        if nal_hrd || vcl_hrd {
            r.skip(1)?; // low_delay_hrd_flag
        }
        r.skip(1)?; // pic_struct_present_flag
        if r.flag()? {
            r.skip(1)?; // motion_vectors_over_pic_boundaries_flag
            for _ in 0..4 {
                r.ue()?;
            }
            let reorder = r.ue()?;
            let buffering = r.ue()?;
            if reorder > buffering || buffering > 16 {
                return Err(Error::invalid(
                    WHAT,
                    "reordering deeper than the picture buffer",
                ));
            }
            self.max_reorder_frames = Some(reorder as u8);
            self.max_dec_frame_buffering = Some(buffering as u8);
        }
        Ok(())
    }
}

/// Profiles whose SPS tells the chroma format (§7.3.2.1.1).
pub(super) const fn has_chroma_format(profile_idc: u8) -> bool {
    matches!(
        profile_idc,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    )
}

/// §7.3.2.1.1.1.
fn skip_scaling_list(r: &mut BitReader<'_>, size: u32) -> Result<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(r.se()?) & 0xFF;
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

/// §E.1.2.
fn skip_hrd(r: &mut BitReader<'_>) -> Result<()> {
    let count = r.ue_max(31, "cpb_cnt_minus1 above 31")? + 1;
    r.skip(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..count {
        r.ue()?;
        r.ue()?;
        r.skip(1)?;
    }
    r.skip(20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::BitWriter;

    struct Shape {
        width_mbs: u32,
        height_units: u32,
        frame_mbs_only: bool,
        crop: [u32; 4],
        poc_cycle: Option<u32>,
    }

    const HD: Shape = Shape {
        width_mbs: 120,
        height_units: 68,
        frame_mbs_only: true,
        crop: [0, 0, 0, 4],
        poc_cycle: None,
    };

    fn build(shape: &Shape) -> Vec<u8> {
        let mut w = BitWriter::new();
        w.bits(0x67, 8);
        w.bits(77, 8);
        w.bits(0, 8);
        w.bits(40, 8);
        w.ue(0);
        w.ue(0);
        if let Some(cycle) = shape.poc_cycle {
            w.ue(1);
            w.flag(false);
            w.se(0);
            w.se(0);
            w.ue(cycle);
            for _ in 0..cycle.min(255) {
                w.se(-3);
            }
        } else {
            w.ue(2);
        }
        w.ue(4);
        w.flag(false);
        w.ue(shape.width_mbs - 1);
        w.ue(shape.height_units - 1);
        w.flag(shape.frame_mbs_only);
        if !shape.frame_mbs_only {
            w.flag(true);
        }
        w.flag(true);
        w.flag(true);
        for side in shape.crop {
            w.ue(side);
        }
        w.flag(false);
        w.flag(true);
        let bytes = w.finish();
        let mut unit = vec![0x67];
        unit.extend(crate::nal::escape_rbsp(&bytes[1..]));
        unit
    }

    #[test]
    fn crops() {
        let sps = Sps::parse(&build(&HD)).unwrap();
        assert_eq!(
            (sps.width, sps.height, sps.coded_height),
            (1_920, 1_080, 1_088)
        );
        assert_eq!(sps.reorder_depth(), Some(0));
        assert_eq!(sps.codec_string(), "avc1.4d0028");
        let interlaced = Sps::parse(&build(&Shape {
            height_units: 34,
            frame_mbs_only: false,
            crop: [0, 0, 0, 2],
            ..HD
        }))
        .unwrap();
        assert_eq!((interlaced.width, interlaced.height), (1_920, 1_080));
    }

    #[test]
    fn hostile_values_are_errors() {
        for shape in [
            Shape {
                width_mbs: u32::MAX - 1,
                ..HD
            },
            Shape {
                height_units: u32::MAX - 1,
                ..HD
            },
            Shape {
                width_mbs: 1_055,
                height_units: 1_055,
                ..HD
            },
            Shape {
                height_units: 1_055,
                frame_mbs_only: false,
                ..HD
            },
            Shape {
                crop: [960, 0, 0, 0],
                ..HD
            },
            Shape {
                crop: [u32::MAX - 1; 4],
                ..HD
            },
            Shape {
                poc_cycle: Some(256),
                ..HD
            },
            Shape {
                poc_cycle: Some(u32::MAX - 1),
                ..HD
            },
        ] {
            assert!(Sps::parse(&build(&shape)).is_err());
        }
    }

    #[test]
    fn the_longest_cycle_is_read() {
        let sps = Sps::parse(&build(&Shape {
            poc_cycle: Some(255),
            ..HD
        }))
        .unwrap();
        assert_eq!((sps.poc_type, sps.width), (1, 1_920));
        assert_eq!(sps.reorder_depth(), None);
        assert_eq!(sps.max_reorder_depth(), 4);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let unit = build(&HD);
        for length in 0..unit.len() - 1 {
            assert!(Sps::parse(&unit[..length]).is_err(), "{length}");
        }
    }
}
