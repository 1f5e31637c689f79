//! What a frame costs the segmenter: with a window of a minute, and with one of twelve hours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use core_frame::{AudioInfo, CodecId, MediaFrame, MediaTime, TrackId, TrackInfo, TrackTable};
use divan::Bencher;
use millstream_segmenter::{Config, Segmenter, Window};

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// The frames of the next `secs` seconds: 25 pictures and 46.9 AAC frames a second, in order of time.
fn frames(from: i64, secs: i64, picture: &Bytes, sound: &Bytes) -> Vec<MediaFrame> {
    let mut all: Vec<MediaFrame> = (from * 25..(from + secs) * 25)
        .map(|n| MediaFrame::new_video(n * 40, n * 40, picture.clone(), CodecId::H264, n % 50 == 0))
        .collect();
    let first = (from * 48_000 + 1_023) / 1_024;
    let last = ((from + secs) * 48_000 + 1_023) / 1_024;
    all.extend((first..last).map(|n| {
        let mut f = MediaFrame::new_audio(0, sound.clone(), CodecId::Aac);
        f.dts = MediaTime::from_ticks(n * 1_024, 48_000).unwrap_or_default();
        f.pts = f.dts;
        f
    }));
    all.sort_by_key(|f| f.dts);
    all
}

/// Two seconds of a stream that has run for some `minutes`; the window holds them all.
#[divan::bench(args = [1, 720])]
fn two_seconds(bencher: Bencher<'_, '_>, minutes: i64) {
    let mut config = Config::default();
    config.window = Duration::from_secs(u64::try_from(minutes).unwrap_or(1) * 60);
    config.memory_bytes = u64::MAX;
    let window = Window::new();
    let mut segmenter = Segmenter::new(config, Arc::clone(&window));
    let mut video = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    video.config = Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
    let mut audio = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
    audio.config = Bytes::from_static(&[0x11, 0x90]);
    audio.audio = Some(AudioInfo {
        sample_rate: 48_000,
        channels: 2,
        frame_samples: 1_024,
    });
    segmenter.tracks(&Arc::new(TrackTable::new([video, audio])));
    let (picture, sound) = (Bytes::from(vec![0u8; 10_000]), Bytes::from(vec![0u8; 300]));
    let start = Instant::now();
    let mut at = 0;
    let mut run = |segmenter: &mut Segmenter| {
        let list = frames(at, 2, &picture, &sound);
        at += 2;
        list.into_iter().for_each(|f| {
            segmenter.frame(start + f.dts.to_duration(), &f);
        });
    };
    for _ in 0..minutes * 30 {
        run(&mut segmenter);
    }
    bencher.bench_local(|| run(&mut segmenter));
    assert!(window.snapshot().tracks[0].closed.len() as i64 >= minutes * 29);
}
