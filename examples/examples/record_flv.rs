//! An RTMP server of a dozen lines that writes every published stream to an FLV file.
//!
//! `cargo run -p millstream-examples --example record_flv -- --seconds 30`, then
//! `ffmpeg -re -f lavfi -i testsrc2 -t 10 -f flv rtmp://127.0.0.1:1935/live/cam`

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use millstream::bus::{AppSpec, CancellationToken, Engine, StreamEvent, StreamHandle};
use millstream::core_frame::bytes::BytesMut;
use millstream::flv::FileWriter;
use millstream::rtmp::net::{Config, RtmpProtocol};
use tokio::io::AsyncWriteExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(2).and_then(|s| s.parse().ok());
    let rtmp = RtmpProtocol::bind(Config::new(([127, 0, 0, 1], 1935).into()))?;
    println!("publish to rtmp://{}/live/NAME", rtmp.local_addr());

    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(rtmp)
        .build();
    let shutdown = CancellationToken::new();
    let mut events = engine.events().subscribe();
    let served = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.run(shutdown).await }
    });

    let limit = tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(600)));
    tokio::pin!(limit);
    loop {
        tokio::select! {
            () = &mut limit => break,
            event = events.recv() => match event {
                Ok(StreamEvent::Published { key, .. }) => {
                    tokio::spawn(record(engine.get_stream(&key)?));
                }
                Ok(_) => {}
                Err(_) => break,
            },
        }
    }
    shutdown.cancel();
    served.await??;
    Ok(())
}

/// Writes one stream until it ends. What was published before the end is in the file.
async fn record(stream: StreamHandle) -> std::io::Result<()> {
    let path = format!("{}.flv", stream.key().name());
    let mut file = tokio::fs::File::create(&path).await?;
    let mut reader = stream.subscribe_resilient();
    let mut writer = FileWriter::new();
    let mut bytes = BytesMut::new();
    let mut frames = 0_u64;
    while let Some(batch) = reader.next_batch().await {
        if let Some(tracks) = batch.new_header() {
            writer.tracks(tracks, &mut bytes);
        }
        for (_, frame) in batch.iter() {
            // A track FLV has no place for is left out.
            frames += u64::from(writer.frame(frame, &mut bytes).unwrap_or(false));
        }
        file.write_all(&bytes.split()).await?;
    }
    file.flush().await?;
    println!("{path}: {frames} frames");
    Ok(())
}
