//! Streams that begin when somebody wants them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Engine, PlayRequest, PlaybackRegistry, StreamHandle};
use core_frame::Result;
use tokio::time::{Instant, sleep, timeout_at};

use super::Links;

/// How long a reader waits for a source to begin.
const WAIT: Duration = Duration::from_secs(10);
/// How often a reader that waits looks whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// The engine's streams, and those that a reader may wake.
pub(crate) struct OnDemand {
    pub(crate) engine: Arc<Engine>,
    pub(crate) links: Arc<Links>,
}

#[async_trait]
impl PlaybackRegistry for OnDemand {
    async fn open_play(&self, request: PlayRequest) -> Result<StreamHandle> {
        if let Some(source) = self.links.on_demand(&request.key) {
            // Only who may watch may start it.
            self.engine.authenticator().play(&request).await?;
            source.ask();
            let there = async {
                while self.engine.get_stream(&request.key).is_err() {
                    sleep(LOOK).await;
                }
            };
            // Whoever waits in vain is told that there is no such stream.
            let _ = timeout_at(Instant::now() + WAIT, there).await;
        }
        self.engine.open_play(request).await
    }
}
