//! `av1C`: the AV1 codec configuration record (AV1 Codec ISO Media File Format Binding §2.3.3).

use bytes::{BufMut, Bytes, BytesMut};

use super::{SequenceHeader, obu_type, obus};
use crate::cursor::Cursor;
use crate::error::{Error, Result, ensure};

const WHAT: &str = "av1C";

/// An AV1 codec configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Av1Config {
    /// `seq_profile`.
    pub profile: u8,
    /// `seq_level_idx_0`.
    pub level: u8,
    /// `seq_tier_0`.
    pub high_tier: bool,
    /// Bits of a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `monochrome`.
    pub monochrome: bool,
    /// `chroma_subsampling_x`.
    pub subsampling_x: bool,
    /// `chroma_subsampling_y`.
    pub subsampling_y: bool,
    /// `chroma_sample_position`.
    pub chroma_sample_position: u8,
    /// `initial_presentation_delay_minus_one`, when told.
    pub initial_presentation_delay_minus_one: Option<u8>,
    /// `configOBUs`: a sequence header and perhaps metadata, in the low-overhead format. May be empty.
    pub config_obus: Bytes,
}

impl Av1Config {
    /// Parses a record; copies nothing.
    ///
    /// # Errors
    /// When it ends early or has another marker or version than 1.
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut c = Cursor::new(record, WHAT);
        ensure(c.u8()? == 0x81, WHAT, "marker and version must be 0x81")?;
        let (profile_level, flags, delay) = (c.u8()?, c.u8()?, c.u8()?);
        Ok(Self {
            profile: profile_level >> 5,
            level: profile_level & 0x1F,
            high_tier: flags & 0x80 != 0,
            bit_depth: match (flags & 0x40 != 0, flags & 0x20 != 0) {
                (false, _) => 8,
                (true, false) => 10,
                (true, true) => 12,
            },
            monochrome: flags & 0x10 != 0,
            subsampling_x: flags & 8 != 0,
            subsampling_y: flags & 4 != 0,
            chroma_sample_position: flags & 3,
            initial_presentation_delay_minus_one: (delay & 0x10 != 0).then_some(delay & 15),
            config_obus: c.rest(),
        })
    }

    /// Builds a record from a sequence header OBU (header and size included, low-overhead format).
    ///
    /// # Errors
    /// When the bytes are not one sequence header OBU with a size.
    pub fn from_sequence_header(obu: &Bytes) -> Result<Self> {
        let first = obus(obu).next().ok_or(Error::Truncated { what: WHAT })??;
        ensure(
            first.kind == obu_type::SEQUENCE_HEADER && first.bytes.len() == obu.len(),
            WHAT,
            "configOBUs must begin with a sequence header",
        )?;
        ensure(
            obu.first().is_some_and(|b| b & 2 != 0),
            WHAT,
            "sequence header OBU without size",
        )?;
        let seq = SequenceHeader::parse(first.payload)?;
        let point = seq.operating_points.first().copied().unwrap_or_default();
        let c = &seq.color;
        Ok(Self {
            profile: seq.profile,
            level: point.level,
            high_tier: point.high_tier,
            bit_depth: c.bit_depth,
            monochrome: c.monochrome,
            subsampling_x: c.subsampling_x,
            subsampling_y: c.subsampling_y,
            chroma_sample_position: c.chroma_sample_position,
            initial_presentation_delay_minus_one: None,
            config_obus: obu.clone(),
        })
    }

    /// Builds a record from the sequence header that stands in a temporal unit; nothing when there is none or it does
    /// not parse.
    #[must_use]
    pub fn from_temporal_unit(unit: &Bytes) -> Option<Self> {
        let obu = obus(unit)
            .map_while(Result::ok)
            .find(|o| o.kind == obu_type::SEQUENCE_HEADER)?;
        Self::from_sequence_header(&unit.slice_ref(obu.bytes)).ok()
    }

    /// The sequence header of `configOBUs`, parsed; nothing when it is left out.
    ///
    /// # Errors
    /// When there is one and it does not parse.
    pub fn sequence(&self) -> Result<Option<SequenceHeader>> {
        for obu in obus(&self.config_obus) {
            let obu = obu?;
            if obu.kind == obu_type::SEQUENCE_HEADER {
                return SequenceHeader::parse(obu.payload).map(Some);
            }
        }
        Ok(None)
    }

    /// The record's bytes.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.config_obus.len());
        let bit = |value: bool, at: u8| u8::from(value) << at;
        out.put_u8(0x81);
        out.put_u8((self.profile << 5) | (self.level & 0x1F));
        out.put_u8(
            bit(self.high_tier, 7)
                | bit(self.bit_depth > 8, 6)
                | bit(self.bit_depth > 10, 5)
                | bit(self.monochrome, 4)
                | bit(self.subsampling_x, 3)
                | bit(self.subsampling_y, 2)
                | (self.chroma_sample_position & 3),
        );
        out.put_u8(
            self.initial_presentation_delay_minus_one
                .map_or(0, |d| 0x10 | (d & 15)),
        );
        out.put_slice(&self.config_obus);
        out.freeze()
    }

    /// `av01.P.LLT.DD`, with colour when the sequence header describes it.
    #[must_use]
    pub fn codec_string(&self) -> String {
        if let Ok(Some(sequence)) = self.sequence() {
            return sequence.codec_string();
        }
        let tier = if self.high_tier { 'H' } else { 'M' };
        format!(
            "av01.{}.{:02}{tier}.{:02}",
            self.profile, self.level, self.bit_depth
        )
    }
}
