//! `dac3` and `dec3`, the records of ISO base media files (annex F).

use bytes::Bytes;
use core_frame::AudioInfo;

use super::frames::AccessUnit;
use super::header::Substream;
use super::{BIT_RATES_KBPS, BLOCK_SAMPLES, RATES, channel_count, locations_of};
use crate::bits::{BitReader, BitWriter};
use crate::error::{Result, ensure};

const AC3: &str = "dac3";
const EAC3: &str = "dec3";

/// The body of an AC3SpecificBox (§F.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ac3Config {
    /// `fscod`, 0 to 2.
    pub rate_code: u8,
    /// `bsid`.
    pub bsid: u8,
    /// `bsmod`.
    pub bsmod: u8,
    /// `acmod`.
    pub acmod: u8,
    /// `lfeon`.
    pub lfe: bool,
    /// `bit_rate_code`, 0 to 18.
    pub bit_rate_code: u8,
}

impl Ac3Config {
    /// Parses a record.
    ///
    /// # Errors
    /// When it ends early, or has a reserved sample rate or bit rate.
    pub fn parse(record: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(record, AC3);
        let config = Self {
            rate_code: r.small(2)?,
            bsid: r.small(5)?,
            bsmod: r.small(3)?,
            acmod: r.small(3)?,
            lfe: r.flag()?,
            bit_rate_code: r.small(5)?,
        };
        r.skip(5)?;
        ensure(config.rate_code < 3, AC3, "reserved fscod")?;
        ensure(
            usize::from(config.bit_rate_code) < BIT_RATES_KBPS.len(),
            AC3,
            "reserved bit_rate_code",
        )?;
        Ok(config)
    }

    /// The record of a frame; nothing when it is no AC-3 frame.
    #[must_use]
    pub fn from_frame(frame: &[u8]) -> Option<Self> {
        let header = super::FrameHeader::parse(frame).ok()?;
        (!header.enhanced).then_some(Self {
            rate_code: header.rate_code,
            bsid: header.bsid,
            bsmod: header.bsmod,
            acmod: header.acmod,
            lfe: header.lfe,
            bit_rate_code: header.bit_rate_code,
        })
    }

    /// The three bytes of the record.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut w = BitWriter::new();
        w.bits(self.rate_code.into(), 2);
        w.bits(self.bsid.into(), 5);
        w.bits(self.bsmod.into(), 3);
        w.bits(self.acmod.into(), 3);
        w.flag(self.lfe);
        w.bits(self.bit_rate_code.into(), 5);
        w.bits(0, 5);
        w.finish().into()
    }

    /// What a track description wants to know.
    #[must_use]
    pub fn audio_info(&self) -> AudioInfo {
        AudioInfo {
            sample_rate: RATES.get(usize::from(self.rate_code)).copied().unwrap_or(0),
            channels: channel_count(locations_of(self.acmod, self.lfe)),
            frame_samples: 6 * BLOCK_SAMPLES,
        }
    }
}

/// The body of an EC3SpecificBox (§F.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Eac3Config {
    /// Bits a second of all substreams in thousands; the field holds up to 8191.
    pub data_rate_kbps: u16,
    /// The programmes, one to eight, in the order of their ids.
    pub programmes: Vec<IndependentSubstream>,
    /// `complexity_index_type_a` (TS 103 420 §C.3.2): the sound has objects.
    pub joc_complexity: Option<u8>,
}

/// A programme of a [`Eac3Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndependentSubstream {
    /// `fscod`; 3 when the rate is a reduced one, which the record does not tell.
    pub rate_code: u8,
    /// `bsid`.
    pub bsid: u8,
    /// `asvc`: an associated service.
    pub associated: bool,
    /// `bsmod`.
    pub bsmod: u8,
    /// `acmod`.
    pub acmod: u8,
    /// `lfeon`.
    pub lfe: bool,
    /// `num_dep_sub`: dependent substreams, up to 8.
    pub dependents: u8,
    /// `chan_loc` of these: bit 0 is Lc/Rc, then Lrs/Rrs, Cs, Ts, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh, LFE2.
    pub dependent_locations: u16,
}

impl IndependentSubstream {
    /// Channels with those of the dependent substreams.
    #[must_use]
    pub const fn channels(&self) -> u16 {
        let more = AccessUnit::from_chan_loc(self.dependent_locations);
        channel_count(locations_of(self.acmod, self.lfe) | more)
    }
}

impl Eac3Config {
    /// Parses a record.
    ///
    /// # Errors
    /// When it ends early.
    pub fn parse(record: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(record, EAC3);
        let data_rate_kbps = r.bits(13)? as u16;
        let count = r.bits(3)? + 1;
        let mut programmes = Vec::new();
        for _ in 0..count {
            let (rate_code, bsid) = (r.small(2)?, r.small(5)?);
            r.skip(1)?;
            let mut programme = IndependentSubstream {
                rate_code,
                bsid,
                associated: r.flag()?,
                bsmod: r.small(3)?,
                acmod: r.small(3)?,
                lfe: r.flag()?,
                dependents: 0,
                dependent_locations: 0,
            };
            r.skip(3)?;
            programme.dependents = r.small(4)?;
            if programme.dependents > 0 {
                programme.dependent_locations = r.bits(9)? as u16;
            } else {
                r.skip(1)?;
            }
            programmes.push(programme);
        }
        // Older writers end here.
        let joc = |mut r: BitReader<'_>| {
            r.skip(7)?;
            Ok::<_, crate::Error>(if r.flag()? { Some(r.byte()?) } else { None })
        };
        Ok(Self {
            data_rate_kbps,
            programmes,
            joc_complexity: joc(r).ok().flatten(),
        })
    }

    /// The record of an access unit; nothing when it is no Enhanced AC-3, as with an AC-3 core that has extensions.
    #[must_use]
    pub fn from_access_unit(data: &[u8]) -> Option<Self> {
        let unit = AccessUnit::first(data)?;
        if !unit.header.enhanced {
            return None;
        }
        let mut config = Self {
            data_rate_kbps: 0,
            programmes: Vec::new(),
            joc_complexity: None,
        };
        let mut rate = 0_u64;
        for header in unit.headers() {
            rate += u64::from(header.bitrate_bps());
            config.joc_complexity = config.joc_complexity.or(header.joc_complexity);
            let programmes = &mut config.programmes;
            match header.substream {
                Substream::Independent(_) if programmes.len() < 8 => {
                    programmes.push(IndependentSubstream {
                        rate_code: header.rate_code,
                        bsid: header.bsid,
                        associated: false,
                        bsmod: header.bsmod,
                        acmod: header.acmod,
                        lfe: header.lfe,
                        dependents: 0,
                        dependent_locations: 0,
                    });
                }
                Substream::Independent(_) => {}
                Substream::Dependent(_) => {
                    if let Some(programme) = programmes.last_mut() {
                        programme.dependents = (programme.dependents + 1).min(8);
                        programme.dependent_locations |= AccessUnit::chan_loc(header.locations());
                    }
                }
            }
        }
        config.data_rate_kbps = u16::try_from(rate.div_ceil(1_000))
            .unwrap_or(u16::MAX)
            .min(0x1FFF);
        Some(config)
    }

    /// The record's bytes.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut w = BitWriter::new();
        let count = self.programmes.len().clamp(1, 8);
        w.bits(self.data_rate_kbps.into(), 13);
        w.bits(count as u32 - 1, 3);
        for p in self.programmes.iter().take(8) {
            w.bits(p.rate_code.into(), 2);
            w.bits(p.bsid.into(), 5);
            w.bits(0, 1);
            w.flag(p.associated);
            w.bits(p.bsmod.into(), 3);
            w.bits(p.acmod.into(), 3);
            w.flag(p.lfe);
            w.bits(0, 3);
            w.bits(p.dependents.into(), 4);
            match p.dependents {
                0 => w.bits(0, 1),
                _ => w.bits(p.dependent_locations.into(), 9),
            }
        }
        let mut bytes = w.finish();
        if let Some(complexity) = self.joc_complexity {
            bytes.extend([1, complexity]);
        }
        bytes.into()
    }

    /// What a track description wants to know, of the first programme. A sample of an ISO base media file has six blocks
    /// (§F.2.3), so that is the length told; the rate is 0 where the record does not tell it.
    #[must_use]
    pub fn audio_info(&self) -> AudioInfo {
        let first = self.programmes.first();
        AudioInfo {
            sample_rate: first
                .and_then(|p| RATES.get(usize::from(p.rate_code)).copied())
                .unwrap_or(0),
            channels: first.map_or(0, IndependentSubstream::channels),
            frame_samples: 6 * BLOCK_SAMPLES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dac3() {
        // 48 kHz, bsid 8, 3/2 with LFE, 384 kbit/s.
        let record = [0x10, 0x3D, 0xC0];
        let config = Ac3Config::parse(&record).unwrap();
        assert_eq!(
            (config.acmod, config.lfe, config.bit_rate_code),
            (7, true, 14)
        );
        assert_eq!(config.audio_info().channels, 6);
        assert_eq!(config.write(), record[..]);
        for length in 0..3 {
            assert!(Ac3Config::parse(&record[..length]).is_err());
        }
        assert!(Ac3Config::parse(&[0xD0, 0x3D, 0xC0]).is_err());
        assert!(Ac3Config::parse(&[0x10, 0x3E, 0x60]).is_err());
    }

    #[test]
    fn dec3() {
        // 768 kbit/s, 3/2 with LFE, one dependent substream with Lrs/Rrs, objects of complexity 16.
        let config = Eac3Config {
            data_rate_kbps: 768,
            programmes: vec![IndependentSubstream {
                rate_code: 0,
                bsid: 16,
                associated: false,
                bsmod: 0,
                acmod: 7,
                lfe: true,
                dependents: 1,
                dependent_locations: 2,
            }],
            joc_complexity: Some(16),
        };
        let bytes = config.write();
        assert_eq!(bytes[..], [0x18, 0x00, 0x20, 0x0F, 0x02, 0x02, 0x01, 0x10]);
        assert_eq!(Eac3Config::parse(&bytes).unwrap(), config);
        assert_eq!(config.audio_info().channels, 8);
        for length in 0..6 {
            assert!(Eac3Config::parse(&bytes[..length]).is_err(), "{length}");
        }
        assert_eq!(Eac3Config::parse(&bytes[..6]).unwrap().joc_complexity, None);
        // Eight programmes, the most there can be.
        let mut many = config.clone();
        many.programmes = vec![many.programmes[0]; 8];
        assert_eq!(Eac3Config::parse(&many.write()).unwrap(), many);
    }
}
