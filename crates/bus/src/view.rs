//! Views: an output format computed once per stream, by one task, while somebody reads it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use core_frame::{
    MediaFrame, MediaKind, Preamble, Render, RenderOut, RenderStep, Result, TrackChoice, TrackId,
    TrackTable, ViewItem,
};
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::log::{Batch, Hook, Join, Log, TryBatch};
use crate::stream::{FrameLog, Stream, next_reader_id, runtime};
use crate::{
    Cursor, KeepAll, Pace, ReaderInfo, Start, SubscribeOptions, Subscriber, TrackMask, ViewReader,
};

/// How long a view is kept up to date for nobody, so that the next reader starts at once.
const LINGER: Duration = Duration::from_secs(3);
/// Source sync points a renderer may be behind.
const SYNCS: usize = 128;

pub(crate) type ViewLog = Log<ViewItem, Preamble>;

/// The name of a view: two callers with equal names share one view, so it says everything the bytes depend on (format,
/// chunk size, codec form, tracks).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewKey(Arc<str>);

impl ViewKey {
    /// A name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.0
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ViewKey {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for ViewKey {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<Arc<str>> for ViewKey {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

/// A view to open.
pub struct ViewSpec {
    /// Its name.
    pub name: ViewKey,
    /// Whether each frame is rendered as it comes, or what comes within a time all at once.
    pub pace: Pace,
    /// The tracks the view is made of. Where its video is left out, readers may start at any item.
    pub tracks: TrackMask,
    /// Which of them, judged by each table of tracks anew. The first wanted video is the view's own: readers start at
    /// its key frames, or anywhere where there is none. Frames of other tracks never reach the renderer, which still sees
    /// the whole table.
    pub choice: TrackChoice,
    /// Makes the renderer, if the view is not there yet.
    pub make: Box<dyn FnOnce() -> Box<dyn Render> + Send>,
}

impl ViewSpec {
    /// A view of all tracks.
    pub fn new(
        name: impl Into<ViewKey>,
        pace: Pace,
        make: impl FnOnce() -> Box<dyn Render> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            pace,
            tracks: TrackMask::ALL,
            choice: TrackChoice::ALL,
            make: Box::new(make),
        }
    }

    /// A view of these tracks only.
    #[must_use]
    pub fn tracks(mut self, tracks: TrackMask) -> Self {
        self.tracks = tracks;
        self
    }

    /// A view of the tracks that a reader chose. The name must say the choice.
    #[must_use]
    pub fn choice(mut self, choice: TrackChoice) -> Self {
        self.choice = choice;
        self
    }
}

impl std::fmt::Debug for ViewSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewSpec")
            .field("name", &self.name)
            .field("pace", &self.pace)
            .field("tracks", &self.tracks)
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}

/// A running view.
pub(crate) struct View {
    pub(crate) key: ViewKey,
    pub(crate) log: Arc<ViewLog>,
    /// Handles and readers.
    uses: AtomicUsize,
    /// Told when `uses` falls to zero.
    unused: Notify,
}

impl View {
    fn release(&self) {
        if self.uses.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.unused.notify_one();
        }
    }

    /// Comes back when nobody has used the view for the linger time.
    async fn forsaken(&self) {
        loop {
            if self.uses.load(Ordering::Acquire) > 0 {
                self.unused.notified().await;
                continue;
            }
            tokio::time::sleep(LINGER).await;
            if self.uses.load(Ordering::Acquire) == 0 {
                return;
            }
        }
    }
}

/// A view of a stream; keeps it running. Make readers from it.
pub struct ViewHandle {
    view: Arc<View>,
    stream: Arc<Stream>,
}

impl ViewHandle {
    /// A reader that joins at the view's newest sync point, in one step. A fresh view first renders the GOP the stream
    /// keeps.
    ///
    /// # Errors
    /// `ReaderLimitReached` for a registered reader.
    pub fn reader(&self, options: SubscribeOptions) -> Result<ViewReader> {
        let id = next_reader_id();
        self.view.uses.fetch_add(1, Ordering::AcqRel);
        let hook = Arc::new(ViewHook {
            view: Arc::clone(&self.view),
            stream: Arc::clone(&self.stream),
        });
        match self.stream.admit(id, options, hook) {
            Ok(join) => Ok(self.view.log.join(id, Instant::now(), join)),
            Err(e) => {
                self.view.release();
                Err(e)
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ViewKey {
        &self.view.key
    }

    /// The stream it is a view of.
    #[must_use]
    pub fn stream(&self) -> crate::StreamHandle {
        crate::StreamHandle::new(Arc::clone(&self.stream), 0)
    }
}

impl Clone for ViewHandle {
    fn clone(&self) -> Self {
        self.view.uses.fetch_add(1, Ordering::AcqRel);
        Self {
            view: Arc::clone(&self.view),
            stream: Arc::clone(&self.stream),
        }
    }
}

impl Drop for ViewHandle {
    fn drop(&mut self) {
        self.view.release();
    }
}

impl std::fmt::Debug for ViewHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewHandle")
            .field("stream", &self.stream.key)
            .field("view", &self.view.key)
            .finish()
    }
}

/// A view's reader is a reader of the stream.
struct ViewHook {
    view: Arc<View>,
    stream: Arc<Stream>,
}

impl Hook for ViewHook {
    fn lagging(&self, id: u64, info: Option<&ReaderInfo>, skipped: u64) {
        self.stream.lagging(id, info, skipped);
    }

    fn left(&self, id: u64, info: Option<&ReaderInfo>, bytes: u64, skipped: u64) {
        self.view.release();
        self.stream.left(id, info, bytes, skipped);
    }
}

impl Stream {
    pub(crate) fn view_list(&self) -> Vec<Arc<View>> {
        self.views.lock().values().cloned().collect()
    }

    pub(crate) fn open_view(self: &Arc<Self>, spec: ViewSpec) -> Result<ViewHandle> {
        let mut views = self.views.lock();
        let view = match views.get(&spec.name) {
            Some(view) => Arc::clone(view),
            None => {
                let runtime = runtime("a view")?;
                let bounds = self.log.lock().bounds.clone();
                let view = Arc::new(View {
                    key: spec.name.clone(),
                    log: Arc::new(ViewLog::new(bounds, Arc::default())),
                    uses: AtomicUsize::new(0),
                    unused: Notify::new(),
                });
                let source = source_cursor(&self.log, spec.tracks);
                let task = ViewTask {
                    close: CloseOnDrop {
                        view: Arc::clone(&view),
                        stream: Arc::clone(self),
                    },
                    source,
                    wanted: Wanted::new(spec.tracks, spec.choice),
                    render: (spec.make)(),
                    out: RenderOut::new(),
                    syncs: VecDeque::with_capacity(SYNCS),
                };
                runtime.spawn(task.run(spec.pace));
                views.insert(spec.name, Arc::clone(&view));
                view
            }
        };
        view.uses.fetch_add(1, Ordering::AcqRel);
        Ok(ViewHandle {
            view,
            stream: Arc::clone(self),
        })
    }
}

fn source_cursor(log: &Arc<FrameLog>, tracks: TrackMask) -> Subscriber {
    let join = Join {
        start: Start::NewestSync,
        tracks,
        shed: Some(Arc::new(KeepAll)),
        lossless: false,
        info: None,
        hook: None,
        pace: None,
    };
    log.join(next_reader_id(), Instant::now(), join)
}

/// Whatever ends the task, a panic of the renderer too, the view's readers get what was rendered, and then the end.
struct CloseOnDrop {
    view: Arc<View>,
    stream: Arc<Stream>,
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let mut views = self.stream.views.lock();
        if views
            .get(&self.view.key)
            .is_some_and(|v| Arc::ptr_eq(v, &self.view))
        {
            views.remove(&self.view.key);
        }
        drop(views);
        self.view.log.close();
    }
}

/// What a view is made of under the table of the moment.
struct Wanted {
    mask: TrackMask,
    choice: TrackChoice,
    tracks: SmallVec<[TrackId; 8]>,
    /// The video whose key frames are the view's sync points.
    video: Option<TrackId>,
    /// It is the stream's own, whose sync points the stream knows best.
    is_primary: bool,
}

impl Wanted {
    fn new(mask: TrackMask, choice: TrackChoice) -> Self {
        Self {
            mask,
            choice,
            tracks: SmallVec::new(),
            video: None,
            is_primary: false,
        }
    }

    fn judge(&mut self, table: &TrackTable) {
        let wanted = self.choice.of(table).filter(|t| self.mask.contains(t.id));
        (self.tracks, self.video) = (SmallVec::new(), None);
        for track in wanted {
            self.tracks.push(track.id);
            if track.kind() == MediaKind::Video {
                self.video.get_or_insert(track.id);
            }
        }
        self.is_primary = self.video.is_some() && self.video == table.video().map(|t| t.id);
    }

    /// True when a reader of the view may start at this frame.
    fn is_sync(&self, frame: &MediaFrame, stream_sync: bool) -> bool {
        match self.video {
            None => true,
            Some(_) if self.is_primary => stream_sync,
            Some(video) => frame.track == video && frame.is_keyframe(),
        }
    }
}

struct ViewTask {
    close: CloseOnDrop,
    source: Cursor<MediaFrame, TrackTable>,
    wanted: Wanted,
    render: Box<dyn Render>,
    out: RenderOut,
    /// Sequence numbers of source frames that are sync points, ascending.
    syncs: VecDeque<u64>,
}

impl ViewTask {
    async fn run(mut self, pace: Pace) {
        let view = Arc::clone(&self.close.view);
        let mut forsaken = std::pin::pin!(view.forsaken());
        let mut due = tokio::time::Instant::now();
        loop {
            if let Pace::Every(_) = pace {
                tokio::time::sleep_until(due).await;
            }
            let first = match self.source.try_batch() {
                TryBatch::Batch(batch) => batch,
                TryBatch::Ended => break,
                TryBatch::Empty => {
                    let next = tokio::select! {
                        biased;
                        next = self.source.next_batch() => next,
                        () = &mut forsaken => {
                            if self.is_unused() {
                                return;
                            }
                            forsaken.set(view.forsaken());
                            continue;
                        }
                    };
                    match next {
                        Some(batch) => batch,
                        None => break,
                    }
                }
            };
            self.render(first);
            let mut ended = false;
            loop {
                match self.source.try_batch() {
                    TryBatch::Batch(batch) => self.render(batch),
                    TryBatch::Empty => break,
                    TryBatch::Ended => {
                        ended = true;
                        break;
                    }
                }
            }
            self.render.flush(&mut self.out);
            self.append();
            if ended {
                break;
            }
            if let Pace::Every(span) = pace {
                due = tokio::time::Instant::now() + span;
            }
            tokio::task::consume_budget().await;
        }
        self.render.end(&mut self.out);
        self.append();
    }

    /// True when the view is off the map for want of use; nobody can have found it in between.
    fn is_unused(&self) -> bool {
        let mut views = self.close.stream.views.lock();
        if self.close.view.uses.load(Ordering::Acquire) > 0 {
            return false;
        }
        views.remove(&self.close.view.key);
        true
    }

    fn render(&mut self, batch: Batch<MediaFrame, TrackTable>) {
        if let Some(table) = batch.new_header() {
            self.wanted.judge(table);
            self.render.tracks(table, &mut self.out);
            self.close.view.log.lock().primary = self.wanted.video;
        }
        for (seq, frame) in batch.iter() {
            if !self.wanted.tracks.contains(&frame.track) {
                continue;
            }
            if self.wanted.is_sync(frame, batch.is_sync(seq)) {
                if self.syncs.len() == SYNCS {
                    self.syncs.pop_front();
                }
                self.syncs.push_back(seq);
            }
            self.render.frame(frame, seq, &mut self.out);
        }
    }

    /// Everything rendered goes into the view's log, under one lock and with one round of waking.
    fn append(&mut self) {
        if self.out.steps().is_empty() {
            return;
        }
        let (out, syncs) = (&mut self.out, &mut self.syncs);
        self.close.view.log.write(|state| {
            for step in out.drain() {
                match step {
                    RenderStep::Preamble(preamble) => state.set_header(preamble),
                    RenderStep::Item(item) => {
                        while syncs.front().is_some_and(|s| *s < item.seq) {
                            syncs.pop_front();
                        }
                        // Only the first item of a source frame is a place to start at.
                        let sync = syncs.front() == Some(&item.seq);
                        if sync {
                            syncs.pop_front();
                        }
                        state.push(item, sync);
                    }
                }
            }
        });
    }
}
