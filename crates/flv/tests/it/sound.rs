//! Codecs without a configuration on the wire: what their first frame says, and what a change does.

use bytes::Bytes;
use core_frame::{AudioInfo, CodecId, Limits, TrackInfo};
use millstream_flv::{Demuxer, Event, Events, TagKind};

use crate::sample;

struct Sender(Demuxer);

impl Sender {
    fn new() -> Self {
        Self(Demuxer::new(&Limits::default()))
    }

    /// The announcements and the number of frames that a body causes.
    fn send(&mut self, kind: TagKind, parts: &[&[u8]]) -> (Vec<TrackInfo>, usize) {
        let mut events = Events::new();
        self.0
            .push(kind, 0, Bytes::from(parts.concat()), &mut events)
            .expect("well-formed");
        let (mut tracks, mut frames) = (Vec::new(), 0);
        for event in events.drain() {
            match event {
                Event::Track(track) => tracks.push(*track),
                Event::Frame(_) => frames += 1,
                _ => {}
            }
        }
        (tracks, frames)
    }
}

fn audio(sample_rate: u32, channels: u16, frame_samples: u32) -> Option<AudioInfo> {
    Some(AudioInfo {
        sample_rate,
        channels,
        frame_samples,
    })
}

/// An MP3 frame of 32 kbit/s in stereo: 32 kHz and 144 bytes, or 48 kHz and 96 bytes.
fn mp3(rate: u32) -> Vec<u8> {
    let (third, len) = match rate {
        32_000 => (0x18, 144),
        _ => (0x14, 96),
    };
    let mut frame = vec![0xFF, 0xFB, third, 0];
    frame.resize(len, 0);
    frame
}

#[test]
fn mp3_says_its_own_rate() {
    // Legacy headers say 44.1 kHz for every rate above 22 kHz.
    for head in [&b"\x2F"[..], b"\x91.mp3"] {
        for rate in [32_000, 48_000] {
            let mut sender = Sender::new();
            let (tracks, frames) = sender.send(TagKind::Audio, &[head, &mp3(rate)]);
            assert_eq!((tracks.len(), frames), (1, 1));
            assert_eq!(tracks[0].codec, CodecId::Mp3);
            assert_eq!(tracks[0].audio, audio(rate, 2, 1_152));
            assert_eq!(tracks[0].codec_string.as_deref(), Some("mp4a.6B"));
            assert_eq!(
                sender.send(TagKind::Audio, &[head, &mp3(rate)]),
                (vec![], 1)
            );
        }
    }
}

#[test]
fn a_change_is_told_when_two_frames_say_it() {
    let mut sender = Sender::new();
    let mut send = |rate| sender.send(TagKind::Audio, &[b"\x2F", &mp3(rate)]);
    assert_eq!(send(48_000).0.len(), 1);
    // One damaged header changes nothing.
    assert_eq!(send(32_000), (vec![], 1));
    assert_eq!(send(48_000), (vec![], 1));
    assert_eq!(send(32_000), (vec![], 1));
    let (tracks, frames) = send(32_000);
    assert_eq!((tracks[0].audio, frames), (audio(32_000, 2, 1_152), 1));
    assert_eq!(send(32_000), (vec![], 1));
}

#[test]
fn legacy_mp3_without_a_frame_header_goes_by_its_tag() {
    let mut sender = Sender::new();
    let (tracks, frames) = sender.send(TagKind::Audio, &[b"\x2B", b"no frame"]);
    assert_eq!((tracks[0].audio, frames), (audio(22_050, 2, 0), 1));
}

#[test]
fn ac3_is_described_by_its_frames() {
    for (name, codec, record) in [
        ("ffmpeg9_h264_ac3", CodecId::Ac3, 3),
        ("ffmpeg9_h264_eac3", CodecId::Eac3, 5),
    ] {
        let media = sample::demux(sample::named(name));
        let track = media.table.audio().expect("sound");
        assert_eq!((track.codec, track.config.len()), (codec, record), "{name}");
        // No configuration, or one nobody agreed on, gives the same.
        let frame = &media
            .frames
            .iter()
            .find(|f| f.codec == codec)
            .expect("a frame")
            .payload;
        let fourcc = millstream_flv::FourCc::of(codec).expect("a FourCC").0;
        for start in [None, Some(&b""[..]), Some(b"\x0B\x77rubbish")] {
            let mut sender = Sender::new();
            if let Some(config) = start {
                let (tracks, _) = sender.send(TagKind::Audio, &[&[0x90], &fourcc, config]);
                assert_eq!(tracks, []);
            }
            // What is no frame waits for one that is.
            let damaged = sender.send(TagKind::Audio, &[&[0x91], &fourcc, b"rubbish"]);
            assert_eq!(damaged, (vec![], 0));
            let (tracks, frames) = sender.send(TagKind::Audio, &[&[0x91], &fourcc, frame]);
            assert_eq!(frames, 1);
            assert_eq!(tracks[0].config, track.config, "{name}");
            assert_eq!(
                tracks[0].audio.map(|a| (a.sample_rate, a.channels)),
                track.audio.map(|a| (a.sample_rate, a.channels))
            );
        }
        // What goes out has no record either.
        let header = millstream_flv::sequence_header(track).expect("a start");
        assert_eq!(header, [&[0x90][..], &fourcc].concat());
    }
}

#[test]
fn flac_without_a_configuration_is_described_by_its_frames() {
    let media = sample::demux(sample::named("ffmpeg9_h264_flac"));
    let track = media.table.audio().expect("sound");
    let frame = &media.frames.iter().find(|f| f.codec == CodecId::Flac);
    let frame = &frame.expect("a frame").payload;
    let mut sender = Sender::new();
    let (tracks, frames) = sender.send(TagKind::Audio, &[b"\x91fLaC", frame]);
    assert_eq!(frames, 1);
    assert_eq!(
        tracks[0].audio.map(|a| (a.sample_rate, a.channels)),
        track.audio.map(|a| (a.sample_rate, a.channels))
    );
}

#[test]
fn g711_is_what_it_always_is() {
    for (head, codec) in [(0x72, CodecId::Pcma), (0x82, CodecId::Pcmu)] {
        let mut sender = Sender::new();
        let (tracks, frames) = sender.send(TagKind::Audio, &[&[head], &[0xD5; 160]]);
        assert_eq!((tracks[0].codec, frames), (codec, 1));
        assert_eq!(tracks[0].audio, audio(8_000, 1, 0));
        let frame = core_frame::MediaFrame::new_audio(0, Bytes::from_static(&[0xD5]), codec);
        let back = millstream_flv::body_head(&frame, &tracks[0]).expect("written");
        assert_eq!(back.as_ref(), [head]);
    }
}

#[test]
fn vp8_begins_with_a_key_frame() {
    // A frame tag of a shown key frame, the start code, 64 by 48.
    let key = b"\x10\x02\0\x9D\x01\x2A\x40\0\x30\0\0\0\0\0\0\0";
    let delta = b"\x11\x02\0\0\0\0\0\0\0\0";
    let mut sender = Sender::new();
    assert_eq!(
        sender.send(TagKind::Video, &[b"\xA1vp08", delta]),
        (vec![], 0)
    );
    let (tracks, frames) = sender.send(TagKind::Video, &[b"\x91vp08", key]);
    assert_eq!((tracks.len(), frames), (1, 1));
    let size = tracks[0].video.map(|v| (v.width, v.height));
    assert_eq!((tracks[0].codec, size), (CodecId::Vp8, Some((64, 48))));
    assert_eq!(
        sender.send(TagKind::Video, &[b"\xA1vp08", delta]),
        (vec![], 1)
    );
    // It goes out with its record, and that is read back.
    let header = millstream_flv::sequence_header(&tracks[0]).expect("a configuration");
    let (again, _) = Sender::new().send(TagKind::Video, &[&header]);
    assert_eq!(again[0].config, tracks[0].config);
}
