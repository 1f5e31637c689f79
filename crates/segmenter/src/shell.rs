//! The thin shell around the core: reads a stream, writes spilled segments, deletes expired ones.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bus::{StreamHandle, SubscribeOptions};
use bytes::{Bytes, BytesMut};
use core_frame::StreamKey;
use storage::StorageBackend;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::{Config, Segment, Segmenter, Spill, Stats, Window};

/// Segments written at the same time.
const WRITES: usize = 4;
/// Pause after a failed write, so that a storage that is down is not hammered.
const RETRY: Duration = Duration::from_secs(1);

/// Runs a segmenter on a stream until the stream has ended and the window has been kept for [`Config::linger`] longer;
/// then the window is emptied and its objects are deleted.
///
/// It is a lossless reader of everything in the log and to come. With a storage, segments that memory does not hold are
/// stored below `{storage_prefix}/{segments of the key}/{key}/{start of this run}/`; what an earlier run of the same
/// stream left there is deleted first. Dropping the future stops it at once and leaves the objects to the next run.
///
/// # Errors
/// Only when the stream cannot be subscribed to. A failing storage costs depth of the window, not the stream.
pub async fn run(
    handle: StreamHandle,
    config: Config,
    storage: Option<Arc<dyn StorageBackend>>,
    window: Arc<Window>,
) -> core_frame::Result<Stats> {
    let mut frames = handle.subscribe(SubscribeOptions::everything())?;
    let linger = config.linger;
    let (config, home) = place(config, handle.key(), storage.is_some());
    let mut shell = Shell {
        segmenter: Segmenter::new(config, window),
        storage,
        writes: JoinSet::new(),
        deletes: JoinSet::new(),
        not_before: None,
    };
    shell.clean(&home);
    loop {
        tokio::select! {
            batch = frames.next_batch() => {
                let Some(batch) = batch else { break };
                if let Some(table) = batch.new_header() {
                    shell.segmenter.tracks(table);
                }
                let now = Instant::now();
                for (_, frame) in batch.iter() {
                    shell.segmenter.frame(now, frame);
                }
            }
            Some(done) = shell.writes.join_next() => shell.written(done),
            Some(_) = shell.deletes.join_next() => {}
        }
        shell.pump();
    }
    drop(frames);
    shell.segmenter.end(Instant::now());
    let stats = shell.segmenter.stats();
    debug!(stream = %handle.key(), ?stats, "segmenter ended");
    shell.keep_for(linger).await;
    shell.segmenter.clear();
    shell.pump();
    while shell.writes.join_next().await.is_some() {}
    shell.pump();
    while shell.deletes.join_next().await.is_some() {}
    // What was still being written when the window was emptied.
    shell.clean(&home);
    while shell.deletes.join_next().await.is_some() {}
    Ok(stats)
}

/// The bytes of a segment as one object. Copies: once per segment that is spilled.
#[must_use]
pub fn contiguous(segment: &Segment) -> Bytes {
    let mut all = BytesMut::with_capacity(usize::try_from(segment.len).unwrap_or(0));
    for slice in segment.parts.iter().flat_map(|p| p.slices.iter()) {
        all.extend_from_slice(slice);
    }
    all.freeze()
}

/// The number of segments of the key comes first, so that no stream's folder lies in another one's.
fn place(mut config: Config, key: &StreamKey, spill: bool) -> (Config, String) {
    let key = key.to_string();
    let depth = key.split('/').count();
    let home = format!("{}/{depth}/{key}/", config.storage_prefix);
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    config.storage_prefix = format!("{home}{started}");
    config.spill = spill;
    (config, home)
}

struct Shell {
    segmenter: Segmenter,
    storage: Option<Arc<dyn StorageBackend>>,
    writes: JoinSet<(Spill, bool)>,
    deletes: JoinSet<()>,
    not_before: Option<Instant>,
}

impl Shell {
    /// Starts the writes and deletes that are due.
    fn pump(&mut self) {
        let Some(storage) = &self.storage else {
            return;
        };
        for key in self.segmenter.take_deletes() {
            let storage = Arc::clone(storage);
            self.deletes.spawn(async move {
                if let Err(error) = storage.delete(&key).await {
                    warn!(%key, %error, "a segment could not be deleted");
                }
            });
        }
        let wait = self.not_before.is_some_and(|t| Instant::now() < t);
        if self.writes.len() >= WRITES || wait {
            return;
        }
        for spill in self.segmenter.take_spills(WRITES - self.writes.len()) {
            let storage = Arc::clone(storage);
            self.writes.spawn(async move {
                let written = storage.put(&spill.key, contiguous(&spill.segment)).await;
                if let Err(error) = &written {
                    warn!(key = %spill.key, %error, "a segment could not be stored");
                }
                (spill, written.is_ok())
            });
        }
    }

    fn written(&mut self, done: Result<(Spill, bool), tokio::task::JoinError>) {
        let Ok((spill, written)) = done else {
            return;
        };
        if !written {
            self.not_before = Some(Instant::now() + RETRY);
        }
        self.segmenter.spilled(&spill, written);
    }

    /// Deletes what lies below `home`.
    fn clean(&mut self, home: &str) {
        let Some(storage) = &self.storage else {
            return;
        };
        let (storage, home) = (Arc::clone(storage), home.to_owned());
        let own = self.segmenter.config.storage_prefix.clone();
        self.deletes.spawn(async move {
            let old = match storage.list(&home).await {
                Ok(old) => old,
                Err(error) => {
                    warn!(%home, %error, "old segments could not be listed");
                    return;
                }
            };
            for key in old.iter().filter(|k| !k.starts_with(&own)) {
                if let Err(error) = storage.delete(key).await {
                    warn!(%key, %error, "an old segment could not be deleted");
                }
            }
        });
    }

    /// The time after the end, in which players still fetch what is listed.
    async fn keep_for(&mut self, linger: Duration) {
        let until = tokio::time::Instant::now() + linger;
        loop {
            self.pump();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Some(done) = self.writes.join_next() => self.written(done),
                Some(_) = self.deletes.join_next() => {}
                () = tokio::time::sleep(RETRY) => self.segmenter.expire(Instant::now()),
            }
        }
    }
}
