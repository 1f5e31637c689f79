//! Puts players on a stream: `cargo run --release -p millstream-tools --example load -- ADDRESS PLAYERS SECONDS`.
//!
//! With `publish` before the address it publishes numbered frames at 4.2 Mb/s instead, from PLAYERS publishers.

#![allow(clippy::print_stdout, reason = "an example speaks to a terminal")]

use std::error::Error;
use std::time::Duration;

use millstream_tools::load::{PlayOptions, Protocol, PublishOptions, play, publish};
use tokio_util::sync::CancellationToken;

// One thread: with 500 players at 4.2 Mb/s it is busy for a fraction of the time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_publish = args.first().is_some_and(|a| a == "publish");
    if is_publish {
        args.remove(0);
    }
    let [url, count, seconds] = &args[..] else {
        return Err("usage: load [publish] ADDRESS COUNT SECONDS".into());
    };
    let (count, duration) = (count.parse()?, Duration::from_secs(seconds.parse()?));
    let cancel = CancellationToken::new();
    if is_publish {
        let mut options = PublishOptions::new(url);
        options.count = count;
        options.duration = duration;
        options.bitrate = 4_200_000;
        println!("{}", publish(options, cancel).await?.table());
    } else {
        let protocol = Protocol::guess(url).ok_or("not an address that can be played")?;
        let mut options = PlayOptions::new(protocol, url);
        options.count = count;
        options.duration = duration;
        options.ramp = Duration::from_secs(1);
        println!("{}", play(options, cancel).await?.table());
    }
    Ok(())
}
