//! Samples made by ffmpeg, with what ffprobe says of them. They are kept below `target/tmp`, under a name that changes
//! with the options and with ffmpeg's version, so that each is made once and not once for each test.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use core_frame::CodecId;
use serde_json::Value;

/// One file per case: name, `size@rate`, options. Samples are named after their codec; all are MP4 but VP8, which is WebM.
const VIDEO: &[(&str, &str, &str)] = &[
    (
        "h264-baseline",
        "320x180@25",
        "-c:v libx264 -profile:v baseline -pix_fmt yuv420p",
    ),
    (
        "h264-main-b",
        "640x360@30000/1001",
        "-c:v libx264 -profile:v main -bf 3 -pix_fmt yuv420p",
    ),
    (
        "h264-high-crop",
        "322x182@50",
        "-c:v libx264 -pix_fmt yuv420p -bf 2 -x264-params b-pyramid=0",
    ),
    (
        "h264-tiny",
        "18x34@24000/1001",
        "-c:v libx264 -pix_fmt yuv420p -bf 0",
    ),
    (
        "h264-high10",
        "330x190@60",
        "-c:v libx264 -pix_fmt yuv420p10le",
    ),
    (
        "h264-high422",
        "330x190@24",
        "-c:v libx264 -pix_fmt yuv422p10le",
    ),
    (
        "h264-high444",
        "331x191@24",
        "-c:v libx264 -pix_fmt yuv444p",
    ),
    ("h264-gray", "320x180@25", "-c:v libx264 -pix_fmt gray"),
    (
        "h264-intra",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuv420p10le -profile:v high10 -g 1",
    ),
    (
        "h264-interlaced",
        "720x576@25",
        "-vf setsar=64/45 -c:v libx264 -pix_fmt yuv420p -flags +ildct+ilme -x264-params tff=1",
    ),
    (
        "h264-hdr",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
    ),
    (
        "h264-full-range",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuvj420p",
    ),
    (
        "h264-hrd",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuv420p -x264-params nal-hrd=cbr:vbv-maxrate=300:vbv-bufsize=300:bitrate=300",
    ),
    (
        "h264-open-gop",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuv420p -g 8 -bf 3 -x264-params open-gop=1:scenecut=0",
    ),
    (
        "h264-intra-refresh",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuv420p -x264-params intra-refresh=1:keyint=10:bframes=0",
    ),
    (
        "h264-slices-zerolatency",
        "320x180@30",
        "-c:v libx264 -pix_fmt yuv420p -tune zerolatency -x264-params slices=4",
    ),
    (
        "h264-scaling-list",
        "320x180@25",
        "-c:v libx264 -pix_fmt yuv420p -x264-params cqm=jvt",
    ),
    (
        "h265-main-crop",
        "322x182@30000/1001",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p -x265-params log-level=none:bframes=3",
    ),
    (
        "h265-main10",
        "330x190@25",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p10le -x265-params log-level=none",
    ),
    (
        "h265-hdr",
        "320x180@50",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -x265-params log-level=none:hdr10=1",
    ),
    (
        "h265-422",
        "330x190@24",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv422p10le -x265-params log-level=none",
    ),
    (
        "h265-444",
        "330x190@24",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv444p -x265-params log-level=none",
    ),
    (
        "h265-gray",
        "320x180@24",
        "-c:v libx265 -tag:v hvc1 -pix_fmt gray -x265-params log-level=none",
    ),
    (
        "h265-temporal-layers",
        "320x180@25",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p -x265-params log-level=none:temporal-layers=1:bframes=3",
    ),
    (
        "h265-no-b",
        "320x180@25",
        "-vf setsar=4/3 -c:v libx265 -tag:v hvc1 -pix_fmt yuv420p -x265-params log-level=none:bframes=0",
    ),
    (
        "h265-hrd-lists",
        "416x240@60",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p -x265-params log-level=none:hrd=1:vbv-maxrate=30000:vbv-bufsize=30000:bitrate=25000:scaling-list=default:level-idc=41:high-tier=1",
    ),
    (
        "h265-open-gop",
        "320x180@25",
        "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p -x265-params log-level=none:keyint=10:min-keyint=10:bframes=3:open-gop=1",
    ),
    (
        "av1-main",
        "322x182@25",
        "-c:v libsvtav1 -preset 12 -pix_fmt yuv420p",
    ),
    (
        "av1-main10",
        "320x180@30",
        "-c:v libsvtav1 -preset 12 -pix_fmt yuv420p10le",
    ),
    (
        "av1-aom",
        "320x180@30000/1001",
        "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv420p -color_primaries bt709 -color_trc bt709 -colorspace bt709",
    ),
    (
        "av1-high",
        "320x180@25",
        "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv444p",
    ),
    (
        "av1-gray",
        "320x180@25",
        "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt gray",
    ),
    (
        "av1-professional",
        "160x90@25",
        "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv422p10le",
    ),
    (
        "vp9-0",
        "322x182@25",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
    ),
    (
        "vp9-altref",
        "320x180@30",
        "-c:v libvpx-vp9 -deadline good -cpu-used 5 -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k -pix_fmt yuv420p",
    ),
    (
        "vp9-1",
        "320x180@25",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv444p",
    ),
    (
        "vp9-2",
        "320x180@25",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p10le",
    ),
    (
        "vp9-error-resilient",
        "320x180@25",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -error-resilient 1 -pix_fmt yuv420p -ts-parameters ts_number_layers=2:ts_target_bitrate=100,200:ts_rate_decimator=2,1:ts_periodicity=2:ts_layer_id=0,1:ts_layering_mode=2 -b:v 200k",
    ),
];

/// Those of VP8, without a record.
const VP8: &[(&str, &str, &str)] = &[
    (
        "vp8-0",
        "322x182@25",
        "-c:v libvpx -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
    ),
    (
        "vp8-3",
        "320x180@30",
        "-c:v libvpx -deadline realtime -cpu-used 8 -profile:v 3 -pix_fmt yuv420p",
    ),
    (
        "vp8-altref",
        "320x180@30",
        "-c:v libvpx -deadline good -cpu-used 5 -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k -pix_fmt yuv420p",
    ),
    (
        "vp8-temporal-layers",
        "320x180@25",
        "-c:v libvpx -deadline realtime -cpu-used 8 -error-resilient default+partitions -pix_fmt yuv420p -ts-parameters ts_number_layers=3:ts_target_bitrate=60,100,200:ts_rate_decimator=4,2,1:ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3 -b:v 200k",
    ),
];

/// Name, rate, channels, options.
const AUDIO: &[(&str, u32, u8, &str)] = &[
    ("aac-44100-stereo", 44_100, 2, "-c:a aac"),
    ("aac-48000-mono", 48_000, 1, "-c:a aac"),
    ("aac-48000-5.1", 48_000, 6, "-c:a aac"),
    ("aac-22050-stereo", 22_050, 2, "-c:a aac"),
    ("aac-22050-mono", 22_050, 1, "-c:a aac"),
    ("aac-96000-stereo", 96_000, 2, "-c:a aac"),
    (
        "aac-main",
        48_000,
        2,
        "-c:a aac -profile:a aac_main -strict -2",
    ),
    ("opus-mono", 48_000, 1, "-c:a libopus"),
    ("opus-stereo", 48_000, 2, "-c:a libopus -frame_duration 60"),
    ("opus-5.1", 48_000, 6, "-c:a libopus -mapping_family 1"),
    (
        "opus-2.5ms",
        48_000,
        2,
        "-c:a libopus -frame_duration 2.5 -application lowdelay",
    ),
    ("mp3-44100-stereo", 44_100, 2, "-c:a libmp3lame"),
    ("mp3-48000-mono", 48_000, 1, "-c:a libmp3lame -b:a 320k"),
    ("mp3-32000-vbr", 32_000, 2, "-c:a libmp3lame -q:a 4"),
    ("mp3-22050-mono", 22_050, 1, "-c:a libmp3lame"),
    ("mp3-16000-stereo", 16_000, 2, "-c:a libmp3lame -strict -2"),
    ("mp3-8000-mono", 8_000, 1, "-c:a libmp3lame -strict -2"),
    ("ac3-48000-5.1", 48_000, 6, "-c:a ac3 -b:a 448k"),
    ("ac3-44100-stereo", 44_100, 2, "-c:a ac3 -b:a 192k"),
    ("ac3-44100-mono", 44_100, 1, "-c:a ac3 -b:a 32k"),
    ("ac3-32000-4.0", 32_000, 4, "-c:a ac3 -b:a 640k"),
    ("eac3-48000-5.1", 48_000, 6, "-c:a eac3"),
    ("eac3-44100-stereo", 44_100, 2, "-c:a eac3 -b:a 96k"),
    (
        "eac3-metadata",
        48_000,
        6,
        "-c:a eac3 -mixing_level 100 -room_type large -ltrt_cmixlev 1 -dmix_mode loro -copyright 1",
    ),
    ("flac-48000-stereo", 48_000, 2, "-c:a flac -strict -2"),
    (
        "flac-96000-mono-24",
        96_000,
        1,
        "-c:a flac -strict -2 -sample_fmt s32",
    ),
    ("flac-44100-5.1", 44_100, 6, "-c:a flac -strict -2"),
    (
        "flac-8000-small-blocks",
        8_000,
        2,
        "-c:a flac -strict -2 -frame_size 100",
    ),
];

/// A file with one track.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) codec: CodecId,
    pub(crate) path: PathBuf,
    /// The configuration record, as it lies in the file's box (AAC: in the descriptor).
    pub(crate) config: Bytes,
    /// ffprobe's words on the stream.
    pub(crate) stream: Value,
    pub(crate) packets: Vec<Packet>,
}

/// One access unit.
pub(crate) struct Packet {
    pub(crate) data: Bytes,
    pub(crate) key: bool,
    pub(crate) duration_time: f64,
}

impl Sample {
    /// A field of ffprobe's stream as text, whatever its type; empty when it is missing.
    pub(crate) fn told(&self, field: &str) -> String {
        match &self.stream[field] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// All samples.
pub(crate) fn samples() -> &'static [Sample] {
    static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(make_all);
    &SAMPLES
}

/// A folder for what one test writes.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The samples of one codec.
pub(crate) fn of(codec: CodecId) -> impl Iterator<Item = &'static Sample> {
    samples().iter().filter(move |s| s.codec == codec)
}

/// Runs a program to its end and returns what it printed; `cargo xtask setup` installs those the tests need.
pub(crate) fn run(program: &str, args: &[&str]) -> Vec<u8> {
    finished(program, args).stdout
}

/// The same, for what it printed on its standard error.
pub(crate) fn run_for_log(program: &str, args: &[&str]) -> String {
    String::from_utf8_lossy(&finished(program, args).stderr).into_owned()
}

fn finished(program: &str, args: &[&str]) -> Output {
    let out = Command::new(program)
        .args(args)
        .env("SVT_LOG", "1")
        .output()
        .unwrap_or_else(|e| {
            panic!("{program} does not start ({e}): cargo xtask setup installs it")
        });
    assert!(
        out.status.success(),
        "{program} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr)
    );
    out
}

pub(crate) fn ffmpeg(args: &[&str]) -> Vec<u8> {
    let mut all = vec!["-hide_banner", "-loglevel", "error", "-y"];
    all.extend(args);
    run("ffmpeg", &all)
}

/// One hash per decoded picture of a file.
pub(crate) fn picture_hashes(path: &str) -> Vec<String> {
    let text = ffmpeg(&[
        "-i",
        path,
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]);
    String::from_utf8(text)
        .unwrap()
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| l.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

fn make_all() -> Vec<Sample> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bitstream-samples");
    std::fs::create_dir_all(&dir).unwrap();
    let version = run("ffmpeg", &["-version"]);
    let total = VIDEO.len() + VP8.len() + AUDIO.len();
    let next = Mutex::new(0..total);
    let made = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(at) = next.lock().unwrap().next() else {
                        return;
                    };
                    let sample = make(&dir, &version, at);
                    made.lock().unwrap().push((at, sample));
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap();
    made.sort_by_key(|(at, _)| *at);
    made.into_iter().map(|(_, sample)| sample).collect()
}

fn make(dir: &Path, version: &[u8], at: usize) -> Sample {
    let (name, args) = arguments(at);
    let mut hasher = DefaultHasher::new();
    (version, &args).hash(&mut hasher);
    let format = if name.starts_with("vp8") {
        "webm"
    } else {
        "mp4"
    };
    let path = dir.join(format!("{name}-{:016x}.{format}", hasher.finish()));
    let file = path.to_str().unwrap();
    if !path.exists() {
        // Another test may be making the same file: each makes its own and moves it into place.
        let part = dir.join(format!("{name}-{}.part.{format}", std::process::id()));
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.push(part.to_str().unwrap());
        ffmpeg(&args);
        std::fs::rename(&part, &path).unwrap();
    }
    let probe = path.with_extension("json");
    if !probe.exists() {
        let told = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-of",
                "json",
                "-show_streams",
                "-show_packets",
                "-show_data",
                file,
            ],
        );
        let part = dir.join(format!("{name}-{}.part.json", std::process::id()));
        std::fs::write(&part, told).unwrap();
        std::fs::rename(&part, &probe).unwrap();
    }
    let probe: Value = serde_json::from_slice(&std::fs::read(&probe).unwrap()).unwrap();
    let codec = codec_of(name);
    let whole = std::fs::read(&path).unwrap();
    let stream = probe["streams"][0].clone();
    let config = match codec {
        CodecId::H264 => box_body(&whole, b"avcC"),
        CodecId::H265 => box_body(&whole, b"hvcC"),
        CodecId::Av1 => box_body(&whole, b"av1C"),
        CodecId::Vp9 => box_body(&whole, b"vpcC"),
        CodecId::Opus => box_body(&whole, b"dOps"),
        CodecId::Ac3 => box_body(&whole, b"dac3"),
        CodecId::Eac3 => box_body(&whole, b"dec3"),
        CodecId::Flac => box_body(&whole, b"dfLa"),
        CodecId::Vp8 | CodecId::Mp3 => Bytes::new(),
        _ => dump(&stream["extradata"]),
    };
    let packets = probe["packets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| Packet {
            data: dump(&p["data"]),
            key: p["flags"].as_str().unwrap().starts_with('K'),
            // WebM tells none of pictures.
            duration_time: p["duration_time"]
                .as_str()
                .map_or(0.0, |t| t.parse().unwrap()),
        })
        .collect();
    Sample {
        name,
        codec,
        path,
        config,
        stream,
        packets,
    }
}

/// Name and ffmpeg's arguments of a case, without the output.
fn arguments(at: usize) -> (&'static str, Vec<String>) {
    let video = VIDEO.iter().chain(VP8).nth(at);
    let (name, input, mut options) = match video {
        Some((name, shape, options)) => {
            let (size, rate) = shape.split_once('@').unwrap();
            let input = format!("testsrc2=size={size}:rate={rate}:duration=1");
            // Short GOPs, so that every sample has more than one key frame.
            let told = options.contains("keyint") || options.contains("-g ");
            let gop = if told { "" } else { " -g 12" };
            (*name, input, format!("{options}{gop}"))
        }
        None => {
            let (name, rate, channels, options) = AUDIO[at - VIDEO.len() - VP8.len()];
            let input = format!("sine=frequency=440:sample_rate={rate}:duration=0.5");
            (name, input, format!("-ac {channels} {options}"))
        }
    };
    options.insert_str(0, &format!("-f lavfi -i {input} "));
    (
        name,
        options.split_whitespace().map(str::to_owned).collect(),
    )
}

/// Names of samples and seeds begin with that of their codec.
pub(crate) fn codec_of(name: &str) -> CodecId {
    match name.split('-').next().unwrap() {
        "h264" => CodecId::H264,
        "h265" => CodecId::H265,
        "av1" => CodecId::Av1,
        "vp8" => CodecId::Vp8,
        "vp9" => CodecId::Vp9,
        "aac" => CodecId::Aac,
        "opus" => CodecId::Opus,
        "mp3" => CodecId::Mp3,
        "ac3" => CodecId::Ac3,
        "eac3" => CodecId::Eac3,
        "flac" => CodecId::Flac,
        other => panic!("no codec is called {other}"),
    }
}

/// The body of the first box of this type in a file.
fn box_body(file: &[u8], kind: &[u8; 4]) -> Bytes {
    let at = file.windows(4).position(|w| w == kind).unwrap();
    let size = u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
    Bytes::copy_from_slice(&file[at + 4..at - 4 + size])
}

/// ffprobe's hex dump: an offset, up to eight groups of four digits, two spaces, the text.
fn dump(value: &Value) -> Bytes {
    let mut bytes = Vec::new();
    for line in value
        .as_str()
        .unwrap_or_default()
        .lines()
        .filter(|l| !l.is_empty())
    {
        let hex: String = line[10..49].split(' ').collect();
        for pair in hex.as_bytes().chunks_exact(2) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
    bytes.into()
}
