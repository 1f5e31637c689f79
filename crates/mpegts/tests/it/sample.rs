//! Samples made by ffmpeg and GStreamer, and how tests read them. They are kept below `target/tmp`, under a name that
//! changes with what makes them, so that each is made once and not once for each test.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use core_frame::{Limits, MediaFrame, TrackId, TrackTable};
use millstream_mpegts::{
    Damage, Data, Demuxer, Event, Events, FileWriter, MuxOptions, Program, Programs,
};

/// Serialises the making of samples: two tests may want the same one.
static MAKING: Mutex<()> = Mutex::new(());

pub(crate) const PICTURE: &str = "-f lavfi -i testsrc2=s=320x180:r=25:d=2";
pub(crate) const SOUND: &str = "-f lavfi -i sine=f=440:r=48000:d=2";
/// H.264 with B pictures and AAC: what most streams are.
pub(crate) const USUAL: &str = "-c:v libx264 -preset veryfast -bf 2 -g 25 -c:a aac";

pub(crate) fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mpegts");
    std::fs::create_dir_all(&folder).expect("a folder below target/tmp");
    folder
}

fn made(name: &str, recipe: &str, make: impl FnOnce(&Path) -> Output) -> PathBuf {
    let _lock = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hash = DefaultHasher::new();
    recipe.hash(&mut hash);
    let path = folder().join(format!("{name}-{:016x}.ts", hash.finish()));
    if !path.exists() {
        let part = path.with_extension("part");
        let out = make(&part);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{name}: {said}");
        std::fs::rename(&part, &path).expect("moved");
    }
    path
}

/// A transport stream that ffmpeg makes of the test picture and tone with `options`.
pub(crate) fn ffmpeg(name: &str, options: &str) -> PathBuf {
    ffmpeg_of(name, &format!("{PICTURE} {SOUND} {options}"))
}

pub(crate) fn ffmpeg_of(name: &str, arguments: &str) -> PathBuf {
    made(name, arguments, |path| {
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(arguments.split_whitespace())
            .args(["-f", "mpegts"])
            .arg(path)
            .output()
            .expect("ffmpeg runs")
    })
}

/// A transport stream that GStreamer makes: `pipeline` names the muxer's inputs, which is called `mux`.
pub(crate) fn gstreamer(name: &str, pipeline: &str) -> PathBuf {
    made(name, pipeline, |path| {
        let whole = format!(
            "mpegtsmux name=mux ! filesink location={} {pipeline}",
            path.display()
        );
        Command::new("gst-launch-1.0")
            .arg("-q")
            .args(whole.split_whitespace())
            .output()
            .expect("GStreamer runs")
    })
}

/// FFmpeg of version 8 or later, from `MILLSTREAM_FFMPEG9`; without it the ffmpeg of the path.
pub(crate) fn newest_ffmpeg() -> PathBuf {
    std::env::var_os("MILLSTREAM_FFMPEG9").map_or_else(|| PathBuf::from("ffmpeg"), PathBuf::from)
}

/// A stream, demuxed.
#[derive(Default, Debug)]
pub(crate) struct Media {
    pub(crate) programs: Vec<Program>,
    pub(crate) table: TrackTable,
    pub(crate) announced: usize,
    pub(crate) ended: Vec<TrackId>,
    pub(crate) frames: Vec<MediaFrame>,
    pub(crate) data: Vec<Data>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) clocks: usize,
}

impl Media {
    pub(crate) fn take(&mut self, events: &mut Events) {
        for event in events.drain() {
            match event {
                Event::Program(program) => self.programs.push(*program),
                Event::Track(info) => {
                    self.table.set(*info);
                    self.announced += 1;
                }
                Event::TrackEnded(id) => self.ended.push(id),
                Event::Frame(frame) => self.frames.push(frame),
                Event::Data(data) => self.data.push(data),
                Event::Damage(damage) => self.damage.push(damage),
                Event::Clock(_) => self.clocks += 1,
                _ => {}
            }
        }
    }

    pub(crate) fn of(&self, track: TrackId) -> Vec<&MediaFrame> {
        self.frames.iter().filter(|f| f.track == track).collect()
    }
}

pub(crate) fn demux(bytes: &[u8]) -> Media {
    demux_in(bytes, 65_536, Programs::First)
}

pub(crate) fn demux_in(bytes: &[u8], piece: usize, programs: Programs) -> Media {
    let mut demuxer = Demuxer::with_programs(&Limits::default(), programs);
    let mut events = Events::new();
    let mut media = Media::default();
    for part in bytes.chunks(piece) {
        demuxer.push(part, &mut events);
        media.take(&mut events);
    }
    demuxer.finish(&mut events);
    media.take(&mut events);
    media
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a sample")
}

/// The frames as a file of ours.
pub(crate) fn mux(media: &Media, options: MuxOptions) -> BytesMut {
    let mut out = BytesMut::new();
    let mut writer = FileWriter::with_options(options);
    writer.tracks(&media.table, &mut out);
    for frame in &media.frames {
        writer.frame(frame, &mut out).expect("writable");
    }
    out
}

pub(crate) fn table(media: &Media) -> Arc<TrackTable> {
    Arc::new(media.table.clone())
}

/// A file of `bytes` for other programs to read.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(format!("{name}-{}.ts", std::process::id()));
    std::fs::write(&path, bytes).expect("written");
    path
}

/// A small generator (xorshift64*), so that a failure comes again with the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}
