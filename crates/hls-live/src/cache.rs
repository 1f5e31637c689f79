//! Rendered playlists, kept for as long as the snapshot they show.

use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use core_frame::TrackId;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bodies kept for one version. There are a few per track; more come only from viewers with queries of their own.
const MAX_BODIES: usize = 64;
/// Below this gzip makes nothing smaller.
const GZIP_FROM: usize = 200;

/// A playlist as text, its entity tag, and its compressed form once somebody wanted it.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) text: Bytes,
    pub(crate) etag: String,
    gzip: OnceLock<Option<Bytes>>,
}

impl Body {
    pub(crate) fn new(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        Self {
            etag: format!("\"{:016x}\"", hasher.finish()),
            text: Bytes::from(text),
            gzip: OnceLock::new(),
        }
    }

    /// The body in gzip, made once; `None` where that is of no use.
    pub(crate) fn gzip(&self) -> Option<Bytes> {
        self.gzip
            .get_or_init(|| {
                if self.text.len() < GZIP_FROM {
                    return None;
                }
                let out = Vec::with_capacity(self.text.len() / 4);
                let mut encoder = GzEncoder::new(out, Compression::new(5));
                encoder.write_all(&self.text).ok()?;
                let packed = encoder.finish().ok()?;
                (packed.len() < self.text.len()).then(|| packed.into())
            })
            .clone()
    }
}

/// What a body is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key<'q> {
    /// The track; the multivariant playlist when there is none.
    pub(crate) track: Option<TrackId>,
    pub(crate) plain: bool,
    pub(crate) skip: bool,
    /// The viewer's own query, as it was copied.
    pub(crate) query: &'q str,
}

/// The bodies of the newest version anybody asked for.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    inner: Mutex<Bodies>,
}

#[derive(Debug, Default)]
struct Bodies {
    version: u64,
    list: Vec<(Key<'static>, Box<str>, Arc<Body>)>,
}

impl Cache {
    /// The body of `key` at `version`: the one kept, or a new one. While it is rendered other requests of the stream
    /// wait, so that it is rendered once.
    pub(crate) fn body(
        &self,
        version: u64,
        key: &Key<'_>,
        render: impl FnOnce() -> String,
    ) -> Arc<Body> {
        // A panic while rendering leaves at worst a list without that body.
        let mut bodies = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if version < bodies.version {
            // A request that was overtaken: rare, so it renders for itself and disturbs nobody.
            drop(bodies);
            return Arc::new(Body::new(render()));
        }
        if version > bodies.version {
            bodies.version = version;
            bodies.list.clear();
        }
        let same = |(k, query, _): &&(Key<'static>, Box<str>, Arc<Body>)| {
            (k.track, k.plain, k.skip) == (key.track, key.plain, key.skip) && **query == *key.query
        };
        if let Some((_, _, body)) = bodies.list.iter().find(same) {
            return Arc::clone(body);
        }
        let body = Arc::new(Body::new(render()));
        if bodies.list.len() < MAX_BODIES {
            let kept = Key { query: "", ..*key };
            bodies
                .list
                .push((kept, key.query.into(), Arc::clone(&body)));
        }
        body
    }
}
