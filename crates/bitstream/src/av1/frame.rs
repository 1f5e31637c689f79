//! AV1 frame header: the first part of `uncompressed_header` (§5.9.2).

use super::SequenceHeader;
use crate::bits::BitReader;
use crate::error::Result;

const WHAT: &str = "AV1 frame header";

/// `frame_type` (§6.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameType {
    /// Key frame.
    Key,
    /// Predicted from other frames.
    Inter,
    /// Intra, but no entry point.
    IntraOnly,
    /// Switch frame.
    Switch,
}

/// What is known of a frame from the head of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// `show_existing_frame`: no frame of its own, one decoded before is shown.
    pub shows_existing: bool,
    /// `frame_type`; when an existing frame is shown, its type is not in the header and `Inter` stands here.
    pub kind: FrameType,
    /// `show_frame`, or an existing frame is shown.
    pub shown: bool,
    /// `refresh_frame_flags`: the reference slots this frame goes to. Nothing when the sequence header that it takes to
    /// read so far is not known, or an existing frame is shown.
    pub refresh_frame_flags: Option<u8>,
}

impl FrameHeader {
    /// Parses the payload of a frame or frame header OBU. `sequence` is needed for `refresh_frame_flags`, and for
    /// still pictures with a reduced header; the ids are those of the OBU.
    ///
    /// # Errors
    /// When the payload ends early.
    pub fn parse(
        payload: &[u8],
        sequence: Option<&SequenceHeader>,
        temporal_id: u8,
        spatial_id: u8,
    ) -> Result<Self> {
        if sequence.is_some_and(|s| s.reduced_still_picture_header) {
            return Ok(Self {
                shows_existing: false,
                kind: FrameType::Key,
                shown: true,
                refresh_frame_flags: Some(0xFF),
            });
        }
        let mut r = BitReader::new(payload, WHAT);
        if r.flag()? {
            return Ok(Self {
                shows_existing: true,
                kind: FrameType::Inter,
                shown: true,
                refresh_frame_flags: None,
            });
        }
        let kind = match r.bits(2)? {
            0 => FrameType::Key,
            1 => FrameType::Inter,
            2 => FrameType::IntraOnly,
            _ => FrameType::Switch,
        };
        let shown = r.flag()?;
        let refresh_frame_flags = if kind == FrameType::Switch || kind == FrameType::Key && shown {
            Some(0xFF)
        } else {
            match sequence {
                Some(s) => Some(refresh(&mut r, s, kind, shown, temporal_id, spatial_id)?),
                None => None,
            }
        };
        Ok(Self {
            shows_existing: false,
            kind,
            shown,
            refresh_frame_flags,
        })
    }
}

/// From behind `show_frame` up to `refresh_frame_flags`, for frames that carry it.
fn refresh(
    r: &mut BitReader<'_>,
    s: &SequenceHeader,
    kind: FrameType,
    shown: bool,
    temporal_id: u8,
    spatial_id: u8,
) -> Result<u8> {
    match s.presentation_time_bits {
        Some(bits) if shown && !s.equal_picture_interval => r.skip(bits)?,
        _ => {}
    }
    if !shown {
        r.skip(1)?; // showable_frame
    }
    let error_resilient = r.flag()?;
    r.skip(1)?; // disable_cdf_update
    let screen_content = match s.force_screen_content_tools {
        2 => r.flag()?,
        forced => forced == 1,
    };
    if screen_content && s.force_integer_mv == 2 {
        r.skip(1)?; // force_integer_mv
    }
    r.skip(s.frame_id_bits)?;
    r.skip(1)?; // frame_size_override_flag
    r.skip(s.order_hint_bits)?;
    let intra = matches!(kind, FrameType::Key | FrameType::IntraOnly);
    if !intra && !error_resilient {
        r.skip(3)?; // primary_ref_frame
    }
    if s.presentation_time_bits.is_some() && r.flag()? {
        for point in s.operating_points.iter().filter(|p| p.decoder_model) {
            let temporal = (point.idc >> temporal_id.min(7)) & 1 == 1;
            let spatial = (point.idc >> (spatial_id.min(3) + 8)) & 1 == 1;
            if point.idc == 0 || temporal && spatial {
                r.skip(s.removal_time_bits)?;
            }
        }
    }
    r.byte()
}
