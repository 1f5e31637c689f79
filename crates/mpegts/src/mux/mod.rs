//! The muxer: frames in, packets out, straight into one buffer.

mod constant;
mod frame;
mod packets;
mod tables;

use bytes::{Bytes, BytesMut};
use core_frame::{Epoch, FrameFlags, MediaFrame, MediaKind, MediaTime, TrackId, TrackTable};

use crate::error::Result;
use crate::packet::PCR_HZ;
use crate::pes::PTS_HZ;
use constant::Constant;
use packets::{Say, put_clock, put_section};
use tables::{MAX_STREAMS, OutStream};

/// Tracks are never this far apart: a frame this far back begins another timeline.
const APART: MediaTime = MediaTime::from_secs(10);
/// Ticks after which a clock of 27 MHz begins again.
const PCR_WRAP: i64 = (1 << 33) * 300;

/// How a stream is muxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MuxOptions {
    /// The longest time between two sendings of the tables; they also come before each key frame. 100 ms, which ETSI
    /// TR 101 290 asks for.
    pub tables_every: MediaTime,
    /// The longest time between two clock references while frames flow. 40 ms, which TR 101 290 asks for.
    pub clock_every: MediaTime,
    /// How far the clock lies behind the decode times: what a receiver may buffer, and how far tracks may be apart.
    /// 250 ms.
    pub lead: MediaTime,
    /// Added to all times, so that neither a clock nor a decode time in front of the first frame is negative. 1 s.
    pub offset: MediaTime,
    /// A constant rate in bits a second: what frames do not need is filled with null packets, and clock references
    /// follow the byte count. `None` writes what there is.
    pub bitrate_bps: Option<u32>,
    /// `program_number`. 1.
    pub program: u16,
    /// `transport_stream_id`. 1.
    pub transport_stream: u16,
    /// PID of the map; 0x20 to 0x1FFE. 0x1000.
    pub map_pid: u16,
    /// PID of the first stream; the others follow. 0x100.
    pub first_pid: u16,
}

impl Default for MuxOptions {
    fn default() -> Self {
        Self {
            tables_every: MediaTime::from_millis(100),
            clock_every: MediaTime::from_millis(40),
            lead: MediaTime::from_millis(250),
            offset: MediaTime::from_secs(1),
            bitrate_bps: None,
            program: 1,
            transport_stream: 1,
            map_pid: 0x1000,
            first_pid: 0x100,
        }
    }
}

/// The counters of a muxer, to go on with in another that writes the same stream.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Continuity {
    association: u8,
    map: u8,
    version: u8,
    /// Per PID from the first on.
    streams: Vec<(Option<TrackId>, u8)>,
}

/// Turns frames into packets of one program.
///
/// Feed it [`Muxer::tracks`] before the first frame and whenever the table changes, then frames in decode order. Tables,
/// clock references and discontinuity indicators come by themselves.
#[derive(Debug)]
pub struct Muxer {
    options: MuxOptions,
    streams: Vec<OutStream>,
    counters: Continuity,
    association: Bytes,
    map: Bytes,
    /// Index into `counters.streams` of the PID that carries the clock.
    clock_slot: usize,
    has_video: bool,
    tables_at: Option<MediaTime>,
    clock_at: Option<MediaTime>,
    epoch: Option<Epoch>,
    /// PIDs that are to say that their counter or clock jumps.
    jumps: u64,
    paces: Paces,
    /// PIDs on which a frame was sent.
    begun: u64,
    /// Readers may begin at each key frame, so that the counters of the tables there seem to jump.
    is_joinable: bool,
    constant: Option<Constant>,
    scratch: BytesMut,
}

impl Muxer {
    /// A muxer that begins a stream.
    #[must_use]
    pub fn new(options: MuxOptions) -> Self {
        Self::resume(options, Continuity::default())
    }

    /// A muxer that goes on with a stream that another wrote: the same PIDs, the counters carried on. Its first packets
    /// say that times jump.
    #[must_use]
    pub fn resume(options: MuxOptions, counters: Continuity) -> Self {
        let jumps = if counters.streams.is_empty() {
            0
        } else {
            u64::MAX
        };
        Self {
            options,
            streams: Vec::new(),
            counters,
            association: Bytes::new(),
            map: Bytes::new(),
            clock_slot: 0,
            has_video: false,
            tables_at: None,
            clock_at: None,
            epoch: None,
            jumps,
            paces: Paces::default(),
            begun: jumps,
            is_joinable: false,
            constant: options.bitrate_bps.map(Constant::new),
            scratch: BytesMut::new(),
        }
    }

    /// Tables before key frames say that their counters jump, which they do for a reader that begins there.
    #[must_use]
    pub(crate) const fn joinable(mut self) -> Self {
        self.is_joinable = true;
        // A view begins somewhere in the middle: no track's start is here.
        self.begun = u64::MAX;
        self
    }

    /// The counters, for [`Muxer::resume`].
    #[must_use]
    pub fn continuity(&self) -> Continuity {
        self.counters.clone()
    }

    /// The tracks change; true when that changes the program. The new tables come with the next frame. Tracks that a
    /// transport stream has no place for are left out.
    pub fn tracks(&mut self, table: &TrackTable) -> bool {
        // A PID stays with its track; those of tracks that are gone are free.
        for (owner, _) in &mut self.counters.streams {
            if owner.is_some_and(|id| table.track(id).is_none()) {
                *owner = None;
            }
        }
        let mut streams = Vec::new();
        let (mut pictures, mut sounds) = (0, 0);
        for track in &table.tracks {
            let nth = match track.kind() {
                MediaKind::Video => &mut pictures,
                _ => &mut sounds,
            };
            let Some(slot) = self.counters.slot(track.id) else {
                break;
            };
            match OutStream::new(track, slot, *nth & 15) {
                Some(stream) => {
                    *nth += 1;
                    streams.push(stream);
                }
                None => self.counters.release(slot),
            }
        }
        if self.streams == streams && !self.map.is_empty() {
            return false;
        }
        let first_of = |kind| streams.iter().find(|s| s.kind() == kind);
        let clock = first_of(MediaKind::Video)
            .or_else(|| first_of(MediaKind::Audio))
            .or_else(|| streams.first());
        self.clock_slot = clock.map_or(0, |s| s.slot);
        self.has_video = first_of(MediaKind::Video).is_some();
        self.counters.version = (self.counters.version + 1) & 31;
        self.streams = streams;
        let o = &self.options;
        let version = self.counters.version;
        self.association = tables::association(o.transport_stream, 0, o.program, o.map_pid);
        let clock_pid = match clock_exists(&self.streams) {
            true => self.pid(self.clock_slot),
            false => crate::NULL_PID,
        };
        self.map = tables::map(
            self.options.program,
            version,
            clock_pid,
            &self.streams,
            |slot| self.pid(slot),
        );
        self.tables_at = None;
        true
    }

    /// The PID of a track, when it is written.
    #[must_use]
    pub fn pid_of(&self, track: TrackId) -> Option<u16> {
        let stream = self.streams.iter().find(|s| s.track == track)?;
        Some(self.pid(stream.slot))
    }

    /// Appends the tables.
    pub fn tables(&mut self, out: &mut BytesMut) {
        self.put_tables(Say::default(), out);
    }

    /// Appends the packets of a frame, with tables and clock references as they fall due. False when its track is not
    /// written. After an error nothing was appended.
    ///
    /// # Errors
    /// An access unit that breaks its format.
    pub fn frame(&mut self, frame: &MediaFrame, out: &mut BytesMut) -> Result<bool> {
        let Some(at) = self.streams.iter().position(|s| s.track == frame.track) else {
            return Ok(false);
        };
        if frame.is_config() || frame.payload.is_empty() {
            return Ok(false);
        }
        let Some(mut constant) = self.constant.take() else {
            return self.packets(at, frame, out).map(|()| true);
        };
        // At a constant rate, the packets are made first and then set among stuffing.
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let made = self.packets(at, frame, &mut scratch);
        if made.is_ok() {
            let due = self.clock_ticks(frame.dts);
            let clock = (self.pid(self.clock_slot), self.counter(self.clock_slot));
            constant.send(&scratch, due, self.options.clock_every, clock, out);
        }
        self.scratch = scratch;
        self.constant = Some(constant);
        made.map(|()| true)
    }

    /// Frames that came too late for a constant rate, because it is too low for what is to be sent.
    #[must_use]
    pub fn late_frames(&self) -> u64 {
        self.constant.as_ref().map_or(0, Constant::late)
    }

    fn packets(&mut self, at: usize, frame: &MediaFrame, out: &mut BytesMut) -> Result<()> {
        let before = out.len();
        let back = self.clock_at.is_some_and(|last| frame.dts < last - APART);
        let last = self.epoch.replace(frame.epoch);
        if back || last.is_some_and(|last| last != frame.epoch) {
            // Every PID says so once, and the clock is told anew.
            self.jumps = u64::MAX;
            self.clock_at = None;
            self.tables_at = None;
        }
        let Some(stream) = self.streams.get(at) else {
            return Ok(());
        };
        let slot = stream.slot;
        let is_clock = slot == self.clock_slot;
        let starts_anywhere = !self.has_video && is_clock;
        let is_key = frame
            .flags
            .intersects(FrameFlags::KEY | FrameFlags::RECOVERY_POINT);
        let starts = is_key && frame.kind() == MediaKind::Video;
        if starts || is_due(self.tables_at, frame.dts, self.options.tables_every) {
            let say = Say {
                discontinuity: self.is_joinable && starts,
                ..Say::default()
            };
            self.put_tables(say, out);
            self.tables_at = Some(frame.dts);
        }
        let mut say = Say {
            discontinuity: self.take_jump(slot),
            random_access: starts || starts_anywhere,
            pcr: None,
        };
        let jumped = self.clock_at.is_none();
        if jumped {
            self.paces = Paces::default();
        }
        let half = MediaTime::from_nanos(self.options.clock_every.as_nanos() / 2);
        if is_clock && is_due(self.clock_at, frame.dts, half) {
            say.pcr = Some(self.clock_ticks(frame.dts).rem_euclid(PCR_WRAP) as u64);
            self.clock_at = Some(frame.dts);
        } else if !is_clock && self.clock_is_due(frame.dts) {
            let clock = Say {
                discontinuity: self.take_jump(self.clock_slot),
                random_access: false,
                pcr: Some(self.clock_ticks(frame.dts).rem_euclid(PCR_WRAP) as u64),
            };
            let (pid, counter) = (self.pid(self.clock_slot), self.counter(self.clock_slot));
            put_clock(out, pid, counter, clock);
            self.clock_at = Some(frame.dts);
        }
        self.paces.note(slot, frame.dts);
        let pid = self.pid(slot);
        let wire =
            |t: MediaTime| ((t + self.options.offset).to_ticks(PTS_HZ) & 0x1_FFFF_FFFF) as u64;
        let times = (wire(frame.pts), wire(frame.dts));
        let (Some(stream), Some((_, counter))) =
            (self.streams.get(at), self.counters.streams.get_mut(slot))
        else {
            return Ok(());
        };
        let bit = 1_u64 << (slot & 63);
        let trim = if self.begun & bit == 0 {
            stream.trim
        } else {
            0
        };
        let written = frame::put_frame(stream, frame, times, pid, counter, say, trim, out);
        self.begun |= bit;
        if written.is_err() {
            // What went before it belongs to no frame now, and comes again with the next.
            out.truncate(before);
            self.tables_at = None;
            self.clock_at = None;
        }
        written
    }

    fn put_tables(&mut self, say: Say, out: &mut BytesMut) {
        let c = &mut self.counters;
        put_section(out, 0, &mut c.association, say, &self.association);
        put_section(out, self.options.map_pid, &mut c.map, say, &self.map);
    }

    /// True when the clock cannot wait for the frame that is expected next.
    fn clock_is_due(&self, now: MediaTime) -> bool {
        let every = self.options.clock_every;
        let Some(last) = self.clock_at else {
            return true;
        };
        let next = self.paces.next_after(now).unwrap_or(now);
        now > last && next - last > every
    }

    /// The clock at which a frame with this decode time is sent, in ticks of 27 MHz.
    fn clock_ticks(&self, dts: MediaTime) -> i64 {
        (dts + self.options.offset - self.options.lead).to_ticks(PCR_HZ)
    }

    fn take_jump(&mut self, slot: usize) -> bool {
        let bit = 1_u64 << (slot & 63);
        let jumps = self.jumps & bit != 0;
        self.jumps &= !bit;
        jumps
    }

    fn pid(&self, slot: usize) -> u16 {
        let pid = self.options.first_pid.saturating_add(slot as u16);
        // The map's PID is not a stream's.
        if pid >= self.options.map_pid && self.options.first_pid <= self.options.map_pid {
            pid + 1
        } else {
            pid
        }
    }

    fn counter(&self, slot: usize) -> u8 {
        self.counters.streams.get(slot).map_or(0, |(_, c)| *c)
    }
}

/// When frames came and when the next are to be expected, per PID.
#[derive(Debug, Default)]
struct Paces(Vec<(MediaTime, MediaTime)>);

impl Paces {
    fn note(&mut self, slot: usize, now: MediaTime) {
        if slot < MAX_STREAMS && self.0.len() <= slot {
            self.0.resize(slot + 1, (MediaTime::MIN, MediaTime::ZERO));
        }
        if let Some((last, step)) = self.0.get_mut(slot) {
            if *last != MediaTime::MIN && now > *last {
                *step = now - *last;
            }
            *last = now;
        }
    }

    /// The time of the next frame of any track that keeps its pace.
    fn next_after(&self, now: MediaTime) -> Option<MediaTime> {
        let paced = self.0.iter().filter(|(_, step)| *step > MediaTime::ZERO);
        paced
            .map(|(last, step)| *last + *step)
            .filter(|next| *next > now)
            .min()
    }
}

/// True when `every` has passed. Tracks are apart, so a frame may lie before the last one of another.
fn is_due(last: Option<MediaTime>, now: MediaTime, every: MediaTime) -> bool {
    last.is_none_or(|last| now - last >= every)
}

const fn clock_exists(streams: &[OutStream]) -> bool {
    !streams.is_empty()
}

impl Continuity {
    /// The place of a track: its own, a free one, or a new one.
    fn slot(&mut self, track: TrackId) -> Option<usize> {
        let own = self.streams.iter().position(|(o, _)| *o == Some(track));
        let free = || self.streams.iter().position(|(o, _)| o.is_none());
        if let Some(at) = own.or_else(free) {
            if let Some((owner, _)) = self.streams.get_mut(at) {
                *owner = Some(track);
            }
            return Some(at);
        }
        if self.streams.len() >= MAX_STREAMS {
            return None;
        }
        self.streams.push((Some(track), 0));
        Some(self.streams.len() - 1)
    }

    fn release(&mut self, slot: usize) {
        if let Some((owner, _)) = self.streams.get_mut(slot) {
            *owner = None;
        }
    }
}
