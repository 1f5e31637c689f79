//! A file as a target: it is written as media comes, so that it can be read while it grows.

use std::io::{self, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bus::{Engine, SubscribeOptions, Subscriber, TryBatch};
use bytes::{Bytes, BytesMut};
use core_frame::{MediaFrame, MediaKind, MediaTime, StreamKey, TrackTable};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::FileFormat;
use super::mux::Mux;
use crate::{Error, Result};

/// Media gathered before a file begins, for the track that is not there yet.
const GATHER: MediaTime = MediaTime::from_secs(1);
/// Frames gathered at most.
const GATHER_FRAMES: usize = 1_024;
/// A stream that appears is seen by its event; this is for the event that was missed.
const LOOK: Duration = Duration::from_secs(1);
/// Files of one run: an MP4 whose codecs change for ever is not followed for ever.
const FILES: usize = 1_000;

/// What a file target has done so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) begun: AtomicBool,
    pub(super) bytes: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) lag_ms: AtomicI64,
    pub(super) files: Mutex<Vec<PathBuf>>,
}

/// Where the bytes go.
enum Out {
    File(File, PathBuf),
    Stdout,
}

impl Out {
    async fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        if overwrite {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        match options.open(path).await {
            Ok(file) => Ok(Self::File(file, path.to_owned())),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Error::Usage(format!(
                "{} is there already; it is only written over when asked for",
                path.display()
            ))),
            Err(source) => Err(Error::Write {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::File(_, path) => path.clone(),
            Self::Stdout => PathBuf::from("-"),
        }
    }

    /// Hands the bytes to the system, so that readers of the file see them.
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let written = match self {
            Self::File(file, _) => match file.write_all(&bytes).await {
                // What went wrong in a write is told by the flush behind it.
                Ok(()) => file.flush().await,
                Err(e) => Err(e),
            },
            // A pipe that nobody reads holds up a thread of its own and no other.
            Self::Stdout => tokio::task::spawn_blocking(move || {
                let mut out = io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()
            })
            .await
            .unwrap_or_else(|e| Err(io::Error::other(e))),
        };
        written.map_err(|source| Error::Write {
            path: self.path(),
            source,
        })
    }
}

/// Reads a stream and writes it.
pub(super) struct FileSink {
    out: Out,
    format: FileFormat,
    overwrite: bool,
    /// Gathered for the begin of a file, with their sequence numbers.
    gathered: Vec<(u64, MediaFrame)>,
    /// Set while a file is being written.
    mux: Option<Mux>,
    /// The tracks of the frames at hand.
    table: Arc<TrackTable>,
    /// The number of the file at hand, from 1.
    number: usize,
    first: PathBuf,
    /// Video that comes before its first key frame cannot be shown.
    video_begun: bool,
    progress: Arc<Progress>,
}

impl FileSink {
    /// Opens the file, or stdout when there is no path.
    pub(super) async fn open(
        path: Option<&Path>,
        format: FileFormat,
        overwrite: bool,
        progress: Arc<Progress>,
    ) -> Result<Self> {
        let out = match path {
            Some(path) => Out::create(path, overwrite).await?,
            None => Out::Stdout,
        };
        let sink = Self {
            first: out.path(),
            out,
            format,
            overwrite,
            gathered: Vec::new(),
            mux: None,
            table: Arc::default(),
            number: 1,
            video_begun: false,
            progress,
        };
        sink.note_file();
        Ok(sink)
    }

    /// Writes until the stream ends, or until it is told to stop: then what is there is still written.
    pub(super) async fn run(
        mut self,
        engine: Arc<Engine>,
        key: StreamKey,
        stop: CancellationToken,
    ) -> Result<()> {
        let written = self.write(&engine, &key, &stop).await;
        // A file that cannot be written on is still made as whole as it can be.
        let finished = self.finish().await;
        written.and(finished)
    }

    async fn write(
        &mut self,
        engine: &Arc<Engine>,
        key: &StreamKey,
        stop: &CancellationToken,
    ) -> Result<()> {
        let Some(mut reader) = subscribe(engine, key, stop).await? else {
            return Ok(());
        };
        loop {
            let batch = tokio::select! {
                batch = reader.next_batch() => batch,
                () = stop.cancelled() => break,
            };
            match batch {
                Some(batch) => self.take(&batch, &reader).await?,
                None => break,
            }
        }
        while let TryBatch::Batch(batch) = reader.try_batch() {
            self.take(&batch, &reader).await?;
        }
        self.begin(true).await
    }

    async fn take(
        &mut self,
        batch: &bus::Batch<MediaFrame, TrackTable>,
        reader: &Subscriber,
    ) -> Result<()> {
        let mut bytes = BytesMut::new();
        if let Some(table) = batch.new_header() {
            self.table = Arc::clone(table);
            if let Some(mux) = &mut self.mux
                && !mux.tracks(table, &mut bytes)
            {
                self.next_file().await?;
            }
        }
        for (seq, frame) in batch {
            self.frame(seq, frame, &mut bytes)?;
        }
        if !bytes.is_empty() {
            self.put(bytes.freeze()).await?;
        }
        self.begin(false).await?;
        let progress = &self.progress;
        progress.skipped.store(reader.skipped(), Ordering::Relaxed);
        let lag = reader.lag().time.as_millis();
        progress.lag_ms.store(lag, Ordering::Relaxed);
        Ok(())
    }

    fn frame(&mut self, seq: u64, frame: &MediaFrame, bytes: &mut BytesMut) -> Result<()> {
        if frame.kind() == MediaKind::Video && !self.video_begun {
            if !frame.is_keyframe() {
                return Ok(());
            }
            self.video_begun = true;
            if self.mux.is_none() {
                // What came before can be heard and not seen.
                self.gathered.clear();
            }
        }
        match &mut self.mux {
            Some(mux) => {
                let taken = mux.frame(frame, seq, bytes)?;
                self.progress
                    .frames
                    .fetch_add(u64::from(taken), Ordering::Relaxed);
            }
            None => self.gathered.push((seq, frame.clone())),
        }
        Ok(())
    }

    /// Begins the file, once every track is there that is likely to come, or `now`.
    async fn begin(&mut self, now: bool) -> Result<()> {
        let (Some((_, first)), Some((_, last))) = (self.gathered.first(), self.gathered.last())
        else {
            return Ok(());
        };
        let has = |kind| self.gathered.iter().any(|(_, f)| f.kind() == kind);
        let ready = |kind| {
            self.table
                .tracks
                .iter()
                .any(|t| t.kind() == kind && t.is_ready())
        };
        let complete = ready(MediaKind::Audio) && ready(MediaKind::Video) && has(MediaKind::Video);
        let long = last.dts - first.dts >= GATHER || self.gathered.len() >= GATHER_FRAMES;
        if !(complete || long || now) {
            return Ok(());
        }
        let mut mux = Mux::new(self.format, first.dts);
        let mut bytes = BytesMut::new();
        mux.tracks(&self.table, &mut bytes);
        let mut count = 0;
        for (seq, frame) in self.gathered.drain(..) {
            count += u64::from(mux.frame(&frame, seq, &mut bytes)?);
        }
        self.mux = Some(mux);
        self.progress.begun.store(true, Ordering::Relaxed);
        self.progress.frames.fetch_add(count, Ordering::Relaxed);
        self.put(bytes.freeze()).await
    }

    async fn put(&mut self, bytes: Bytes) -> Result<()> {
        let len = bytes.len() as u64;
        self.out.write(bytes).await?;
        self.progress.bytes.fetch_add(len, Ordering::Relaxed);
        Ok(())
    }

    /// Closes the file at hand and opens another beside it: `cam.mp4`, `cam-2.mp4`, `cam-3.mp4`.
    async fn next_file(&mut self) -> Result<()> {
        self.finish().await?;
        self.number += 1;
        if self.number > FILES {
            return Err(Error::Media("the codecs change again and again".to_owned()));
        }
        let path = beside(&self.first, self.number);
        tracing::warn!(file = %path.display(), "the codecs have changed: a new file begins");
        self.out = Out::create(&path, self.overwrite).await?;
        self.video_begun = false;
        self.note_file();
        Ok(())
    }

    /// Puts right what is only known at the end.
    async fn finish(&mut self) -> Result<()> {
        let Some(mux) = self.mux.take() else {
            return Ok(());
        };
        let Out::File(file, path) = &mut self.out else {
            return Ok(());
        };
        let whole = async {
            for patch in mux.finish() {
                file.seek(SeekFrom::Start(patch.offset)).await?;
                file.write_all(&patch.bytes).await?;
            }
            file.flush().await?;
            file.sync_data().await
        };
        let length = mux.length();
        tracing::debug!(file = %path.display(), ?length, "complete");
        whole.await.map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })
    }

    fn note_file(&self) {
        let mut files = self.progress.files.lock();
        let files = files.as_mut().unwrap_or_else(|e| PoisonError::get_mut(e));
        files.push(self.out.path());
    }
}

/// The stream, read from its very beginning, once it is there; `None` when we are told to stop before.
async fn subscribe(
    engine: &Arc<Engine>,
    key: &StreamKey,
    stop: &CancellationToken,
) -> Result<Option<Subscriber>> {
    let mut events = engine.events().subscribe();
    loop {
        if let Ok(handle) = engine.get_stream(key) {
            let reader = handle.subscribe(SubscribeOptions::everything());
            let reader = reader.map_err(|e| Error::Media(crate::error::causes(&e)))?;
            return Ok(Some(reader));
        }
        tokio::select! {
            _ = events.recv() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}

/// `cam.mp4` and 2 make `cam-2.mp4`.
fn beside(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_follow_are_numbered() {
        assert_eq!(
            beside(Path::new("/a/cam.mp4"), 2),
            Path::new("/a/cam-2.mp4")
        );
        assert_eq!(beside(Path::new("cam"), 3), Path::new("cam-3"));
    }
}
