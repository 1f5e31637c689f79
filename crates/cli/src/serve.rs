//! `serve` and `demo`: the server, until a signal.

use anyhow::Context;
use millstream::core_frame::StreamKey;
use millstream::server::config::{Config, Listen, LogFormat, Source};
use millstream::server::{Addresses, Running, Server};
use tracing::info;

use crate::args::{Demo, ServeArgs, ServerOptions};
use crate::exit::Exit;
use crate::signals::{Signals, Which};
use crate::{logs, memory, say};

/// The stream of the demo.
const DEMO: (&str, &str) = ("live", "demo");

pub(crate) fn serve(args: ServeArgs) -> anyhow::Result<Exit> {
    let config = configure(args.config.as_deref(), &args.server)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new().context("cannot take over the signals")?;
        let running = Server::start(config).await?;
        until_signal(running, &mut signals).await
    })
}

pub(crate) fn demo(args: Demo) -> anyhow::Result<Exit> {
    let mut config = configure(None, &args.server)?;
    let key = StreamKey::new(DEMO.0, DEMO.1);
    if !config.streams.iter().any(|s| s.key == key.as_str()) {
        config.streams.push(Source::new(&key, "demo:"));
    }
    runtime()?.block_on(async {
        let mut signals = Signals::new().context("cannot take over the signals")?;
        let running = Server::start(config).await?;
        say::line(&welcome(running.addresses(), &key));
        until_signal(running, &mut signals).await
    })
}

/// What is there to see, with the addresses that really hold.
fn welcome(addresses: &Addresses, key: &StreamKey) -> String {
    let mut lines = vec![
        "Millstream runs, with a live picture on it.".to_owned(),
        String::new(),
    ];
    let mut line = |what: &str, url: String| lines.push(format!("  {what:<18} {url}"));
    if let Some(http) = addresses.http {
        let http = format!("http://{}", Addresses::reachable(http));
        line("watch", format!("{http}/{key}/"));
        line("all streams", format!("{http}/"));
        line("LL-HLS", format!("{http}/{key}/index.m3u8"));
        line("HTTP-FLV", format!("{http}/{key}.flv"));
        line("fragmented MP4", format!("{http}/{key}.mp4"));
    }
    if let Some(https) = addresses.https {
        line(
            "watch (TLS)",
            format!("https://{}/{key}/", Addresses::reachable(https)),
        );
    }
    if let Some(rtmp) = addresses.rtmp {
        let address = Addresses::reachable(rtmp);
        // The usual port is left out, and nothing that only begins like it.
        let rtmp = format!(
            "rtmp://{}",
            address.strip_suffix(":1935").unwrap_or(&address)
        );
        line("RTMP", format!("{rtmp}/{key}"));
        lines.push(String::new());
        lines.push("Publish your own beside it:".to_owned());
        lines.push(format!(
            "  ffmpeg -re -i FILE -c copy -f flv {rtmp}/live/cam"
        ));
    }
    lines.push(String::new());
    lines.push("Ctrl-C ends it.".to_owned());
    lines.join("\n")
}

fn configure(file: Option<&std::path::Path>, options: &ServerOptions) -> anyhow::Result<Config> {
    let mut config = Config::load(file, &options.set)?;
    if let Some(data) = &options.data {
        config.data.clone_from(data);
    }
    let format = options
        .log_format
        .map_or(config.log.format, LogFormat::from);
    logs::begin(&config.log.level, format);
    for notice in config.notices() {
        tracing::warn!("{notice}");
    }
    if [config.http.listen, config.rtmp.listen]
        .iter()
        .all(|l| *l == Listen::Off)
    {
        tracing::warn!("http.listen and rtmp.listen are both switched off");
    }
    Ok(config)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Runs until a signal or a fatal fault, then ends cleanly; a second signal ends at once.
async fn until_signal(running: Running, signals: &mut Signals) -> anyhow::Result<Exit> {
    let give_back = tokio::spawn(memory::give_back());
    let (exit, fault) = tokio::select! {
        which = signals.next() => {
            info!(signal = ?which, "shutting down");
            (if which == Which::Interrupt { Exit::Interrupted } else { Exit::Done }, None)
        }
        fault = running.failed() => (Exit::Failed, Some(fault)),
    };
    give_back.abort();
    if let Some(cut_short) = signals.finish(running.shutdown()).await {
        return Ok(cut_short);
    }
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok(exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_port_is_left_out() {
        for (port, want) in [
            (1935, "rtmp://localhost/live/demo"),
            (19_350, "rtmp://localhost:19350/live/demo"),
        ] {
            let mut addresses = Addresses::default();
            addresses.rtmp = Some(([127, 0, 0, 1], port).into());
            let text = welcome(&addresses, &StreamKey::new(DEMO.0, DEMO.1));
            assert!(text.contains(want), "{text}");
        }
    }
}
