//! The chunk processor with its clock and its workers.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::{self, Stream, StreamExt};
use parking_lot::Mutex;

use crate::chunk::MediaChunk;
use crate::processor::{
    ChunkError, ChunkProcessorConfig, ChunkProcessorStats, ChunkSequencer, validate,
};

/// Data below this is summed up where it is; a task costs more.
const WORTH_A_TASK: usize = 64 << 10;

/// Validates numbered chunks and puts them in order, stream by stream. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct ChunkProcessor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ChunkProcessorConfig,
    state: Mutex<State>,
    /// What the streams of [`ChunkProcessor::process_chunk_stream`] did.
    streams: Mutex<ChunkProcessorStats>,
}

#[derive(Debug)]
struct State {
    sequencer: ChunkSequencer,
    busy_nanos: u64,
    timed: u64,
}

impl ChunkProcessor {
    /// A processor.
    #[must_use]
    pub fn new(config: ChunkProcessorConfig) -> Self {
        let state = Mutex::new(State {
            sequencer: ChunkSequencer::new(config.clone()),
            busy_nanos: 0,
            timed: 0,
        });
        Self {
            shared: Arc::new(Shared {
                config,
                state,
                streams: Mutex::default(),
            }),
        }
    }

    /// The chunks of `chunks`, valid and in order per stream. A lost chunk costs a gap after
    /// [`ChunkProcessorConfig::sequence_timeout`], never the stream; a refused one is counted and left out. When `chunks` ends, everything that waits
    /// comes out.
    ///
    /// The returned stream must be polled in a tokio runtime: gaps are timed, and large chunks are summed up by
    /// [`ChunkProcessorConfig::parallel_processing`] tasks. Each call has an order of its own.
    pub fn process_chunk_stream<S>(&self, chunks: S) -> impl Stream<Item = MediaChunk> + use<S>
    where
        S: Stream<Item = MediaChunk> + Send + 'static,
    {
        let config = Arc::new(self.shared.config.clone());
        let workers = config.parallel_processing.max(1);
        let sequencer = ChunkSequencer::new(ChunkProcessorConfig::clone(&config));
        let checked = chunks
            .map(move |chunk| check(Arc::clone(&config), chunk))
            .buffered(workers);
        let work = Work {
            checked: Box::pin(checked),
            sequencer,
            told: ChunkProcessorStats::default(),
            shared: Arc::clone(&self.shared),
            ready: VecDeque::new(),
            out: Vec::new(),
            ended: false,
        };
        stream::unfold(work, |mut work| async move {
            let chunk = work.next().await?;
            Some((chunk, work))
        })
    }

    /// One chunk: what is in order now, which may be nothing or several.
    ///
    /// # Errors
    /// The chunk is refused; its stream goes on without it.
    pub async fn process_single_chunk(
        &self,
        chunk: MediaChunk,
    ) -> Result<Vec<MediaChunk>, ChunkError> {
        let checked = check(Arc::new(self.shared.config.clone()), chunk).await;
        let mut out = Vec::new();
        self.place(checked, &mut out)?;
        Ok(out)
    }

    /// Whether a chunk is what it says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn validate_chunk(&self, chunk: &MediaChunk) -> Result<(), ChunkError> {
        validate(&self.shared.config, chunk)
    }

    /// Puts a chunk in its place without validating it; what is in order comes out. Gaps that are too old are given up.
    pub fn handle_reordering(&self, chunk: MediaChunk) -> Vec<MediaChunk> {
        let mut out = Vec::new();
        // Without validation nothing is refused.
        let _ = self.place(Ok(chunk), &mut out);
        out
    }

    /// What was done so far, streams of [`ChunkProcessor::process_chunk_stream`] included.
    #[must_use]
    pub fn get_stats(&self) -> ChunkProcessorStats {
        let state = self.shared.state.lock();
        let mut stats = state.sequencer.stats();
        stats.add(&ChunkProcessorStats::default(), &self.shared.streams.lock());
        if state.timed > 0 {
            stats.average_processing_time_ms = state.busy_nanos as f64 / state.timed as f64 / 1e6;
        }
        stats
    }

    fn place(
        &self,
        checked: Result<MediaChunk, ChunkError>,
        out: &mut Vec<MediaChunk>,
    ) -> Result<(), ChunkError> {
        let begun = Instant::now();
        let state = &mut *self.shared.state.lock();
        let result = checked.map(|chunk| {
            state.sequencer.expire(begun, out);
            state.sequencer.place(begun, chunk, out);
        });
        if result.is_err() {
            state.sequencer.refused();
        }
        state.timed += 1;
        state.busy_nanos += begun.elapsed().as_nanos() as u64;
        result
    }
}

type Checked = Result<MediaChunk, ChunkError>;

/// One stream of chunks on its way through.
struct Work {
    checked: Pin<Box<dyn Stream<Item = Checked> + Send>>,
    sequencer: ChunkSequencer,
    /// What was told of it so far.
    told: ChunkProcessorStats,
    shared: Arc<Shared>,
    ready: VecDeque<MediaChunk>,
    out: Vec<MediaChunk>,
    ended: bool,
}

impl Work {
    async fn next(&mut self) -> Option<MediaChunk> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            let arrived = match self.sequencer.deadline() {
                Some(due) => {
                    tokio::select! {
                        biased;
                        arrived = self.checked.next() => Some(arrived),
                        () = tokio::time::sleep_until(due.into()) => None,
                    }
                }
                None => Some(self.checked.next().await),
            };
            self.take(arrived);
        }
    }

    /// What arrived (the end, if nothing did), or `None` when a gap is due.
    fn take(&mut self, arrived: Option<Option<Checked>>) {
        let now = tokio::time::Instant::now().into_std();
        self.sequencer.expire(now, &mut self.out);
        match arrived {
            Some(Some(Ok(chunk))) => self.sequencer.place(now, chunk, &mut self.out),
            Some(Some(Err(error))) => {
                self.sequencer.refused();
                tracing::debug!(%error, "chunk refused");
            }
            Some(None) => {
                self.sequencer.flush(&mut self.out);
                self.ended = true;
            }
            None => {}
        }
        self.ready.extend(self.out.drain(..));
        let now = self.sequencer.stats();
        self.shared.streams.lock().add(&self.told, &now);
        self.told = now;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What still waits is gone, and takes up no buffer.
        let mut empty = self.told;
        empty.buffer_utilization = 0.0;
        self.shared.streams.lock().add(&self.told, &empty);
    }
}

/// Validates where it is, or in a task of its own where that takes long.
async fn check(config: Arc<ChunkProcessorConfig>, chunk: MediaChunk) -> Checked {
    if !config.enable_validation {
        return Ok(chunk);
    }
    let long = chunk.checksum.is_some() && chunk.data.len() >= WORTH_A_TASK;
    if !long {
        return validate(&config, &chunk).map(|()| chunk);
    }
    let copy = chunk.clone();
    let task = tokio::task::spawn_blocking(move || validate(&config, &copy));
    match task.await {
        Ok(valid) => valid.map(|()| chunk),
        // The runtime shuts down; nobody will see the chunk.
        Err(_) => Err(ChunkError::Checksum {
            stream: Arc::clone(&chunk.stream_id),
            sequence: chunk.sequence_number,
        }),
    }
}
