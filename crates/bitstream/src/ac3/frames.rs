//! Access units of a byte stream: the frames of all substreams of one time.

use core_frame::AudioInfo;

use super::header::{FrameHeader, Substream};
use super::{channel_count, location};

/// Eight programmes with eight dependent substreams each are the most there can be (§E.1.3.1.2).
const FRAMES_MAX: usize = 72;

/// The frames of one time, as they lie in the stream.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessUnit<'a> {
    /// The bytes of all its frames.
    pub data: &'a [u8],
    /// The header of the first frame: the main programme.
    pub header: FrameHeader,
    /// Channels of the main programme with its dependent substreams.
    pub channels: u16,
}

impl<'a> AccessUnit<'a> {
    /// The access unit that `data` begins with; nothing when it does not begin with a whole frame of a main programme.
    #[must_use]
    pub fn first(data: &'a [u8]) -> Option<Self> {
        let mut headers = frame_headers(data);
        let (header, _) = headers.next()?;
        if !header.begins_access_unit() {
            return None;
        }
        let mut length = header.frame_length;
        let mut locations = header.locations();
        let mut main = true;
        for (next, end) in headers.take(FRAMES_MAX - 1) {
            match next.substream {
                Substream::Independent(0) => break,
                Substream::Independent(_) => main = false,
                Substream::Dependent(_) if main => locations |= next.locations(),
                Substream::Dependent(_) => {}
            }
            length = end;
        }
        Some(Self {
            data: data.get(..length)?,
            header,
            channels: channel_count(locations),
        })
    }

    /// The headers of its frames, in order.
    pub fn headers(&self) -> impl Iterator<Item = FrameHeader> + 'a {
        frame_headers(self.data).map(|(header, _)| header)
    }

    /// What a track description wants to know.
    #[must_use]
    pub const fn audio_info(&self) -> AudioInfo {
        AudioInfo {
            sample_rate: self.header.sample_rate,
            channels: self.channels,
            frame_samples: self.header.samples(),
        }
    }

    /// The loudspeakers of the dependent substreams of each programme, as `chan_loc` of `dec3` (§F.6.2.13) has them: bit
    /// 0 is Lc/Rc, bit 7 Cvh, bit 8 LFE2. Those of the standard 5.1 are not in it.
    pub(super) const fn chan_loc(map: u16) -> u16 {
        // Bits 10 down to 3 of the map, the other way round.
        let middle = ((map >> 3) as u8).reverse_bits() as u16;
        if map & location::LFE2 != 0 {
            middle | 0x100
        } else {
            middle
        }
    }

    /// The other way.
    pub(super) const fn from_chan_loc(chan_loc: u16) -> u16 {
        let map = ((chan_loc as u8).reverse_bits() as u16) << 3;
        if chan_loc & 0x100 != 0 {
            map | location::LFE2
        } else {
            map
        }
    }
}

/// The headers of frames that lie one behind the other, each with where its frame ends; ends where no whole frame is.
fn frame_headers(data: &[u8]) -> impl Iterator<Item = (FrameHeader, usize)> + '_ {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        let header = FrameHeader::parse(data.get(at..)?).ok()?;
        let end = at + header.frame_length;
        data.get(at..end)?;
        at = end;
        Some((header, end))
    })
}

/// The access units of a byte stream. Bytes that are no frame, and frames of a unit whose start is not there, are passed
/// over. The end of `data` ends an access unit, so it must not be cut between the substreams of one time; a frame that is
/// cut off, and the access unit it may belong to, are left in [`AccessUnits::rest`].
#[must_use]
pub const fn access_units(data: &[u8]) -> AccessUnits<'_> {
    AccessUnits { rest: data }
}

/// See [`access_units`].
#[derive(Clone, Debug)]
pub struct AccessUnits<'a> {
    rest: &'a [u8],
}

impl<'a> AccessUnits<'a> {
    /// What has not been read: the start of an access unit whose rest is still to come.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for AccessUnits<'a> {
    type Item = AccessUnit<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(unit) = AccessUnit::first(self.rest) {
                let after = self.rest.get(unit.data.len()..).unwrap_or_default();
                if after.is_empty() || begins_another(after) {
                    self.rest = after;
                    return Some(unit);
                }
                if may_go_on(after) {
                    return None;
                }
            } else if may_go_on(self.rest) && may_begin(self.rest) {
                return None;
            }
            let skip = (1..self.rest.len())
                .find(|&at| matches!(self.rest.get(at..), Some([0x0B] | [0x0B, 0x77, ..])));
            match skip {
                Some(at) => self.rest = self.rest.get(at..)?,
                None => {
                    self.rest = &[];
                    return None;
                }
            }
        }
    }
}

/// Another access unit begins here: what came before is complete.
fn begins_another(after: &[u8]) -> bool {
    FrameHeader::parse(after).is_ok_and(|h| h.begins_access_unit())
}

/// False for a frame that is not the first of an access unit.
fn may_begin(data: &[u8]) -> bool {
    !FrameHeader::parse(data).is_ok_and(|h| !h.begins_access_unit())
}

/// A frame that is not all there yet.
fn may_go_on(data: &[u8]) -> bool {
    match data {
        [] | [0x0B] => true,
        [0x0B, 0x77, ..] => match FrameHeader::parse(data) {
            Ok(header) => header.frame_length > data.len(),
            Err(error) => matches!(error, crate::Error::Truncated { .. }),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::BitWriter;

    /// A frame of 64 bytes.
    fn frame(kind: u32, id: u32, acmod: u32, map: Option<u32>) -> Vec<u8> {
        let mut w = BitWriter::new();
        w.bits(0x0B77, 16);
        for (value, bits) in [
            (kind, 2),
            (id, 3),
            (31, 11),
            (0, 2),
            (3, 2),
            (acmod, 3),
            (0, 1),
        ] {
            w.bits(value, bits);
        }
        w.bits(16, 5);
        w.bits(31 << 1, 6);
        if kind == 1 {
            w.flag(map.is_some());
            w.bits(map.unwrap_or(0), if map.is_some() { 16 } else { 0 });
        }
        let mut frame = w.finish();
        frame.resize(64, 0);
        frame
    }

    #[test]
    fn substreams_go_together() {
        // 3/2 with Lrs/Rrs of a dependent substream, and a second programme.
        let unit = [
            frame(0, 0, 7, None),
            frame(1, 0, 2, Some(0x0200)),
            frame(0, 1, 1, None),
        ]
        .concat();
        let other = frame(0, 0, 7, None);
        let mut data = frame(1, 0, 2, None);
        data.extend(b"\x0B\x77junk");
        data.extend([unit.clone(), unit.clone(), other.clone()].concat());
        let mut all = access_units(&data);
        let got: Vec<_> = all.by_ref().map(|u| (u.data.len(), u.channels)).collect();
        assert_eq!(got, [(192, 7), (192, 7), (64, 5)]);
        assert!(all.rest().is_empty());
        // A whole unit leaves only when what follows it is known.
        let stream = [unit.clone(), other].concat();
        for cut in 0..stream.len() {
            let mut all = access_units(&stream[..cut]);
            let whole: usize = all.by_ref().map(|u| u.data.len()).sum();
            assert_eq!(whole + all.rest().len(), cut, "{cut}");
            assert!(cut < 64 || cut % 64 > 0 || whole == cut, "{cut} {whole}");
        }
    }

    #[test]
    fn chan_loc_turns_the_map_round() {
        assert_eq!(AccessUnit::chan_loc(0x0400), 1);
        assert_eq!(AccessUnit::chan_loc(0x0200), 2);
        assert_eq!(AccessUnit::chan_loc(0x0008), 0x80);
        assert_eq!(AccessUnit::chan_loc(0x0002), 0x100);
        for bit in 0..9 {
            let loc = 1 << bit;
            assert_eq!(AccessUnit::chan_loc(AccessUnit::from_chan_loc(loc)), loc);
        }
    }
}
