//! What a chunk costs: the header alone, a frame of an endless stream, a part, and reading it all back.

use std::sync::Arc;

use core_frame::bytes::Bytes;
use core_frame::{
    AudioInfo, CodecId, Limits, MediaFrame, MediaTime, Render, RenderOut, TrackId, TrackInfo,
    TrackTable,
};
use divan::Bencher;
use millstream_cmaf::read::Reader;
use millstream_cmaf::{ChunkExtras, ChunkWriter, Fmp4Render, InitSegment, Sample, TrackWriter};

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

fn video() -> TrackInfo {
    let mut info = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    info.config = Bytes::from_static(&[1, 0x64, 0, 0x1F, 0xFF, 0xE0, 0]);
    info
}

fn frames(n: i64) -> Vec<MediaFrame> {
    let payload = Bytes::from(vec![0u8; 20_000]);
    (0..n)
        .map(|i| MediaFrame::new_video(i * 33, i * 33, payload.clone(), CodecId::H264, i % 60 == 0))
        .collect()
}

fn samples(n: i64) -> Vec<Sample> {
    let info = video();
    let init = InitSegment::build(&[&info]).expect("builds");
    let mut writer = TrackWriter::new(&info, &init.tracks[0], MediaTime::ZERO);
    frames(n).iter().map(|f| writer.push_now(f)).collect()
}

fn writer() -> ChunkWriter {
    ChunkWriter::new(&InitSegment::build(&[&video()]).expect("builds").tracks[0])
}

/// 1 000 chunks of one sample, samples given.
#[divan::bench]
fn thousand_chunks_of_one(bencher: Bencher<'_, '_>) {
    let mut chunks = writer();
    let samples = samples(1_000);
    bencher
        .with_inputs(|| samples.clone())
        .bench_local_values(|samples| {
            let mut len = 0;
            for sample in samples {
                len += divan::black_box(chunks.chunk_of_one(sample)).len;
            }
            len
        });
}

/// 1 000 frames of an endless stream: times, payload, header, item.
#[divan::bench]
fn thousand_frames_rendered(bencher: Bencher<'_, '_>) {
    let mut audio = TrackInfo::new(TrackId::AUDIO, CodecId::Aac);
    audio.config = Bytes::from_static(&[0x12, 0x10]);
    audio.audio = Some(AudioInfo {
        sample_rate: 44_100,
        channels: 2,
        frame_samples: 1_024,
    });
    let mut render = Fmp4Render::new();
    let mut out = RenderOut::new();
    render.tracks(&Arc::new(TrackTable::new([video(), audio])), &mut out);
    let frames = frames(1_000);
    bencher.bench_local(|| {
        for (seq, frame) in frames.iter().enumerate() {
            render.frame(frame, seq as u64, &mut out);
            out.drain().for_each(|s| drop(divan::black_box(s)));
        }
    });
}

/// 100 parts of six samples.
#[divan::bench]
fn hundred_parts_of_six(bencher: Bencher<'_, '_>) {
    let mut chunks = writer();
    let samples = samples(600);
    bencher.bench_local(|| {
        for part in samples.chunks(6) {
            divan::black_box(chunks.chunk(part, &ChunkExtras::default()));
        }
    });
}

/// 600 frames in 100 chunks, 12 MB.
#[divan::bench]
fn read_hundred_parts(bencher: Bencher<'_, '_>) {
    let mut chunks = writer();
    let mut bytes = InitSegment::build(&[&video()])
        .expect("builds")
        .bytes
        .to_vec();
    for part in samples(600).chunks(6) {
        let chunk = chunks
            .chunk(part, &ChunkExtras::default())
            .expect("samples");
        bytes.extend(chunk.slices.iter().flat_map(|s| s.to_vec()));
    }
    bencher
        .counter(divan::counter::BytesCount::new(bytes.len()))
        .bench_local(|| {
            let mut reader = Reader::new(&Limits::default());
            let mut events = 0;
            for piece in bytes.chunks(65_536) {
                reader.push(piece);
                while let Ok(Some(_)) = reader.next_event() {
                    events += 1;
                }
            }
            assert_eq!(events, 601);
        });
}
