//! AV1 sequence header (§5.5).

use core_frame::{ColorInfo, VideoInfo};

use smallvec::SmallVec;

use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};
use crate::vui::rate;

const WHAT: &str = "AV1 sequence header";

/// A sequence header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SequenceHeader {
    /// `seq_profile`: 0 main, 1 high, 2 professional.
    pub profile: u8,
    /// `still_picture`.
    pub still_picture: bool,
    /// `reduced_still_picture_header`.
    pub reduced_still_picture_header: bool,
    /// The operating points; the first is the one a player chooses when nothing tells it another.
    pub operating_points: SmallVec<[OperatingPoint; 1]>,
    /// `num_units_in_display_tick` and `time_scale`.
    pub timing: Option<(u32, u32)>,
    /// `num_ticks_per_picture`, when pictures come at equal distances.
    pub ticks_per_picture: Option<u32>,
    /// `max_frame_width_minus_1` plus one.
    pub width: u32,
    /// `max_frame_height_minus_1` plus one.
    pub height: u32,
    /// Bit depth, colour and subsampling.
    pub color: ColorConfig,
    /// `film_grain_params_present`.
    pub film_grain: bool,
    /// Bits of `frame_presentation_time`, when there is a decoder model.
    pub(super) presentation_time_bits: Option<u32>,
    /// Bits of `buffer_removal_time`.
    pub(super) removal_time_bits: u32,
    /// `equal_picture_interval`.
    pub(super) equal_picture_interval: bool,
    /// Bits of `current_frame_id`; 0 when there is none.
    pub(super) frame_id_bits: u32,
    /// `OrderHintBits`.
    pub(super) order_hint_bits: u32,
    /// `seq_force_screen_content_tools`; 2 when each frame says.
    pub(super) force_screen_content_tools: u8,
    /// `seq_force_integer_mv`; 2 when each frame says.
    pub(super) force_integer_mv: u8,
}

/// One operating point (§5.5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatingPoint {
    /// `operating_point_idc`: a mask of layers, 0 for all.
    pub idc: u16,
    /// `seq_level_idx`.
    pub level: u8,
    /// `seq_tier`: the high tier.
    pub high_tier: bool,
    /// `decoder_model_present_for_this_op`.
    pub(super) decoder_model: bool,
}

/// `color_config` (§5.5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColorConfig {
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `mono_chrome`.
    pub monochrome: bool,
    /// Colour description as coded; nothing when the stream leaves it out.
    pub description: Option<(u8, u8, u8)>,
    /// `color_range`.
    pub full_range: bool,
    /// `subsampling_x`.
    pub subsampling_x: bool,
    /// `subsampling_y`.
    pub subsampling_y: bool,
    /// `chroma_sample_position`.
    pub chroma_sample_position: u8,
}

impl SequenceHeader {
    /// Parses the payload of a sequence header OBU (without OBU header and size).
    ///
    /// # Errors
    /// When it ends early or has reserved values.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(payload, WHAT);
        let mut seq = Self {
            profile: r.small(3)?,
            still_picture: r.flag()?,
            reduced_still_picture_header: r.flag()?,
            ..Self::default()
        };
        ensure(seq.profile <= 2, WHAT, "reserved profile")?;
        if seq.reduced_still_picture_header {
            ensure(
                seq.still_picture,
                WHAT,
                "reduced header of a moving picture",
            )?;
            seq.operating_points.push(OperatingPoint {
                level: r.small(5)?,
                ..OperatingPoint::default()
            });
        } else {
            seq.read_operating_points(&mut r)?;
        }
        let width_bits = r.bits(4)? + 1;
        let height_bits = r.bits(4)? + 1;
        seq.width = r.bits(width_bits)? + 1;
        seq.height = r.bits(height_bits)? + 1;
        if !seq.reduced_still_picture_header && r.flag()? {
            let delta_bits = r.bits(4)? + 2;
            seq.frame_id_bits = r.bits(3)? + delta_bits + 1;
            ensure(
                seq.frame_id_bits <= 16,
                WHAT,
                "frame ids longer than 16 bits",
            )?;
        }
        r.skip(3)?; // 128x128 superblocks, filter intra, intra edge filter
        seq.force_screen_content_tools = 2;
        seq.force_integer_mv = 2;
        if !seq.reduced_still_picture_header {
            seq.read_tools(&mut r)?;
        }
        r.skip(3)?; // superres, cdef, restoration
        seq.color = ColorConfig::read(&mut r, seq.profile)?;
        seq.film_grain = r.flag()?;
        Ok(seq)
    }

    /// Pictures a second as a reduced fraction, when the header says that they come at equal distances (§6.4.2).
    #[must_use]
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        let (units, scale) = self.timing?;
        let ticks = self.ticks_per_picture?;
        rate(u64::from(scale), u64::from(units) * u64::from(ticks))
    }

    /// What a track description wants to know. AV1 shows each temporal unit at once: nothing is reordered.
    #[must_use]
    pub fn video_info(&self) -> VideoInfo {
        let c = &self.color;
        VideoInfo {
            width: self.width,
            height: self.height,
            frame_rate: self.frame_rate(),
            sample_aspect: None,
            color: c.color_info(),
            reorder_depth: Some(0),
        }
    }

    /// `av01.P.LLT.DD`, with colour when the stream describes it (AV1 Codec ISO Media File Format Binding §5).
    #[must_use]
    pub fn codec_string(&self) -> String {
        let point = self.operating_points.first().copied().unwrap_or_default();
        let tier = if point.high_tier { 'H' } else { 'M' };
        let c = &self.color;
        let mut text = format!(
            "av01.{}.{:02}{tier}.{:02}",
            self.profile, point.level, c.bit_depth
        );
        // All of the optional fields or none; left out they say 4:2:0, BT.709, limited range.
        if c.description.is_some() || c.monochrome || c.full_range {
            let (primaries, transfer, matrix) = c.description.unwrap_or((2, 2, 2));
            let position = if c.subsampling_x && c.subsampling_y {
                c.chroma_sample_position
            } else {
                0
            };
            text += &format!(
                ".{}.{}{}{position}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
                u8::from(c.monochrome),
                u8::from(c.subsampling_x),
                u8::from(c.subsampling_y),
                u8::from(c.full_range),
            );
        }
        text
    }

    fn read_operating_points(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        let mut delay_bits = None;
        if r.flag()? {
            self.timing = Some((r.bits(32)?, r.bits(32)?));
            self.equal_picture_interval = r.flag()?;
            if self.equal_picture_interval {
                self.ticks_per_picture = r.uvlc()?.checked_add(1);
            }
            if r.flag()? {
                delay_bits = Some(r.bits(5)? + 1);
                r.skip(32)?; // num_units_in_decoding_tick
                self.removal_time_bits = r.bits(5)? + 1;
                self.presentation_time_bits = Some(r.bits(5)? + 1);
            }
        }
        let initial_display_delay = r.flag()?;
        let count = r.bits(5)? + 1;
        for _ in 0..count {
            let mut point = OperatingPoint {
                idc: r.bits(12)? as u16,
                level: r.small(5)?,
                ..OperatingPoint::default()
            };
            if point.level > 7 {
                point.high_tier = r.flag()?;
            }
            if let Some(bits) = delay_bits {
                point.decoder_model = r.flag()?;
                if point.decoder_model {
                    r.skip(2 * bits + 1)?;
                }
            }
            if initial_display_delay && r.flag()? {
                r.skip(4)?;
            }
            self.operating_points.push(point);
        }
        Ok(())
    }

    fn read_tools(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        r.skip(4)?; // interintra, masked, warped motion, dual filter
        let order_hint = r.flag()?;
        if order_hint {
            r.skip(2)?; // joint compound, reference frame motion vectors
        }
        if !r.flag()? {
            self.force_screen_content_tools = r.small(1)?;
        }
        if self.force_screen_content_tools > 0 && !r.flag()? {
            self.force_integer_mv = r.small(1)?;
        }
        if order_hint {
            self.order_hint_bits = r.bits(3)? + 1;
        }
        Ok(())
    }
}

impl ColorConfig {
    /// The description in the words of a track; nothing when neither description nor full range is told.
    #[must_use]
    pub fn color_info(&self) -> Option<ColorInfo> {
        if self.description.is_none() && !self.full_range {
            return None;
        }
        let (primaries, transfer, matrix) = self.description.unwrap_or((2, 2, 2));
        Some(ColorInfo {
            primaries,
            transfer,
            matrix,
            full_range: self.full_range,
        })
    }

    fn read(r: &mut BitReader<'_>, profile: u8) -> Result<Self> {
        let high = r.flag()?;
        let twelve = profile == 2 && high && r.flag()?;
        let mut color = Self {
            bit_depth: match (high, twelve) {
                (false, _) => 8,
                (true, false) => 10,
                (true, true) => 12,
            },
            monochrome: profile != 1 && r.flag()?,
            ..Self::default()
        };
        if r.flag()? {
            color.description = Some((r.byte()?, r.byte()?, r.byte()?));
        }
        if color.monochrome {
            color.full_range = r.flag()?;
            (color.subsampling_x, color.subsampling_y) = (true, true);
            return Ok(color);
        }
        // BT.709 primaries, sRGB transfer and the identity matrix: RGB.
        if color.description == Some((1, 13, 0)) {
            if profile == 0 {
                return Err(Error::invalid(WHAT, "RGB in the main profile"));
            }
            color.full_range = true;
        } else {
            color.full_range = r.flag()?;
            (color.subsampling_x, color.subsampling_y) = match profile {
                0 => (true, true),
                1 => (false, false),
                _ if color.bit_depth == 12 => {
                    let x = r.flag()?;
                    (x, x && r.flag()?)
                }
                _ => (true, false),
            };
            if color.subsampling_x && color.subsampling_y {
                color.chroma_sample_position = r.small(2)?;
            }
        }
        r.skip(1)?; // separate_uv_delta_q
        Ok(color)
    }
}
