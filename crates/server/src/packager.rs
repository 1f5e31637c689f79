//! A packager for each published stream: the segmenter that stands behind HLS whether or not somebody watches.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Engine, EventReceiver, StreamEvent, StreamHandle, StreamState};
use core_frame::StreamKey;
use parking_lot::RwLock;
use segmenter::Window;
use storage::StorageBackend;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::Error;
use crate::config::Config;

/// One stream's window, and the origin over it.
pub(crate) struct Packager {
    pub(crate) window: Arc<Window>,
    pub(crate) origin: hls_live::Origin,
    pub(crate) storage: Arc<dyn StorageBackend>,
}

/// The packagers of all streams.
pub(crate) struct Packagers {
    config: Arc<Config>,
    storage: Arc<dyn StorageBackend>,
    now: RwLock<HashMap<StreamKey, Arc<Packager>>>,
}

impl Packagers {
    /// Opens the storage that windows spill to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) async fn open(config: &Arc<Config>) -> Result<Arc<Self>, Error> {
        let url = match config.storage.url.as_str() {
            url if url.is_empty() || url.starts_with("s3:") => {
                format!("file:{}", encode(&config.data))
            }
            url => url.to_owned(),
        };
        let storage = storage::open(&url).await.map_err(|e| Error::Storage {
            url,
            reason: e.to_string(),
        })?;
        Ok(Arc::new(Self {
            config: Arc::clone(config),
            storage,
            now: RwLock::default(),
        }))
    }

    /// The packager of a stream.
    pub(crate) fn find(&self, key: &StreamKey) -> Option<Arc<Packager>> {
        self.now.read().get(key).cloned()
    }

    /// Gives each stream its packager as it is published, until `stop`.
    ///
    /// `events` are those of the engine, listened to since before anybody could publish.
    pub(crate) async fn run(
        self: Arc<Self>,
        engine: Arc<Engine>,
        mut events: EventReceiver,
        stop: CancellationToken,
    ) {
        let tasks = TaskTracker::new();
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = stop.cancelled() => break,
            };
            match event {
                Ok(StreamEvent::Published { key, .. }) => {
                    if let Ok(handle) = engine.get_stream(&key) {
                        self.attend(&handle, &tasks, &stop);
                    }
                }
                Ok(_) => {}
                // Some were missed: look at what is there.
                Err(RecvError::Lagged(_)) => {
                    for handle in engine.streams() {
                        self.attend(&handle, &tasks, &stop);
                    }
                }
                Err(RecvError::Closed) => break,
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Starts a packager for the stream, unless it has one.
    fn attend(
        self: &Arc<Self>,
        handle: &StreamHandle,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        if handle.state() == StreamState::Ended {
            return;
        }
        let key = handle.key().clone();
        let packager = Arc::new(Packager {
            window: Window::new(),
            origin: hls_live::Origin::new(self.origin_config()),
            storage: Arc::clone(&self.storage),
        });
        {
            let mut now = self.now.write();
            if now.get(&key).is_some_and(|p| !p.window.snapshot().ended) {
                return;
            }
            now.insert(key.clone(), Arc::clone(&packager));
        }
        let (this, handle, stop) = (Arc::clone(self), handle.clone(), stop.clone());
        tasks.spawn(async move {
            debug!(%key, "packaging");
            let config = this.segmenter_config();
            let window = Arc::clone(&packager.window);
            let storage = Some(Arc::clone(&this.storage));
            // It goes on after the end of the stream, while viewers still fetch what was listed last.
            let outcome = tokio::select! {
                outcome = segmenter::run(handle, config, storage, window) => outcome,
                () = stop.cancelled() => return,
            };
            if let Err(e) = outcome {
                warn!(%key, error = %e, "packaging failed; there is no HLS of this stream");
            }
            let mut now = this.now.write();
            if now.get(&key).is_some_and(|p| Arc::ptr_eq(p, &packager)) {
                now.remove(&key);
            }
            drop(now);
            debug!(%key, "packaging ended");
        });
    }

    fn segmenter_config(&self) -> segmenter::Config {
        let mut config = segmenter::Config::default();
        config.part_target = Duration::from_millis(self.config.hls.part_ms);
        config.segment_target = Duration::from_millis(self.config.hls.segment_ms);
        config.window = Duration::from_secs(self.config.dvr.window_s);
        config.memory_bytes = self.config.dvr.memory_mb.saturating_mul(1 << 20);
        config
    }

    fn origin_config(&self) -> hls_live::Config {
        hls_live::Config::default().window(Duration::from_secs(self.config.dvr.window_s))
    }
}

/// A path as part of a `file:` URL.
fn encode(path: &std::path::Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
        .replace(' ', "%20")
}
