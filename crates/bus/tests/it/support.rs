//! What the scenarios share: frames with a number in their payload, and engines to publish them into.

use std::sync::Arc;

use bytes::Bytes;
use core_frame::{CodecId, MediaFrame, StreamKey};
use millstream_bus::{
    AppSpec, Engine, IngestContext, PublishSession, Subscriber, TryBatch, core_frame,
};

pub(crate) fn engine() -> Arc<Engine> {
    Engine::builder().application(AppSpec::new("live")).build()
}

pub(crate) fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

pub(crate) async fn session(engine: &Arc<Engine>) -> PublishSession {
    IngestContext::new(Arc::clone(engine) as _)
        .open_publish(key())
        .await
        .expect("the key is free")
}

/// Video frame number `n`, 40 ms apart.
pub(crate) fn video(n: u64, key: bool) -> MediaFrame {
    let ms = n as i64 * 40;
    let payload = Bytes::copy_from_slice(&n.to_be_bytes());
    MediaFrame::new_video(ms, ms, payload, CodecId::H264, key)
}

pub(crate) fn audio(n: u64) -> MediaFrame {
    MediaFrame::new_audio(
        n as i64 * 40,
        Bytes::copy_from_slice(&n.to_be_bytes()),
        CodecId::Aac,
    )
}

pub(crate) fn number(frame: &MediaFrame) -> u64 {
    let mut n = [0; 8];
    n.copy_from_slice(&frame.payload[..8]);
    u64::from_be_bytes(n)
}

/// Everything there is to read right now, by number.
pub(crate) fn drain(reader: &mut Subscriber) -> Vec<u64> {
    let mut got = Vec::new();
    while let TryBatch::Batch(batch) = reader.try_batch() {
        got.extend(batch.iter().map(|(_, f)| number(f)));
    }
    got
}
