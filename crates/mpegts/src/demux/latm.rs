//! AAC in LATM with LOAS sync (ISO/IEC 14496-3 §1.7): the multiplex that DVB and ISDB use for HE-AAC.

use bitstream::aac::AudioSpecificConfig;
use bitstream::bits::{BitReader, BitWriter};
use bytes::{Bytes, BytesMut};

const WHAT: &str = "LATM";

/// Bytes of `syncword 11 | audioMuxLengthBytes 13` (§1.7.2, AudioSyncStream).
const SYNC: usize = 3;

/// Reads audio sync streams.
#[derive(Clone, Debug, Default)]
pub(super) struct Latm {
    /// The configuration of the last multiplex that told one.
    pub(super) config: Option<(Bytes, AudioSpecificConfig)>,
    sub_frames: u32,
}

/// The length of the element that `data` begins with, sync included; `None` when it begins with none.
pub(super) fn element_length(data: &[u8]) -> Option<Option<usize>> {
    match data {
        [0x56, b, ..] if b & 0xE0 != 0xE0 => None,
        [0x56, b, c, ..] => Some(Some(SYNC + (usize::from(b & 0x1F) << 8 | usize::from(*c)))),
        [0x56, ..] | [] => Some(None),
        _ => None,
    }
}

impl Latm {
    /// The access units of an element (the bytes behind its sync), which are copied: they lie across byte borders.
    pub(super) fn element(&mut self, data: &[u8]) -> bitstream::Result<Vec<Bytes>> {
        let mut r = BitReader::new(data, WHAT);
        if !r.flag()? {
            self.stream_mux_config(&mut r)?;
        }
        let mut units = Vec::new();
        if self.config.is_none() {
            return Ok(units);
        }
        for _ in 0..=self.sub_frames {
            let mut length = 0_usize;
            loop {
                let byte = r.byte()?;
                length += usize::from(byte);
                if byte != 255 {
                    break;
                }
            }
            if length > data.len() {
                return Err(bitstream::Error::Truncated { what: WHAT });
            }
            let mut unit = BytesMut::with_capacity(length);
            for _ in 0..length {
                unit.extend_from_slice(&[r.byte()?]);
            }
            units.push(unit.freeze());
        }
        Ok(units)
    }

    /// StreamMuxConfig (§1.7.3, table 1.42), as far as broadcasters use it: one program, one layer, whole frames.
    fn stream_mux_config(&mut self, r: &mut BitReader<'_>) -> bitstream::Result<()> {
        let unsupported = |feature| bitstream::Error::Unsupported {
            what: WHAT,
            feature,
        };
        let version = r.flag()?;
        if version && r.flag()? {
            return Err(unsupported("audioMuxVersionA 1"));
        }
        if version {
            latm_value(r)?; // taraBufferFullness
        }
        if !r.flag()? {
            return Err(unsupported("streams of different timing"));
        }
        self.sub_frames = r.bits(6)?;
        if r.bits(4)? != 0 || r.bits(3)? != 0 {
            return Err(unsupported("more than one program or layer"));
        }
        let config = if version {
            let bits = latm_value(r)?;
            if bits > 8 * 64 {
                return Err(unsupported("a configuration longer than 64 bytes"));
            }
            let mut w = BitWriter::new();
            for _ in 0..bits {
                w.flag(r.flag()?);
            }
            w.finish()
        } else {
            copy_config(r)?
        };
        if r.bits(3)? != 0 {
            return Err(unsupported("frameLengthType other than 0"));
        }
        r.skip(8)?; // latmBufferFullness
        if r.flag()? {
            if version {
                latm_value(r)?;
            } else {
                while r.flag()? {
                    r.skip(8)?;
                }
                r.skip(8)?;
            }
        }
        if r.flag()? {
            r.skip(8)?; // crcCheckSum
        }
        if self
            .config
            .as_ref()
            .is_none_or(|(known, _)| known[..] != config[..])
        {
            let parsed = AudioSpecificConfig::parse(&config)?;
            self.config = Some((config.into(), parsed));
        }
        Ok(())
    }
}

fn latm_value(r: &mut BitReader<'_>) -> bitstream::Result<u32> {
    let bytes = r.bits(2)?;
    let mut value = 0;
    for _ in 0..=bytes {
        value = value << 8 | r.bits(8)?;
    }
    Ok(value)
}

/// Copies an AudioSpecificConfig that comes without its length, which its own fields tell (§1.6.2.1, §4.4.1).
fn copy_config(r: &mut BitReader<'_>) -> bitstream::Result<Vec<u8>> {
    let mut w = BitWriter::new();
    let mut copy = |r: &mut BitReader<'_>, count: u32| -> bitstream::Result<u32> {
        let value = r.bits(count)?;
        w.bits(value, count);
        Ok(value)
    };
    let mut kind = copy(r, 5)?;
    if copy(r, 4)? == 15 {
        copy(r, 24)?;
    }
    let channels = copy(r, 4)?;
    if matches!(kind, 5 | 29) {
        if copy(r, 4)? == 15 {
            copy(r, 24)?;
        }
        kind = copy(r, 5)?;
    }
    if !matches!(kind, 1..=4) || channels == 0 {
        return Err(bitstream::Error::Unsupported {
            what: WHAT,
            feature: "object types above 4, channels told by a program config element",
        });
    }
    copy(r, 1)?; // frameLengthFlag
    if copy(r, 1)? == 1 {
        copy(r, 14)?; // coreCoderDelay
    }
    copy(r, 1)?; // extensionFlag, without content for these types
    Ok(w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(element_length(&[0x56, 0xE0, 9]), Some(Some(12)));
        assert_eq!(element_length(&[0x56]), Some(None));
        assert_eq!(element_length(&[0x56, 0x10, 9]), None);
        assert_eq!(element_length(&[1]), None);
    }

    #[test]
    fn one_unit_with_its_configuration() {
        let mut w = BitWriter::new();
        w.flag(false); // useSameStreamMux
        w.flag(false); // audioMuxVersion
        w.flag(true);
        w.bits(0, 6 + 4 + 3);
        w.bits(0x1210 >> 3, 13); // LC, 44.1 kHz, stereo
        w.bits(0, 3);
        w.bits(0, 3 + 8 + 2);
        w.bits(3, 8);
        for b in [0xAB, 0xCD, 0xEF] {
            w.bits(b, 8);
        }
        let mut latm = Latm::default();
        let units = latm.element(&w.finish()).unwrap();
        assert_eq!(units, [Bytes::from_static(&[0xAB, 0xCD, 0xEF])]);
        let (config, asc) = latm.config.unwrap();
        assert_eq!(&config[..], [0x12, 0x10]);
        assert_eq!(asc.sample_rate, 44_100);
    }
}
