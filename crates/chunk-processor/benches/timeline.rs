//! What a frame costs in the timeline: RTMP input, B-frames, decode times that are made, and a clock that jumps every second.
//!
//! `cargo bench -p millstream-chunk-processor --bench timeline`: divan shows the time of 1000 frames, so microseconds read as nanoseconds a frame.

use std::time::{Duration, Instant};

use core_frame::bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, FilterOut, FrameFilter, MediaFrame, MediaTime, TrackId, TrackInfo,
    TrackTable, VideoInfo,
};
use divan::Bencher;
use divan::counter::ItemsCount;
use millstream_chunk_processor::Timeline;

const FRAMES: usize = 1_000;

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Plain,
    BFrames,
    NoDecodeTimes,
    Jumps,
}

fn tracks() -> TrackTable {
    let mut v = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    v.video = Some(VideoInfo {
        frame_rate: Some((30, 1)),
        reorder_depth: Some(1),
        ..VideoInfo::default()
    });
    let mut a = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
    a.audio = Some(AudioInfo {
        sample_rate: 48_000,
        channels: 2,
        frame_samples: 1_024,
    });
    TrackTable::new([v, a])
}

/// Frame `n` of the interleaved stream; every third is a picture.
fn frame(input: Input, n: i64) -> MediaFrame {
    let payload = Bytes::from_static(&[0; 64]).slice(..(n % 64) as usize + 1);
    let jump = match input {
        Input::Jumps => n / 90 % 2 * 1_000_000,
        _ => 0,
    };
    let ms = |t: i64| MediaTime::from_millis(t + jump);
    if n % 3 != 0 {
        return MediaFrame::new(TrackId::AUDIO, CodecId::Aac, ms(n * 100 / 9), payload);
    }
    let n = n / 3;
    let shown = n + [0, 2, -1][(n % 3) as usize] + 1;
    let (dts, pts) = match input {
        Input::Plain | Input::Jumps => (ms(n * 100 / 3), ms(n * 100 / 3)),
        Input::BFrames => (ms(n * 100 / 3), ms(shown * 100 / 3)),
        Input::NoDecodeTimes => (ms(shown * 100 / 3), ms(shown * 100 / 3)),
    };
    MediaFrame::new(TrackId::VIDEO, CodecId::H264, dts, payload).with_pts(pts)
}

#[divan::bench(args = [Input::Plain, Input::BFrames, Input::NoDecodeTimes, Input::Jumps])]
fn thousand_frames(bencher: Bencher<'_, '_>, input: Input) {
    let (start, mut n) = (Instant::now(), 0_i64);
    let (mut timeline, mut out) = (Timeline::default(), FilterOut::new());
    timeline.tracks(&tracks());
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| {
            let batch: Vec<_> = (n..).take(FRAMES).map(|n| frame(input, n)).collect();
            n += FRAMES as i64;
            (n, batch)
        })
        .bench_local_values(|(n, batch)| {
            let now = start + Duration::from_millis(n.unsigned_abs() * 11);
            for frame in batch {
                timeline.frame(now, frame, &mut out);
                out.drain().for_each(|step| drop(divan::black_box(step)));
            }
        });
}
