//! `hvcC`: the HEVC decoder configuration record (ISO/IEC 14496-15 §8.3.3.1).

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::{Pps, Profile, Sps, Vps, layer_id, nal_type, unit_type};
use crate::cursor::Cursor;
use crate::error::{Error, Result, ensure};
use crate::nal::length_prefixed;

const WHAT: &str = "hvcC";

/// Units of one array: as many PPS as there are ids. A declared count of empty units must not cost memory.
const MAX_UNITS: u16 = 64;

/// An HEVC decoder configuration record. The parameter sets are slices of the record they were parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HevcConfig {
    /// Profile, tier and level.
    pub profile: Profile,
    /// `min_spatial_segmentation_idc`.
    pub min_spatial_segmentation: u16,
    /// `parallelismType`.
    pub parallelism: u8,
    /// `chroma_format_idc`.
    pub chroma_format_idc: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
    /// Frames in 256 seconds; 0 when unspecified.
    pub avg_frame_rate: u16,
    /// `constantFrameRate`.
    pub constant_frame_rate: u8,
    /// `numTemporalLayers`; 0 when unknown.
    pub temporal_layers: u8,
    /// `temporalIdNested`.
    pub temporal_id_nested: bool,
    /// Bytes of a length prefix in samples: 1, 2 or 4.
    pub length_size: usize,
    /// The parameter sets, and SEI messages that hold for the whole stream.
    pub arrays: SmallVec<[NalArray; 4]>,
}

/// NAL units of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NalArray {
    /// `array_completeness`: none of this type stand in the samples.
    pub complete: bool,
    /// `NAL_unit_type`.
    pub nal_type: u8,
    /// The units, NAL header included.
    pub units: SmallVec<[Bytes; 1]>,
}

impl HevcConfig {
    /// Parses a record; copies nothing.
    ///
    /// # Errors
    /// When it ends early, has another version than 1 (0 is taken too: early encoders wrote it), a length size of 3, or
    /// parameter sets of another NAL type. The parameter sets themselves are not read: see [`HevcConfig::sequence`].
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut c = Cursor::new(record, WHAT);
        ensure(c.u8()? <= 1, WHAT, "configurationVersion must be 1")?;
        let general = c.u8()?;
        let profile = Profile {
            space: general >> 6,
            high_tier: general & 0x20 != 0,
            idc: general & 0x1F,
            compatibility: c.u32()?,
            constraints: c.array()?,
            level_idc: c.u8()?,
        };
        let min_spatial_segmentation = c.u16()? & 0x0FFF;
        let parallelism = c.u8()? & 3;
        let chroma_format_idc = c.u8()? & 3;
        let bit_depth_luma = 8 + (c.u8()? & 7);
        let bit_depth_chroma = 8 + (c.u8()? & 7);
        let avg_frame_rate = c.u16()?;
        let packed = c.u8()?;
        let length_size = usize::from(packed & 3) + 1;
        ensure(length_size != 3, WHAT, "length size 3 is not allowed")?;
        let array_count = c.u8()?;
        let mut arrays = SmallVec::new();
        for _ in 0..array_count {
            arrays.push(read_array(&mut c)?);
        }
        Ok(Self {
            profile,
            min_spatial_segmentation,
            parallelism,
            chroma_format_idc,
            bit_depth_luma,
            bit_depth_chroma,
            avg_frame_rate,
            constant_frame_rate: packed >> 6,
            temporal_layers: (packed >> 3) & 7,
            temporal_id_nested: packed & 4 != 0,
            length_size,
            arrays,
        })
    }

    /// Builds a record with 4-byte lengths and complete arrays (the `hvc1` form) from parameter sets (NAL units without
    /// start code or length).
    ///
    /// # Errors
    /// When a kind is missing, there are more than the record can hold, or the first SPS does not parse.
    pub fn from_parameter_sets(
        vps: impl IntoIterator<Item = Bytes>,
        sps: impl IntoIterator<Item = Bytes>,
        pps: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self> {
        let arrays: SmallVec<[NalArray; 4]> = [
            array(nal_type::VPS, vps)?,
            array(nal_type::SPS, sps)?,
            array(nal_type::PPS, pps)?,
        ]
        .into_iter()
        .collect();
        let mut config = Self {
            profile: Profile::default(),
            min_spatial_segmentation: 0,
            parallelism: 0,
            chroma_format_idc: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            avg_frame_rate: 0,
            constant_frame_rate: 0,
            temporal_layers: 1,
            temporal_id_nested: false,
            length_size: 4,
            arrays,
        };
        let sps = config.sequence()?;
        config.profile = sps.profile;
        config.min_spatial_segmentation = sps.vui.map_or(0, |v| v.min_spatial_segmentation);
        config.chroma_format_idc = sps.chroma_format_idc;
        config.bit_depth_luma = sps.bit_depth_luma;
        config.bit_depth_chroma = sps.bit_depth_chroma;
        config.temporal_layers = sps.sub_layers;
        config.temporal_id_nested = sps.temporal_id_nesting;
        // Without a segmentation bound the parallelism type says nothing.
        if config.min_spatial_segmentation > 0 {
            let pps = config
                .units(nal_type::PPS)
                .next()
                .and_then(|u| Pps::parse(u).ok());
            config.parallelism = pps.map_or(0, |p| p.parallelism());
        }
        Ok(config)
    }

    /// Builds a record from the parameter sets that stand in an access unit in bus form; nothing when they are not all
    /// there or do not parse. The sets are slices of the access unit. A set that is repeated is taken once.
    #[must_use]
    pub fn from_access_unit(access_unit: &Bytes) -> Option<Self> {
        let mut sets = [(); 3].map(|()| SmallVec::<[Bytes; 4]>::new());
        for unit in length_prefixed(access_unit, 4).map_while(Result::ok) {
            let at = usize::from(unit_type(unit).wrapping_sub(nal_type::VPS));
            if layer_id(unit) != 0 {
                continue;
            }
            if let Some(kind) = sets.get_mut(at)
                && !kind.iter().any(|s| s == unit)
                && kind.len() < usize::from(MAX_UNITS)
            {
                kind.push(access_unit.slice_ref(unit));
            }
        }
        let [vps, sps, pps] = sets;
        Self::from_parameter_sets(vps, sps, pps).ok()
    }

    /// The units of one NAL type, in order.
    pub fn units(&self, nal_type: u8) -> impl Iterator<Item = &Bytes> {
        self.arrays
            .iter()
            .filter(move |a| a.nal_type == nal_type)
            .flat_map(|a| &a.units)
    }

    /// The first sequence parameter set, parsed.
    ///
    /// # Errors
    /// When there is none or it does not parse.
    pub fn sequence(&self) -> Result<Sps> {
        let unit = self.units(nal_type::SPS).next();
        Sps::parse(unit.ok_or(Error::invalid(WHAT, "no SPS"))?)
    }

    /// The first video parameter set, parsed.
    ///
    /// # Errors
    /// When there is none or it does not parse.
    pub fn video(&self) -> Result<Vps> {
        let unit = self.units(nal_type::VPS).next();
        Vps::parse(unit.ok_or(Error::invalid(WHAT, "no VPS"))?)
    }

    /// The record's bytes.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(128);
        let tier = if self.profile.high_tier { 0x20 } else { 0 };
        out.put_slice(&[
            1,
            (self.profile.space << 6) | tier | (self.profile.idc & 0x1F),
        ]);
        out.put_u32(self.profile.compatibility);
        out.put_slice(&self.profile.constraints);
        out.put_u8(self.profile.level_idc);
        out.put_u16(0xF000 | (self.min_spatial_segmentation & 0x0FFF));
        out.put_u8(0xFC | (self.parallelism & 3));
        out.put_u8(0xFC | (self.chroma_format_idc & 3));
        out.put_u8(0xF8 | (self.bit_depth_luma.saturating_sub(8) & 7));
        out.put_u8(0xF8 | (self.bit_depth_chroma.saturating_sub(8) & 7));
        out.put_u16(self.avg_frame_rate);
        let nested = if self.temporal_id_nested { 4 } else { 0 };
        let size = (self.length_size.clamp(1, 4) - 1) as u8;
        out.put_u8(
            (self.constant_frame_rate << 6) | ((self.temporal_layers & 7) << 3) | nested | size,
        );
        out.put_u8(self.arrays.len().min(255) as u8);
        for array in self.arrays.iter().take(255) {
            let complete = if array.complete { 0x80 } else { 0 };
            out.put_u8(complete | (array.nal_type & 0x3F));
            out.put_u16(array.units.len().min(usize::from(u16::MAX)) as u16);
            for unit in array.units.iter().take(usize::from(u16::MAX)) {
                let unit = unit.get(..usize::from(u16::MAX)).unwrap_or(unit);
                out.put_u16(unit.len() as u16);
                out.put_slice(unit);
            }
        }
        out.freeze()
    }

    /// `hvc1.` and the profile's part (ISO/IEC 14496-15 §E.3).
    #[must_use]
    pub fn codec_string(&self) -> String {
        format!("hvc1.{}", self.profile.codec_suffix())
    }
}

fn read_array(c: &mut Cursor<'_>) -> Result<NalArray> {
    let head = c.u8()?;
    let nal_type = head & 0x3F;
    let count = c.u16()?;
    ensure(count <= MAX_UNITS, WHAT, "too many parameter sets")?;
    let mut units = SmallVec::new();
    for _ in 0..count {
        let length = usize::from(c.u16()?);
        let unit = c.bytes(length)?;
        ensure(
            unit_type(&unit) == nal_type,
            WHAT,
            "unit of another NAL type than its array",
        )?;
        units.push(unit);
    }
    Ok(NalArray {
        complete: head & 0x80 != 0,
        nal_type,
        units,
    })
}

fn array(kind: u8, units: impl IntoIterator<Item = Bytes>) -> Result<NalArray> {
    let units: SmallVec<[Bytes; 1]> = units.into_iter().collect();
    ensure(!units.is_empty(), WHAT, "VPS, SPS or PPS missing")?;
    ensure(
        units.len() <= usize::from(MAX_UNITS),
        WHAT,
        "too many parameter sets",
    )?;
    ensure(
        units
            .iter()
            .all(|u| unit_type(u) == kind && u.len() <= usize::from(u16::MAX)),
        WHAT,
        "parameter set of another NAL type, or longer than 65535 bytes",
    )?;
    Ok(NalArray {
        complete: true,
        nal_type: kind,
        units,
    })
}
