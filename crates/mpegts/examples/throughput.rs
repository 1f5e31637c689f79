//! How fast: demuxing and muxing a file of some 140 MB, beside `ffmpeg -c copy` on the same file and `libmpegts` alone.
//!
//! `cargo run --release -p millstream-mpegts --example throughput`. The file is made by ffmpeg below `target/tmp`.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::BytesMut;
use core_frame::{Limits, MediaFrame, Render, RenderOut, TrackTable};
use libmpegts::slicer::TsSlicer;
use libmpegts::ts::CcChecker;
use millstream_mpegts::{Demuxer, Event, Events, MuxOptions, Muxer, PacketReader, TsRender};

type Failure = Box<dyn std::error::Error>;

/// Each figure is the best of so many runs: everything else on the machine only adds to it.
const RUNS: usize = 7;
/// Bytes that are pushed at once: what a socket or a file gives.
const PIECE: usize = 64 * 1024;

#[expect(clippy::print_stdout, reason = "a command line tool")]
fn main() -> Result<(), Failure> {
    let path = file()?;
    let bytes = std::fs::read(&path)?;
    let megabytes = bytes.len() as f64 / 1e6;
    let media = demux(&bytes);
    println!(
        "{megabytes:.1} MB, {} frames; MB per CPU second, best of {RUNS}",
        media.1.len()
    );
    let show = |name: &str, seconds: f64| {
        println!(
            "{name:<44} {seconds:>8.4} CPU-s {:>8.0} MB/CPU-s",
            megabytes / seconds
        );
    };
    let ffmpeg = best(|| ffmpeg_copy(&path))?;
    show("ffmpeg -c copy, TS to TS (its own count)", ffmpeg);
    show(
        "libmpegts: packets and continuity",
        best(|| own_time(|| slice(&bytes)))?,
    );
    show(
        "PacketReader: packets",
        best(|| own_time(|| packets(&bytes)))?,
    );
    let demuxed = best(|| own_time(|| count(&bytes)))?;
    show("Demuxer: bytes to frames", demuxed);
    let muxed = best(|| own_time(|| mux(&media.0, &media.1)))?;
    show("Muxer: frames to bytes", muxed);
    show(
        "TsRender: frames to items",
        best(|| own_time(|| render(&media.0, &media.1)))?,
    );
    let both = best(|| own_time(|| through(&bytes)))?;
    show("Demuxer and Muxer, TS to TS in memory", both);
    let files = best(|| own_time(|| file_to_file(&path)))?;
    show("the same, file to file", files);
    println!(
        "ffmpeg's time is {:.1} times that of file to file",
        ffmpeg / files
    );
    Ok(())
}

/// Ten seconds of 1080p and sound, looped to the size.
fn file() -> Result<PathBuf, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/mpegts");
    std::fs::create_dir_all(&folder)?;
    let (short, long) = (folder.join("bench-short.ts"), folder.join("bench-140.ts"));
    if long.exists() {
        return Ok(long);
    }
    let run = |arguments: &str, to: &Path| -> Result<(), Failure> {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y"]);
        command
            .args(arguments.split_whitespace())
            .args(["-f", "mpegts"])
            .arg(to);
        match command.status()?.success() {
            true => Ok(()),
            false => Err("ffmpeg failed".into()),
        }
    };
    run(
        "-f lavfi -i testsrc2=s=1920x1080:r=30:d=10 -f lavfi -i sine=f=440:r=48000:d=10 -c:v libx264 \
         -preset veryfast -bf 2 -g 60 -b:v 6M -minrate 6M -maxrate 6M -bufsize 6M -nal-hrd cbr -c:a aac -b:a 128k",
        &short,
    )?;
    run(
        &format!("-stream_loop 16 -i {} -c copy", short.display()),
        &long,
    )?;
    Ok(long)
}

fn best(mut run: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        best = best.min(run()?);
    }
    Ok(best)
}

/// CPU seconds of this thread, which is the only one.
fn own_time<T>(work: impl FnOnce() -> T) -> Result<f64, Failure> {
    let now = || -> Result<f64, Failure> {
        let text = std::fs::read_to_string("/proc/self/schedstat")?;
        let nanos: f64 = text.split_whitespace().next().ok_or("no time")?.parse()?;
        Ok(nanos / 1e9)
    };
    let before = now()?;
    std::hint::black_box(work());
    Ok(now()? - before)
}

/// What `-benchmark` says, in user and system seconds, of remuxing to a file.
fn ffmpeg_copy(path: &Path) -> Result<f64, Failure> {
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-y", "-benchmark", "-i"])
        .arg(path)
        .args(["-map", "0", "-c", "copy", "-f", "mpegts"])
        .arg(path.with_extension("copy"))
        .output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    let line = said
        .lines()
        .rfind(|l| l.contains("utime="))
        .ok_or("no benchmark")?;
    let of = |key: &str| -> Option<f64> {
        let after = line.split(key).nth(1)?;
        after.split('s').next()?.parse().ok()
    };
    Ok(of("utime=").ok_or("no utime")? + of("stime=").ok_or("no stime")?)
}

fn slice(bytes: &[u8]) -> u64 {
    let (mut slicer, mut checker, mut sum) = (TsSlicer::new(), CcChecker::new(), 0);
    for part in bytes.chunks(PIECE) {
        for packet in slicer.slice(part) {
            std::hint::black_box(checker.check(&packet));
            sum += u64::from(packet.pid()) + packet.payload().map_or(0, |p| p.len() as u64);
        }
    }
    sum
}

fn packets(bytes: &[u8]) -> u64 {
    let (mut reader, mut sum) = (PacketReader::new(), 0);
    for part in bytes.chunks(PIECE) {
        reader.push(part, |found| {
            if let millstream_mpegts::Found::Packet { bytes, .. } = found
                && let Some(packet) = millstream_mpegts::Packet::parse(bytes)
            {
                sum += u64::from(packet.pid) + packet.payload.len() as u64;
            }
        });
    }
    sum
}

fn demux(bytes: &[u8]) -> (TrackTable, Vec<MediaFrame>) {
    let (mut table, mut frames) = (TrackTable::default(), Vec::new());
    let (mut demuxer, mut events) = (Demuxer::new(&Limits::default()), Events::new());
    for part in bytes.chunks(PIECE) {
        demuxer.push(part, &mut events);
        for event in events.drain() {
            match event {
                Event::Track(info) => table.set(*info),
                Event::Frame(frame) => frames.push(frame),
                _ => {}
            }
        }
    }
    (table, frames)
}

fn count(bytes: &[u8]) -> u64 {
    let (mut demuxer, mut events) = (Demuxer::new(&Limits::default()), Events::new());
    let mut count = 0;
    for part in bytes.chunks(PIECE) {
        demuxer.push(part, &mut events);
        count += events
            .drain()
            .filter(|e| matches!(e, Event::Frame(_)))
            .count() as u64;
    }
    count
}

fn mux(table: &TrackTable, frames: &[MediaFrame]) -> u64 {
    let mut muxer = Muxer::new(MuxOptions::default());
    muxer.tracks(table);
    let (mut out, mut sum) = (BytesMut::with_capacity(1 << 20), 0);
    for frame in frames {
        let _ = muxer.frame(frame, &mut out);
        if out.len() > PIECE {
            sum += out.len() as u64;
            out.clear();
        }
    }
    sum
}

fn render(table: &TrackTable, frames: &[MediaFrame]) -> u64 {
    let mut render = TsRender::new();
    let mut out = RenderOut::new();
    render.tracks(&std::sync::Arc::new(table.clone()), &mut out);
    let mut sum = 0;
    for (n, frame) in frames.iter().enumerate() {
        render.frame(frame, n as u64, &mut out);
        sum += out.drain().count() as u64;
    }
    sum
}

/// Bytes to frames to bytes, each frame gone before the next.
struct Through {
    demuxer: Demuxer,
    events: Events,
    muxer: Muxer,
    table: TrackTable,
    out: BytesMut,
}

impl Through {
    fn new() -> Self {
        Self {
            demuxer: Demuxer::new(&Limits::default()),
            events: Events::new(),
            muxer: Muxer::new(MuxOptions::default()),
            table: TrackTable::default(),
            out: BytesMut::with_capacity(1 << 20),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.demuxer.push(bytes, &mut self.events);
        for event in self.events.drain() {
            match event {
                Event::Track(info) => {
                    self.table.set(*info);
                    self.muxer.tracks(&self.table);
                }
                Event::Frame(frame) => {
                    let _ = self.muxer.frame(&frame, &mut self.out);
                }
                _ => {}
            }
        }
    }
}

fn through(bytes: &[u8]) -> u64 {
    let (mut all, mut sum) = (Through::new(), 0);
    for part in bytes.chunks(PIECE) {
        all.push(part);
        if all.out.len() > PIECE {
            sum += all.out.len() as u64;
            all.out.clear();
        }
    }
    sum
}

fn file_to_file(path: &Path) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut from = std::fs::File::open(path)?;
    let mut to = std::fs::File::create(path.with_extension("ours"))?;
    let (mut all, mut part) = (Through::new(), vec![0; PIECE]);
    loop {
        let n = from.read(&mut part)?;
        if n == 0 {
            break;
        }
        all.push(part.get(..n).unwrap_or_default());
        if all.out.len() > PIECE {
            to.write_all(&all.out)?;
            all.out.clear();
        }
    }
    to.write_all(&all.out)
}
