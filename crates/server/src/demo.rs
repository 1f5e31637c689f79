//! The demo's source: the built-in clip, looped, at the pace of its own clock.

use std::sync::Arc;

use bus::{Engine, IngestContext, Peer, PublishRequest, PublishSession};
use core_frame::{Result, StreamKey};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// After the stream was taken away (an operator ended it, another publisher has the key) the next try comes so late.
const RETRY: Duration = Duration::from_secs(5);

/// Opens the stream. Who waits for this finds the stream there when the server has started.
///
/// # Errors
/// When somebody else has the key.
pub(crate) async fn open(engine: &Arc<Engine>, key: &StreamKey) -> Result<PublishSession> {
    let request = PublishRequest::new(key.clone()).peer(Peer::new("demo"));
    let session = IngestContext::new(Arc::clone(engine) as _)
        .open_publish_as(request)
        .await?;
    Ok(session)
}

/// Publishes the clip until `stop`, first to the `opened` session, then, whenever that was taken away, to another.
pub(crate) async fn publish(
    engine: Arc<Engine>,
    key: StreamKey,
    opened: Result<PublishSession>,
    stop: CancellationToken,
) {
    let mut opened = Some(opened);
    while !stop.is_cancelled() {
        let session = match opened.take() {
            Some(opened) => opened,
            None => open(&engine, &key).await,
        };
        let outcome = match session {
            Ok(session) => tokio::select! {
                outcome = play(session) => outcome,
                () = stop.cancelled() => return,
            },
            Err(e) => Err(e),
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

async fn play(session: PublishSession) -> Result<()> {
    let clip = synth::Clip::demo();
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
