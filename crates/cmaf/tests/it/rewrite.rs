//! ffmpeg's files are read, written again as CMAF, and judged by ffmpeg: the same pictures and sounds at the same times.

use core_frame::{Limits, MediaFrame, MediaTime, TrackId};
use millstream_cmaf::read::{Event, Movie, Reader};
use millstream_cmaf::{ChunkExtras, ChunkWriter, InitSegment, ProducerReference, TrackWriter};

use crate::sample::{AUDIO, VIDEO, alike, decoded, file, make, probe_packets, probe_streams};

/// Reads a whole file, in pieces of `piece` bytes.
pub(crate) fn read(bytes: &[u8], piece: usize) -> (Movie, Vec<MediaFrame>) {
    let mut reader = Reader::new(&Limits::default());
    let (mut movie, mut frames) = (Movie::default(), Vec::new());
    for part in bytes.chunks(piece) {
        reader.push(part);
        while let Some(event) = reader.next_event().expect("a good file") {
            match event {
                Event::Movie(m) => movie = (*m).clone(),
                Event::Frame(f) => frames.push(f),
                _ => {}
            }
        }
    }
    (movie, frames)
}

/// Writes one track as init segment and chunks of `per_chunk` samples.
fn write(movie: &Movie, frames: &[MediaFrame], id: TrackId, per_chunk: usize) -> Vec<u8> {
    let info = movie
        .tracks
        .iter()
        .filter_map(|t| t.info.as_ref())
        .find(|t| t.id == id)
        .expect("track");
    let init = InitSegment::build(&[info]).expect("init");
    let track = init.tracks[0];
    let mut out = init.bytes.to_vec();
    let mut samples = Vec::new();
    let mut writer = TrackWriter::new(info, &track, MediaTime::ZERO);
    for f in frames.iter().filter(|f| f.track == id) {
        samples.extend(writer.push(f));
    }
    samples.extend(writer.flush());
    let mut chunks = ChunkWriter::new(&track);
    let mut end = samples[0].start;
    for (n, group) in samples.chunks(per_chunk).enumerate() {
        let extras = ChunkExtras {
            segment_type: n % 10 == 0,
            producer_reference: (n % 10 == 0).then_some(ProducerReference {
                flags: 24,
                ntp: 0xE8F0_1234_8000_0000,
                media_time: group[0].start,
            }),
            ..ChunkExtras::default()
        };
        let chunk = chunks.chunk(group, &extras).expect("samples");
        assert_eq!(chunk.start, end, "tfdt is the sum of what came before");
        end += chunk.duration;
        for slice in &chunk.slices {
            out.extend_from_slice(slice);
        }
    }
    out
}

#[test]
fn every_codec_survives_the_trip() {
    let all = VIDEO
        .iter()
        .map(|(n, o)| (*n, Some(*o), None))
        .chain(AUDIO.iter().map(|(n, o)| (*n, None, Some(*o))));
    for (name, video, audio) in all {
        // B-frames once with an edit list, once with negative offsets.
        for flags in [
            "+frag_keyframe+delay_moov+default_base_moof",
            "+frag_keyframe+delay_moov+negative_cts_offsets",
        ] {
            let Some(bytes) = make(name, video, audio, flags) else {
                continue;
            };
            let theirs = file(&format!("{name}-theirs.mp4"), &bytes);
            let (movie, frames) = read(&bytes, 4_096);
            let info = movie.tracks[0].info.as_ref().expect("known codec");
            assert!(!frames.is_empty(), "{name}");
            for per_chunk in [1, 5] {
                let ours = write(&movie, &frames, info.id, per_chunk);
                let path = file(&format!("{name}-ours-{per_chunk}.mp4"), &ours);
                alike(name, &decoded(&path), &decoded(&theirs));
                assert_eq!(probe_streams(&path), probe_streams(&theirs), "{name}");
                let (a, b) = (probe_packets(&path), probe_packets(&theirs));
                assert_eq!(a.len(), b.len(), "{name}");
                let shift = a[0].1 - b[0].1;
                for (x, y) in a.iter().zip(&b) {
                    // AV1 temporal delimiters are not there in either; times are in ticks of 1/90000.
                    assert!((x.1 - y.1 - shift).abs() <= 12, "{name}: {x:?} {y:?}");
                    assert_eq!((x.2, x.3), (y.2, y.3), "{name}");
                }
                // Our own reader agrees with ffprobe.
                let (_, again) = read(&ours, 1_000_000);
                assert_eq!(again.len(), frames.len());
                for (x, y) in again.iter().zip(&frames) {
                    assert_eq!(x.payload, y.payload);
                    assert_eq!(x.flags, y.flags, "{name}");
                }
            }
        }
    }
}

#[test]
fn any_split_gives_the_same_frames() {
    let Some(bytes) = make(
        "h264-b+aac",
        Some(VIDEO[1].1),
        Some(AUDIO[0].1),
        "+frag_keyframe+delay_moov+default_base_moof",
    ) else {
        return;
    };
    let (_, whole) = read(&bytes, usize::MAX);
    assert!(
        whole
            .windows(2)
            .filter(|w| w[0].track != w[1].track)
            .count()
            > 20,
        "interleaved by time"
    );
    for piece in [1, 7, 64, 1_499, 65_536] {
        assert_eq!(read(&bytes, piece).1, whole, "{piece}");
    }
}

#[test]
fn tracks_are_described() {
    let Some(bytes) = make(
        "h264-b+aac",
        Some(VIDEO[1].1),
        Some(AUDIO[0].1),
        "+frag_keyframe+delay_moov+default_base_moof",
    ) else {
        return;
    };
    let (movie, frames) = read(&bytes, 100);
    assert!(movie.fragmented);
    let video = movie.tracks[0].info.as_ref().unwrap();
    let audio = movie.tracks[1].info.as_ref().unwrap();
    assert_eq!(video.video.map(|v| (v.width, v.height)), Some((320, 180)));
    assert!(
        video
            .codec_string
            .as_deref()
            .unwrap()
            .starts_with("avc1.64")
    );
    assert_eq!(audio.codec_string.as_deref(), Some("mp4a.40.2"));
    assert_eq!(
        audio
            .audio
            .map(|a| (a.sample_rate, a.channels, a.frame_samples)),
        Some((44_100, 2, 1_024))
    );
    // The edit list brings the first picture to zero, although decoding begins before.
    let first = frames.iter().find(|f| f.track == video.id).unwrap();
    assert_eq!(first.pts, MediaTime::ZERO);
    assert!(first.dts < MediaTime::ZERO);
}

#[test]
fn plain_files_tell_their_samples() {
    for flags in ["+faststart", "+use_metadata_tags"] {
        let Some(bytes) = make("plain", Some(VIDEO[1].1), Some(AUDIO[0].1), flags) else {
            return;
        };
        let (movie, frames) = read(&bytes, 10_000);
        assert!(!movie.fragmented && frames.is_empty());
        let mut ours = Vec::new();
        for (n, track) in (0u32..).zip(&movie.tracks) {
            let table = track.samples.as_ref().expect("a table");
            for s in table.samples() {
                let ticks =
                    s.decode_time as i64 + i64::from(s.composition_offset) + track.edit_shift;
                let micros = (ticks as f64 * 1e6 / f64::from(track.timescale)).round() as i64;
                ours.push((n, micros, u64::from(s.size), s.sync));
                assert!(s.offset + u64::from(s.size) <= bytes.len() as u64);
            }
            assert_eq!(table.samples().count(), table.len() as usize);
        }
        ours.sort_unstable();
        let theirs = probe_packets(&file("plain.mp4", &bytes));
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(&theirs) {
            assert!(
                (a.1 - b.1).abs() <= 1 && (a.0, a.2, a.3) == (b.0, b.2, b.3),
                "{a:?} {b:?}"
            );
        }
    }
}
