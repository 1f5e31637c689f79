//! The start of a synchronisation frame: `syncinfo` and `bsi` of AC-3 (§4.3) and of Enhanced AC-3 (annex E).

use super::{BIT_RATES_KBPS, BLOCK_SAMPLES, RATES, channel_count, locations_of};
use crate::bits::BitReader;
use crate::error::{Error, Result, ensure};

const WHAT: &str = "AC-3 frame header";

/// What an Enhanced AC-3 frame is part of (`strmtyp` and `substreamid`, §E.1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Substream {
    /// A programme of its own; the number counts programmes.
    Independent(u8),
    /// More channels for the independent substream before it; the number counts these.
    Dependent(u8),
}

/// The header of a synchronisation frame, of either codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// Enhanced AC-3: `bsid` 11 to 16.
    pub enhanced: bool,
    /// `bsid`: 8 or less in AC-3, 16 in Enhanced AC-3 as everybody writes it.
    pub bsid: u8,
    /// `bsmod`: what the programme is for; 0 (complete main) when an Enhanced AC-3 frame does not tell.
    pub bsmod: u8,
    /// `fscod`: 0 to 2; 3 in Enhanced AC-3 at half the rates.
    pub rate_code: u8,
    /// In Hz.
    pub sample_rate: u32,
    /// Bytes of the frame, header and checksums included; even.
    pub frame_length: usize,
    /// Audio blocks in the frame: 6 in AC-3; 1, 2, 3 or 6 in Enhanced AC-3.
    pub blocks: u8,
    /// `acmod`: which main channels there are.
    pub acmod: u8,
    /// `lfeon`: there is a low frequency channel.
    pub lfe: bool,
    /// `frmsizecod >> 1`, in AC-3 only.
    pub bit_rate_code: u8,
    /// Which substream; [`Substream::Independent`] 0 in AC-3.
    pub substream: Substream,
    /// `chanmap` of a dependent substream that tells one.
    pub channel_map: Option<u16>,
    /// `complexity_index_type_a` of joint object coding (TS 103 420 §8.3): the sound has objects.
    pub joc_complexity: Option<u8>,
}

impl FrameHeader {
    /// Parses the start of a frame.
    ///
    /// # Errors
    /// When it ends early, does not begin with `0B 77`, or has a reserved sample rate, size or `bsid`.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(data, WHAT);
        ensure(r.bits(16)? == 0x0B77, WHAT, "syncword must be 0B77")?;
        // `bsid` is at the same place in both, and tells which it is.
        let bsid = data.get(5).ok_or(Error::Truncated { what: WHAT })? >> 3;
        match bsid {
            0..=8 => Self::parse_ac3(&mut r),
            11..=16 => Self::parse_enhanced(&mut r),
            _ => Err(Error::invalid(WHAT, "bsid must be up to 8, or 11 to 16")),
        }
    }

    /// Samples of the frame for each channel.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.blocks as u32 * BLOCK_SAMPLES
    }

    /// Channels of this substream by itself.
    #[must_use]
    pub const fn channels(&self) -> u16 {
        channel_count(self.locations())
    }

    /// Bits a second of this substream: its size over its duration, or what `frmsizecod` means.
    #[must_use]
    pub fn bitrate_bps(&self) -> u32 {
        if !self.enhanced {
            let code = usize::from(self.bit_rate_code);
            return BIT_RATES_KBPS
                .get(code)
                .map_or(0, |&b| u32::from(b) * 1_000);
        }
        let bits = self.frame_length as u64 * 8;
        let rate = bits * u64::from(self.sample_rate) / u64::from(self.samples().max(1));
        u32::try_from(rate).unwrap_or(u32::MAX)
    }

    /// The loudspeakers, as bits of `chanmap`.
    pub(super) const fn locations(&self) -> u16 {
        match self.channel_map {
            Some(map) => map,
            None => locations_of(self.acmod, self.lfe),
        }
    }

    /// True for the frame that begins an access unit: AC-3, or programme 0 of Enhanced AC-3.
    #[must_use]
    pub const fn begins_access_unit(&self) -> bool {
        matches!(self.substream, Substream::Independent(0))
    }

    /// §4.3.1, §4.3.2.
    fn parse_ac3(r: &mut BitReader<'_>) -> Result<Self> {
        r.skip(16)?; // crc1
        let rate_code = r.small(2)?;
        let size_code = r.small(6)?;
        let rate = *RATES
            .get(usize::from(rate_code))
            .ok_or(Error::invalid(WHAT, "reserved fscod"))?;
        let kbps = *BIT_RATES_KBPS
            .get(usize::from(size_code >> 1))
            .ok_or(Error::invalid(WHAT, "reserved frmsizecod"))?;
        // Words of 16 bits in 1536 samples; at 44.1 kHz the odd codes have one more.
        let words = match rate_code {
            1 => u32::from(kbps) * 320 / 147 + u32::from(size_code & 1),
            _ => u32::from(kbps) * 96_000 / rate,
        };
        let (bsid, bsmod, acmod) = (r.small(5)?, r.small(3)?, r.small(3)?);
        if acmod & 1 == 1 && acmod != 1 {
            r.skip(2)?; // cmixlev
        }
        if acmod & 4 != 0 {
            r.skip(2)?; // surmixlev
        }
        if acmod == 2 {
            r.skip(2)?; // dsurmod
        }
        Ok(Self {
            enhanced: false,
            bsid,
            bsmod,
            rate_code,
            sample_rate: rate,
            frame_length: words as usize * 2,
            blocks: 6,
            acmod,
            lfe: r.flag()?,
            bit_rate_code: size_code >> 1,
            substream: Substream::Independent(0),
            channel_map: None,
            joc_complexity: None,
        })
    }

    /// §E.1.2.1, §E.1.2.2.
    fn parse_enhanced(r: &mut BitReader<'_>) -> Result<Self> {
        let (kind, id) = (r.small(2)?, r.small(3)?);
        let frame_length = (r.bits(11)? as usize + 1) * 2;
        ensure(frame_length >= 8, WHAT, "frame shorter than its header")?;
        let rate_code = r.small(2)?;
        let second = r.small(2)?;
        let (sample_rate, blocks) = match RATES.get(usize::from(rate_code)) {
            Some(&rate) => (rate, [1, 2, 3, 6].get(usize::from(second))),
            None => (
                RATES
                    .get(usize::from(second))
                    .ok_or(Error::invalid(WHAT, "reserved fscod2"))?
                    / 2,
                Some(&6),
            ),
        };
        let (acmod, lfe, bsid) = (r.small(3)?, r.flag()?, r.small(5)?);
        let mut header = Self {
            enhanced: true,
            bsid,
            bsmod: 0,
            rate_code,
            sample_rate,
            frame_length,
            blocks: blocks.copied().unwrap_or(6),
            acmod,
            lfe,
            bit_rate_code: 0,
            substream: match kind {
                // Type 2 is a converted AC-3 programme, independent too.
                0 | 2 => Substream::Independent(id),
                1 => Substream::Dependent(id),
                _ => return Err(Error::invalid(WHAT, "reserved strmtyp")),
            },
            channel_map: None,
            joc_complexity: None,
        };
        for _ in 0..if acmod == 0 { 2 } else { 1 } {
            r.skip(5)?; // dialnorm
            skip_if_told(r, 8)?; // compr
        }
        if kind == 1 && r.flag()? {
            header.channel_map = Some(r.bits(16)? as u16);
        }
        // What follows serves players' mixing; a header that is cut off in it still tells what it told.
        let _ = header.parse_programme(r, kind);
        Ok(header)
    }

    /// `mixmdate` to `addbsi` of §E.1.2.2, for `bsmod` and the sign of joint object coding.
    fn parse_programme(&mut self, r: &mut BitReader<'_>, kind: u8) -> Result<()> {
        let acmod = self.acmod;
        if r.flag()? {
            skip_mixing(r, self, kind)?;
        }
        if r.flag()? {
            self.bsmod = r.small(3)?;
            r.skip(2)?; // copyrightb, origbs
            if acmod == 2 {
                r.skip(4)?; // dsurmod, dheadphonmod
            }
            if acmod >= 6 {
                r.skip(2)?; // dsurexmod
            }
            for _ in 0..if acmod == 0 { 2 } else { 1 } {
                skip_if_told(r, 8)?; // mixlevel, roomtyp, adconvtyp
            }
            if self.rate_code < 3 {
                r.skip(1)?; // sourcefscod
            }
        }
        if kind == 0 && self.blocks != 6 {
            r.skip(1)?; // convsync
        }
        if kind == 2 && (self.blocks == 6 || r.flag()?) {
            r.skip(6)?; // frmsizecod
        }
        if r.flag()? && r.small(6)? >= 1 {
            // addbsi of two bytes or more: flag_ec3_extension_type_a and its index (TS 103 420 §8.3).
            r.skip(7)?;
            if r.flag()? {
                self.joc_complexity = Some(r.byte()?);
            }
        }
        Ok(())
    }
}

/// Mixing metadata (§E.1.2.2, from `dmixmod` to `blkmixcfginfo`).
fn skip_mixing(r: &mut BitReader<'_>, header: &FrameHeader, kind: u8) -> Result<()> {
    let acmod = header.acmod;
    if acmod > 2 {
        r.skip(2)?; // dmixmod
    }
    if acmod & 1 == 1 && acmod > 2 {
        r.skip(6)?; // ltrtcmixlev, lorocmixlev
    }
    if acmod & 4 != 0 {
        r.skip(6)?; // ltrtsurmixlev, lorosurmixlev
    }
    if header.lfe {
        skip_if_told(r, 5)?; // lfemixlevcod
    }
    if kind != 0 {
        return Ok(());
    }
    for _ in 0..if acmod == 0 { 2 } else { 1 } {
        skip_if_told(r, 6)?; // pgmscl
    }
    skip_if_told(r, 6)?; // extpgmscl
    match r.bits(2)? {
        1 => r.skip(5)?,
        2 => r.skip(12)?,
        3 => {
            let bytes = r.bits(5)? + 2;
            r.skip(8 * bytes)?;
        }
        _ => {}
    }
    if acmod < 2 {
        for _ in 0..if acmod == 0 { 2 } else { 1 } {
            skip_if_told(r, 14)?; // panmean, paninfo
        }
    }
    if r.flag()? {
        match header.blocks {
            1 => r.skip(5)?,
            blocks => {
                for _ in 0..blocks {
                    skip_if_told(r, 5)?;
                }
            }
        }
    }
    Ok(())
}

/// A flag, and these bits if it is set.
fn skip_if_told(r: &mut BitReader<'_>, bits: u32) -> Result<()> {
    if r.flag()? { r.skip(bits) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::BitWriter;

    /// An Enhanced AC-3 header with every optional field there is.
    fn full(kind: u32, acmod: u32, numblkscod: u32) -> Vec<u8> {
        let mut w = BitWriter::new();
        w.bits(0x0B77, 16);
        for (value, bits) in [
            (kind, 2),
            (0, 3),
            (0x1FF, 11),
            (0, 2),
            (numblkscod, 2),
            (acmod, 3),
        ] {
            w.bits(value, bits);
        }
        w.flag(true);
        w.bits(16, 5);
        for _ in 0..if acmod == 0 { 2 } else { 1 } {
            w.bits(31, 5);
            w.bits(0x1FF, 9);
        }
        if kind == 1 {
            w.bits(1, 1);
            w.bits(0x0200, 16);
        }
        w.flag(true); // mixmdate
        if acmod > 2 {
            w.bits(3, 2);
        }
        if acmod & 1 == 1 && acmod > 2 {
            w.bits(0x3F, 6);
        }
        if acmod & 4 != 0 {
            w.bits(0x3F, 6);
        }
        w.bits(0x3F, 6);
        if kind == 0 {
            for _ in 0..if acmod == 0 { 3 } else { 2 } {
                w.bits(0x7F, 7);
            }
            w.bits(3, 2);
            w.bits(1, 5);
            w.bits(0xFF_FFFF, 24);
            for _ in 0..[2, 1].get(acmod as usize).copied().unwrap_or(0) {
                w.bits(0x7FFF, 15);
            }
            w.flag(true);
            match numblkscod {
                0 => w.bits(0x1F, 5),
                n => {
                    for _ in 0..[0, 2, 3, 6][n as usize] {
                        w.bits(0x3F, 6);
                    }
                }
            }
        }
        w.flag(true); // infomdate
        w.bits(5, 3);
        w.bits(3, 2);
        if acmod == 2 {
            w.bits(0xF, 4);
        }
        if acmod >= 6 {
            w.bits(3, 2);
        }
        for _ in 0..if acmod == 0 { 2 } else { 1 } {
            w.bits(0x1FF, 9);
        }
        w.bits(1, 1);
        if kind == 0 && numblkscod != 3 {
            w.bits(1, 1);
        }
        if kind == 2 {
            if numblkscod != 3 {
                w.bits(1, 1);
            }
            w.bits(0x3F, 6);
        }
        w.flag(true);
        w.bits(1, 6);
        w.bits(1, 8);
        w.bits(16, 8);
        w.finish()
    }

    #[test]
    fn every_optional_field_is_passed_over() {
        for kind in 0..=2 {
            for acmod in 0..8 {
                for blocks in 0..4 {
                    let bytes = full(kind, acmod, blocks);
                    let header = FrameHeader::parse(&bytes).unwrap();
                    let name = format!("{kind} {acmod} {blocks}: {header:?}");
                    assert_eq!(
                        (header.bsmod, header.joc_complexity),
                        (5, Some(16)),
                        "{name}"
                    );
                    assert_eq!(header.frame_length, 1_024);
                    assert_eq!(header.samples(), [256, 512, 768, 1_536][blocks as usize]);
                    assert_eq!(header.channel_map.is_some(), kind == 1);
                    assert_eq!(header.begins_access_unit(), kind != 1);
                    if kind != 1 {
                        let main = [2, 1, 2, 3, 3, 4, 4, 5][acmod as usize];
                        assert_eq!(header.channels(), main + 1, "{name}");
                    }
                    // Cut off, it still tells what came before.
                    for length in 0..bytes.len() {
                        let short = FrameHeader::parse(&bytes[..length]);
                        assert!(short.is_err() || short.unwrap().acmod == header.acmod);
                    }
                }
            }
        }
    }

    #[test]
    fn lengths_of_ac3() {
        // fscod, frmsizecod -> bytes (Table 4.13)
        for (fscod, code, bytes) in [
            (0, 0, 128),
            (0, 28, 1_536),
            (0, 37, 2_560),
            (1, 0, 138),
            (1, 1, 140),
            (1, 28, 1_670),
            (1, 37, 2_788),
            (2, 0, 192),
            (2, 37, 3_840),
        ] {
            let frame = [0x0B, 0x77, 0, 0, (fscod << 6) | code, 8 << 3, 0xE0, 0];
            let header = FrameHeader::parse(&frame).unwrap();
            assert_eq!(header.frame_length, bytes, "{fscod} {code}");
            assert_eq!((header.channels(), header.lfe), (5, false));
        }
        for (byte4, byte5) in [(0xC0, 0x40), (0x26, 0x40), (0, 0x48), (0, 0x88)] {
            assert!(FrameHeader::parse(&[0x0B, 0x77, 0, 0, byte4, byte5, 0, 0]).is_err());
        }
    }
}
