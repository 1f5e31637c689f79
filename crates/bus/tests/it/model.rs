//! The log against a simple model: random publishing, joining, reading and closing, with the same answers from both.

use std::sync::Arc;

use bytes::Bytes;
use core_frame::{CodecId, Limits, MediaFrame, TrackId};
use millstream_bus::{
    AppSpec, Engine, KeepAll, Start, SubscribeOptions, Subscriber, TrackMask, TryBatch, bytes,
    core_frame,
};
use proptest::prelude::*;

use crate::support::{number, session};

#[derive(Clone, Debug)]
enum Op {
    /// A picture (key frame or not) or a sound, of so many bytes.
    Publish {
        sound: bool,
        key: bool,
        bytes: usize,
    },
    Join {
        start: Start,
        sound_only: bool,
    },
    /// The reader of this number reads up to the newest frame.
    Read(usize),
    Leave(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (prop::bool::weighted(0.4), prop::bool::weighted(0.15), 8_usize..200)
            .prop_map(|(sound, key, bytes)| Op::Publish { sound, key, bytes }),
        2 => (prop_oneof![Just(Start::NewestSync), Just(Start::Live), Just(Start::Oldest)], any::<bool>())
            .prop_map(|(start, sound_only)| Op::Join { start, sound_only }),
        3 => (0_usize..8).prop_map(Op::Read),
        1 => (0_usize..8).prop_map(Op::Leave),
    ]
}

/// A frame as the model knows it.
#[derive(Clone, Copy)]
struct Known {
    sound: bool,
    key: bool,
}

/// The model of a reader: it looks at every frame from `next` on, in the plainest way.
struct Model {
    next: usize,
    need_sync: bool,
    open: bool,
    sound_only: bool,
    skipped: u64,
    begun: bool,
}

impl Model {
    fn read(&mut self, frames: &[Known], oldest: usize) -> Vec<u64> {
        let is_sync = |f: &Known| !f.sound && f.key;
        if self.next < oldest {
            let newest = (oldest..frames.len()).rev().find(|i| is_sync(&frames[*i]));
            let to = newest.unwrap_or(frames.len());
            self.skipped += (to - self.next) as u64;
            self.next = to;
            self.open = false;
            self.need_sync = newest.is_none();
            self.begun |= self.skipped > 0;
        }
        let mut got = Vec::new();
        for (i, f) in frames.iter().enumerate().skip(self.next) {
            if self.need_sync && !is_sync(f) && !self.sound_only {
                self.skipped += u64::from(self.begun);
                continue;
            }
            self.need_sync = false;
            if f.sound {
                got.push(i as u64);
            } else if !self.sound_only && (f.key || self.open) {
                self.open = true;
                got.push(i as u64);
            }
        }
        self.next = frames.len();
        self.begun |= !got.is_empty();
        got
    }
}

fn read(reader: &mut Subscriber) -> Vec<u64> {
    let mut got = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        for (seq, frame) in &batch {
            assert_eq!(seq, number(frame));
            got.push(seq);
        }
    }
    got
}

fn check(ops: &[Op], log_frames: u32, log_bytes: u64, end: bool) {
    let mut limits = Limits::default();
    limits.log_frames = log_frames;
    limits.log_bytes = log_bytes;
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .limits(limits)
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let publisher = runtime.block_on(session(&engine));
    let handle = publisher.handle().clone();
    publisher
        .set_tracks([
            core_frame::TrackInfo::new(TrackId::VIDEO, CodecId::H264),
            core_frame::TrackInfo::new(TrackId::AUDIO, CodecId::Aac),
        ])
        .unwrap();
    let mut frames: Vec<Known> = Vec::new();
    let mut readers: Vec<(Subscriber, Model)> = Vec::new();
    for op in ops {
        // What the log still holds is its own affair, as long as it is within its bounds.
        let held = handle.qos();
        assert!(held.log_frames <= u64::from(log_frames));
        assert!(held.log_bytes <= log_bytes || held.log_frames <= 8);
        let oldest = frames.len() - held.log_frames as usize;
        match *op {
            Op::Publish { sound, key, bytes } => {
                let n = frames.len() as u64;
                let mut payload = vec![0; bytes];
                payload[..8].copy_from_slice(&n.to_be_bytes());
                let payload = Bytes::from(payload);
                let frame = if sound {
                    MediaFrame::new_audio(n as i64, payload, CodecId::Aac)
                } else {
                    MediaFrame::new_video(n as i64, n as i64, payload, CodecId::H264, key)
                };
                publisher.publish_frame(frame).unwrap();
                frames.push(Known { sound, key });
            }
            Op::Join { start, sound_only } if readers.len() < 8 => {
                let tracks = if sound_only {
                    TrackMask::of([TrackId::AUDIO])
                } else {
                    TrackMask::ALL
                };
                let options = SubscribeOptions {
                    start,
                    tracks,
                    shed: Some(Arc::new(KeepAll)),
                    ..SubscribeOptions::default()
                };
                let newest = (oldest..frames.len())
                    .rev()
                    .find(|i| !frames[*i].sound && frames[*i].key);
                let (next, need_sync) = match start {
                    Start::NewestSync => (newest.unwrap_or(frames.len()), newest.is_none()),
                    Start::Live => (frames.len(), true),
                    Start::Oldest => (oldest, false),
                };
                let model = Model {
                    next,
                    need_sync,
                    open: start == Start::Oldest,
                    sound_only,
                    skipped: 0,
                    begun: false,
                };
                readers.push((handle.subscribe(options).unwrap(), model));
            }
            Op::Join { .. } => {}
            Op::Read(at) => {
                let Some((reader, model)) = readers.get_mut(at) else {
                    continue;
                };
                assert_eq!(read(reader), model.read(&frames, oldest));
                assert_eq!(reader.skipped(), model.skipped);
            }
            Op::Leave(at) => {
                if at < readers.len() {
                    readers.swap_remove(at);
                }
            }
        }
        assert_eq!(handle.reader_count(), readers.len());
    }
    let oldest = frames.len() - handle.qos().log_frames as usize;
    if end {
        drop(publisher);
    }
    for (mut reader, mut model) in readers {
        assert_eq!(read(&mut reader), model.read(&frames, oldest));
        assert_eq!(matches!(reader.try_batch(), TryBatch::Ended), end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_log_agrees_with_the_model(
        ops in prop::collection::vec(op(), 1..400),
        log_frames in 1_u32..300,
        log_bytes in 500_u64..20_000,
        end: bool,
    ) {
        check(&ops, log_frames, log_bytes, end);
    }
}
