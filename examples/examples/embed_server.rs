//! A whole server inside your own program, with your own eye on what happens in it.
//!
//! `cargo run -p millstream-examples --example embed_server -- --seconds 60`

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use millstream::server::{Server, config::Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(2).and_then(|s| s.parse().ok());
    let mut config = Config::default();
    config.set("http.listen", "127.0.0.1:0")?;
    config.set("rtmp.listen", "127.0.0.1:0")?;
    config.set("storage.url", "memory:")?;

    let running = Server::start(config).await?;
    let addresses = running.addresses();
    if let (Some(rtmp), Some(http)) = (addresses.rtmp, addresses.http) {
        println!("publish to  rtmp://{rtmp}/live/cam");
        println!("watch at    http://{http}/live/cam/");
    }

    // Whatever happens on the engine is an event.
    let mut events = running.engine().events().subscribe();
    let watch = async {
        while let Ok(event) = events.recv().await {
            println!("{event:?}");
        }
    };
    let limit = Duration::from_secs(seconds.unwrap_or(600));
    let _ = tokio::time::timeout(limit, watch).await;
    running.shutdown().await;
    Ok(())
}
