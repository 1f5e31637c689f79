//! Program association and map tables: which programs there are, which streams they have, and when that changes.

use bytes::Bytes;
use core_frame::MediaKind;
use libmpegts::psi::{PatSectionRef, PmtSectionRef, Psi};
use libmpegts::ts::TsPacketRef;

use super::event::{Program, Stream};
use crate::StreamKind;
use crate::kind::{identify, language};
use crate::packet::PACKET;

/// Programs of a multiplex that are followed; more would be an attack.
const MAX_PROGRAMS: usize = 16;
/// Streams of a program, likewise.
const MAX_STREAMS: usize = 64;
/// Sections of an association table that are remembered: enough for all 65 536 programs.
const MAX_SECTIONS: usize = 256;
/// How often another map comes before the first program of the table is given up.
const PATIENCE: u32 = 3;

/// Which programs of a multiplex to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Programs {
    /// The first of the association table that has pictures or sound.
    #[default]
    First,
    /// This `program_number`.
    Number(u16),
    /// All of them, up to 16. Tracks of different programs have different ids.
    All,
}

/// A table that changes only when the new one comes twice: one section with a lucky checksum changes nothing.
#[derive(Clone, Debug, Default)]
struct Gate {
    accepted: Option<u32>,
    candidate: Option<u32>,
}

impl Gate {
    fn is_new(&mut self, crc: u32) -> bool {
        if self.accepted == Some(crc) {
            self.candidate = None;
            return false;
        }
        if self.accepted.is_some() && self.candidate != Some(crc) {
            self.candidate = Some(crc);
            return false;
        }
        self.accepted = Some(crc);
        self.candidate = None;
        true
    }

    /// The next table counts at once.
    fn open(&mut self) {
        self.accepted = None;
        self.candidate = None;
    }
}

#[derive(Clone, Debug)]
struct Section {
    number: u8,
    gate: Gate,
    /// `(program_number, PID of its map)`.
    programs: Vec<(u16, u16)>,
}

/// A program of the association table.
#[derive(Debug)]
struct Entry {
    number: u16,
    map_pid: u16,
    gate: Gate,
    seen: u32,
    /// Its map, once chosen.
    map: Option<Program>,
}

/// What a packet of tables changed.
#[derive(Debug)]
pub(super) enum Change {
    /// Maps come on these PIDs now, and on no other.
    MapPids(Vec<u16>),
    /// A program is new or has another map; with the configurations of its streams, in their order.
    Map(Program, Vec<Bytes>),
    /// A program is gone.
    Gone(Program),
    /// A section was broken.
    Broken(usize),
}

/// The tables of a multiplex.
#[derive(Debug)]
pub(super) struct Tables {
    choice: Programs,
    pat: Box<Psi>,
    sections: Vec<Section>,
    entries: Vec<Entry>,
    maps: Vec<(u16, Box<Psi>)>,
}

impl Tables {
    pub(super) fn new(choice: Programs) -> Self {
        Self {
            choice,
            pat: Box::default(),
            sections: Vec::new(),
            entries: Vec::new(),
            maps: Vec::new(),
        }
    }

    /// The next tables count at once, whatever came before.
    pub(super) fn open(&mut self) {
        for section in &mut self.sections {
            section.gate.open();
        }
        for entry in &mut self.entries {
            entry.gate.open();
        }
    }

    /// A packet of the association table.
    pub(super) fn association(&mut self, bytes: &[u8; PACKET], out: &mut Vec<Change>) {
        self.pat.assemble(&TsPacketRef::from(bytes));
        let mut changed = false;
        for section in self.pat.sections() {
            match PatSectionRef::try_from(section) {
                Ok(pat) if pat.current_next_indicator() => {
                    changed |= accept(&mut self.sections, &pat);
                }
                Ok(_) => {}
                Err(_) => out.push(Change::Broken(section.len())),
            }
        }
        if changed {
            self.follow(out);
        }
    }

    /// The association table changed: programs come and go.
    fn follow(&mut self, out: &mut Vec<Change>) {
        let wanted: Vec<(u16, u16)> = self
            .sections
            .iter()
            .flat_map(|s| &s.programs)
            .filter(|(number, _)| match self.choice {
                Programs::Number(n) => *number == n,
                _ => true,
            })
            .take(MAX_PROGRAMS)
            .copied()
            .collect();
        self.entries.retain_mut(|entry| {
            let stays = wanted.contains(&(entry.number, entry.map_pid));
            if let (false, Some(map)) = (stays, entry.map.take()) {
                out.push(Change::Gone(map));
            }
            stays
        });
        let mut entries = Vec::with_capacity(wanted.len());
        for (number, map_pid) in wanted {
            let known = self.entries.iter().position(|e| e.number == number);
            entries.push(match known {
                Some(at) => self.entries.swap_remove(at),
                None => Entry {
                    number,
                    map_pid,
                    gate: Gate::default(),
                    seen: 0,
                    map: None,
                },
            });
        }
        self.entries = entries;
        let entries = &self.entries;
        self.maps
            .retain(|(pid, _)| entries.iter().any(|e| e.map_pid == *pid));
        for entry in entries {
            if !self.maps.iter().any(|(pid, _)| *pid == entry.map_pid) {
                self.maps.push((entry.map_pid, Box::default()));
            }
        }
        let pids = self.maps.iter().map(|(pid, _)| *pid).collect();
        out.push(Change::MapPids(pids));
    }

    /// A packet of a PID on which maps come.
    pub(super) fn map(&mut self, pid: u16, bytes: &[u8; PACKET], out: &mut Vec<Change>) {
        let Some((_, psi)) = self.maps.iter_mut().find(|(p, _)| *p == pid) else {
            return;
        };
        psi.assemble(&TsPacketRef::from(bytes));
        for section in psi.sections() {
            // Other tables may share the PID.
            if section.first() != Some(&2) {
                continue;
            }
            match PmtSectionRef::try_from(section) {
                Ok(map) if map.current_next_indicator() => {
                    accept_map(&mut self.entries, self.choice, pid, &map, out);
                }
                Ok(_) => {}
                Err(_) => out.push(Change::Broken(section.len())),
            }
        }
    }
}

/// Takes in a section of the association table; true when programs changed.
fn accept(sections: &mut Vec<Section>, pat: &PatSectionRef<'_>) -> bool {
    let (number, last) = (pat.section_number(), pat.last_section_number());
    let at = match sections.iter().position(|s| s.number == number) {
        Some(at) => at,
        None if sections.len() < MAX_SECTIONS => {
            sections.push(Section {
                number,
                gate: Gate::default(),
                programs: Vec::new(),
            });
            sections.len() - 1
        }
        None => return false,
    };
    let Some(section) = sections.get_mut(at) else {
        return false;
    };
    if !section.gate.is_new(pat.crc32()) {
        return false;
    }
    section.programs = pat
        .programs()
        .map_while(Result::ok)
        .map(|p| (p.program_number(), p.pid()))
        // Program 0 is the network table; the first PIDs and the last have uses of their own (table 2-3).
        .filter(|&(number, pid)| number != 0 && (0x10..0x1FFF).contains(&pid))
        .collect();
    sections.retain(|s| s.number <= last);
    sections.sort_by_key(|s| s.number);
    true
}

fn accept_map(
    entries: &mut [Entry],
    choice: Programs,
    pid: u16,
    map: &PmtSectionRef<'_>,
    out: &mut Vec<Change>,
) {
    let number = map.program_number();
    let Some(at) = entries
        .iter()
        .position(|e| e.number == number && e.map_pid == pid)
    else {
        return;
    };
    let chosen = entries.iter().position(|e| e.map.is_some());
    let Some(entry) = entries.get_mut(at) else {
        return;
    };
    // The usual case, a map that is known, is read no further.
    if entry.map.is_some() && !entry.gate.is_new(map.crc32()) {
        return;
    }
    let (program, configs) = read_map(pid, map);
    if entry.map.is_none() {
        // An earlier program of the table without a map, or without media, is waited for, but not for ever.
        entry.seen = entry.seen.saturating_add(1);
        let is_media =
            |s: &Stream| matches!(s.kind.media(), Some(MediaKind::Video | MediaKind::Audio));
        let may = choice != Programs::First
            || (chosen.is_none()
                && ((at == 0 && program.streams.iter().any(is_media)) || entry.seen > PATIENCE));
        if !may || !entry.gate.is_new(map.crc32()) {
            return;
        }
    }
    entry.map = Some(program.clone());
    out.push(Change::Map(program, configs));
}

fn read_map(map_pid: u16, map: &PmtSectionRef<'_>) -> (Program, Vec<Bytes>) {
    let mut configs = Vec::new();
    let mut streams: Vec<Stream> = Vec::new();
    for stream in map.streams().map_while(Result::ok).take(MAX_STREAMS) {
        let pid = stream.elementary_pid();
        if !(0x10..0x1FFF).contains(&pid) || pid == map_pid || streams.iter().any(|s| s.pid == pid)
        {
            continue;
        }
        let list: Vec<(u8, &[u8])> = stream
            .stream_descriptors()
            .into_iter()
            .flatten()
            .map_while(Result::ok)
            .map(|d| (d.tag(), d.data()))
            .collect();
        let (kind, config) = identify(stream.stream_type(), list.iter().copied());
        let language = list.iter().find_map(|(tag, body)| match tag {
            0x0A | 0x56 | 0x59 => language(body),
            _ => None,
        });
        streams.push(Stream {
            pid,
            stream_type: stream.stream_type(),
            kind,
            language,
            track: None,
        });
        configs.push(config);
    }
    let program = Program {
        number: map.program_number(),
        map_pid,
        clock_pid: map.pcr_pid(),
        version: map.version(),
        streams,
    };
    (program, configs)
}

/// True for streams whose packets are read.
pub(super) const fn is_read(kind: StreamKind) -> bool {
    !matches!(kind, StreamKind::Unknown)
}
