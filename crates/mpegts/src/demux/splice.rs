//! SCTE 35: splice information sections, each a frame.

use bytes::Bytes;
use core_frame::{CodecId, FrameFlags, MediaFrame, MediaTime, TrackId, TrackInfo};
use libmpegts::psi::{Psi, check_crc32};
use libmpegts::ts::TsPacketRef;

use super::event::{Damage, DamageKind, Event, Events, Stream};
use crate::packet::PACKET;
use crate::pes::PTS_HZ;

/// A stream of splice information sections (SCTE 35 §8.1).
#[derive(Debug)]
pub(super) struct Splice {
    info: Stream,
    psi: Psi,
    announced: bool,
}

impl Splice {
    pub(super) fn new(info: Stream) -> Self {
        Self {
            info,
            psi: Psi::default(),
            announced: false,
        }
    }

    pub(super) fn rename(&mut self, info: Stream) {
        self.info = info;
    }

    pub(super) const fn track(&self) -> Option<TrackId> {
        self.info.track
    }

    /// Sections have no time of their own: they count from when they come, `now` on the program's clock.
    pub(super) fn packet(
        &mut self,
        bytes: &[u8; PACKET],
        now: Option<MediaTime>,
        offset: u64,
        out: &mut Events,
    ) {
        let Some(track) = self.info.track else { return };
        self.psi.assemble(&TsPacketRef::from(bytes));
        for section in self.psi.sections() {
            if section.first() != Some(&0xFC) || !check_crc32(section) {
                out.0.push_back(Event::Damage(Damage {
                    offset,
                    kind: DamageKind::Section,
                    pid: Some(self.info.pid),
                    track: Some(track),
                    lost: section.len() as u64,
                }));
                continue;
            }
            if !std::mem::replace(&mut self.announced, true) {
                let mut info = TrackInfo::new(track, CodecId::Scte35);
                info.timescale = PTS_HZ;
                out.0.push_back(Event::Track(Box::new(info)));
            }
            let payload = Bytes::copy_from_slice(section);
            let frame = MediaFrame::new(track, CodecId::Scte35, now.unwrap_or_default(), payload);
            out.0
                .push_back(Event::Frame(frame.with_flags(FrameFlags::KEY)));
        }
    }
}
