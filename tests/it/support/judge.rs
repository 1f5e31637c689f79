//! What a player received, as judged by ffprobe and ffmpeg or by reading the bytes.

use core_frame::bytes::Bytes;
use core_frame::{CodecId, Limits, MediaFrame, TrackInfo};
use flv::{Demuxer, Event, Events, FileEvent, FileReader};
use testkit::{Program, StreamCheck};

use super::secs;

/// What a few seconds of a stream held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Played {
    /// Codec names, as ffmpeg calls them: video, audio.
    pub(crate) codecs: [String; 2],
    /// Decoded pictures.
    pub(crate) pictures: usize,
    /// Decoded pieces of sound.
    pub(crate) sounds: usize,
    /// Complaints of the demuxer and of the decoders.
    pub(crate) complaints: String,
}

impl Played {
    /// Both tracks are of these codecs, were decoded, and nothing was wrong.
    pub(crate) fn assert(&self, codecs: [&str; 2], pictures: usize) {
        println!("{self:?}");
        assert_eq!(self.codecs, codecs);
        assert!(self.pictures >= pictures, "{} pictures", self.pictures);
        assert!(self.sounds >= pictures, "{} pieces of sound", self.sounds);
        assert_eq!(self.complaints, "");
    }
}

/// Plays `url` for `seconds` with an ffmpeg, decoding everything.
pub(crate) fn watch(ffmpeg: Program, url: &str, seconds: u64) -> Played {
    let done = ffmpeg
        .line("-v info -nostats -i")
        .arg(url)
        .line(&format!("-t {seconds} -map 0:v -map 0:a -f framecrc -"))
        .timeout(secs(seconds + 30))
        .run()
        .unwrap();
    let mut played = Played::default();
    let head = done.stderr.lines().take_while(|l| !l.starts_with("Output"));
    for line in head {
        for (at, kind) in ["Video: ", "Audio: "].into_iter().enumerate() {
            if let Some((_, rest)) = line.split_once(kind) {
                let name = rest.split([' ', ',']).next().unwrap_or_default();
                played.codecs[at] = name.to_owned();
            }
        }
    }
    let text = done.text();
    let decoded = |stream: &str| text.lines().filter(|l| l.starts_with(stream)).count();
    (played.pictures, played.sounds) = (decoded("0,"), decoded("1,"));
    let bad = [
        "rror",
        "nvalid",
        "orrupt",
        "missing",
        "conceal",
        "Non-monoton",
    ];
    let complaints = done
        .stderr
        .lines()
        .filter(|l| bad.iter().any(|w| l.contains(w)));
    played.complaints = complaints.collect::<Vec<_>>().join("\n");
    if !done.succeeded() {
        played.complaints = format!("did not end in order: {}", done.stderr);
    }
    played
}

/// An FLV stream, taken apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlvStream {
    pub(crate) tracks: Vec<TrackInfo>,
    pub(crate) frames: Vec<MediaFrame>,
    pub(crate) tags: Vec<(u8, u32, Bytes)>,
}

impl FlvStream {
    pub(crate) fn numbers(&self) -> StreamCheck {
        let mut check = StreamCheck::default();
        for frame in &self.frames {
            check.frame(frame.codec, &frame.payload);
        }
        check
    }

    pub(crate) fn codecs(&self) -> Vec<CodecId> {
        self.tracks.iter().map(|t| t.codec).collect()
    }
}

/// Reads an FLV file or the beginning of one.
pub(crate) fn read_flv(bytes: &[u8]) -> FlvStream {
    let limits = Limits::default();
    let (mut reader, mut demuxer) = (FileReader::new(&limits), Demuxer::new(&limits));
    let mut events = Events::new();
    let mut stream = FlvStream::default();
    reader.push(bytes);
    reader.finish();
    while let Some(event) = reader.next_event().unwrap() {
        if let FileEvent::Tag {
            kind,
            timestamp_ms,
            body,
            ..
        } = event
        {
            stream
                .tags
                .push((kind.number(), timestamp_ms, body.clone()));
            demuxer.push(kind, timestamp_ms, body, &mut events).unwrap();
        }
    }
    take(&mut stream, &mut events);
    stream
}

/// Sorts a demuxer's events.
pub(crate) fn take(stream: &mut FlvStream, events: &mut Events) {
    for event in events.drain() {
        match event {
            Event::Track(info) => {
                stream.tracks.retain(|t| t.id != info.id);
                stream.tracks.push(*info);
            }
            Event::Frame(frame) => stream.frames.push(frame),
            _ => {}
        }
    }
    stream.tracks.sort_by_key(|t| t.id);
}
