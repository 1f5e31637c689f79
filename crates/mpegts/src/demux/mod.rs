//! The demuxer: bytes in, programs, tracks, frames and damage out.

mod assembly;
mod clock;
mod event;
mod latm;
mod mpeg2;
pub(crate) mod nal;
mod obu;
mod picture;
mod pid;
mod sound;
mod splice;
mod stream;
mod tables;
mod timed;

use bytes::Bytes;
use core_frame::{Limits, MediaKind, TrackId};

use crate::packet::{NULL_PID, PACKET, Packet};
use crate::sync::{Found, PacketReader};
use clock::{ProgramClock, media_time};
use pid::{Continuity, NO_COUNTER, Pid, Role};
use splice::Splice;
use stream::{Context, Elementary};
use tables::{Change, Tables, is_read};

pub use event::{Clock, Damage, DamageKind, Data, Event, Events, PidStats, Program, Stream};
pub use tables::Programs;

/// PIDs beside those of the tables that are kept account of.
const MAX_OTHER_PIDS: usize = 512;
/// Turns a transport stream, in pieces of any size, into events.
///
/// It starts anywhere, finds packets of 188, 192 and 204 bytes, follows tables as they change, and gets over every
/// kind of damage: nothing it is given is an error. Times are the sender's, widened from 33 bits, in [`crate::PTS_HZ`]
/// of the program's own clock; nothing is repaired here.
#[derive(Debug)]
pub struct Demuxer {
    reader: PacketReader,
    core: Core,
}

/// Everything behind the packet reader.
#[derive(Debug)]
struct Core {
    limits: Limits,
    tables: Tables,
    programs: Vec<Clocked>,
    /// Index into `pids` plus one; 0 for PIDs that are not known.
    slots: Box<[u16]>,
    pids: Vec<Pid>,
    others: usize,
    null_packets: u64,
    last: usize,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Clocked {
    program: Program,
    clock: ProgramClock,
}

impl Demuxer {
    /// A demuxer of the first program.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self::with_programs(limits, Programs::First)
    }

    /// A demuxer of the programs of your choice.
    #[must_use]
    pub fn with_programs(limits: &Limits, programs: Programs) -> Self {
        let mut core = Core {
            limits: limits.clone(),
            tables: Tables::new(programs),
            programs: Vec::new(),
            slots: vec![0; 0x2000].into_boxed_slice(),
            pids: Vec::new(),
            others: 0,
            null_packets: 0,
            last: 0,
            changes: Vec::new(),
        };
        core.set_role(0, Role::Association);
        Self {
            reader: PacketReader::new(),
            core,
        }
    }

    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8], out: &mut Events) {
        let core = &mut self.core;
        self.reader.push(bytes, |found| core.found(found, out));
    }

    /// The stream has ended: what waited for more comes out. More may be pushed after, as after a reconnect.
    pub fn finish(&mut self, out: &mut Events) {
        let core = &mut self.core;
        self.reader.finish(|found| core.found(found, out));
        core.finish(out);
    }

    /// What follows is another piece of the same stream (the next segment after a discontinuity, a reconnect): the
    /// tables that come next count at once, and counters may start anywhere.
    pub fn discontinuity(&mut self, out: &mut Events) {
        self.finish(out);
        self.core.tables.open();
        for pid in &mut self.core.pids {
            pid.counter = NO_COUNTER;
        }
    }

    /// Bytes from one packet to the next: 188, 192 or 204; 0 until a packet was found.
    #[must_use]
    pub const fn packet_size(&self) -> usize {
        self.reader.stride()
    }

    /// What was counted on each PID, in the order of their first packets.
    pub fn stats(&self) -> impl Iterator<Item = PidStats> + '_ {
        let seen = |s: &PidStats| s.packets > 0;
        self.core.pids.iter().map(|p| p.stats).filter(seen)
    }

    /// Packets of stuffing.
    #[must_use]
    pub const fn null_packets(&self) -> u64 {
        self.core.null_packets
    }

    /// The programs that are followed.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        self.core.programs.iter().map(|p| &p.program)
    }
}

impl Core {
    fn found(&mut self, found: Found<'_>, out: &mut Events) {
        let (offset, kind, lost) = match found {
            Found::Packet { offset, bytes } => return self.packet(offset, bytes, out),
            Found::Cut { offset } => {
                // The packet that came last has a wrong end.
                let last = self.last;
                self.with_stream(last, offset, out, |stream, cx| stream.gap(cx));
                (offset, DamageKind::Cut, 0)
            }
            Found::BadSync { offset } => (offset, DamageKind::Sync, PACKET as u64),
            Found::Garbage { offset, skipped } => (offset, DamageKind::Garbage, skipped),
            Found::Truncated { offset, skipped } => (offset, DamageKind::Truncated, skipped),
        };
        out.0.push_back(Event::Damage(Damage {
            offset,
            kind,
            pid: None,
            track: None,
            lost,
        }));
    }

    fn packet(&mut self, offset: u64, bytes: &[u8; PACKET], out: &mut Events) {
        let parsed = Packet::parse(bytes);
        let &[_, b1, b2, ..] = bytes;
        let pid = u16::from_be_bytes([b1 & 0x1F, b2]);
        if pid == NULL_PID {
            self.null_packets += 1;
            return;
        }
        let Some(slot) = self.slot(pid) else { return };
        let Some(state) = self.pids.get_mut(slot) else {
            return;
        };
        state.stats.packets += 1;
        let packet = match parsed {
            Some(packet) if !packet.error => packet,
            _ => {
                state.stats.errors += 1;
                let track = state.role.track();
                return damage(out, offset, DamageKind::Packet, pid, track, PACKET);
            }
        };
        self.last = slot;
        if let Some(ticks) = packet.adaptation.pcr {
            state.stats.clocks += 1;
            clock(&mut self.programs, &packet, ticks, offset, out);
        }
        match state.continuity(&packet) {
            Continuity::Next => {}
            Continuity::Repeated => {
                state.stats.duplicates += 1;
                return;
            }
            Continuity::Gap => {
                state.stats.continuity_errors += 1;
                let track = state.role.track();
                damage(out, offset, DamageKind::Continuity, pid, track, 0);
                self.with_stream(slot, offset, out, |stream, cx| stream.gap(cx));
            }
            Continuity::Announced => {
                self.with_stream(slot, offset, out, |stream, cx| stream.announced_break(cx));
            }
        }
        let Some(state) = self.pids.get_mut(slot) else {
            return;
        };
        if packet.scrambled {
            state.stats.scrambled += 1;
            if !std::mem::replace(&mut state.scrambling, true) {
                let track = state.role.track();
                damage(out, offset, DamageKind::Scrambled, pid, track, 0);
                self.with_stream(slot, offset, out, |stream, cx| stream.gap(cx));
            }
            return;
        }
        state.scrambling = false;
        if !packet.has_payload {
            return;
        }
        match &mut state.role {
            Role::Other => {}
            Role::Stream { program, stream } => {
                if let Some(clocked) = find(&mut self.programs, *program) {
                    let mut cx = Context {
                        limits: &self.limits,
                        clock: &mut clocked.clock,
                        stats: &mut state.stats,
                        out,
                        offset,
                    };
                    stream.packet(&packet, &mut cx);
                }
            }
            Role::Sections { program, splice } => {
                if let Some(clocked) = find(&mut self.programs, *program) {
                    splice.packet(bytes, clocked.clock.now(), offset, out);
                }
            }
            Role::Association => {
                let mut changes = std::mem::take(&mut self.changes);
                self.tables.association(bytes, &mut changes);
                self.apply(changes, pid, offset, out);
            }
            Role::Map => {
                let mut changes = std::mem::take(&mut self.changes);
                self.tables.map(pid, bytes, &mut changes);
                self.apply(changes, pid, offset, out);
            }
        }
    }

    /// Runs `work` on the stream of a slot, if it is one.
    fn with_stream(
        &mut self,
        slot: usize,
        offset: u64,
        out: &mut Events,
        work: impl FnOnce(&mut Elementary, &mut Context<'_>),
    ) {
        if let Some(state) = self.pids.get_mut(slot)
            && let Role::Stream { program, stream } = &mut state.role
            && let Some(clocked) = find(&mut self.programs, *program)
        {
            let mut cx = Context {
                limits: &self.limits,
                clock: &mut clocked.clock,
                stats: &mut state.stats,
                out,
                offset,
            };
            work(stream, &mut cx);
        }
    }

    fn slot(&mut self, pid: u16) -> Option<usize> {
        match self.slots.get(usize::from(pid)) {
            Some(0) if self.others < MAX_OTHER_PIDS => {
                self.others += 1;
                Some(self.set_role(pid, Role::Other))
            }
            Some(0) | None => None,
            Some(&slot) => Some(usize::from(slot) - 1),
        }
    }

    /// Gives a PID a role; its counters stay.
    fn set_role(&mut self, pid: u16, role: Role) -> usize {
        let Some(slot) = self.slots.get_mut(usize::from(pid)) else {
            return 0;
        };
        if *slot == 0 {
            self.pids.push(Pid::new(pid, role));
            *slot = self.pids.len() as u16;
        } else if let Some(state) = self.pids.get_mut(usize::from(*slot) - 1) {
            state.role = role;
        }
        usize::from(*slot) - 1
    }

    fn apply(&mut self, mut changes: Vec<Change>, pid: u16, offset: u64, out: &mut Events) {
        for change in changes.drain(..) {
            match change {
                Change::MapPids(pids) => self.map_pids(&pids, out),
                Change::Map(program, configs) => self.map(program, configs, offset, out),
                Change::Gone(program) => self.gone(&program, offset, out),
                Change::Broken(bytes) => {
                    damage(out, offset, DamageKind::Section, pid, None, bytes);
                }
            }
        }
        self.changes = changes;
    }

    fn map_pids(&mut self, pids: &[u16], out: &mut Events) {
        for state in &mut self.pids {
            if matches!(state.role, Role::Map) && !pids.contains(&state.stats.pid) {
                state.role = Role::Other;
            }
        }
        for &pid in pids {
            if let Some(track) = self.role(pid).and_then(Role::track) {
                out.0.push_back(Event::TrackEnded(track));
            }
            self.set_role(pid, Role::Map);
        }
    }

    fn role(&self, pid: u16) -> Option<&Role> {
        let slot = self.slots.get(usize::from(pid))?;
        let at = usize::from(*slot).checked_sub(1)?;
        self.pids.get(at).map(|p| &p.role)
    }

    /// A program is new or has another map.
    fn map(&mut self, mut program: Program, configs: Vec<Bytes>, offset: u64, out: &mut Events) {
        let number = program.number;
        if find(&mut self.programs, number).is_none() {
            self.programs.push(Clocked {
                program: program.clone(),
                clock: ProgramClock::new(),
            });
        }
        // What the map has no more, or has as something else, ends.
        let ended: Vec<(usize, u16)> = self.owned(number);
        for (slot, pid) in ended {
            let stays = program
                .streams
                .iter()
                .any(|s| s.pid == pid && self.role(pid).is_some_and(|role| role.is(s.kind)));
            if !stays {
                self.end_stream(slot, offset, out);
            }
        }
        let mut taken = self.taken();
        for stream in &mut program.streams {
            let kept = self.role(stream.pid).and_then(Role::track);
            stream.track = stream.kind.codec().map(|codec| {
                kept.unwrap_or_else(|| {
                    let usual = match codec.kind() {
                        MediaKind::Video => TrackId::VIDEO,
                        MediaKind::Audio => TrackId::AUDIO,
                        _ => TrackId::DATA,
                    };
                    let id = if taken.contains(&usual) {
                        TrackId(stream.pid)
                    } else {
                        usual
                    };
                    taken.push(id);
                    id
                })
            });
        }
        if let Some(clocked) = find(&mut self.programs, number) {
            clocked.program = program.clone();
        }
        out.0.push_back(Event::Program(Box::new(program.clone())));
        for (stream, config) in program.streams.into_iter().zip(configs) {
            self.stream(number, stream, &config, out);
        }
    }

    fn stream(&mut self, program: u16, info: Stream, config: &Bytes, out: &mut Events) {
        let pid = info.pid;
        if !is_read(info.kind) {
            return;
        }
        let slot = self
            .slots
            .get(usize::from(pid))
            .map_or(0, |&s| usize::from(s));
        let known = slot.checked_sub(1).and_then(|at| self.pids.get_mut(at));
        match known.map(|p| &mut p.role) {
            // Tables come first; a stream that two programs share is the first one's.
            Some(Role::Association | Role::Map) => {}
            Some(Role::Stream { stream, .. }) => stream.rename(info, out),
            Some(Role::Sections { splice, .. }) => splice.rename(info),
            _ => {
                let role = if info.kind == crate::StreamKind::Scte35 {
                    let splice = Box::new(Splice::new(info));
                    Role::Sections { program, splice }
                } else {
                    let stream = Box::new(Elementary::new(info, config, &self.limits));
                    Role::Stream { program, stream }
                };
                self.set_role(pid, role);
            }
        }
    }

    /// Slots and PIDs of a program's streams.
    fn owned(&self, number: u16) -> Vec<(usize, u16)> {
        let of = |role: &Role| match role {
            Role::Stream { program, .. } | Role::Sections { program, .. } => *program == number,
            _ => false,
        };
        self.pids
            .iter()
            .enumerate()
            .filter(|(_, p)| of(&p.role))
            .map(|(at, p)| (at, p.stats.pid))
            .collect()
    }

    fn taken(&self) -> Vec<TrackId> {
        self.pids.iter().filter_map(|p| p.role.track()).collect()
    }

    fn end_stream(&mut self, slot: usize, offset: u64, out: &mut Events) {
        self.with_stream(slot, offset, out, |stream, cx| stream.finish(cx));
        let Some(state) = self.pids.get_mut(slot) else {
            return;
        };
        if let Some(track) = state.role.track() {
            out.0.push_back(Event::TrackEnded(track));
        }
        state.role = Role::Other;
    }

    fn gone(&mut self, program: &Program, offset: u64, out: &mut Events) {
        for (slot, _) in self.owned(program.number) {
            self.end_stream(slot, offset, out);
        }
        self.programs.retain(|p| p.program.number != program.number);
    }

    fn finish(&mut self, out: &mut Events) {
        for slot in 0..self.pids.len() {
            self.with_stream(slot, 0, out, |stream, cx| stream.finish(cx));
        }
    }
}

fn find(programs: &mut [Clocked], number: u16) -> Option<&mut Clocked> {
    programs.iter_mut().find(|p| p.program.number == number)
}

/// A clock reference: it moves the clock of each program that counts by this PID.
fn clock(programs: &mut [Clocked], packet: &Packet<'_>, ticks: u64, offset: u64, out: &mut Events) {
    let mut told = false;
    for clocked in programs.iter_mut() {
        if clocked.program.clock_pid != packet.pid {
            continue;
        }
        let wide = clocked.clock.widen(ticks / 300);
        if !std::mem::replace(&mut told, true) {
            let fine = core_frame::MediaTime::from_ticks((ticks % 300) as i64, crate::PCR_HZ);
            out.0.push_back(Event::Clock(Clock {
                pid: packet.pid,
                offset,
                time: media_time(wide) + fine.unwrap_or_default(),
                discontinuity: packet.adaptation.discontinuity,
            }));
        }
    }
}

fn damage(
    out: &mut Events,
    offset: u64,
    kind: DamageKind,
    pid: u16,
    track: Option<TrackId>,
    lost: usize,
) {
    out.0.push_back(Event::Damage(Damage {
        offset,
        kind,
        pid: Some(pid),
        track,
        lost: lost as u64,
    }));
}
