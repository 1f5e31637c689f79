//! The chunk processor without a clock: validation, order per stream, gaps that end, and counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use core_frame::Limits;

use crate::chunk::MediaChunk;
use crate::sequence::{Fate, Sequencer, Tally};

/// What a processor may hold and how long it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkProcessorConfig {
    /// Chunks held for reordering, all streams together; beyond it the gap of the stream at hand is given up. Default 1024.
    pub max_buffer_size: usize,
    /// Age at which a gap is given up. Default 5 s.
    pub sequence_timeout: Duration,
    /// Whether chunks are put in order. Without it they come out as they arrive. Default true.
    pub enable_reordering: bool,
    /// How many numbers ahead of the one expected a chunk may wait; beyond it the gap is given up. 1 to 4096, default 32.
    pub max_reorder_window: usize,
    /// Whether chunks are validated. Default true.
    pub enable_validation: bool,
    /// Chunks whose checksums are computed side by side; order does not change by it. Default 4.
    pub parallel_processing: usize,
    /// Largest chunk in bytes. Default [`Limits::access_unit_bytes`] (8 MiB): a 4K key frame fits.
    pub max_chunk_bytes: usize,
    /// Bytes held for reordering, all streams together; beyond it the gap of the stream at hand is given up. Default 64 MiB.
    pub max_buffer_bytes: usize,
    /// Streams remembered; a further one takes the place of the one that has been silent longest. Default 1024.
    pub max_streams: usize,
}

impl Default for ChunkProcessorConfig {
    fn default() -> Self {
        Self {
            max_buffer_size: 1_024,
            sequence_timeout: Duration::from_secs(5),
            enable_reordering: true,
            max_reorder_window: 32,
            enable_validation: true,
            parallel_processing: 4,
            max_chunk_bytes: Limits::default().access_unit_bytes as usize,
            max_buffer_bytes: 64 << 20,
            max_streams: 1_024,
        }
    }
}

/// What a processor has done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChunkProcessorStats {
    /// Chunks put out.
    pub chunks_processed: u64,
    /// Chunks put out that filled a gap: later ones had to wait for them.
    pub chunks_reordered: u64,
    /// Chunks left out: late, duplicate, or never confirmed after a jump of the numbers.
    pub chunks_dropped: u64,
    /// Of them, chunks whose place had been given up.
    pub chunks_late: u64,
    /// Of them, chunks that had come before.
    pub chunks_duplicate: u64,
    /// Gaps given up.
    pub sequence_gaps: u64,
    /// Numbers given up in them.
    pub chunks_missing: u64,
    /// Chunks refused by validation.
    pub validation_failures: u64,
    /// Mean time a chunk took, waiting excluded; 0 where no clock measures it.
    pub average_processing_time_ms: f64,
    /// Part of [`ChunkProcessorConfig::max_buffer_size`] in use, 0 to 1.
    pub buffer_utilization: f64,
}

/// Why a chunk was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// No stream is named.
    #[error("chunk {sequence} names no stream")]
    NoStream {
        /// Its number.
        sequence: u64,
    },
    /// Nothing is in it, and it is not the last.
    #[error("chunk {sequence} of {stream} is empty")]
    Empty {
        /// The stream.
        stream: Arc<str>,
        /// Its number.
        sequence: u64,
    },
    /// It is too large.
    #[error("chunk {sequence} of {stream} has {bytes} bytes, {limit} are allowed")]
    TooLarge {
        /// The stream.
        stream: Arc<str>,
        /// Its number.
        sequence: u64,
        /// Its size.
        bytes: usize,
        /// [`ChunkProcessorConfig::max_chunk_bytes`].
        limit: usize,
    },
    /// Its data is not what its sender summed up.
    #[error("chunk {sequence} of {stream} fails its checksum")]
    Checksum {
        /// The stream.
        stream: Arc<str>,
        /// Its number.
        sequence: u64,
    },
}

/// The pure core of [`crate::ChunkProcessor`]: `now` is an argument, and nothing waits.
///
/// **Driving it:** [`ChunkSequencer::push`] for each chunk, and [`ChunkSequencer::expire`] when [`ChunkSequencer::deadline`] has come; at the end
/// [`ChunkSequencer::flush`].
#[derive(Debug)]
pub struct ChunkSequencer {
    config: ChunkProcessorConfig,
    streams: HashMap<Arc<str>, Stream>,
    held: usize,
    held_bytes: usize,
    /// Chunks that were never confirmed after a jump of the numbers.
    discarded: u64,
    stats: ChunkProcessorStats,
}

#[derive(Debug)]
struct Stream {
    order: Sequencer<MediaChunk>,
    last_seen: Instant,
}

impl ChunkSequencer {
    /// An empty one.
    #[must_use]
    pub fn new(config: ChunkProcessorConfig) -> Self {
        Self {
            config,
            streams: HashMap::new(),
            held: 0,
            held_bytes: 0,
            discarded: 0,
            stats: ChunkProcessorStats::default(),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ChunkProcessorConfig {
        &self.config
    }

    /// Validates a chunk (unless that is switched off) and puts it in its place; what is in order comes out, appended to `out`.
    ///
    /// # Errors
    /// The chunk is refused; the stream goes on without it.
    pub fn push(
        &mut self,
        now: Instant,
        chunk: MediaChunk,
        out: &mut Vec<MediaChunk>,
    ) -> Result<(), ChunkError> {
        if self.config.enable_validation
            && let Err(error) = validate(&self.config, &chunk)
        {
            self.refused();
            return Err(error);
        }
        self.place(now, chunk, out);
        Ok(())
    }

    /// Counts a chunk that was refused elsewhere.
    pub(crate) fn refused(&mut self) {
        self.stats.validation_failures += 1;
    }

    /// Puts a chunk in its place without validating it.
    pub fn place(&mut self, now: Instant, chunk: MediaChunk, out: &mut Vec<MediaChunk>) {
        if !self.config.enable_reordering {
            self.stats.chunks_processed += 1;
            out.push(chunk);
            return;
        }
        if !self.streams.contains_key(&chunk.stream_id) {
            self.admit(now, &chunk, out);
        }
        let key = Arc::clone(&chunk.stream_id);
        let Some(stream) = self.streams.get_mut(&key) else {
            return;
        };
        stream.last_seen = now;
        let seen = Seen::of(&stream.order, out);
        let (number, size) = (chunk.sequence_number, chunk.data.len());
        match stream.order.push(now, number, chunk, out) {
            Fate::Late => self.stats.chunks_late += 1,
            Fate::Duplicate => self.stats.chunks_duplicate += 1,
            Fate::Held | Fate::Suspected | Fate::Released => self.held_bytes += size,
        }
        self.account(&key, seen, out);
        let full = self.held > self.config.max_buffer_size
            || self.held_bytes > self.config.max_buffer_bytes;
        if full {
            self.act(&key, out, Sequencer::flush);
        }
    }

    /// When something is due, if nothing arrives.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let streams = self.streams.values();
        streams.filter_map(|s| s.order.deadline()).min()
    }

    /// Gives up the gaps that are too old by `now`; what waited for them comes out.
    pub fn expire(&mut self, now: Instant, out: &mut Vec<MediaChunk>) {
        if self.deadline().is_none_or(|due| due > now) {
            return;
        }
        self.each(out, |order, out| order.expire(now, out));
    }

    /// No more will come: everything that waits comes out, in order per stream.
    pub fn flush(&mut self, out: &mut Vec<MediaChunk>) {
        self.each(out, Sequencer::flush);
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> ChunkProcessorStats {
        let size = self.config.max_buffer_size.max(1);
        ChunkProcessorStats {
            buffer_utilization: (self.held as f64 / size as f64).min(1.0),
            ..self.stats
        }
    }

    fn each(
        &mut self,
        out: &mut Vec<MediaChunk>,
        act: impl Fn(&mut Sequencer<MediaChunk>, &mut Vec<MediaChunk>),
    ) {
        let keys: Vec<_> = self.streams.keys().cloned().collect();
        for key in keys {
            self.act(&key, out, &act);
        }
    }

    fn act(
        &mut self,
        key: &Arc<str>,
        out: &mut Vec<MediaChunk>,
        act: impl Fn(&mut Sequencer<MediaChunk>, &mut Vec<MediaChunk>),
    ) {
        if let Some(stream) = self.streams.get_mut(key) {
            let seen = Seen::of(&stream.order, out);
            act(&mut stream.order, out);
            self.account(key, seen, out);
        }
    }

    /// Room for a stream not seen before.
    fn admit(&mut self, now: Instant, chunk: &MediaChunk, out: &mut Vec<MediaChunk>) {
        if self.streams.len() >= self.config.max_streams.max(1) {
            let silent = self.streams.iter().min_by_key(|(_, s)| s.last_seen);
            if let Some(key) = silent.map(|(key, _)| Arc::clone(key)) {
                self.end(&key, out);
            }
        }
        let order = Sequencer::new(self.config.max_reorder_window, self.config.sequence_timeout);
        let stream = Stream {
            order,
            last_seen: now,
        };
        self.streams.insert(Arc::clone(&chunk.stream_id), stream);
    }

    /// Forgets a stream; what waits comes out.
    fn end(&mut self, key: &Arc<str>, out: &mut Vec<MediaChunk>) {
        self.act(key, out, Sequencer::flush);
        self.streams.remove(key);
    }

    /// Counts what came out of one stream since `seen`, and what it holds now. A stream whose last chunk came out is forgotten, so that its
    /// name may begin anew at any number.
    fn account(&mut self, key: &Arc<str>, seen: Seen, out: &[MediaChunk]) {
        let released = out.get(seen.out..).unwrap_or_default();
        let stats = &mut self.stats;
        stats.chunks_processed += released.len() as u64;
        let bytes: usize = released.iter().map(|c| c.data.len()).sum();
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        self.held = (self.held + stream.order.held()).saturating_sub(seen.held);
        let (was, now) = (seen.tally, stream.order.tally);
        stats.chunks_reordered += now.reordered - was.reordered;
        stats.sequence_gaps += now.gaps - was.gaps;
        stats.chunks_missing += now.missing - was.missing;
        self.discarded += now.discarded - was.discarded;
        stats.chunks_dropped = stats.chunks_late + stats.chunks_duplicate + self.discarded;
        if self.held == 0 {
            // Whatever was discarded took its bytes along.
            self.held_bytes = 0;
        }
        if released.last().is_some_and(|c| c.is_final) && stream.order.held() == 0 {
            self.streams.remove(key);
        }
    }
}

/// What a stream held before something was done to it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    held: usize,
    tally: Tally,
    out: usize,
}

impl Seen {
    fn of(order: &Sequencer<MediaChunk>, out: &[MediaChunk]) -> Self {
        Self {
            held: order.held(),
            tally: order.tally,
            out: out.len(),
        }
    }
}

impl ChunkProcessorStats {
    /// Adds what another processor did between `before` and `now`.
    #[cfg(feature = "runtime")]
    pub(crate) fn add(&mut self, before: &Self, now: &Self) {
        self.chunks_processed += now.chunks_processed - before.chunks_processed;
        self.chunks_reordered += now.chunks_reordered - before.chunks_reordered;
        self.chunks_dropped += now.chunks_dropped - before.chunks_dropped;
        self.chunks_late += now.chunks_late - before.chunks_late;
        self.chunks_duplicate += now.chunks_duplicate - before.chunks_duplicate;
        self.sequence_gaps += now.sequence_gaps - before.sequence_gaps;
        self.chunks_missing += now.chunks_missing - before.chunks_missing;
        self.validation_failures += now.validation_failures - before.validation_failures;
        self.buffer_utilization += now.buffer_utilization - before.buffer_utilization;
    }
}

/// Whether a chunk is what it says: it names a stream, is of a sane size, and fits its checksum.
///
/// # Errors
/// What is wrong with it.
pub fn validate(config: &ChunkProcessorConfig, chunk: &MediaChunk) -> Result<(), ChunkError> {
    let (stream, sequence) = (&chunk.stream_id, chunk.sequence_number);
    if stream.is_empty() {
        return Err(ChunkError::NoStream { sequence });
    }
    let stream = || Arc::clone(stream);
    if chunk.data.is_empty() && !chunk.is_final {
        return Err(ChunkError::Empty {
            stream: stream(),
            sequence,
        });
    }
    if chunk.data.len() > config.max_chunk_bytes {
        return Err(ChunkError::TooLarge {
            stream: stream(),
            sequence,
            bytes: chunk.data.len(),
            limit: config.max_chunk_bytes,
        });
    }
    match &chunk.checksum {
        Some(sum) if !sum.fits(&chunk.data) => Err(ChunkError::Checksum {
            stream: stream(),
            sequence,
        }),
        _ => Ok(()),
    }
}
