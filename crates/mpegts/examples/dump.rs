//! Prints what is in a transport stream file: programs, tracks, frames, damage. `dump FILE [PIECE]`.

use std::collections::BTreeMap;

use core_frame::Limits;
use millstream_mpegts::{Demuxer, Event, Events, Programs};

#[expect(clippy::print_stdout, reason = "a command line tool")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: dump FILE [PIECE]")?;
    let piece = args.next().map_or(Ok(65_536), |p| p.parse::<usize>())?;
    let bytes = std::fs::read(file)?;
    let mut demuxer = Demuxer::with_programs(&Limits::default(), Programs::All);
    let mut events = Events::new();
    let mut frames: BTreeMap<u16, (u64, u64, u64)> = BTreeMap::new();
    let mut show = |events: &mut Events| {
        for event in events.drain() {
            match event {
                Event::Frame(frame) => {
                    let entry = frames.entry(frame.track.0).or_default();
                    entry.0 += 1;
                    entry.1 += u64::from(frame.is_keyframe());
                    entry.2 += frame.payload.len() as u64;
                }
                Event::Clock(_) => {}
                other => println!("{other:?}"),
            }
        }
    };
    for part in bytes.chunks(piece.max(1)) {
        demuxer.push(part, &mut events);
        show(&mut events);
    }
    demuxer.finish(&mut events);
    show(&mut events);
    for (track, (count, keys, bytes)) in frames {
        println!("track {track}: {count} frames, {keys} key, {bytes} bytes");
    }
    for stats in demuxer.stats() {
        println!("{stats:?}");
    }
    Ok(())
}
