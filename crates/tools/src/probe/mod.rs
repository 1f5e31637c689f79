//! The probe: what a file or stream holds, and what is wrong with it.

mod container;
mod hls;
mod meter;
mod report;
mod rtmp;

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use crate::hls::{Http, parse_url};
use crate::{Error, Result, TlsOptions};
use container::Container;

pub use report::{
    Complaint, DamageCount, HlsReport, Jump, ProbeReport, RenditionReport, TrackReport,
    VariantReport,
};

/// Options of [`probe`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeOptions {
    /// How long a live stream is looked at. Files are read to their end.
    pub duration: Duration,
    /// How long a server may take to its first media.
    pub timeout: Duration,
    /// How certificates are judged.
    pub tls: TlsOptions,
}

impl Default for ProbeOptions {
    /// Five seconds; 10 s to the first media.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            tls: TlsOptions::default(),
        }
    }
}

/// Looks at a file, or at an `rtmp://`, `rtmps://`, `http://` or `https://` address: FLV, fragmented MP4 and HLS, told apart by
/// their first bytes. Ends early, with what was found, when `cancel` fires.
///
/// # Errors
/// The source cannot be opened or is of no form that is read here. Damage inside is no error, but in the report.
pub async fn probe(
    source: &str,
    options: &ProbeOptions,
    cancel: CancellationToken,
) -> Result<ProbeReport> {
    let stop = Stop {
        cancel,
        after: options.duration,
    };
    if crate::rtmp::is_rtmp(source) {
        rtmp::probe(source, options, &stop).await
    } else if source.starts_with("http://") || source.starts_with("https://") {
        http(source, options, &stop).await
    } else if source.contains("://") && !source.starts_with("file:") {
        Err(Error::Url {
            url: source.to_owned(),
            reason: "rtmp, rtmps, http, https and files are read",
        })
    } else {
        let path = source.strip_prefix("file://").unwrap_or(source);
        file(
            source,
            Path::new(path.strip_prefix("file:").unwrap_or(path)),
            &stop,
        )
        .await
    }
}

/// When to stop looking.
struct Stop {
    cancel: CancellationToken,
    after: Duration,
}

impl Stop {
    /// Drives `work` until it ends, the operator has had enough, or (live) its time is up; `None` for the latter two.
    async fn unless<T>(&self, begun: Instant, work: impl Future<Output = T>) -> Option<T> {
        let end = tokio::time::Instant::from_std(begun + self.after);
        tokio::select! {
            done = work => Some(done),
            () = tokio::time::sleep_until(end) => None,
            () = self.cancel.cancelled() => None,
        }
    }
}

async fn file(source: &str, path: &Path, stop: &Stop) -> Result<ProbeReport> {
    let failed = |error| Error::File {
        path: path.to_owned(),
        source: error,
    };
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut buf = vec![0; 256 * 1024];
    let mut head = Vec::new();
    let mut container: Option<Container> = None;
    loop {
        let n = file.read(&mut buf).await.map_err(failed)?;
        let bytes = buf.get(..n).unwrap_or_default();
        match &mut container {
            Some(container) => container.push(bytes),
            None => {
                head.extend_from_slice(bytes);
                if n == 0 || head.len() >= container::SNIFF {
                    if container::is_playlist(&head) {
                        return hls::text(source, &head);
                    }
                    let mut opened = Container::open(&head, false)?;
                    opened.push(&head);
                    container = Some(opened);
                }
            }
        }
        if n == 0 || stop.cancel.is_cancelled() {
            break;
        }
    }
    container.ok_or(Error::Empty)?.finish(source)
}

async fn http(source: &str, options: &ProbeOptions, stop: &Stop) -> Result<ProbeReport> {
    let http = Http::new(options.timeout, &options.tls)?;
    let url = parse_url(source)?;
    let mut response = http.ask(url, None).await?;
    let mut head = Vec::new();
    let begun = Instant::now();
    while head.len() < container::SNIFF && !container::is_playlist(&head) {
        match tokio::time::timeout(options.timeout, response.chunk()).await {
            Ok(Ok(Some(bytes))) => head.extend_from_slice(&bytes),
            Ok(Ok(None)) => break,
            Ok(Err(e)) => return Err(crate::hls::broken(e)),
            Err(_) => {
                return Err(Error::Timeout {
                    what: "media",
                    after: options.timeout,
                });
            }
        }
    }
    if container::is_playlist(&head) {
        drop(response);
        return hls::probe(source, &http, stop).await;
    }
    let is_live = response.content_length().is_none();
    let mut container = Container::open(&head, is_live)?;
    container.push(&head);
    // A server that ends early, or breaks off: what came is told.
    while let Some(Ok(Some(bytes))) = stop.unless(begun, response.chunk()).await {
        container.push(&bytes);
    }
    container.finish(source)
}
