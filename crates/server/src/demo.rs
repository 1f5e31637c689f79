//! The demo's source: the built-in clip, looped, at the pace of its own clock.

use std::sync::Arc;

use bus::{Engine, IngestContext, Peer, PublishRequest};
use core_frame::{Result, StreamKey};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// After the stream was taken away (an operator ended it, another publisher has the key) the next try comes so late.
const RETRY: Duration = Duration::from_secs(5);

/// Publishes the clip to `key` until `stop`.
pub(crate) async fn publish(engine: Arc<Engine>, key: StreamKey, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let outcome = tokio::select! {
            outcome = session(&engine, &key) => outcome,
            () = stop.cancelled() => return,
        };
        match outcome {
            Ok(()) => debug!(%key, "the demo was ended"),
            Err(e) => warn!(%key, error = %e, "the demo does not play"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn session(engine: &Arc<Engine>, key: &StreamKey) -> Result<()> {
    let clip = synth::Clip::demo();
    let request = PublishRequest::new(key.clone()).peer(Peer::new("demo"));
    let session = IngestContext::new(Arc::clone(engine) as _)
        .open_publish_as(request)
        .await?;
    session.set_tracks(clip.tracks())?;
    let kicked = session.kicked();
    let begun = Instant::now();
    for frame in clip {
        let due = begun + frame.dts.to_duration();
        tokio::select! {
            biased;
            () = kicked.cancelled() => return Ok(()),
            () = sleep_until(due) => {}
        }
        session.publish_frame(frame)?;
    }
    session.finish().await
}
