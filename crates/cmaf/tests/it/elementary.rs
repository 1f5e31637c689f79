//! Elementary streams that need no configuration are split, described by their first frame and written as init segment and
//! chunks; what FFmpeg 5 and FFmpeg 9 decode of the file is what they decode of the stream itself.

use std::path::{Path, PathBuf};

use core_frame::bytes::Bytes;
use core_frame::{CodecId, Limits, MediaFrame, MediaKind, MediaTime, TrackId, TrackInfo};
use millstream_cmaf::read::{Event, Reader};
use millstream_cmaf::{ChunkExtras, ChunkWriter, InitSegment, TrackWriter};

use crate::sample::{ffmpegs, file, run};

/// Codec, file name, what makes it of a test picture and two tones.
const STREAMS: &[(CodecId, &str, &str)] = &[
    (
        CodecId::Mp3,
        "44100.mp3",
        "-c:a libmp3lame -ar 44100 -write_xing 0 -id3v2_version 0",
    ),
    (
        CodecId::Mp3,
        "22050.mp3",
        "-c:a libmp3lame -ar 22050 -ac 1 -write_xing 0 -id3v2_version 0",
    ),
    (
        CodecId::Mp3,
        "vbr.mp3",
        "-c:a libmp3lame -ar 48000 -q:a 4 -write_xing 0",
    ),
    (CodecId::Ac3, "stereo.ac3", "-c:a ac3 -ar 48000"),
    (CodecId::Ac3, "surround.ac3", "-c:a ac3 -ar 44100 -ac 6"),
    (CodecId::Eac3, "stereo.eac3", "-c:a eac3 -ar 32000"),
    (CodecId::Eac3, "surround.eac3", "-c:a eac3 -ar 48000 -ac 6"),
    (CodecId::Flac, "stereo.flac", "-c:a flac -ar 44100"),
    (
        CodecId::Flac,
        "fine.flac",
        "-c:a flac -ar 96000 -ac 1 -sample_fmt s32",
    ),
    (CodecId::Pcma, "phone.alaw", "-ar 8000 -ac 1 -f alaw"),
    (CodecId::Pcmu, "stereo.mulaw", "-ar 16000 -ac 2 -f mulaw"),
    (CodecId::Pcm, "stereo.sw", "-ar 44100 -ac 2 -f s16le"),
    (
        CodecId::Vp8,
        "even.ivf",
        "-c:v libvpx -deadline realtime -cpu-used 8 -g 20 -r 25",
    ),
    (
        CodecId::Vp8,
        "odd.ivf",
        "-vf crop=131:77 -c:v libvpx -deadline realtime -cpu-used 8 -r 25",
    ),
];

#[test]
fn decoders_see_no_difference() {
    let mut judged = 0;
    for (codec, name, options) in STREAMS {
        let Some(stream) = make(*codec, name, options) else {
            continue;
        };
        let bytes = Bytes::from(std::fs::read(&stream).expect("just made"));
        let mut info = describe(*codec, options, &bytes);
        let frames = split(*codec, &mut info, &bytes);
        assert!(frames.len() > 15, "{name}");
        let ours = write(&info, &frames);
        reads_back(name, &info, &frames, &ours);
        let path = file(&format!("elementary-{name}.mp4"), &ours);
        for program in ffmpegs() {
            let direct = decoded(&program, &input_form(options), &stream, *codec);
            let boxed = decoded(&program, "", &path, *codec);
            assert!(direct.len() >= 32, "{name}: {direct}");
            assert_eq!(boxed, direct, "{name}");
            judged += 1;
        }
        assert_eq!(probed(&path), expected(*codec, &info), "{name}");
    }
    eprintln!("{judged} files compared");
}

fn make(codec: CodecId, name: &str, options: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cmaf-elementary-{name}"));
    let input = match codec.kind() {
        MediaKind::Video => "testsrc2=s=320x180:r=25:d=2",
        _ => "aevalsrc=0.2*sin(440*2*PI*t)|0.2*sin(660*2*PI*t):d=2:s=48000",
    };
    let line = format!("-f lavfi -i {input} {options} {}", path.to_str()?);
    run(
        ffmpegs().first()?,
        &["-nostdin", "-v", "error", "-y"],
        &line,
    );
    Some(path)
}

/// From the first frame; raw samples tell nothing, so what made them does.
fn describe(codec: CodecId, options: &str, bytes: &Bytes) -> TrackInfo {
    let id = match codec.kind() {
        MediaKind::Video => TrackId::VIDEO,
        _ => TrackId::AUDIO,
    };
    let first = match codec {
        CodecId::Flac => bytes.slice(4 + flac_blocks(bytes)..),
        CodecId::Vp8 => bytes.slice(32 + 12..),
        CodecId::Mp3 => {
            let first = bitstream::mp3::frames(bytes).next();
            bytes.slice_ref(first.expect("a frame behind the tag").1)
        }
        _ => bytes.clone(),
    };
    let mut info = bitstream::describe_frame(id, codec, &first).expect("the frame tells all");
    if raw(codec) {
        let number = |option: &str| {
            let at = options.find(option).expect("told") + option.len();
            options[at..]
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a number")
        };
        let audio = info.audio.get_or_insert_default();
        audio.sample_rate = number("-ar ");
        audio.channels = number("-ac ") as u16;
    }
    info
}

const fn raw(codec: CodecId) -> bool {
    matches!(codec, CodecId::Pcma | CodecId::Pcmu | CodecId::Pcm)
}

fn flac_blocks(bytes: &Bytes) -> usize {
    bitstream::flac::blocks_length(&bytes[4..]).expect("metadata blocks")
}

/// Frames at their times.
fn split(codec: CodecId, info: &mut TrackInfo, bytes: &Bytes) -> Vec<MediaFrame> {
    let payloads: Vec<Bytes> = match codec {
        CodecId::Mp3 => bitstream::mp3::frames(bytes)
            .map(|(_, f)| bytes.slice_ref(f))
            .collect(),
        CodecId::Ac3 | CodecId::Eac3 => bitstream::ac3::access_units(bytes)
            .map(|u| bytes.slice_ref(u.data))
            .collect(),
        CodecId::Flac => flac_frames(bytes),
        CodecId::Vp8 => ivf_frames(bytes),
        // 20 ms a packet.
        _ => {
            let audio = info.audio.expect("told");
            let width = if codec == CodecId::Pcm { 2 } else { 1 };
            let step = audio.sample_rate as usize / 50 * usize::from(audio.channels) * width;
            let starts = (0..bytes.len()).step_by(step);
            starts
                .map(|at| bytes.slice(at..(at + step).min(bytes.len())))
                .collect()
        }
    };
    let (mut at, mut frames) = (0_i64, Vec::new());
    for payload in payloads {
        let (step, hz) = match (codec, info.audio) {
            (CodecId::Vp8, _) => (1, 25),
            (codec, Some(a)) if raw(codec) => (a.sample_rate / 50, a.sample_rate),
            (_, Some(a)) => {
                let told = bitstream::frame_audio(codec, &payload).expect("every frame tells");
                assert_eq!(
                    (told.sample_rate, told.channels),
                    (a.sample_rate, a.channels)
                );
                (told.frame_samples, a.sample_rate)
            }
            (_, None) => unreachable!("sound without description"),
        };
        let time = MediaTime::from_ticks(at, hz).expect("in range");
        let flags = bitstream::classify(codec, &payload);
        frames.push(MediaFrame::new(info.id, codec, time, payload).with_flags(flags));
        at += i64::from(step);
    }
    frames
}

/// FLAC frames do not tell their length: the next header whose checksum and number are right ends one.
fn flac_frames(bytes: &Bytes) -> Vec<Bytes> {
    let bytes = bytes.slice(4 + flac_blocks(bytes)..);
    let is_frame = |at: usize, number: u64| {
        let header = bitstream::flac::FrameHeader::parse(&bytes[at..]);
        header.is_ok_and(|h| h.number == number)
    };
    let mut starts = vec![0];
    for at in 1..bytes.len() {
        if bytes[at] == 0xFF && is_frame(at, starts.len() as u64) {
            starts.push(at);
        }
    }
    starts.push(bytes.len());
    starts.windows(2).map(|w| bytes.slice(w[0]..w[1])).collect()
}

fn ivf_frames(bytes: &Bytes) -> Vec<Bytes> {
    let (mut at, mut frames) = (32, Vec::new());
    while let Some(size) = bytes.get(at..at + 4) {
        let size = u32::from_le_bytes(size.try_into().expect("four")) as usize;
        frames.push(bytes.slice(at + 12..at + 12 + size));
        at += 12 + size;
    }
    frames
}

fn write(info: &TrackInfo, frames: &[MediaFrame]) -> Vec<u8> {
    let init = InitSegment::build_file(&[info]).expect("init");
    let track = init.tracks[0];
    let mut writer = TrackWriter::new(info, &track, MediaTime::ZERO);
    let mut samples: Vec<_> = frames.iter().filter_map(|f| writer.push(f)).collect();
    samples.extend(writer.flush());
    let mut chunks = ChunkWriter::new(&track);
    let mut out = init.bytes.to_vec();
    for group in samples.chunks(7) {
        let chunk = chunks
            .chunk(group, &ChunkExtras::default())
            .expect("samples");
        out.extend(chunk.slices.concat());
    }
    out
}

/// Our reader finds the track and the frames again.
fn reads_back(name: &str, info: &TrackInfo, frames: &[MediaFrame], file: &[u8]) {
    let mut reader = Reader::new(&Limits::default());
    reader.push(file);
    let mut found = Vec::new();
    while let Some(event) = reader.next_event().expect("a good file") {
        match event {
            Event::Movie(movie) => {
                let told = movie.tracks[0].info.clone().expect("a known codec");
                assert_eq!(told.codec, info.codec, "{name}");
                assert_eq!(told.config, info.config, "{name}");
                assert_eq!(told.codec_string, info.codec_string, "{name}");
                assert_eq!(told.audio, info.audio, "{name}");
                let size = |i: &TrackInfo| i.video.map(|v| (v.width, v.height));
                assert_eq!(size(&told), size(info), "{name}");
            }
            Event::Frame(frame) => found.push((frame.payload, frame.flags)),
            _ => {}
        }
    }
    let wanted: Vec<_> = frames
        .iter()
        .map(|f| (f.payload.clone(), f.flags))
        .collect();
    assert!(found == wanted, "{name}: frames differ");
}

/// What ffmpeg must be told of a file of raw samples.
fn input_form(options: &str) -> String {
    match options.split_once("-f ") {
        Some((before, format)) => format!("{before} -f {format}"),
        None => String::new(),
    }
}

/// MD5 of all decoded samples, or one of each picture.
fn decoded(program: &Path, input: &str, path: &Path, codec: CodecId) -> String {
    let form = match codec.kind() {
        MediaKind::Video => "-fps_mode passthrough -f framemd5 -",
        _ => "-c:a pcm_s32le -f md5 -",
    };
    let line = format!("{input} -i {} {form}", path.display());
    let text = run(program, &["-nostdin", "-v", "error"], &line);
    let hashes = text.lines().filter(|l| !l.starts_with('#'));
    hashes
        .map(|l| l.rsplit(',').next().unwrap_or_default().trim())
        .collect::<Vec<_>>()
        .join("\n")
}

fn probed(path: &Path) -> String {
    let entries = "-show_entries stream=codec_name,sample_rate,channels,width,height -of csv=p=0";
    let line = format!("{entries} {}", path.display());
    run(Path::new("ffprobe"), &["-v", "error"], &line)
        .trim()
        .trim_end_matches(',')
        .to_owned()
}

fn expected(codec: CodecId, info: &TrackInfo) -> String {
    let name = match codec {
        CodecId::Pcma => "pcm_alaw",
        CodecId::Pcmu => "pcm_mulaw",
        CodecId::Pcm => "pcm_s16le",
        other => other.name(),
    };
    match (info.audio, info.video) {
        (Some(a), _) => format!("{name},{},{}", a.sample_rate, a.channels),
        (_, Some(v)) => format!("{name},{},{}", v.width, v.height),
        _ => name.to_owned(),
    }
}
