//! A protocol of your own: a worker that publishes numbered frames, and a reader that counts them.
//!
//! `cargo run -p millstream-examples --example custom_protocol`

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use millstream::bus::{
    AppSpec, CancellationToken, Engine, IngestContext, ProtocolHandler, PublishRegistry,
};
use millstream::core_frame::{Result, StreamError, StreamKey};
use millstream::synth::{Options, Source, read_number};
use std::sync::Arc;

/// Publishes 100 numbered pictures, as fast as they come.
struct Numbers;

#[async_trait::async_trait]
impl ProtocolHandler for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    async fn run(
        &self,
        registry: Arc<dyn PublishRegistry>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let session = IngestContext::new(registry)
            .open_publish(StreamKey::new("live", "numbers"))
            .await?;
        let options = Options::default().frames(100).sample_rate(None);
        let source = Source::new(options).map_err(|e| StreamError::other(e.to_string()))?;
        session.set_tracks(source.tracks())?;
        for frame in source {
            session.publish_frame(frame)?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        session.finish().await?;
        shutdown.cancelled().await;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(Numbers)
        .build();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.run(shutdown).await }
    });

    let key = StreamKey::new("live", "numbers");
    let stream = loop {
        match engine.get_stream(&key) {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    // The reader starts at the newest key frame and gets everything up to the end of the stream.
    let mut reader = stream.subscribe_resilient();
    let mut numbers = Vec::new();
    while let Some(frame) = reader.recv().await {
        numbers.extend(read_number(&frame).map(|number| number.n));
    }
    println!(
        "read numbers {:?} to {:?}, {} frames",
        numbers.first(),
        numbers.last(),
        numbers.len()
    );
    shutdown.cancel();
    served.await??;
    Ok(())
}
