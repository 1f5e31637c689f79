//! AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).

use bytes::Bytes;
use core_frame::AudioInfo;

use super::{AdtsHeader, RATES, channels_of, object_type};
use crate::bits::{BitReader, BitWriter};
use crate::error::{Error, Result, ensure};

const WHAT: &str = "AudioSpecificConfig";

/// How a configuration says that there is spectral band replication (§1.6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Signalling {
    /// It says nothing; a decoder may still find it in the stream.
    #[default]
    Implicit,
    /// By the object type in front (SBR or PS): older decoders refuse the stream.
    Hierarchical,
    /// By an extension at the end: older decoders play the core.
    BackwardCompatible,
}

/// An AudioSpecificConfig (§1.6.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioSpecificConfig {
    /// The core's `audioObjectType`, SBR and PS unwrapped.
    pub object_type: u8,
    /// The core's sample rate in Hz, never 0.
    pub sample_rate: u32,
    /// `channelConfiguration`: 0 when a program config element tells the channels.
    pub channel_config: u8,
    /// Channels of the core, never 0.
    pub core_channels: u8,
    /// Samples of one core access unit and channel; 0 when the object type leaves it open.
    pub core_frame_samples: u16,
    /// Spectral band replication is told: yes, no, or nothing said.
    pub sbr: Option<bool>,
    /// Parametric stereo is told.
    pub ps: Option<bool>,
    /// How SBR is told.
    pub signalling: Signalling,
    /// Output sample rate with SBR, when told.
    pub extension_sample_rate: Option<u32>,
}

impl AudioSpecificConfig {
    /// A low complexity configuration.
    ///
    /// # Errors
    /// When the rate is 0 or above 24 bits, or no `channelConfiguration` has that many channels (1 to 6, or 8).
    pub fn low_complexity(sample_rate: u32, channels: u8) -> Result<Self> {
        let channel_config = match channels {
            1..=6 => channels,
            8 => 7,
            _ => {
                return Err(Error::invalid(
                    WHAT,
                    "no channel configuration has that many channels",
                ));
            }
        };
        ensure(
            (1..1 << 24).contains(&sample_rate),
            WHAT,
            "sample rate out of range",
        )?;
        Ok(Self {
            object_type: object_type::LC,
            sample_rate,
            channel_config,
            core_channels: channels,
            core_frame_samples: 1_024,
            sbr: None,
            ps: None,
            signalling: Signalling::Implicit,
            extension_sample_rate: None,
        })
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// When it ends early, has a sample rate of 0 or a reserved rate index, or tells no channels.
    pub fn parse(config: &[u8]) -> Result<Self> {
        let mut r = BitReader::new(config, WHAT);
        let mut asc = Self {
            object_type: read_object_type(&mut r)?,
            sample_rate: read_rate(&mut r)?,
            channel_config: r.small(4)?,
            core_channels: 0,
            core_frame_samples: 0,
            sbr: None,
            ps: None,
            signalling: Signalling::Implicit,
            extension_sample_rate: None,
        };
        if matches!(asc.object_type, object_type::SBR | object_type::PS) {
            asc.signalling = Signalling::Hierarchical;
            asc.sbr = Some(true);
            asc.ps = (asc.object_type == object_type::PS).then_some(true);
            asc.extension_sample_rate = Some(read_rate(&mut r)?);
            asc.object_type = read_object_type(&mut r)?;
            ensure(
                !matches!(asc.object_type, object_type::SBR | object_type::PS),
                WHAT,
                "SBR on top of SBR",
            )?;
            if asc.object_type == 22 {
                r.skip(4)?; // extensionChannelConfiguration
            }
        }
        asc.core_channels = channels_of(asc.channel_config);
        asc.read_specific(&mut r)?;
        ensure(asc.core_channels > 0, WHAT, "no channels")?;
        if asc.signalling == Signalling::Implicit {
            // An extension that is cut off is as good as none.
            let _ = asc.read_sync_extension(&mut r);
        }
        Ok(asc)
    }

    /// From an ADTS header, whose stream says nothing of SBR.
    ///
    /// # Errors
    /// When the header leaves the channels to a program config element in the stream.
    pub fn from_adts(header: &AdtsHeader) -> Result<Self> {
        ensure(
            header.channel_config > 0,
            WHAT,
            "channels told only inside the stream",
        )?;
        let mut asc = Self::low_complexity(header.sample_rate, channels_of(header.channel_config))?;
        asc.object_type = header.object_type;
        Ok(asc)
    }

    /// Sample rate of the decoded sound in Hz.
    #[must_use]
    pub fn output_sample_rate(&self) -> u32 {
        match (self.sbr, self.extension_sample_rate) {
            (Some(true), Some(rate)) => rate,
            _ => self.sample_rate,
        }
    }

    /// Channels of the decoded sound: parametric stereo makes two of one.
    #[must_use]
    pub const fn output_channels(&self) -> u8 {
        if matches!(self.ps, Some(true)) && self.core_channels == 1 {
            2
        } else {
            self.core_channels
        }
    }

    /// Samples of one access unit and channel at [`AudioSpecificConfig::output_sample_rate`].
    #[must_use]
    pub fn frame_samples(&self) -> u32 {
        let core = u32::from(self.core_frame_samples);
        let ratio = self.output_sample_rate() / self.sample_rate.max(1);
        core * ratio.clamp(1, 4)
    }

    /// What a track description wants to know.
    #[must_use]
    pub fn audio_info(&self) -> AudioInfo {
        AudioInfo {
            sample_rate: self.output_sample_rate(),
            channels: u16::from(self.output_channels()),
            frame_samples: self.frame_samples(),
        }
    }

    /// `mp4a.40.N`: the object type a player has to know (RFC 6381 §3.3): 29 with parametric stereo, 5 with SBR, else
    /// the core's.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let kind = match (self.sbr, self.ps) {
            (_, Some(true)) => object_type::PS,
            (Some(true), _) => object_type::SBR,
            _ => self.object_type,
        };
        format!("mp4a.40.{kind}")
    }

    /// The configuration's bytes, for the object types 1 to 4 with a `channelConfiguration`; signalling as in
    /// [`AudioSpecificConfig::signalling`].
    ///
    /// # Errors
    /// For other object types and for channels told by a program config element.
    pub fn write(&self) -> Result<Bytes> {
        ensure(
            (1..=4).contains(&self.object_type),
            WHAT,
            "only object types 1 to 4 can be written",
        )?;
        ensure(
            self.channel_config > 0,
            WHAT,
            "a program config element cannot be written",
        )?;
        let mut w = BitWriter::new();
        let extension = self.extension_sample_rate.unwrap_or(self.sample_rate);
        if self.signalling == Signalling::Hierarchical {
            let kind = if self.ps == Some(true) {
                object_type::PS
            } else {
                object_type::SBR
            };
            w.bits(u32::from(kind), 5);
            write_rate(&mut w, self.sample_rate);
            w.bits(u32::from(self.channel_config), 4);
            write_rate(&mut w, extension);
            w.bits(u32::from(self.object_type), 5);
        } else {
            w.bits(u32::from(self.object_type), 5);
            write_rate(&mut w, self.sample_rate);
            w.bits(u32::from(self.channel_config), 4);
        }
        w.flag(self.core_frame_samples == 960);
        w.bits(0, 2); // dependsOnCoreCoder, extensionFlag
        if self.signalling == Signalling::BackwardCompatible {
            w.bits(0x2B7, 11);
            w.bits(u32::from(object_type::SBR), 5);
            w.flag(self.sbr == Some(true));
            if self.sbr == Some(true) {
                write_rate(&mut w, extension);
                if let Some(ps) = self.ps {
                    w.bits(0x548, 11);
                    w.flag(ps);
                }
            }
        }
        Ok(w.finish().into())
    }

    /// The part that hangs on the object type (§4.4.1, §4.6.17, §4.6.20).
    fn read_specific(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        match self.object_type {
            1..=4 | 6 | 7 | 17 | 19..=23 => self.read_general(r),
            object_type::ER_ELD => {
                self.core_frame_samples = if r.flag()? { 480 } else { 512 };
                Ok(())
            }
            // MPEG audio layers in MPEG-4 clothes.
            32 => {
                self.core_frame_samples = 384;
                Ok(())
            }
            33 | 34 => {
                self.core_frame_samples = 1_152;
                Ok(())
            }
            object_type::USAC => self.read_usac(r),
            0 => Err(Error::invalid(WHAT, "object type 0")),
            _ => Ok(()),
        }
    }

    /// `GASpecificConfig`.
    fn read_general(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        let short = r.flag()?;
        self.core_frame_samples = match (self.object_type, short) {
            (object_type::ER_LD, false) => 512,
            (object_type::ER_LD, true) => 480,
            (object_type::SSR, _) => 256,
            (_, false) => 1_024,
            (_, true) => 960,
        };
        if r.flag()? {
            r.skip(14)?; // coreCoderDelay
        }
        let extension = r.flag()?;
        if self.channel_config == 0 {
            self.core_channels = read_program_channels(r)?;
        }
        if matches!(self.object_type, 6 | 20) {
            r.skip(3)?; // layerNr
        }
        if extension {
            match self.object_type {
                22 => r.skip(16)?,
                17 | 19 | 20 | 23 => r.skip(3)?,
                _ => {}
            }
            r.skip(1)?; // extensionFlag3
        }
        if matches!(self.object_type, 17 | 19..=23) {
            r.skip(2)?; // epConfig
        }
        Ok(())
    }

    /// The head of `UsacConfig` (ISO/IEC 23003-3 §5.2): rate, frame length, channels.
    fn read_usac(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        if r.bits(5)? == 0x1F {
            r.skip(24)?; // the rate stands in front as well
        }
        // Rate and frame length are those of the output, SBR included.
        self.core_frame_samples = match r.bits(3)? {
            0 => 768,
            1 => 1_024,
            2 | 3 => 2_048,
            4 => 4_096,
            _ => return Err(Error::invalid(WHAT, "reserved coreSbrFrameLengthIndex")),
        };
        let layout = r.bits(5)?;
        self.core_channels = match layout {
            0 => r.bits(10)?.min(64) as u8,
            1..=6 => layout as u8,
            7 => 8,
            8 => 2,
            9 => 3,
            10 => 4,
            11 => 7,
            12 => 8,
            13 => 24,
            _ => return Err(Error::invalid(WHAT, "reserved channelConfigurationIndex")),
        };
        Ok(())
    }

    /// The extension at the end (§1.6.2.1, `syncExtensionType`).
    fn read_sync_extension(&mut self, r: &mut BitReader<'_>) -> Result<()> {
        if r.bits(11)? != 0x2B7 || read_object_type(r)? != object_type::SBR {
            return Ok(());
        }
        let present = r.flag()?;
        if present {
            self.extension_sample_rate = Some(read_rate(r)?);
        }
        self.sbr = Some(present);
        self.signalling = Signalling::BackwardCompatible;
        if present && r.bits(11)? == 0x548 {
            self.ps = Some(r.flag()?);
        }
        Ok(())
    }
}

fn read_object_type(r: &mut BitReader<'_>) -> Result<u8> {
    let kind = r.small(5)?;
    if kind == 31 {
        Ok(32 + r.small(6)?)
    } else {
        Ok(kind)
    }
}

fn read_rate(r: &mut BitReader<'_>) -> Result<u32> {
    let index = r.bits(4)?;
    let rate = if index == 15 {
        r.bits(24)?
    } else {
        RATES
            .get(index as usize)
            .copied()
            .ok_or(Error::invalid(WHAT, "reserved samplingFrequencyIndex"))?
    };
    ensure(rate > 0, WHAT, "sample rate 0")?;
    Ok(rate)
}

fn write_rate(w: &mut BitWriter, rate: u32) {
    match RATES.iter().position(|&r| r == rate) {
        Some(index) => w.bits(index as u32, 4),
        None => {
            w.bits(15, 4);
            w.bits(rate, 24);
        }
    }
}

/// Channels of a `program_config_element` (§4.4.1.1): one for each single channel element, two for each pair. What
/// follows the channels is passed over too.
fn read_program_channels(r: &mut BitReader<'_>) -> Result<u8> {
    r.skip(10)?; // element_instance_tag, object_type, sampling_frequency_index
    let (front, side, back) = (r.bits(4)?, r.bits(4)?, r.bits(4)?);
    let (lfe, assoc, coupling) = (r.bits(2)?, r.bits(3)?, r.bits(4)?);
    for mix_bits in [4, 4, 3] {
        if r.flag()? {
            r.skip(mix_bits)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += if r.flag()? { 2 } else { 1 };
        r.skip(4)?;
    }
    r.skip(4 * lfe + 4 * assoc + 5 * coupling)?;
    r.align();
    let comment = u32::from(r.byte()?);
    r.skip(8 * comment)?;
    Ok(channels as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> AudioSpecificConfig {
        AudioSpecificConfig::parse(bytes).unwrap()
    }

    #[test]
    fn known_configurations() {
        let lc = parse(&[0x12, 0x10]);
        assert_eq!(
            (lc.object_type, lc.sample_rate, lc.core_channels),
            (2, 44_100, 2)
        );
        assert_eq!(lc.codec_string(), "mp4a.40.2");
        assert_eq!(
            lc.audio_info(),
            AudioInfo {
                sample_rate: 44_100,
                channels: 2,
                frame_samples: 1_024
            }
        );

        // HE-AAC, hierarchical: SBR, 22.05 kHz core, stereo, 44.1 kHz out, LC.
        let he = parse(&[0x2B, 0x92, 0x08, 0x00]);
        assert_eq!(
            (he.object_type, he.sbr, he.output_sample_rate()),
            (2, Some(true), 44_100)
        );
        assert_eq!(
            (he.codec_string(), he.frame_samples()),
            ("mp4a.40.5".to_owned(), 2_048)
        );

        // HE-AAC v2, hierarchical: PS over a mono core.
        let v2 = parse(&[0xEB, 0x8A, 0x08, 0x00]);
        assert_eq!((v2.core_channels, v2.output_channels()), (1, 2));
        assert_eq!(v2.codec_string(), "mp4a.40.29");

        // HE-AAC, backward compatible: LC 24 kHz stereo, then the sync extension to 48 kHz.
        let compatible = parse(&[0x13, 0x10, 0x56, 0xE5, 0x98]);
        assert_eq!(
            (compatible.sbr, compatible.output_sample_rate()),
            (Some(true), 48_000)
        );
        assert_eq!(compatible.signalling, Signalling::BackwardCompatible);

        let surround = parse(&[0x11, 0xB0]);
        assert_eq!((surround.sample_rate, surround.core_channels), (48_000, 6));
    }

    #[test]
    fn rate_zero_and_reserved_rates_are_errors() {
        for bytes in [
            &[0x17, 0x80, 0, 0, 0x10, 0][..], // index 15, 24 bits of zero
            &[0x16, 0x90],                    // index 13
            &[0x17, 0x10],                    // index 14
            &[0x12],
            &[],
            &[0x00, 0x10],
        ] {
            assert!(AudioSpecificConfig::parse(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn program_config_element_tells_channels() {
        // LC, 48 kHz, channelConfiguration 0, then a PCE with a pair and a single in front, a pair behind, one LFE.
        let mut w = BitWriter::new();
        w.bits(2, 5);
        w.bits(3, 4);
        w.bits(0, 4);
        w.bits(0, 3);
        w.bits(0, 4 + 2);
        w.bits(3, 4);
        for (count, bits) in [(2, 4), (0, 4), (1, 4), (1, 2), (0, 3), (0, 4)] {
            w.bits(count, bits);
        }
        w.bits(0, 3);
        for pair in [true, false, true] {
            w.flag(pair);
            w.bits(0, 4);
        }
        w.bits(0, 4);
        w.align();
        w.bits(0, 8);
        let asc = parse(&w.finish());
        assert_eq!((asc.channel_config, asc.core_channels), (0, 6));
    }

    proptest! {
        #[test]
        fn configurations_survive(
            kind in 1u8..=4, rate in 1u32..1 << 24, channel_config in 1u8..=7,
            mode in 0u8..3, sbr: bool, ps in proptest::option::of(any::<bool>()), extension in 1u32..1 << 24,
        ) {
            let mut asc = AudioSpecificConfig::low_complexity(rate, channels_of(channel_config)).unwrap();
            asc.object_type = kind;
            asc.core_frame_samples = if kind == 3 { 256 } else { 1_024 };
            match mode {
                0 => {}
                1 => {
                    asc.signalling = Signalling::Hierarchical;
                    asc.sbr = Some(true);
                    asc.ps = (ps == Some(true)).then_some(true);
                    asc.extension_sample_rate = Some(extension);
                }
                _ => {
                    asc.signalling = Signalling::BackwardCompatible;
                    asc.sbr = Some(sbr);
                    asc.ps = if sbr { ps } else { None };
                    asc.extension_sample_rate = sbr.then_some(extension);
                }
            }
            let bytes = asc.write().unwrap();
            prop_assert_eq!(AudioSpecificConfig::parse(&bytes).unwrap(), asc);
        }
    }
}
