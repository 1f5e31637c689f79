//! Marks and structure of access units, for any codec.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, Limits, MediaKind};

use crate::av1::{self, Av1Config, SequenceHeader};
use crate::error::{Error, Result};
use crate::h265::HevcConfig;
use crate::nal::length_prefixed;
use crate::{h264, h265, h266, vp8, vp9};

/// Marks of an access unit in bus form: [`FrameFlags::KEY`], [`FrameFlags::DISPOSABLE`],
/// [`FrameFlags::IN_BAND_PARAMS`], [`FrameFlags::RECOVERY_POINT`].
///
/// Works on damaged bytes too (what cannot be read sets no mark) and allocates nothing. Sound, text and data are always
/// key. A [`Classifier`] knows more: disposable AV1 frames and H.265 pictures of higher sub-layers.
#[must_use]
pub fn classify(codec: CodecId, payload: &[u8]) -> FrameFlags {
    Classifier::unconfigured(codec).classify(payload)
}

/// Marks access units of one track with what its configuration tells.
#[derive(Clone, Debug)]
pub struct Classifier {
    codec: CodecId,
    top_sub_layer: Option<u8>,
    sequence: Option<SequenceHeader>,
}

impl Classifier {
    /// For a track with this configuration record; one that cannot be read is as good as none.
    #[must_use]
    pub fn new(codec: CodecId, config: &Bytes) -> Self {
        let mut new = Self::unconfigured(codec);
        match codec {
            CodecId::H265 => {
                let sequence = HevcConfig::parse(config).and_then(|c| c.sequence());
                new.top_sub_layer = sequence.ok().map(|s| s.sub_layers.saturating_sub(1));
            }
            CodecId::Av1 => {
                new.sequence = Av1Config::parse(config)
                    .and_then(|c| c.sequence())
                    .ok()
                    .flatten();
            }
            _ => {}
        }
        new
    }

    /// For a track of which only the codec is known.
    #[must_use]
    pub const fn unconfigured(codec: CodecId) -> Self {
        Self {
            codec,
            top_sub_layer: None,
            sequence: None,
        }
    }

    /// Marks of an access unit: see [`classify`].
    #[must_use]
    pub fn classify(&self, payload: &[u8]) -> FrameFlags {
        match self.codec {
            CodecId::H264 => h264::classify(payload),
            CodecId::H265 => h265::classify(payload, self.top_sub_layer),
            CodecId::H266 => h266::classify(payload),
            CodecId::Av1 => av1::classify(payload, self.sequence.as_ref()),
            CodecId::Vp9 => vp9::classify(payload),
            CodecId::Vp8 => vp8::classify(payload),
            CodecId::Mpeg2Video => mpeg2(payload),
            codec if codec.kind() == MediaKind::Video && codec != CodecId::Mjpeg => {
                FrameFlags::empty()
            }
            _ => FrameFlags::KEY,
        }
    }
}

/// Checks the structure of an access unit in bus form: its size, that lengths inside it end where it ends, and how many
/// NAL units it holds.
///
/// # Errors
/// [`Error::Limit`] past a bound of `limits`, any other when lengths do not fit or a forbidden bit is set.
pub fn check_access_unit(codec: CodecId, payload: &[u8], limits: &Limits) -> Result<()> {
    let bound = match codec {
        CodecId::Av1 => limits.temporal_unit_bytes,
        _ => limits.access_unit_bytes,
    };
    if payload.len() > bound as usize {
        return Err(Error::Limit("access unit larger than allowed"));
    }
    match codec {
        CodecId::H264 | CodecId::H265 | CodecId::H266 => {
            let mut count = 0_u32;
            for unit in length_prefixed(payload, 4) {
                let unit = unit?;
                count += 1;
                if count > limits.nal_units {
                    return Err(Error::Limit(
                        "more NAL units in an access unit than allowed",
                    ));
                }
                if unit.first().is_some_and(|b| b & 0x80 != 0) {
                    return Err(Error::invalid("NAL unit", "forbidden_zero_bit set"));
                }
                if codec != CodecId::H264 && unit.len() < 2 {
                    return Err(Error::Truncated { what: "NAL unit" });
                }
            }
        }
        CodecId::Av1 => {
            for obu in av1::obus(payload) {
                obu?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Picture coding type and sequence headers of MPEG-2 video (ISO/IEC 13818-2 §6.2).
fn mpeg2(payload: &[u8]) -> FrameFlags {
    let mut flags = FrameFlags::empty();
    for unit in crate::nal::annex_b(payload) {
        match unit {
            [0xB3, ..] => flags |= FrameFlags::IN_BAND_PARAMS,
            [0, _, kind, ..] => {
                match (kind >> 3) & 7 {
                    1 => flags |= FrameFlags::KEY,
                    3 => flags |= FrameFlags::DISPOSABLE,
                    _ => {}
                }
                return flags;
            }
            // Slices: the picture header would stand before.
            [1..=0xAF, ..] => return flags,
            _ => {}
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold() {
        let mut limits = Limits::default();
        limits.nal_units = 2;
        limits.access_unit_bytes = 20;
        let check = |payload: &[u8]| check_access_unit(CodecId::H264, payload, &limits);
        assert_eq!(check(b"\0\0\0\x01\x65\0\0\0\x01\x65"), Ok(()));
        assert!(matches!(
            check(b"\0\0\0\x01\x65\0\0\0\x01\x65\0\0\0\x01\x65"),
            Err(Error::Limit(_))
        ));
        assert!(matches!(check(&[0; 21]), Err(Error::Limit(_))));
        assert!(check(b"\xFF\xFF\xFF\xFF\x65").is_err());
        assert!(check(b"\0\0\0\x01\xE5").is_err());
        assert!(check(b"\0\0\0").is_err());
        assert!(check_access_unit(CodecId::H265, b"\0\0\0\x01\x26", &limits).is_err());
        assert!(check_access_unit(CodecId::Av1, &[0x32, 9, 1], &limits).is_err());
        assert!(check_access_unit(CodecId::Aac, &[1, 2], &limits).is_ok());
    }

    #[test]
    fn simple_codecs() {
        assert_eq!(classify(CodecId::Aac, &[]), FrameFlags::KEY);
        assert_eq!(classify(CodecId::Mjpeg, &[]), FrameFlags::KEY);
        let vp8 = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 64, 0, 64, 0];
        assert_eq!(classify(CodecId::Vp8, &vp8), FrameFlags::KEY);
        assert_eq!(classify(CodecId::Vp8, &[0x11, 0, 0]), FrameFlags::empty());
        assert_eq!(classify(CodecId::Vp8, &[]), FrameFlags::empty());
        let picture = |kind: u8| [0, 0, 1, 0xB3, 1, 2, 3, 4, 0, 0, 1, 0, 0, kind << 3, 0xFF];
        assert_eq!(
            classify(CodecId::Mpeg2Video, &picture(1)),
            FrameFlags::KEY | FrameFlags::IN_BAND_PARAMS
        );
        assert_eq!(
            classify(CodecId::Mpeg2Video, &picture(3)[4..]),
            FrameFlags::DISPOSABLE
        );
        assert_eq!(
            classify(CodecId::Mpeg2Video, &picture(2)[8..]),
            FrameFlags::empty()
        );
    }
}
