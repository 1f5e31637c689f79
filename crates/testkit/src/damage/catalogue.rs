//! The corpus: every fault on every kind of stream and wire it makes sense on, and random mixtures of them.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use core_frame::TrackId;

use super::recording::{Kind, Recording, Wire};
use super::{Case, Fault, Holds};
use crate::Random;

/// Seconds of a stream; faults come in its first half, so that its second shows whether it healed.
const SECONDS: u32 = 30;
const IN_STEP: Duration = Duration::from_millis(40);
const VIDEO: Option<TrackId> = Some(TrackId::VIDEO);
const AUDIO: Option<TrackId> = Some(TrackId::AUDIO);

/// A row: a name, its faults, the epochs it may open, and whether sound and picture must be in step at the end.
struct Row {
    name: String,
    faults: Vec<Fault>,
    epochs: RangeInclusive<usize>,
    in_step: bool,
}

/// The corpus of damaged streams, the same each time.
pub fn cases() -> impl Iterator<Item = Case> {
    let mut shelf = Shelf::default();
    let kinds = Kind::ALL.into_iter().flat_map(|kind| {
        let rows = rows().into_iter().chain(video_rows(kind));
        let fits = move |row: &Row| kind.has_both() || !row.faults.iter().any(needs_both);
        rows.filter(fits).map(move |row| (kind, Wire::MILLIS, row))
    });
    let wires = [Kind::Plain, Kind::BFrames]
        .into_iter()
        .flat_map(|kind| wires().into_iter().map(move |(w, row)| (kind, w, row)));
    kinds.chain(wires).map(move |(kind, wire, row)| {
        let told = !row.name.starts_with("headers lost");
        let name = format!("{kind:?}: {}", row.name);
        let holds = Holds {
            epochs: row.epochs,
            offset: (row.in_step && kind.has_both()).then_some(IN_STEP),
        };
        shelf.make(kind, wire, told, name, &row.faults, holds)
    })
}

/// A mixture of one to four faults at random places; the same for the same seed.
#[must_use]
pub fn random(seed: u64) -> Case {
    let mut random = Random::new(seed ^ 0x6D69_6C6C);
    let both = [Kind::Plain, Kind::BFrames, Kind::Ntsc, Kind::LongGop];
    let kind = both[random.below(4) as usize];
    let count = 1 + random.below(4);
    let faults: Vec<Fault> = (0..count).map(|_| any_fault(&mut random)).collect();
    let wire = match random.below(4) {
        0 => Wire {
            hz: 90_000,
            bits: 33,
            start: (1 << 33) - random.below(90_000 * 60) as i64,
        },
        1 => Wire {
            start: random.below(1 << 40) as i64,
            ..Wire::MILLIS
        },
        _ => Wire::MILLIS,
    };
    // Each jump opens one epoch, or two where its tracks follow one by one; noise opens no more than one a second.
    let noise = |f: &Fault| matches!(f, Fault::Noise { .. } | Fault::Wild { .. });
    let noise = faults.iter().any(noise);
    // Where the way changes while a clock does, or two clocks do at once, nothing that arrives tells how much of it was which; and
    // bursts, and frames that change places, hide a delay.
    let late = faults.iter().any(|f| matches!(f, Fault::Late { .. }));
    let clocks: Vec<_> = faults.iter().filter(|f| !keeps_time(f)).collect();
    let silent = faults.iter().any(|f| matches!(f, Fault::Silence { .. }));
    let hides = |f: &Fault| matches!(f, Fault::Bursts { .. } | Fault::Swapped { .. });
    let undecided = (late && faults.iter().any(hides))
        || !clocks.is_empty() && (late || clocks.len() > 1 || silent);
    let name = format!("seed {seed}: {kind:?} {faults:?}");
    let holds = Holds {
        epochs: 0..=if noise { 30 } else { 4 * faults.len() },
        offset: (!undecided).then_some(IN_STEP),
    };
    Shelf::default().make(kind, wire, true, name, &faults, holds)
}

fn any_fault(random: &mut Random) -> Fault {
    let track = [None, VIDEO, AUDIO][random.below(3) as usize];
    let at = 6_000 + random.below(6_000) as i64;
    let sign = if random.chance(0.5) { 1 } else { -1 };
    let lasts = 100 + random.below(3_000) as i64;
    let every = 20 + random.below(200) as usize;
    match random.below(16) {
        0 => Fault::Jump {
            track,
            at,
            by: sign * (700 + random.below(100_000_000) as i64),
        },
        1 => Fault::Jump {
            track: None,
            at,
            by: sign * (1 + random.below(5_000) as i64),
        },
        2 => Fault::Excursion {
            track,
            at,
            until: at + lasts,
            by: sign * (12_000 + random.below(1_000_000) as i64),
        },
        3 => Fault::Restart {
            at,
            absence: random.below(3_000) as i64,
        },
        4 => Fault::Publisher {
            at,
            absence: random.below(3_000) as i64,
            clock: random.below(1 << 32) as i64,
        },
        5 => Fault::StandStill {
            track: None,
            at,
            lasts,
            returns: random.chance(0.5),
        },
        6 => Fault::Missing { track, every },
        7 => Fault::Silence { track, at, lasts },
        8 => Fault::Doubled { track, every },
        9 => Fault::Swapped { track, every },
        10 => Fault::Wild {
            track,
            every,
            value: random.next_u64() as i64,
        },
        11 => Fault::Bursts {
            every: 10 + random.below(400) as i64,
        },
        12 => Fault::SenselessComposition { every },
        13 => Fault::Late {
            track: TrackId::AUDIO,
            at,
            by: random.below(400) as i64,
        },
        14 => Fault::RepeatedHeaders { every: 1_000 },
        _ => Fault::Noise {
            at,
            lasts,
            seed: random.next_u64(),
        },
    }
}

/// True for faults that leave the sender's clocks as they are.
fn keeps_time(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Missing { .. }
            | Fault::Silence { .. }
            | Fault::Doubled { .. }
            | Fault::Swapped { .. }
            | Fault::Late { .. }
            | Fault::Bursts { .. }
            | Fault::SenselessComposition { .. }
            | Fault::RepeatedHeaders { .. }
    )
}

fn needs_both(fault: &Fault) -> bool {
    let of = |track: &Option<TrackId>| track.is_some();
    match fault {
        Fault::Jump { track, .. }
        | Fault::Excursion { track, .. }
        | Fault::StandStill { track, .. }
        | Fault::Rate { track, .. }
        | Fault::Missing { track, .. }
        | Fault::Silence { track, .. }
        | Fault::Doubled { track, .. }
        | Fault::Swapped { track, .. }
        | Fault::Wild { track, .. }
        | Fault::Jitter { track, .. } => of(track),
        Fault::Late { .. }
        | Fault::LateStart { .. }
        | Fault::EarlyEnd { .. }
        | Fault::CodecFlips { .. } => true,
        _ => false,
    }
}

fn row(name: &str, fault: Fault, epochs: RangeInclusive<usize>, in_step: bool) -> Row {
    Row {
        name: name.to_owned(),
        faults: vec![fault],
        epochs,
        in_step,
    }
}

/// Faults of clocks and of ways, for every kind of stream.
fn rows() -> Vec<Row> {
    let at = 8_000;
    let jump = |track, by| Fault::Jump { track, at, by };
    let mut rows = vec![
        Row {
            name: "whole".to_owned(),
            faults: vec![],
            epochs: 0..=0,
            in_step: true,
        },
        row("jump of an hour", jump(None, 3_600_000), 1..=1, true),
        row("jump of 11 s", jump(None, 11_000), 1..=1, true),
        row("jump of 3 s", jump(None, 3_000), 0..=0, true),
        row("back 5 s", jump(None, -5_000), 1..=1, true),
        row("back 600 ms", jump(None, -600), 1..=1, true),
        row("back 300 ms", jump(None, -300), 0..=0, true),
        row("back a year", jump(None, -31_536_000_000), 1..=1, true),
        row("sound jumps 90 s", jump(AUDIO, 90_000), 1..=1, true),
        row("picture jumps 90 s", jump(VIDEO, 90_000), 1..=1, true),
        row("sound jumps 3 s", jump(AUDIO, 3_000), 0..=0, true),
        row("picture jumps 3 s", jump(VIDEO, 3_000), 0..=0, true),
        row("sound goes back 3 s", jump(AUDIO, -3_000), 1..=1, true),
        row("picture goes back 3 s", jump(VIDEO, -3_000), 1..=1, true),
        row("sound jumps 300 ms", jump(AUDIO, 300), 0..=0, true),
        row("sound goes back 250 ms", jump(AUDIO, -250), 0..=0, true),
    ];
    let excursion = |track, by, lasts| Fault::Excursion {
        track,
        at,
        until: at + lasts,
        by,
    };
    rows.extend([
        row(
            "there and back",
            excursion(None, 1_000_000, 3_000),
            1..=2,
            true,
        ),
        row(
            "sound there and back",
            excursion(AUDIO, 20_000, 2_000),
            1..=2,
            true,
        ),
        row(
            "picture back and home",
            excursion(VIDEO, -20_000, 2_000),
            1..=2,
            true,
        ),
    ]);
    for absence in [0, 500, 2_000, 10_000] {
        rows.push(row(
            &format!("restart at 0 after {absence} ms"),
            Fault::Restart { at, absence },
            1..=1,
            true,
        ));
        rows.push(row(
            &format!("next publisher after {absence} ms"),
            Fault::Publisher {
                at,
                absence,
                clock: 1_700_000_000_000,
            },
            1..=1,
            true,
        ));
    }
    for (lasts, returns) in [(300, true), (3_000, true), (3_000, false), (10_000, true)] {
        let stand = |track| Fault::StandStill {
            track,
            at,
            lasts,
            returns,
        };
        let how = if returns { "returns" } else { "goes on" };
        rows.extend([
            row(
                &format!("clock stands {lasts} ms and {how}"),
                stand(None),
                0..=2,
                true,
            ),
            row(
                &format!("clock of the sound stands {lasts} ms and {how}"),
                stand(AUDIO),
                0..=2,
                true,
            ),
            row(
                &format!("clock of the picture stands {lasts} ms and {how}"),
                stand(VIDEO),
                0..=2,
                true,
            ),
        ]);
    }
    rows.extend(drifting());
    rows.extend(lossy());
    rows
}

fn drifting() -> Vec<Row> {
    let mut rows = Vec::new();
    for ppm in [50_000, -50_000, 1_000, -200] {
        for (whose, track) in [("all", None), ("sound", AUDIO), ("picture", VIDEO)] {
            for at in [0, 8_000] {
                rows.push(row(
                    &format!("{whose} {ppm} ppm fast from {at} ms"),
                    Fault::Rate { track, at, ppm },
                    0..=0,
                    true,
                ));
            }
        }
    }
    rows
}

fn lossy() -> Vec<Row> {
    let at = 8_000;
    let mut rows = vec![
        row(
            "bursts of 400 ms",
            Fault::Bursts { every: 400 },
            0..=0,
            true,
        ),
        row(
            "ten times as fast",
            Fault::Unpaced { times: 10 },
            0..=0,
            true,
        ),
        row(
            "all at once",
            Fault::Unpaced { times: 1_000_000 },
            0..=0,
            true,
        ),
        row(
            "sound starts 5 s late",
            Fault::LateStart {
                track: TrackId::AUDIO,
                at: 5_000,
            },
            0..=0,
            true,
        ),
        row(
            "picture starts 5 s late",
            Fault::LateStart {
                track: TrackId::VIDEO,
                at: 5_000,
            },
            0..=0,
            true,
        ),
        row(
            "sound ends",
            Fault::EarlyEnd {
                track: TrackId::AUDIO,
                at,
            },
            0..=0,
            true,
        ),
        row(
            "codec of the picture flips",
            Fault::CodecFlips {
                track: TrackId::VIDEO,
                every: 2_000,
            },
            0..=0,
            true,
        ),
        row(
            "codec of the sound flips",
            Fault::CodecFlips {
                track: TrackId::AUDIO,
                every: 3_000,
            },
            0..=0,
            true,
        ),
        row(
            "headers over and over",
            Fault::RepeatedHeaders { every: 500 },
            0..=0,
            true,
        ),
        row("headers lost", Fault::Unpaced { times: 1 }, 0..=0, true),
        row(
            "headers lost and a jump",
            Fault::Jump {
                track: None,
                at,
                by: 500_000,
            },
            1..=1,
            true,
        ),
        row(
            "noise for 3 s",
            Fault::Noise {
                at,
                lasts: 3_000,
                seed: 5,
            },
            1..=6,
            true,
        ),
    ];
    for (name, from) in [("from the start", 0), ("after a while", at)] {
        for by in [300, 5_000] {
            rows.push(row(
                &format!("sound arrives {by} ms late {name}"),
                Fault::Late {
                    track: TrackId::AUDIO,
                    at: from,
                    by,
                },
                0..=0,
                true,
            ));
        }
    }
    for (whose, track) in [("frames", None), ("sound", AUDIO), ("pictures", VIDEO)] {
        rows.extend([
            row(
                &format!("{whose} missing"),
                Fault::Missing { track, every: 7 },
                0..=0,
                true,
            ),
            row(
                &format!("{whose} missing for 4 s"),
                Fault::Silence {
                    track,
                    at,
                    lasts: 4_000,
                },
                0..=0,
                true,
            ),
            row(
                &format!("{whose} doubled"),
                Fault::Doubled { track, every: 9 },
                0..=0,
                true,
            ),
            row(
                &format!("{whose} swapped"),
                Fault::Swapped { track, every: 11 },
                0..=0,
                true,
            ),
            row(
                &format!("{whose} 10 ms beside their time"),
                Fault::Jitter {
                    track,
                    by: 10,
                    seed: 3,
                },
                0..=0,
                true,
            ),
        ]);
        for (what, value) in [
            ("zero", 0),
            ("least", i64::MIN),
            ("most", i64::MAX),
            ("-1", 0xFFFF_FFFF * 1_000_000),
        ] {
            rows.push(row(
                &format!("{whose} with a wild {what}"),
                Fault::Wild {
                    track,
                    every: 200,
                    value,
                },
                0..=30,
                true,
            ));
        }
    }
    rows
}

/// Faults of decode times, for pictures.
fn video_rows(kind: Kind) -> Vec<Row> {
    if kind == Kind::AudioOnly {
        return Vec::new();
    }
    let mut rows = vec![
        row("no decode times", Fault::NoDecodeTimes, 0..=0, true),
        row(
            "nonsense for composition",
            Fault::SenselessComposition { every: 31 },
            0..=0,
            true,
        ),
    ];
    if kind.is_reordered() {
        rows.push(row(
            "wrong decode order",
            Fault::WrongDecodeOrder { every: 3 },
            0..=0,
            true,
        ));
    } else {
        rows.push(row(
            "shown 80 ms before decoded",
            Fault::ShownBeforeDecoded { by: 80 },
            0..=0,
            // The pictures' own times are wrong, and nothing tells.
            false,
        ));
    }
    rows
}

/// Wire clocks that wrap 8 s after the start, alone and with a fault right at the wrap.
fn wires() -> Vec<(Wire, Row)> {
    let mut rows = Vec::new();
    for (name, hz, bits) in [
        ("24-bit ms", 1_000, 24),
        ("31-bit ms", 1_000, 31),
        ("32-bit ms", 1_000, 32),
        ("32-bit 90 kHz", 90_000, 32),
        ("33-bit 90 kHz", 90_000, 33),
        ("32-bit us", 1_000_000, 32),
    ] {
        let wire = Wire {
            hz,
            bits,
            start: (1 << bits) - 8 * i64::from(hz),
        };
        let faults = [
            ("", None),
            (
                " where frames are missing",
                Some(Fault::Silence {
                    track: None,
                    at: 7_800,
                    lasts: 400,
                }),
            ),
            (
                " where frames are swapped",
                Some(Fault::Swapped {
                    track: None,
                    every: 5,
                }),
            ),
        ];
        for (with, fault) in faults {
            rows.push((
                wire,
                Row {
                    name: format!("{name} wraps{with}"),
                    faults: fault.into_iter().collect(),
                    epochs: 0..=0,
                    in_step: true,
                },
            ));
        }
    }
    for (name, hz, start) in [
        ("90 kHz", 90_000, 0),
        ("starts before zero", 1_000, -3_000),
        ("starts at 2^40 ms", 1_000, 1 << 40),
        ("starts in 2026", 1_000, 1_795_000_000_000),
    ] {
        let wire = Wire {
            hz,
            bits: 63,
            start,
        };
        rows.push((
            wire,
            Row {
                name: name.to_owned(),
                faults: vec![],
                epochs: 0..=0,
                in_step: true,
            },
        ));
    }
    rows
}

/// Recordings are made once.
#[derive(Default)]
struct Shelf {
    recordings: HashMap<Kind, Recording>,
}

impl Shelf {
    fn make(
        &mut self,
        kind: Kind,
        wire: Wire,
        told: bool,
        name: String,
        faults: &[Fault],
        holds: Holds,
    ) -> Case {
        let made = self.recordings.entry(kind);
        let mut recording = made
            .or_insert_with(|| Recording::new(kind, SECONDS))
            .clone();
        for fault in faults {
            fault.apply(&mut recording);
        }
        Case {
            name,
            arrivals: recording.arrivals(wire, told),
            holds,
        }
    }
}
