//! `avcC`: the AVC decoder configuration record (ISO/IEC 14496-15 §5.3.3.1).

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::sps::has_chroma_format;
use super::{Sps, nal_type, unit_type};
use crate::cursor::Cursor;
use crate::error::{Error, Result, ensure};
use crate::nal::length_prefixed;

const WHAT: &str = "avcC";

/// An AVC decoder configuration record. The parameter sets are slices of the record they were parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AvcConfig {
    /// `AVCProfileIndication`.
    pub profile_idc: u8,
    /// `profile_compatibility`: the constraint flags.
    pub constraint_flags: u8,
    /// `AVCLevelIndication`.
    pub level_idc: u8,
    /// Bytes of a length prefix in samples: 1, 2 or 4.
    pub length_size: usize,
    /// Sequence parameter sets, NAL header included.
    pub sps: SmallVec<[Bytes; 1]>,
    /// Picture parameter sets, NAL header included.
    pub pps: SmallVec<[Bytes; 1]>,
    /// Sequence parameter set extensions, NAL header included.
    pub sps_ext: SmallVec<[Bytes; 1]>,
    /// Chroma format and bit depths, in the profiles that tell them here.
    pub chroma: Option<Chroma>,
}

/// What the record repeats from the SPS in the High profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chroma {
    /// `chroma_format_idc`.
    pub format_idc: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
}

impl AvcConfig {
    /// Parses a record; copies nothing.
    ///
    /// # Errors
    /// When it ends early, has another version than 1, a length size of 3, or parameter sets of another NAL type. The
    /// parameter sets themselves are not read: see [`AvcConfig::sequence`].
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut c = Cursor::new(record, WHAT);
        ensure(c.u8()? == 1, WHAT, "configurationVersion must be 1")?;
        let (profile_idc, constraint_flags, level_idc) = (c.u8()?, c.u8()?, c.u8()?);
        // The reserved bits above the size are ones; not all senders set them.
        let length_size = usize::from(c.u8()? & 3) + 1;
        ensure(length_size != 3, WHAT, "length size 3 is not allowed")?;
        let sps_count = c.u8()? & 0x1F;
        let sps = units(&mut c, sps_count, nal_type::SPS)?;
        let pps_count = c.u8()?;
        let pps = units(&mut c, pps_count, nal_type::PPS)?;
        let mut config = Self {
            profile_idc,
            constraint_flags,
            level_idc,
            length_size,
            sps,
            pps,
            sps_ext: SmallVec::new(),
            chroma: None,
        };
        // Many records of High profiles end here all the same.
        if has_chroma_format(profile_idc) && c.left() >= 4 {
            let (format, luma, chroma) = (c.u8()?, c.u8()?, c.u8()?);
            config.chroma = Some(Chroma {
                format_idc: format & 3,
                bit_depth_luma: 8 + (luma & 7),
                bit_depth_chroma: 8 + (chroma & 7),
            });
            let ext_count = c.u8()?;
            config.sps_ext = units(&mut c, ext_count, nal_type::SPS_EXTENSION)?;
        }
        Ok(config)
    }

    /// Builds a record with 4-byte lengths from parameter sets (NAL units without start code or length).
    ///
    /// # Errors
    /// When there is no SPS or no PPS, more than the record can hold, or the first SPS does not parse.
    pub fn from_parameter_sets(
        sps: impl IntoIterator<Item = Bytes>,
        pps: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self> {
        let sps: SmallVec<[Bytes; 1]> = sps.into_iter().collect();
        let pps: SmallVec<[Bytes; 1]> = pps.into_iter().collect();
        let first = sps.first().ok_or(Error::invalid(WHAT, "no SPS"))?;
        ensure(!pps.is_empty(), WHAT, "no PPS")?;
        ensure(
            sps.len() <= 31 && pps.len() <= 255,
            WHAT,
            "too many parameter sets",
        )?;
        ensure(
            sps.iter().all(|u| unit_type(u) == nal_type::SPS)
                && pps.iter().all(|u| unit_type(u) == nal_type::PPS),
            WHAT,
            "parameter set of another NAL type",
        )?;
        ensure(
            sps.iter()
                .chain(&pps)
                .all(|u| u.len() <= usize::from(u16::MAX)),
            WHAT,
            "parameter set longer than 65535 bytes",
        )?;
        let head = Sps::parse(first)?;
        let chroma = has_chroma_format(head.profile_idc).then_some(Chroma {
            format_idc: head.chroma_format_idc,
            bit_depth_luma: head.bit_depth_luma,
            bit_depth_chroma: head.bit_depth_chroma,
        });
        Ok(Self {
            profile_idc: head.profile_idc,
            constraint_flags: head.constraint_flags,
            level_idc: head.level_idc,
            length_size: 4,
            sps,
            pps,
            sps_ext: SmallVec::new(),
            chroma,
        })
    }

    /// Builds a record from the parameter sets that stand in an access unit in bus form; nothing when they are not all
    /// there or do not parse. The sets are slices of the access unit. A set that is repeated is taken once.
    #[must_use]
    pub fn from_access_unit(access_unit: &Bytes) -> Option<Self> {
        let (mut sps, mut pps) = (SmallVec::<[Bytes; 4]>::new(), SmallVec::<[Bytes; 4]>::new());
        for unit in length_prefixed(access_unit, 4).map_while(Result::ok) {
            let sets = match unit_type(unit) {
                nal_type::SPS => &mut sps,
                nal_type::PPS => &mut pps,
                _ => continue,
            };
            if !sets.iter().any(|s| s == unit) && sets.len() < 255 {
                sets.push(access_unit.slice_ref(unit));
            }
        }
        Self::from_parameter_sets(sps, pps).ok()
    }

    /// The first sequence parameter set, parsed.
    ///
    /// # Errors
    /// When there is none or it does not parse.
    pub fn sequence(&self) -> Result<Sps> {
        Sps::parse(self.sps.first().ok_or(Error::invalid(WHAT, "no SPS"))?)
    }

    /// The record's bytes.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_slice(&[1, self.profile_idc, self.constraint_flags, self.level_idc]);
        out.put_u8(0xFC | (self.length_size.clamp(1, 4) - 1) as u8);
        out.put_u8(0xE0 | self.sps.len().min(31) as u8);
        put_units(&mut out, self.sps.iter().take(31));
        out.put_u8(self.pps.len().min(255) as u8);
        put_units(&mut out, self.pps.iter().take(255));
        if let Some(chroma) = self.chroma {
            out.put_u8(0xFC | (chroma.format_idc & 3));
            out.put_u8(0xF8 | (chroma.bit_depth_luma.saturating_sub(8) & 7));
            out.put_u8(0xF8 | (chroma.bit_depth_chroma.saturating_sub(8) & 7));
            out.put_u8(self.sps_ext.len().min(255) as u8);
            put_units(&mut out, self.sps_ext.iter().take(255));
        }
        out.freeze()
    }

    /// `avc1.PPCCLL`, six hexadecimal digits (RFC 6381 §3.3).
    #[must_use]
    pub fn codec_string(&self) -> String {
        codec_string(self.profile_idc, self.constraint_flags, self.level_idc)
    }
}

pub(super) fn codec_string(profile: u8, constraints: u8, level: u8) -> String {
    format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
}

fn units(c: &mut Cursor<'_>, count: u8, kind: u8) -> Result<SmallVec<[Bytes; 1]>> {
    let mut sets = SmallVec::new();
    for _ in 0..count {
        let length = usize::from(c.u16()?);
        let unit = c.bytes(length)?;
        ensure(
            unit_type(&unit) == kind,
            WHAT,
            "parameter set of another NAL type",
        )?;
        sets.push(unit);
    }
    Ok(sets)
}

fn put_units<'a>(out: &mut BytesMut, units: impl Iterator<Item = &'a Bytes>) {
    for unit in units {
        let unit = unit.get(..usize::from(u16::MAX)).unwrap_or(unit);
        out.put_u16(unit.len() as u16);
        out.put_slice(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = &[
        1, 0x64, 0, 0x0C, 0xFF, 0xE1, 0, 0x1A, 0x67, 0x64, 0, 0x0C, 0xAC, 0xD9, 0x41, 0x41, 0x9F,
        0x9F, 0x01, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0x20, 0xF1, 0x42, 0x99, 0x60, 1, 0, 6,
        0x68, 0xEB, 0xE3, 0xCB, 0x22, 0xC0, 0xFD, 0xF8, 0xF8, 0,
    ];

    #[test]
    fn survives_byte_for_byte() {
        let record = Bytes::from_static(RECORD);
        let config = AvcConfig::parse(&record).unwrap();
        assert_eq!(config.write(), record);
        assert_eq!(config.length_size, 4);
        assert_eq!(config.codec_string(), "avc1.64000c");
        let again = AvcConfig::from_parameter_sets(config.sps.clone(), config.pps.clone()).unwrap();
        assert_eq!(again, config);
        let unit = crate::nal::join([&config.sps[0][..], &config.pps[0], &[0x65, 0x88]]);
        assert_eq!(AvcConfig::from_access_unit(&unit), Some(config));
    }

    #[test]
    fn every_truncation_is_an_error_or_shorter() {
        for length in 0..RECORD.len() {
            let parsed = AvcConfig::parse(&Bytes::from_static(&RECORD[..length]));
            // The chroma bytes are optional in practice.
            assert_eq!(parsed.is_ok(), length >= RECORD.len() - 4, "{length}");
        }
    }
}
