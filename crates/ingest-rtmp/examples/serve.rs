//! An RTMP server in a few lines: publish to and play from `rtmp://127.0.0.1:1935/live/cam`.
//!
//! `cargo run -p millstream-ingest-rtmp --example serve [ADDRESS] [latency|default|throughput|MILLISECONDS]`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bus::{AppSpec, Engine};
use millstream_ingest_rtmp::net::{Config, FanOut, RtmpProtocol};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:1935".to_owned());
    let mut config = Config::new(address.parse()?);
    config.fan_out = match args.next().as_deref() {
        Some("latency") => FanOut::LatencyFirst,
        Some("throughput") => FanOut::ThroughputFirst,
        Some(text) if text.parse::<u64>().is_ok() => {
            FanOut::Every(Duration::from_millis(text.parse()?))
        }
        _ => FanOut::Default,
    };
    let engine = Engine::builder()
        .allow_any_app(AppSpec::new("live"))
        .build();
    let rtmp = RtmpProtocol::bind(config)?.with_playback(engine.clone());
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    engine.serve(Arc::new(rtmp), shutdown).await?;
    Ok(())
}
