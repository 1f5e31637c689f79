//! Codecs whose frames have headers of their own need no configuration: each frame says what ffprobe says, a byte stream
//! divides into the packets of ffmpeg, and the record a frame makes is that of ffmpeg's files.

use bytes::Bytes;
use core_frame::{AudioInfo, CodecId, TrackId};
use millstream_bitstream::{ac3, describe, describe_frame, flac, frame_audio, mp3};

use crate::allocations::counted;
use crate::sample::{Sample, ffmpeg, of};

const CODECS: [CodecId; 4] = [CodecId::Mp3, CodecId::Ac3, CodecId::Eac3, CodecId::Flac];

#[test]
fn rate_channels_and_length_of_every_frame() {
    for sample in CODECS.into_iter().flat_map(of) {
        let name = sample.name;
        let last = sample.packets.len() - 1;
        assert!(last > 2, "{name}");
        for (at, packet) in sample.packets.iter().enumerate() {
            let (audio, calls, _) = counted(|| frame_audio(sample.codec, &packet.data));
            assert_eq!(calls, 0, "{name}");
            let audio = audio.unwrap_or_else(|| panic!("{name} packet {at} tells nothing"));
            assert_eq!(
                audio.sample_rate.to_string(),
                sample.told("sample_rate"),
                "{name}"
            );
            assert_eq!(
                audio.channels.to_string(),
                sample.told("channels"),
                "{name}"
            );
            let seconds = f64::from(audio.frame_samples) / f64::from(audio.sample_rate);
            // The end of the file is cut to the length of what was coded.
            assert!(
                at == last || (seconds - packet.duration_time).abs() < 1e-4,
                "{name} packet {at}: {seconds} {}",
                packet.duration_time
            );
        }
    }
}

#[test]
fn the_first_frame_describes_what_the_record_describes() {
    for sample in CODECS.into_iter().flat_map(of) {
        let told = describe(TrackId::AUDIO, sample.codec, sample.config.clone()).unwrap();
        let found = describe_frame(TrackId::AUDIO, sample.codec, &sample.packets[0].data).unwrap();
        let name = sample.name;
        match sample.codec {
            CodecId::Mp3 => {
                assert_eq!(told.audio, None, "{name}: MP3 has no record");
                let low = sample.told("sample_rate").parse::<u32>().unwrap() < 32_000;
                let string = if low { "mp4a.69" } else { "mp4a.6B" };
                assert_eq!(found.codec_string.as_deref(), Some(string), "{name}");
            }
            // Unlike a file, a frame does not know MD5, length and the sizes of frames to come.
            CodecId::Flac => {
                assert_eq!(found.codec_string, told.codec_string, "{name}");
                assert_eq!(found.audio, told.audio, "{name}");
                let (mut ours, theirs) = (stream_info(&found.config), stream_info(&told.config));
                (ours.min_frame, ours.max_frame) = (theirs.min_frame, theirs.max_frame);
                (ours.md5, ours.total_samples) = (theirs.md5, theirs.total_samples);
                assert_eq!(ours, theirs, "{name}");
            }
            _ => assert_eq!(found, told, "{name}"),
        }
        let audio = found.audio.unwrap_or_default();
        assert_eq!(
            audio.channels.to_string(),
            sample.told("channels"),
            "{name}"
        );
        assert_ne!(audio.frame_samples, 0, "{name}");
    }
}

fn stream_info(config: &Bytes) -> flac::StreamInfo {
    flac::FlacConfig::parse(config).unwrap().info
}

#[test]
fn mp3_streams_divide_into_packets() {
    for sample in of(CodecId::Mp3) {
        // With an ID3v2 tag and a frame that holds a Xing or Info tag before, and an ID3v1 tag behind.
        let stream = copied_to(
            sample,
            &["-write_id3v1", "1", "-metadata", "title=a", "-f", "mp3"],
        );
        assert!(stream.starts_with(b"ID3"), "{}", sample.name);
        let mut frames = mp3::frames(&stream);
        let mut found: Vec<&[u8]> = frames.by_ref().map(|(_, frame)| frame).collect();
        assert!(frames.rest().is_empty(), "{}", sample.name);
        let tag = mp3::info_tag(found.remove(0)).unwrap_or_else(|| panic!("{}", sample.name));
        assert_eq!(tag.frames, Some(found.len() as u32), "{}", sample.name);
        same_packets(sample, &found);
        assert!(found.iter().all(|f| mp3::info_tag(f).is_none()));
    }
}

#[test]
fn ac3_streams_divide_into_packets() {
    for sample in of(CodecId::Ac3).chain(of(CodecId::Eac3)) {
        let format = if sample.codec == CodecId::Ac3 {
            "ac3"
        } else {
            "eac3"
        };
        let mut stream = b"no frame\x0B\x77 here".to_vec();
        stream.extend(copied_to(sample, &["-f", format]));
        let mut units = ac3::access_units(&stream);
        let found: Vec<&[u8]> = units.by_ref().map(|u| u.data).collect();
        assert!(units.rest().is_empty(), "{}", sample.name);
        same_packets(sample, &found);
        for unit in ac3::access_units(&stream) {
            assert_eq!(unit.headers().count(), 1);
            let told: u32 = sample.told("bit_rate").parse().unwrap();
            let ours = unit.header.bitrate_bps();
            assert!(
                ours.abs_diff(told) <= told / 100,
                "{}: {ours} {told}",
                sample.name
            );
        }
    }
}

#[test]
fn flac_files_begin_with_their_record() {
    for sample in of(CodecId::Flac) {
        let stream: Bytes = copied_to(sample, &["-f", "flac"]).into();
        let config = flac::FlacConfig::parse(&stream).unwrap();
        let told = stream_info(&sample.config);
        assert_eq!(
            config.info.audio_info(),
            told.audio_info(),
            "{}",
            sample.name
        );
        assert!(
            config.blocks.len() > 38,
            "{}: a comment follows",
            sample.name
        );
        let frames = stream.slice(4 + config.blocks.len()..);
        let all: Vec<u8> = sample
            .packets
            .iter()
            .flat_map(|p| p.data.to_vec())
            .collect();
        assert_eq!(frames, all, "{}", sample.name);
        for (at, packet) in (0..).zip(&sample.packets) {
            let header = flac::FrameHeader::parse(&packet.data).unwrap();
            assert_eq!(
                (header.number, header.variable),
                (at, false),
                "{}",
                sample.name
            );
            assert_eq!(
                header
                    .bits_per_sample
                    .map(|b| b.to_string())
                    .unwrap_or_default(),
                sample.told("bits_per_raw_sample"),
                "{}",
                sample.name
            );
        }
        let bare = stream.slice(8..8 + flac::StreamInfo::LENGTH);
        let info = describe(TrackId::AUDIO, CodecId::Flac, bare).unwrap();
        assert_eq!(info.audio, Some(told.audio_info()));
    }
}

#[test]
fn frames_that_tell_nothing() {
    let describe = |codec, frame: &'static [u8]| {
        describe_frame(TrackId::AUDIO, codec, &Bytes::from_static(frame))
    };
    for codec in CODECS
        .into_iter()
        .chain([CodecId::Vp8, CodecId::Aac, CodecId::H264])
    {
        assert_eq!(describe(codec, b"\x21\x10\x04"), None, "{codec}");
        assert_eq!(describe(codec, b""), None, "{codec}");
    }
    let g711 = describe(CodecId::Pcmu, b"\xFF").unwrap();
    let audio = AudioInfo {
        sample_rate: 8_000,
        channels: 1,
        frame_samples: 0,
    };
    assert_eq!(
        (g711.audio, g711.codec_string.as_deref()),
        (Some(audio), Some("ulaw"))
    );
}

fn copied_to(sample: &Sample, options: &[&str]) -> Vec<u8> {
    let mut args = vec!["-i", sample.path.to_str().unwrap(), "-c", "copy"];
    args.extend(options);
    // A file, not a pipe: FLAC and MP3 write their first bytes last.
    let folder = crate::sample::scratch();
    let path = folder.path().join("out");
    args.push(path.to_str().unwrap());
    ffmpeg(&args);
    std::fs::read(&path).unwrap()
}

fn same_packets(sample: &Sample, found: &[&[u8]]) {
    assert_eq!(found.len(), sample.packets.len(), "{}", sample.name);
    for (at, (ours, theirs)) in found.iter().zip(&sample.packets).enumerate() {
        assert_eq!(*ours, theirs.data, "{} packet {at}", sample.name);
    }
}
